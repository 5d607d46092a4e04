"""What a canvas is exported as: office documents with native lists and tables, each with its mark."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from pathlib import Path
from xml.etree import ElementTree

import pytest

from eclair.errors import InvalidInput
from eclair.provenance.service import Provenance
from eclair.provenance.text_marks import read_text_mark
from eclair.schema.canvases import Canvas, CanvasVersion, NewCanvasVersion
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.open import open_storage
from eclair.transfer.canvas_export import CanvasFormat, load_canvas, render_canvas
from eclair.transfer.canvas_view import ExportedCanvas, list_slides
from tests.support import conversation

TEXT = """# The *harbour*

A word before.

## Boats

- one
  - deep **boat**
- two & three

| Name | Tons | Note |
| --- | ---: | --- |
| Ada | 12.5 | =1+1 |
| Grace | 007 | <b> |
| Joan | -2.50 | 1.10 |

## Code

```python
print("x" < "y")
```
"""
MORE_ROWS = [["Grace", "007", "<b>"], ["Joan", "-2.50", "1.10"]]
CANVAS = ExportedCanvas("Harbour", "markdown", TEXT, ("scripted",), 1_700_000_000_000)


@pytest.fixture
def provenance(tmp_path: Path) -> Provenance:
    return Provenance.configured(Settings(data_dir=tmp_path))


async def render(provenance: Provenance, format: CanvasFormat, canvas: ExportedCanvas = CANVAS) -> bytes:
    name, data = await render_canvas(canvas, format, provenance)
    assert name == f"Harbour.{'md' if format in ('markdown', 'source') else format}"
    return data


def texts(data: bytes, pattern: str) -> str:
    """The parsed XML parts whose names match, as one text; every part is well formed, and every relation leads on."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        names = set(archive.namelist())
        for name in names:
            if name.endswith((".xml", ".rels")):
                ElementTree.fromstring(archive.read(name))
        for name in (each for each in names if each.endswith(".rels")):
            folder = Path(name).parent.parent
            for target in re.findall(r'Target="([^"]+)"', archive.read(name).decode()):
                joined = (Path("/") / folder / target).resolve().relative_to("/").as_posix()
                assert joined in names, (name, target)
        return "".join(archive.read(name).decode() for name in sorted(names) if re.fullmatch(pattern, name))


@pytest.mark.parametrize("format", ["markdown", "html", "docx", "pptx", "xlsx"])
async def test_each_format_is_marked_where_a_model_wrote(
    provenance: Provenance, tmp_path: Path, format: CanvasFormat
) -> None:
    path = tmp_path / f"made.{format}"
    path.write_bytes(await render(provenance, format))
    found = read_text_mark(path)
    assert found is not None
    assert (found[1].state, found[1].how) == ("found", "created")
    path.write_bytes(
        await render(provenance, format, ExportedCanvas("Harbour", "markdown", TEXT, (), 1_700_000_000_000))
    )
    found = read_text_mark(path)
    assert found is None or found[1].state == "absent"


async def test_a_pdf_is_laid_out_and_signed(provenance: Provenance, tmp_path: Path) -> None:
    path = tmp_path / "made.pdf"
    path.write_bytes(await render(provenance, "pdf"))
    assert path.read_bytes().startswith(b"%PDF-")
    report = await provenance.check(path, "made.pdf")
    assert (report.credentials.state, report.credentials.how) == ("found", "created")


async def test_a_document_has_native_headings_and_lists(provenance: Provenance) -> None:
    body = texts(await render(provenance, "docx"), r"word/document\.xml")
    assert re.search(r'w:val="Title"/></w:pPr><w:r><w:t xml:space="preserve">The harbour</w:t>', body)
    assert body.count('w:val="Heading2"') == 2
    assert "<w:tblHeader/>" in body
    assert body.count('<w:numId w:val="1"/>') == 3


async def test_a_presentation_has_a_slide_for_each_heading(provenance: Provenance) -> None:
    slides = list_slides(CANVAS)
    assert [(slide.title, len(slide.lines), len(slide.tables)) for slide in slides] == [
        ("The harbour", 1, 0),
        ("Boats", 3, 0),
        ("Boats", 0, 1),
        ("Code", 1, 0),
    ]
    xml = texts(await render(provenance, "pptx"), r"ppt/slides/slide\d+\.xml")
    assert '<a:pPr lvl="1"/>' in xml
    assert "two &amp; three" in xml
    assert "<a:tbl>" in xml
    assert "Made with AI (scripted)." in xml


async def test_tables_become_sheets_whose_numbers_count(provenance: Provenance) -> None:
    sheet = texts(await render(provenance, "xlsx"), r"xl/worksheets/sheet1\.xml")
    assert '<c r="B2"><v>12.5</v></c>' in sheet
    assert '<c r="B3" t="inlineStr">' in sheet
    assert re.search(r'<c r="C4" s="\d+"><v>1.10</v></c>', sheet), "a zero at the end is shown by its format"
    assert "<f>" not in sheet
    rows = list(csv.reader((await render(provenance, "csv")).decode("utf-8-sig").splitlines()))
    assert rows == [["Name", "Tons", "Note"], ["Ada", "12.5", "'=1+1"], *MORE_ROWS]


async def test_what_a_canvas_cannot_become_is_said(provenance: Provenance) -> None:
    plain = ExportedCanvas("Harbour", "markdown", "No table.", (), 0)
    with pytest.raises(InvalidInput, match="has no table"):
        await render_canvas(plain, "xlsx", provenance)
    program = ExportedCanvas("Harbour", "python", "print(1)", ("scripted",), 0)
    with pytest.raises(InvalidInput, match="as it is"):
        await render_canvas(program, "docx", provenance)
    assert await render_canvas(program, "source", provenance) == ("Harbour.py", b"print(1)")


async def test_the_models_are_those_of_the_version_and_what_it_was_made_from(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    try:
        await conversation(storage)
        canvas = Canvas("canv_a", "conv_a", "Letter", "markdown", 5, 5)
        first = CanvasVersion(1, None, "person", None, "", 5)
        await storage.canvases.add_canvas(LOCAL_PRINCIPAL, canvas, [(first, "a")])
        await storage.canvases.add_version(LOCAL_PRINCIPAL, "canv_a", NewCanvasVersion(1, "b", "model", "m"))
        await storage.canvases.add_version(LOCAL_PRINCIPAL, "canv_a", NewCanvasVersion(2, "c", "person"))
        assert (await load_canvas(storage, LOCAL_PRINCIPAL, "canv_a")).models == ("m",)
        assert (await load_canvas(storage, LOCAL_PRINCIPAL, "canv_a", 1)).models == ()
    finally:
        await storage.close()
