"""Canvases leave over HTTP as files that other programs open, and that say where a model wrote."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import openpyxl
import pypdfium2  # pyright: ignore[reportMissingTypeStubs]
import pytest
from pptx import Presentation

from tests.generation.test_injections import upload
from tests.server.test_canvases import make
from tests.support import Reply, Server

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore:Workbook contains no default style:UserWarning"),
    pytest.mark.filterwarnings("ignore:Cannot parse header or footer:UserWarning"),
]

TEXT = """# The *harbour* of Sète

A word & <b>before</b>, with $x^2$ and [a link](https://example.org/?a=1&b=2).

## Boats

- one
  - deep **boat**
- two

| Name | Tons | Note |
| --- | ---: | --- |
| Ada | 12.5 | =1+1 |
| Grace\x02 | 007 | <i> |

## Ports

| Port | Berths |
| --- | --- |
| Brest | 40 |
"""
MEDIA = {
    "source": "text/plain; charset=utf-8",
    "markdown": "text/markdown; charset=utf-8",
    "html": "text/html; charset=utf-8",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv; charset=utf-8",
}
NOTICE = "Made with AI (scripted)."


async def exported(server: Server, format: str, text: str = TEXT, *, by_model: bool = True) -> bytes:
    """Return the file that a canvas is exported as."""
    path, _ = await make(server, text, **({"author": "model", "model": "scripted"} if by_model else {}))
    found = await server.get(f"{path}/export?format={format}")
    assert found.status == 200, found.raw
    assert found.headers["Content-Type"] == MEDIA[format]
    assert found.headers["X-Content-Type-Options"] == "nosniff"
    return found.raw


async def marks(server: Server, data: bytes, name: str) -> Any:
    headers = {"Content-Type": "application/octet-stream"}
    reply = await server.post(f"/api/marks/check?name={name}", data=data, headers=headers)
    assert reply.status == 200, reply.raw
    return reply.body


async def file_text(server: Server, name: str, data: bytes) -> str:
    """The text of a file as Éclair reads it."""
    file = await upload(server, name, data)
    pages = [(await server.get(f"/api/files/{file['id']}/pages/{at}")).body for at in range(1, file["pages"] + 1)]
    return "\n".join(page["text"] for page in pages)


@pytest.mark.parametrize("format", ["markdown", "html", "docx", "pdf", "pptx", "xlsx"])
async def test_each_file_says_whether_a_model_wrote_it(server: Server, format: str) -> None:
    text = TEXT.replace("\x02", "")  # a file with control characters is taken for no text
    name = f"harbour.{format.replace('markdown', 'md')}"
    made = await marks(server, await exported(server, format, text), name)
    assert (made.get("made"), made.get("altered")) == ("created", False), made
    plain = await marks(server, await exported(server, format, text, by_model=False), name)
    assert plain["made"] is None
    assert NOTICE.encode() not in await exported(server, format, text, by_model=False)


def bookmarks(document: Any) -> list[str]:
    return [item.get_title() for item in document.get_toc()]


async def test_a_pdf_has_the_text_and_its_headings(server: Server) -> None:
    with pypdfium2.PdfDocument(await exported(server, "pdf")) as document:
        text = "\n".join(page.get_textpage().get_text_range() for page in document)
        headings = bookmarks(document)
        title = document.get_metadata_dict()["Title"]
    assert headings == ["Boats", "Ports"]
    assert title == "The harbour of Sète"
    for words in ("A word & <b>before</b>", "deep boat", "Grace", "007", "Brest", NOTICE):
        assert words in text


async def test_a_presentation_has_slides_levels_and_tables(server: Server) -> None:
    show: Any = Presentation(io.BytesIO(await exported(server, "pptx")))
    titles = [slide.shapes.title.text for slide in show.slides]
    assert titles == ["The harbour of Sète", "Boats", "Boats", "Ports"]
    levels = [(line.text, line.level) for shape in show.slides[1].shapes for line in shape.text_frame.paragraphs]
    assert ("deep boat", 1) in levels
    tables = [shape.table for slide in show.slides for shape in slide.shapes if shape.has_table]
    assert [[cell.text for cell in row.cells] for row in tables[0].rows][1] == ["Ada", "12.5", "=1+1"]
    assert NOTICE in show.core_properties.comments
    words = [shape.text_frame.text for shape in show.slides[0].shapes if shape.has_text_frame]
    assert any(NOTICE in text for text in words)


async def test_a_workbook_has_a_sheet_for_each_table_and_computes_nothing(server: Server) -> None:
    book = openpyxl.load_workbook(io.BytesIO(await exported(server, "xlsx")))
    rows = [[list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book.worksheets]
    assert rows[0] == [["Name", "Tons", "Note"], ["Ada", 12.5, "=1+1"], ["Grace", "007", "<i>"]]
    assert rows[1] == [["Port", "Berths"], ["Brest", 40]]
    assert book.worksheets[0]["C2"].data_type != "f"
    assert NOTICE in str(book.properties.description)


async def test_a_workbook_holds_no_more_in_a_cell_than_programs_open(server: Server) -> None:
    long = f"| A |\n| --- |\n| {'word ' * 7_000} |\n"
    book = openpyxl.load_workbook(io.BytesIO(await exported(server, "xlsx", long)))
    assert len(str(book.worksheets[0]["A2"].value)) == 32_767
    assert str(book.worksheets[0]["A2"].value).endswith("…")


async def test_a_document_is_read_back(server: Server) -> None:
    text = await file_text(server, "harbour.docx", await exported(server, "docx"))
    for words in ("The harbour of Sète", "A word & <b>before</b>", "deep boat", "Grace", "Brest"):
        assert words in text


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.words += data


async def test_a_web_page_shows_the_text_and_runs_nothing_of_it(server: Server) -> None:
    page = _Page()
    page.feed((await exported(server, "html", f"{TEXT}\n<script>alert(1)</script>\n<img src=x onerror=y>")).decode())
    assert page.tags.count("table") == 2
    assert "b" not in page.tags
    assert "<script>alert(1)</script>" in page.words
    for words in ("The harbour of Sète", "A word & <b>before</b>", NOTICE):
        assert words in page.words


async def test_texts_and_tables_are_exported_as_they_are(server: Server) -> None:
    assert (await exported(server, "source")).decode() == TEXT
    assert (await exported(server, "markdown")).decode().endswith(TEXT)
    rows = list(csv.reader(io.StringIO((await exported(server, "csv")).decode("utf-8-sig"))))
    assert rows == [["Name", "Tons", "Note"], ["Ada", "12.5", "'=1+1"], ["Grace\x02", "007", "<i>"]]


async def test_a_file_is_named_after_its_canvas(server: Server) -> None:
    path, _ = await make(server)

    async def name(title: str, format: str) -> str:
        await server.call("PATCH", path, {"title": title})
        return (await server.get(f"{path}/export?format={format}")).headers["Content-Disposition"]

    assert f"filename*=UTF-8''{quote('Häfen-a-b')}.docx" in await name("Häfen: a/b?", "docx")
    assert 'filename="canvas.pdf"' in await name("…", "pdf")


@pytest.mark.parametrize(
    ("query", "status", "param"),
    [
        ("format=odt", 400, "format"),
        ("format=xlsx", 400, "format"),
        ("format=csv", 400, "format"),
        ("version=0", 400, "version"),
        ("version=9", 404, None),
    ],
)
async def test_what_cannot_be_exported_is_said(server: Server, query: str, status: int, param: str | None) -> None:
    path, id = await make(server, "No table.")
    reply: Reply = await server.get(f"{path}/export?{query}")
    assert (reply.status, reply.error.get("param")) == (status, param)
    other = await server.begin()
    assert (await server.get(f"/api/conversations/{other}/canvases/{id}/export")).status == 404


async def test_a_program_is_exported_as_it_is_alone_and_in_any_version(server: Server) -> None:
    path, _ = await make(server, "print(1)", language="python")
    await server.post(f"{path}/versions", {"parent": 1, "text": "print(2)"})
    assert (await server.get(f"{path}/export")).raw == b"print(2)"
    assert (await server.get(f"{path}/export?version=1")).raw == b"print(1)"
    refused = await server.get(f"{path}/export?format=docx")
    assert (refused.status, refused.error["param"]) == (400, "format")
