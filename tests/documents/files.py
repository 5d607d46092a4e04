"""Real files of every kind, made by hand, so that tests need nothing but Python and what Éclair itself needs."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Sequence
from email.message import EmailMessage
from typing import Any

import numpy as np
import openpyxl
import pypdfium2 as pdfium  # pyright: ignore[reportMissingTypeStubs]
from PIL import Image, ImageDraw, ImageFont
from pptx import Presentation
from pptx.util import Inches

PARAGRAPH = "The quick brown fox jumps over the lazy dog near the river bank."


def pdf(
    pages: Sequence[Sequence[tuple[float, float, float, str]]],
    *,
    bold: str = "Helvetica-Bold",
    rotate: int = 0,
    labels: str = "",
    outline: Sequence[tuple[str, int]] = (),
) -> bytes:
    """A PDF of A4 pages; each text is (left, baseline from the top, size, text), in bold where it begins with `*`."""
    objects: list[bytes] = []

    def add(body: bytes) -> int:
        objects.append(body)
        return len(objects)

    add(b"")  # 1: the catalogue
    add(b"")  # 2: the pages
    fonts = [
        add(f"<</Type/Font/Subtype/Type1/BaseFont/{name}/Encoding/WinAnsiEncoding>>".encode())
        for name in ("Helvetica", bold, "Courier")
    ]
    resources = f"<</Font<</F0 {fonts[0]} 0 R/F1 {fonts[1]} 0 R/F2 {fonts[2]} 0 R>>>>"
    kids: list[int] = []
    for texts in pages:
        said = b""
        for left, down, size, text in texts:
            font = {"*": "F1", "`": "F2"}.get(text[:1], "F0")
            shown = (
                text.lstrip("*`").encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
            )
            said += f"BT /{font} {size} Tf {left} {842 - down} Td (".encode() + shown + b") Tj ET\n"
        packed = zlib.compress(said)
        content = add(f"<</Length {len(packed)}/Filter/FlateDecode>>stream\n".encode() + packed + b"\nendstream")
        kids.append(
            add(
                f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Rotate {rotate}/Resources{resources}"
                f"/Contents {content} 0 R>>".encode()
            )
        )
    entries = ""
    if outline:
        first = len(objects) + 2
        for at, (title, page) in enumerate(outline):
            following = f"/Next {first + at + 1} 0 R" if at + 1 < len(outline) else ""
            before = f"/Prev {first + at - 1} 0 R" if at else ""
            if at == 0:
                last = first + len(outline) - 1
                root = add(f"<</Type/Outlines/First {first} 0 R/Last {last} 0 R/Count {len(outline)}>>".encode())
                entries = f"/Outlines {root} 0 R"
            add(
                f"<</Title({title})/Parent {first - 1} 0 R/Dest[{kids[page - 1]} 0 R/Fit]{following}{before}>>".encode()
            )
    objects[0] = f"<</Type/Catalog/Pages 2 0 R{entries}{labels}>>".encode()
    objects[1] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(f'{kid} 0 R' for kid in kids)}]>>".encode()
    out = io.BytesIO(b"")
    out.write(b"%PDF-1.7\n")
    places: list[int] = []
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n".encode() + body + b"\nendobj\n")
    start = out.tell()
    out.write(f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode())
    out.writelines(f"{place:010} 00000 n \n".encode() for place in places)
    out.write(f"trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n".encode())
    return out.getvalue()


def page_of_text(number: int) -> list[tuple[float, float, float, str]]:
    """A page as books have them: running title, heading, two paragraphs, page number."""
    return [
        (72, 40, 9, f"The Book of Rivers {number}"),
        (72, 110, 18, f"Chapter about river {number}"),
        (72, 150, 11, f"River number {number} begins in the moun-"),
        (72, 164, 11, "tains and ends in the sea, as rivers do."),
        (72, 200, 11, "Its water is cold in winter. Nobody swims"),
        (72, 214, 11, "in it before the first of May."),
        (290, 810, 9, str(number)),
    ]


def picture_of_text(lines: Sequence[str], *, size: int = 28, width: int = 1000) -> Image.Image:
    """Black on white."""
    image = Image.new("RGB", (width, 80 + len(lines) * size * 2), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size)
    for at, text in enumerate(lines):
        draw.text((60, 40 + at * size * 2), text, fill="black", font=font)
    return image


def ink(image: Image.Image) -> bool:
    """Whether something dark is in the picture."""
    return bool((np.asarray(image.convert("L")) < 100).any())


def encoded(image: Image.Image, form: str, **more: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **more)
    return out.getvalue()


def joined(parts: Sequence[bytes]) -> bytes:
    """PDFs as one."""
    whole = pdfium.PdfDocument.new()
    for part in parts:
        whole.import_pages(pdfium.PdfDocument(part))
    made = io.BytesIO()
    whole.save(made)
    return made.getvalue()


def zipped(files: dict[str, bytes], *, store: Sequence[str] = ()) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data, zipfile.ZIP_STORED if name in store else None)
    return out.getvalue()


_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_STYLES = (
    f'<w:styles {_W}><w:style w:styleId="berschrift1"><w:name w:val="heading 1"/></w:style>'
    '<w:style w:styleId="Erbe"><w:basedOn w:val="berschrift1"/><w:name w:val="Mine"/></w:style></w:styles>'
)
_NUMBERING = (
    f'<w:numbering {_W}><w:abstractNum w:abstractNumId="0"><w:lvl w:ilvl="0"><w:start w:val="1"/>'
    '<w:numFmt w:val="decimal"/><w:lvlText w:val="%1."/></w:lvl><w:lvl w:ilvl="1"><w:start w:val="1"/>'
    '<w:numFmt w:val="lowerLetter"/><w:lvlText w:val="%2)"/></w:lvl></w:abstractNum>'
    '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num></w:numbering>'
)


def docx(body: str) -> bytes:
    """A Word file with that body, with a style for headings, one that inherits it, and a numbered list."""
    return zipped(
        {
            "[Content_Types].xml": b"<Types/>",
            "word/document.xml": f"<w:document {_W}><w:body>{body}</w:body></w:document>".encode(),
            "word/styles.xml": _STYLES.encode(),
            "word/numbering.xml": _NUMBERING.encode(),
        }
    )


def word_paragraph(text: str, style: str = "", depth: int | None = None) -> str:
    properties = f'<w:pStyle w:val="{style}"/>' if style else ""
    if depth is not None:
        properties += f'<w:numPr><w:ilvl w:val="{depth}"/><w:numId w:val="1"/></w:numPr>'
    return f"<w:p><w:pPr>{properties}</w:pPr><w:r><w:t>{text}</w:t></w:r></w:p>"


def word_table(rows: Sequence[Sequence[str]]) -> str:
    cells = ("".join(f"<w:tc>{word_paragraph(cell)}</w:tc>" for cell in row) for row in rows)
    return "<w:tbl>" + "".join(f"<w:tr>{row}</w:tr>" for row in cells) + "</w:tbl>"


_ODF = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{full}:1.0"'
    for name, full in (
        ("office", "office"),
        ("text", "text"),
        ("table", "table"),
        ("draw", "drawing"),
        ("presentation", "presentation"),
    )
)


def odf(kind: str, body: str) -> bytes:
    """An OpenDocument file of that kind: `text`, `spreadsheet` or `presentation`."""
    content = f"<office:document-content {_ODF}><office:body><office:{kind}>{body}</office:{kind}></office:body>"
    return zipped(
        {
            "mimetype": f"application/vnd.oasis.opendocument.{kind}".encode(),
            "content.xml": (content + "</office:document-content>").encode(),
        },
        store=["mimetype"],
    )


def epub(chapters: dict[str, str]) -> bytes:
    items = "".join(f'<item id="c{at}" href="{name}"/>' for at, name in enumerate(chapters))
    order = "".join(f'<itemref idref="c{at}"/>' for at in range(len(chapters)))
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest><spine>{order}</spine></package>'
    )
    container = (
        '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
        '<rootfile full-path="OEBPS/b.opf"/>'
    )
    return zipped(
        {
            "mimetype": b"application/epub+zip",
            "META-INF/container.xml": (container + "</rootfiles></container>").encode(),
            "OEBPS/b.opf": package.encode(),
            **{f"OEBPS/{name}": text.encode() for name, text in chapters.items()},
        },
        store=["mimetype"],
    )


def xlsx(sheets: dict[str, Sequence[Sequence[object]]], forms: dict[str, str] | None = None) -> bytes:
    """Sheets of rows; `forms` are the number formats of cells of the first."""
    book = openpyxl.Workbook()
    assert book.active is not None
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    for place, form in (forms or {}).items():
        book.worksheets[0][place].number_format = form
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def pptx(slides: Sequence[tuple[str, Sequence[str], str]]) -> bytes:
    """Slides of a title, points and notes."""
    show: Any = Presentation()
    for title, points, notes in slides:
        slide = show.slides.add_slide(show.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = "\n".join(points)
        slide.notes_slide.notes_text_frame.text = notes
    table = show.slides[0].shapes.add_table(2, 2, Inches(1), Inches(5), Inches(4), Inches(1)).table
    for at, text in enumerate(("Year", "Tons", "2025", "17")):
        table.cell(at // 2, at % 2).text = text
    out = io.BytesIO()
    show.save(out)
    return out.getvalue()


def eml(attached: dict[str, bytes]) -> bytes:
    message = EmailMessage()
    message["Subject"] = "Grüße aus Köln"
    message["From"] = "Anna <anna@example.org>"
    message["To"] = "Ben <ben@example.org>"
    message["Date"] = "Tue, 03 Mar 2026 10:00:00 +0100"
    message.set_content("Hallo Ben,\n\nder Zug kommt um 17:42 Uhr an.\n")
    for name, data in attached.items():
        message.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return bytes(message)
