"""Reads PPTX, a page per slide: title, text, tables, charts and notes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pptx import Presentation
from pptx.exc import PackageNotFoundError, PythonPptxError
from pptx.util import Emu

from eclair.documents.readers.base import (
    ContentPart,
    Opened,
    ReadPiece,
    SourceFile,
    collapse_spaces,
    damaged_file,
    paginate,
    single_line,
    table_part,
)
from eclair.documents.readers.zip_xml import ZIP_ERRORS, open_zip
from eclair.sandbox.descriptors import open_input
from eclair.schema.documents import Page

_CHART = "{http://schemas.openxmlformats.org/drawingml/2006/chart}"

MAX_GROUP_NESTING = 20


def read(source: SourceFile) -> Iterator[ReadPiece]:
    with open_zip(source) as archive:
        source.unpack_budget.spend(sum(info.file_size for info in archive.infolist()), source.name)
    with open_input(source.path) as file:
        try:
            slides = list(Presentation(file).slides)
        except (PackageNotFoundError, PythonPptxError, KeyError, ValueError, SyntaxError, *ZIP_ERRORS) as error:
            raise damaged_file(source.name) from error
        yield Opened(source.media, len(slides))
        for number, slide in enumerate(slides, 1):
            page = next(paginate(_parts(slide), cut=False))
            yield Page(number, page.text, page.blocks)


def _parts(slide: Any) -> Iterator[ContentPart]:
    title = slide.shapes.title
    if title is not None and (text := single_line(title.text_frame.text)):
        yield ContentPart("heading", text, 1)
    for shape in _shapes(slide.shapes, 0):
        if title is None or shape.shape_id != title.shape_id:
            yield from _shape(shape)
    if slide.has_notes_slide and slide.notes_slide.notes_text_frame is not None:
        yield ContentPart("paragraph", collapse_spaces(slide.notes_slide.notes_text_frame.text))


def _shapes(shapes: Any, depth: int) -> Iterator[Any]:
    """Yield shapes from top to bottom, those of a group at its place."""
    for shape in sorted(shapes, key=lambda each: (each.top or Emu(0), each.left or Emu(0))):
        if hasattr(shape, "shapes") and depth < MAX_GROUP_NESTING:
            yield from _shapes(shape.shapes, depth + 1)
        else:
            yield shape


def _shape(shape: Any) -> Iterator[ContentPart]:
    if getattr(shape, "has_table", False):
        yield table_part([cell.text for cell in row.cells] for row in shape.table.rows)
    elif getattr(shape, "has_text_frame", False):
        paragraphs = [(paragraph.level, single_line(paragraph.text)) for paragraph in shape.text_frame.paragraphs]
        texts = [(level, text) for level, text in paragraphs if text]
        if len(texts) > 1:
            yield ContentPart("list", "\n".join(f"{'  ' * level}• {text}" for level, text in texts))
        elif texts:
            yield ContentPart("paragraph", texts[0][1])
    elif getattr(shape, "has_chart", False):
        yield from _chart(shape.chart)


def _chart(chart: Any) -> Iterator[ContentPart]:
    """Return a chart's data as a table."""
    rows: list[list[str]] = []
    for series in chart._chartSpace.iter(_CHART + "ser"):
        name, names, values = (_points(series.find(_CHART + kind)) for kind in ("tx", "cat", "val"))
        if not rows:
            rows.append(["", *names])
        rows.append([" ".join(name), *values])
    if rows:
        yield table_part(rows)


def _points(element: Any) -> list[str]:
    """Return the values that a chart keeps of its data."""
    if element is None:
        return []
    return ["".join(value.text or "" for value in point.iter(_CHART + "v")) for point in element.iter(_CHART + "pt")]
