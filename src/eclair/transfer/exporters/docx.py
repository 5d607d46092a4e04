"""A DOCX document of the displayed branch, for word processors.

Headings, lists, tables, code and links are those of the word processor; formulas stay as written, set apart. AI
authorship is stated in the text, in the footer and in the document's properties.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from functools import cache
from importlib import resources

from eclair.provenance.text_marks import MADE_BY_AI
from eclair.schema.messages import Citation, Message
from eclair.transfer.export_view import (
    ExportedConversation,
    ending_note,
    format_time,
    image_caption,
    speaker_label,
    to_datetime,
)
from eclair.transfer.exporters.docx_body import (
    DocxParts,
    MarkdownBody,
    RunStyle,
    bookmark,
    clean,
    hyperlink,
    image_paragraph,
    paragraph,
    text_run,
)
from eclair.transfer.footnotes import (
    MARK_SENTINEL,
    FootnoteMark,
    attachment_names,
    cited_sources,
    describe_source,
    doubtful_sentences,
    insert_marks,
    safe_url,
)

_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_NAMESPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    f'xmlns:r="{_OFFICE}/relationships" '
    'xmlns:wp="http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing" '
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:pic="http://schemas.openxmlformats.org/drawingml/2006/picture"'
)
_TIME = (1980, 1, 1, 0, 0, 0)


def render(exported: ExportedConversation) -> bytes:
    parts = DocxParts()
    body = "".join(_Writer(exported, parts).body())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in _files(exported, parts, body, exported.notice):
            archive.writestr(_entry(name), _XML + text)
        for image in parts.images:
            archive.writestr(_entry(f"word/media/{image.name}"), image.data)
    return out.getvalue()


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    return info


class _Writer:
    """Writes the messages of a conversation."""

    def __init__(self, exported: ExportedConversation, parts: DocxParts) -> None:
        self._exported = exported
        self._parts = parts
        self._markdown = MarkdownBody(parts)
        self._bookmarks = 0

    def body(self) -> Iterator[str]:
        messages = self._exported.branch
        yield paragraph(text_run(" ".join(self._exported.title.split())), "Title")
        yield paragraph(text_run(self._exported.notice), "Note")
        answers = 0
        for message in messages:
            answers += message.role == "assistant"
            yield paragraph(text_run(f"{speaker_label(message)} · {format_time(message.created)}"), "Heading1")
            for index in range(len(message.parts)):
                yield from self._part(message, index, answers)
            yield from self._sources(message, answers)
            if (end := ending_note(message)) is not None:
                yield paragraph(text_run(end), "Note")

    def _part(self, message: Message, index: int, answer: int) -> Iterator[str]:
        part = message.parts[index]
        match part.kind:
            case "text" if message.role == "assistant":
                yield self._markdown.write(insert_marks(message, index, _sign), f"source_{answer}_")
            case "text":
                yield from (paragraph(text_run(block.strip("\n"))) for block in re.split(r"\n{2,}", part.text))
            case "reasoning":
                yield paragraph(text_run("Reasoning", RunStyle(bold=True)), "Note")
                yield paragraph(text_run(part.text.strip()), "Note")
            case "tool_call":
                yield paragraph(text_run(f"Tool call: {part.name or ''}", RunStyle(bold=True)), "Note")
                yield paragraph(text_run(part.text), "Code")
            case "tool_result":
                yield paragraph(text_run(f"Result of {part.name or ''}", RunStyle(bold=True)), "Note")
                yield paragraph(text_run(part.text), "Code")
            case "picture":
                caption = image_caption(part)
                yield image_paragraph(self._parts, self._exported.pictures.get(part.id or "", ""), caption) or ""
                yield paragraph(text_run(caption), "Caption")

    def _sources(self, message: Message, answer: int) -> Iterator[str]:
        """Write a question's attachments, an answer's sources, and its unsupported sentences."""
        if names := attachment_names(message):
            yield paragraph(text_run(f"With {', '.join(names)}"), "Note")
        for source in cited_sources(message):
            self._bookmarks += 1
            number = source.passage.number
            mark = bookmark(self._bookmarks, f"source_{answer}_{number}", text_run(f"{number} ", RunStyle(bold=True)))
            place = text_run(f"{describe_source(source)}: ", RunStyle(bold=True))
            link = ""
            if (url := safe_url(source.passage)) is not None:
                link = hyperlink(self._parts, url, text_run(url, RunStyle(style="Hyperlink"))) + text_run(" ")
            yield paragraph(mark + place + link + text_run(f"“{source.quote}”"), "Source")
        for sentence, doubt in doubtful_sentences(message):
            yield paragraph(text_run("? ", RunStyle(bold=True)) + text_run(f"{sentence} — {doubt}"), "Source")


def _sign(mark: FootnoteMark) -> str:
    return f"{MARK_SENTINEL}{mark.passage if isinstance(mark, Citation) else '?'}{MARK_SENTINEL}"


def _files(exported: ExportedConversation, parts: DocxParts, body: str, notice: str) -> Iterator[tuple[str, str]]:
    """Yield the XML files of the package by name."""
    page = (
        '<w:sectPr><w:footerReference w:type="default" r:id="footer"/><w:pgSz w:w="11906" w:h="16838"/>'
        '<w:pgMar w:top="1417" w:right="1417" w:bottom="1417" w:left="1417" w:header="708" w:footer="708" '
        'w:gutter="0"/></w:sectPr>'
    )
    yield "[Content_Types].xml", _content_types()
    yield (
        "_rels/.rels",
        _relations(
            ("document", f"{_OFFICE}/relationships/officeDocument", "word/document.xml", False),
            ("core", f"{_PACKAGE}/relationships/metadata/core-properties", "docProps/core.xml", False),
            ("custom", f"{_OFFICE}/relationships/custom-properties", "docProps/custom.xml", False),
        ),
    )
    yield "docProps/core.xml", _core_properties(exported, notice)
    yield "docProps/custom.xml", _custom_properties()
    yield "word/document.xml", f"<w:document {_NAMESPACES}><w:body>{body}{page}</w:body></w:document>"
    yield "word/footer1.xml", f"<w:ftr {_NAMESPACES}>{paragraph(text_run(notice), 'Footer')}</w:ftr>"
    yield "word/styles.xml", _styles().replace("LANGUAGE", exported.language)
    yield "word/numbering.xml", _numbering(parts)
    document = f"{_OFFICE}/relationships"
    yield (
        "word/_rels/document.xml.rels",
        _relations(
            ("styles", f"{document}/styles", "styles.xml", False),
            ("numbering", f"{document}/numbering", "numbering.xml", False),
            ("footer", f"{document}/footer", "footer1.xml", False),
            *(
                (f"image{n}", f"{document}/image", f"media/{image.name}", False)
                for n, image in enumerate(parts.images, 1)
            ),
            *((id, f"{document}/hyperlink", url, True) for url, id in parts.links.items()),
        ),
    )


def _content_types() -> str:
    word = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    overrides = {
        "/word/document.xml": f"{word}.document.main+xml",
        "/word/styles.xml": f"{word}.styles+xml",
        "/word/numbering.xml": f"{word}.numbering+xml",
        "/word/footer1.xml": f"{word}.footer+xml",
        "/docProps/core.xml": "application/vnd.openxmlformats-package.core-properties+xml",
        "/docProps/custom.xml": "application/vnd.openxmlformats-officedocument.custom-properties+xml",
    }
    defaults = {
        "rels": "application/vnd.openxmlformats-package.relationships+xml",
        "xml": "application/xml",
        "png": "image/png",
        "jpeg": "image/jpeg",
    }
    inner = "".join(f'<Default Extension="{name}" ContentType="{kind}"/>' for name, kind in defaults.items())
    inner += "".join(f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in overrides.items())
    return f'<Types xmlns="{_PACKAGE}/content-types">{inner}</Types>'


def _relations(*relations: tuple[str, str, str, bool]) -> str:
    inner = "".join(
        f'<Relationship Id="{id}" Type="{kind}" Target="{clean(target)}"{external}/>'
        for id, kind, target, is_external in relations
        for external in [' TargetMode="External"' if is_external else ""]
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{inner}</Relationships>'


def _core_properties(exported: ExportedConversation, notice: str) -> str:
    made = f"{to_datetime(exported.at):%Y-%m-%dT%H:%M:%SZ}"
    return (
        f'<cp:coreProperties xmlns:cp="{_PACKAGE}/metadata/core-properties" '
        'xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/" '
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">'
        f"<dc:title>{clean(exported.title)}</dc:title><dc:creator>Éclair</dc:creator>"
        f"<cp:keywords>AI-generated</cp:keywords><dc:description>{clean(notice)}</dc:description>"
        f'<dcterms:created xsi:type="dcterms:W3CDTF">{made}</dcterms:created></cp:coreProperties>'
    )


def _custom_properties() -> str:
    return (
        f'<Properties xmlns="{_OFFICE}/custom-properties" xmlns:vt="{_OFFICE}/docPropsVTypes">'
        '<property fmtid="{D5CDD505-2E9C-101B-9397-08002B2CF9AE}" pid="2" name="DigitalSourceType">'
        f"<vt:lpwstr>{MADE_BY_AI}</vt:lpwstr></property></Properties>"
    )


def _numbering(parts: DocxParts) -> str:
    """Write the numbering: bullets are number 1, and each ordered list has one of its own."""
    levels = {"bullet": "", "decimal": ""}
    for level in range(9):
        indent = f'<w:pPr><w:ind w:left="{720 * (level + 1)}" w:hanging="360"/></w:pPr>'
        for kind, sign in (("bullet", "•"), ("decimal", f"%{level + 1}.")):
            levels[kind] += (
                f'<w:lvl w:ilvl="{level}"><w:start w:val="1"/><w:numFmt w:val="{kind}"/>'
                f'<w:lvlText w:val="{sign}"/><w:lvlJc w:val="left"/>{indent}</w:lvl>'
            )
    kinds = "".join(
        f'<w:abstractNum w:abstractNumId="{id}"><w:multiLevelType w:val="multilevel"/>{inner}</w:abstractNum>'
        for id, inner in enumerate(levels.values(), 1)
    )
    numbers = '<w:num w:numId="1"><w:abstractNumId w:val="1"/></w:num>'
    for id, start in enumerate(parts.list_starts, 2):
        overrides = "".join(
            f'<w:lvlOverride w:ilvl="{level}"><w:startOverride w:val="{start}"/></w:lvlOverride>' for level in range(9)
        )
        numbers += f'<w:num w:numId="{id}"><w:abstractNumId w:val="2"/>{overrides}</w:num>'
    return f"<w:numbering {_NAMESPACES}>{kinds}{numbers}</w:numbering>"


@cache
def _styles() -> str:
    text = (resources.files("eclair.transfer.exporters") / "docx_styles.xml").read_text("utf-8")
    return text.partition("?>\n")[2]
