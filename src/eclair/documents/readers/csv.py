"""Reads CSV and TSV row by row, and turns the rows of any spreadsheet into pages.

Each row repeats the names of its columns, so that a number is never far from its meaning.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from eclair.documents.readers.base import ContentPart, Opened, PageBuilder, ReadPiece, SourceFile, single_line
from eclair.documents.readers.file_type import HEAD_BYTES, detect_encoding
from eclair.sandbox.descriptors import open_input
from eclair.schema.documents import Page

ROWS_PER_PAGE = 500

MAX_PAGE_CHARS = 200_000
"""A page with more characters ends before it has `ROWS_PER_PAGE`."""

MAX_HEADER_SEARCH_ROWS = 10
"""The row that names the columns is among the first ones."""

_NUMBER = re.compile(r"[-+(]?\s*+[$€£¥]?\s*+[-+]?\d[\d.,'’\s]*+[%€$£¥]?\)?|\d{4}-\d\d-\d\d.*+")


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row of a sheet: its number from 1, and the displayed text of its cells."""

    number: int
    cells: list[str]


def read(source: SourceFile) -> Iterator[ReadPiece]:
    yield Opened(source.media, None)
    csv.field_size_limit(1 << 24)
    with open_input(source.path) as file:
        head = file.read(HEAD_BYTES)
    coding = detect_encoding(head) or "utf-8"
    separator = _separator(head.decode(coding, "replace"), source)
    with io.TextIOWrapper(open_input(source.path), coding, "replace", newline="") as file:
        yield from sheet_pages(_rows(file, separator), "", 0)


def _rows(file: Iterable[str], separator: str) -> Iterator[SheetRow]:
    lines = (text.replace("\0", "") for text in file)
    for number, cells in enumerate(csv.reader(lines, delimiter=separator), 1):
        yield SheetRow(number, [single_line(cell) for cell in cells])


def _separator(head: str, source: SourceFile) -> str:
    """Return the separator that most rows have equally often."""
    if source.media == "text/tab-separated-values":
        return "\t"
    rows = head.splitlines()[:50]
    if len(rows) > 1 and len(head) >= HEAD_BYTES // 4:
        rows.pop()

    def alike(separator: str) -> tuple[int, int]:
        counts = [len(cells) for cells in csv.reader(rows, delimiter=separator)]
        usual = max(set(counts), key=counts.count) if counts else 1
        return (counts.count(usual) if usual > 1 else 0, usual)

    return max(",;\t|", key=alike)


def sheet_pages(rows: Iterator[SheetRow], name: str | None, before: int) -> Iterator[Page]:
    """Yield the pages of a sheet after `before` others; one empty page for a lone empty sheet."""
    first: list[SheetRow] = []
    for row in rows:
        if any(row.cells):
            first.append(row)
        if len(first) >= MAX_HEADER_SEARCH_ROWS:
            break
    titles, names, rest = _split_header(first)
    page = _new_page(name)
    number, count = before, 0
    for row in titles:
        page.add(ContentPart("paragraph", " ".join(filter(None, row.cells)), ref=_ref(row)))
    if names is not None and not rest:
        page.add(ContentPart("row", "; ".join(filter(None, names.cells)), ref=_ref(names)))
    heads = names.cells if names is not None else []
    for row in chain(rest, rows):
        text = _row_text(row, heads)
        if not text:
            continue
        if count >= ROWS_PER_PAGE or page.length > MAX_PAGE_CHARS:
            number += 1
            yield page.page(number, name)
            page, count = _new_page(name), 0
        page.add(ContentPart("row", text, ref=_ref(row)))
        count += 1
    if page.length > (len(name) + 1 if name else 0) or (number == before == 0):
        yield page.page(number + 1, name)


def _new_page(name: str | None) -> PageBuilder:
    page = PageBuilder()
    if name and (title := single_line(name)):
        page.add(ContentPart("heading", title, 1))
    return page


def _split_header(rows: list[SheetRow]) -> tuple[list[SheetRow], SheetRow | None, list[SheetRow]]:
    """Split rows into lines above the table, the header row if there is one, and the rows below."""
    for at, row in enumerate(rows):
        cells = [cell for cell in row.cells if cell]
        if len(cells) == 1 and at < len(rows) - 1 and len(row.cells) < max(len(each.cells) for each in rows):
            continue
        names = not any(_NUMBER.fullmatch(cell) for cell in cells) and len(rows) > at + 1
        return rows[:at], row if names else None, rows[at + 1 :] if names else rows[at:]
    return [], None, rows


def _row_text(row: SheetRow, heads: list[str]) -> str:
    pairs: list[str] = []
    for at, cell in enumerate(row.cells):
        if cell:
            head = heads[at] if at < len(heads) and heads[at] else column_letters(at + 1)
            pairs.append(f"{head}: {cell}")
    return "; ".join(pairs)


def _ref(row: SheetRow) -> str:
    return f"A{row.number}:{column_letters(max(1, len(row.cells)))}{row.number}"


def column_letters(number: int) -> str:
    """Return the letters of a sheet's column, counted from 1."""
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
