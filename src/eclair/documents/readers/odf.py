"""Reads OpenDocument: texts with page breaks, slides as pages, and sheets.

This reader is ours because citations rest on page breaks and list numbers, which general converters drop.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple
from xml.etree.ElementTree import Element

from eclair.documents.readers.base import (
    ContentPart,
    NewPage,
    Opened,
    ReadPiece,
    SourceFile,
    collapse_spaces,
    damaged_file,
    locked_file,
    paginate,
    single_line,
    table_part,
)
from eclair.documents.readers.csv import SheetRow, sheet_pages
from eclair.documents.readers.file_type import ODP, ODS
from eclair.documents.readers.zip_xml import open_zip, parse_xml
from eclair.schema.documents import Page

_NAMES = "urn:oasis:names:tc:opendocument:xmlns:"
TEXT, TABLE, OFFICE, DRAW, STYLE, PRESENTATION = (
    "{" + _NAMES + name + ":1.0}" for name in ("text", "table", "office", "drawing", "style", "presentation")
)
PAGE_BREAK = "\x0c"
MAX_REPEATS = 100
"""Equal cells or rows that are written out; more of them fill a sheet's margin."""


def read(source: SourceFile) -> Iterator[ReadPiece]:
    with open_zip(source) as archive:
        names = set(archive.namelist())
        if "content.xml" not in names:
            raise damaged_file(source.name)
        if "META-INF/manifest.xml" in names and any(
            element.tag.endswith("}encryption-data")
            for element in parse_xml(archive, "META-INF/manifest.xml", source).iter()
        ):
            raise locked_file(source.name)
        content = parse_xml(archive, "content.xml", source)
    body = content.find(OFFICE + "body")
    if body is None or not len(body):
        raise damaged_file(source.name)
    match source.media:
        case media if media == ODS:
            yield Opened(media, None)
            yield from _sheets(body[0])
        case media if media == ODP:
            slides = body[0].findall(DRAW + "page")
            yield Opened(media, len(slides))
            for number, slide in enumerate(slides, 1):
                yield from _slide(slide, number)
        case media:
            yield Opened(media, None)
            parts = list(_Text(content).parts(body[0]))
            yield from paginate(parts, cut=not any(isinstance(part, NewPage) for part in parts))


class _Text:
    """Yields the blocks of a text."""

    def __init__(self, content: Element) -> None:
        self._breaks = {
            style.get(STYLE + "name", "")
            for style in content.iter(STYLE + "style")
            if any(each.get(_FO_BREAK) == "page" for each in style.iter(STYLE + "paragraph-properties"))
        }
        self._notes: list[str] = []

    def parts(self, body: Element) -> Iterator[ContentPart | NewPage]:
        yield from self._parts(body)
        if self._notes:
            yield ContentPart("paragraph", "\n".join(self._notes))

    def _parts(self, element: Element) -> Iterator[ContentPart | NewPage]:
        for child in element:
            match child.tag:
                case tag if tag in (TEXT + "h", TEXT + "p"):
                    if child.get(TEXT + "style-name") in self._breaks:
                        yield NewPage()
                    yield from self._paragraph(child, heading=tag == TEXT + "h")
                case tag if tag == TEXT + "list":
                    yield ContentPart("list", "\n".join(self._items(child, 0)))
                case tag if tag == TABLE + "table":
                    yield table_part(self._row(row) for row in child.iter(TABLE + "table-row"))
                case tag if tag == TEXT + "soft-page-break":
                    yield NewPage()
                case tag if tag in (TEXT + "tracked-changes", TEXT + "sequence-decls", OFFICE + "forms"):
                    pass
                case _:
                    yield from self._parts(child)

    def _paragraph(self, element: Element, *, heading: bool) -> Iterator[ContentPart | NewPage]:
        level = element.get(TEXT + "outline-level", "1")
        for number, piece in enumerate(_paragraph_text(element, self._notes).split(PAGE_BREAK)):
            if number:
                yield NewPage()
            if heading:
                yield ContentPart("heading", single_line(piece), max(1, min(6, int(level))) if level.isdigit() else 1)
            else:
                yield ContentPart("paragraph", collapse_spaces(piece))

    def _items(self, element: Element, depth: int) -> Iterator[str]:
        for item in element:
            mark = "• "
            for child in item:
                if child.tag == TEXT + "list":
                    yield from self._items(child, depth + 1)
                elif text := single_line(_paragraph_text(child, self._notes).replace(PAGE_BREAK, " ")):
                    yield "  " * depth + mark + text
                    mark = ""

    def _row(self, row: Element) -> list[str]:
        return [
            " ".join(
                single_line(_paragraph_text(part, self._notes).replace(PAGE_BREAK, " "))
                for part in cell.iter(TEXT + "p")
            )
            for cell in row
            if cell.tag == TABLE + "table-cell"
        ]


_FO_BREAK = "{urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0}break-before"


def _paragraph_text(element: Element, notes: list[str]) -> str:
    """Return a paragraph's text, with a form feed where a page ends; its notes are collected."""
    words: list[str] = []
    _collect(element, words, notes)
    return "".join(words)


def _collect(element: Element, words: list[str], notes: list[str]) -> None:
    words.append(element.text or "")
    for child in element:
        match child.tag:
            case tag if tag == TEXT + "s":
                count = child.get(TEXT + "c", "1")
                words.append(" " * (min(int(count), 200) if count.isdigit() else 1))
            case tag if tag == TEXT + "tab":
                words.append("\t")
            case tag if tag == TEXT + "line-break":
                words.append("\n")
            case tag if tag == TEXT + "soft-page-break":
                words.append(PAGE_BREAK)
            case tag if tag == TEXT + "note":
                body = child.find(TEXT + "note-body")
                if body is not None:
                    notes.append(f"[{len(notes) + 1}] {single_line(_paragraph_text(body, []))}")
                    words.append(f" [{len(notes)}]")
            case tag if tag == OFFICE + "annotation":
                pass
            case _:
                _collect(child, words, notes)
                if child.tag == TEXT + "p":
                    words.append("\n")
        words.append(child.tail or "")


def _slide(slide: Element, number: int) -> Iterator[Page]:
    parts: list[ContentPart | NewPage] = []
    notes: list[ContentPart | NewPage] = []
    text = _Text(slide)
    for frame in slide:
        if frame.tag == PRESENTATION + "notes":
            notes = list(text.parts(frame))
        elif frame.get(PRESENTATION + "class") == "title":
            parts.insert(0, ContentPart("heading", single_line(_paragraph_text(frame, [])), 1))
        else:
            parts += text.parts(frame)
    pages = list(paginate([*parts, *notes], cut=False))
    yield _with_number(pages[0], number)


def _with_number(page: Page, number: int) -> Page:
    return Page(number, page.text, page.blocks, label=page.label)


class _Cell(NamedTuple):
    text: str
    times: int


def _sheets(body: Element) -> Iterator[Page]:
    before = 0
    for element in body.iter(TABLE + "table"):
        number = 0
        for page in sheet_pages(_rows(element), element.get(TABLE + "name") or None, before):
            number = page.number
            yield page
        before = max(before, number)


def _rows(element: Element) -> Iterator[SheetRow]:
    at = 1
    for row in element.iter(TABLE + "table-row"):
        repeated = row.get(TABLE + "number-rows-repeated", "1")
        times = int(repeated) if repeated.isdigit() else 1
        values: list[str] = []
        for cell in filter(None, map(_cell, row)):
            values += [cell.text] * (cell.times if cell.text == "" or cell.times <= MAX_REPEATS else 1)
            if len(values) > 20_000:
                break
        while values and not values[-1]:
            values.pop()
        for step in range(times if values and times <= MAX_REPEATS else min(times, 1)):
            yield SheetRow(at + step, values)
        at += times


def _cell(element: Element) -> _Cell | None:
    if element.tag not in (TABLE + "table-cell", TABLE + "covered-table-cell"):
        return None
    repeated = element.get(TABLE + "number-columns-repeated", "1")
    times = int(repeated) if repeated.isdigit() else 1
    date = element.get(OFFICE + "date-value")
    text = date or single_line(" ".join(_paragraph_text(part, []) for part in element.findall(TEXT + "p")))
    return _Cell(text.removesuffix("T00:00:00"), times)
