"""Rows of cells: CSV and TSV as they stream, and how a sheet of any program becomes pages.

Each row names its columns, so that a number is never far from what it is a number of.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from eclair.documents.readers.base import Opened, Part, Piece, Sheet, Source, line
from eclair.documents.readers.file_type import HEAD, encoding_of
from eclair.schema.documents import Page

ROWS = 500
"""Rows of a sheet on one page."""

WIDEST = 200_000
"""Characters on a page after which it ends before it has so many rows."""

LOOK = 10
"""Rows among which the one that names the columns is looked for."""

_NUMBER = re.compile(r"[-+(]?\s*[$€£¥]?\s*[-+]?\d[\d.,'’\s]*\s*[%€$£¥]?\)?|\d{4}-\d\d-\d\d.*")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a sheet: its number from 1, and its cells' text as displayed."""

    number: int
    cells: list[str]


def read(source: Source) -> Iterator[Piece]:
    yield Opened(source.media, None)
    csv.field_size_limit(1 << 24)
    with source.path.open("rb") as file:
        head = file.read(HEAD)
    coding = encoding_of(head) or "utf-8"
    mark = _separator(head.decode(coding, "replace"), source)
    with source.path.open(encoding=coding, errors="replace", newline="") as file:
        yield from sheet(_rows(file, mark), "", 0)


def _rows(file: Iterable[str], mark: str) -> Iterator[Row]:
    lines = (text.replace("\0", "") for text in file)
    for number, cells in enumerate(csv.reader(lines, delimiter=mark), 1):
        yield Row(number, [line(cell) for cell in cells])


def _separator(head: str, source: Source) -> str:
    """What stands between cells: of the usual marks the one that most rows have equally often."""
    if source.media == "text/tab-separated-values":
        return "\t"
    rows = head.splitlines()[:50]
    if len(rows) > 1 and len(head) >= HEAD // 4:
        rows.pop()

    def alike(mark: str) -> tuple[int, int]:
        counts = [len(cells) for cells in csv.reader(rows, delimiter=mark)]
        usual = max(set(counts), key=counts.count) if counts else 1
        return (counts.count(usual) if usual > 1 else 0, usual)

    return max(",;\t|", key=alike)


def sheet(rows: Iterator[Row], name: str | None, before: int) -> Iterator[Page]:
    """The pages of a sheet after `before` others; one empty page where it holds nothing and is the only one."""
    first: list[Row] = []
    for row in rows:
        if any(row.cells):
            first.append(row)
        if len(first) >= LOOK:
            break
    titles, names, rest = _headed(first)
    page = _fresh(name)
    number, count = before, 0
    for row in titles:
        page.add(Part("paragraph", " ".join(filter(None, row.cells)), ref=_ref(row)))
    if names is not None and not rest:
        page.add(Part("row", "; ".join(filter(None, names.cells)), ref=_ref(names)))
    heads = names.cells if names is not None else []
    for row in _chained(rest, rows):
        text = _text(row, heads)
        if not text:
            continue
        if count >= ROWS or page.length > WIDEST:
            number += 1
            yield page.page(number, name)
            page, count = _fresh(name), 0
        page.add(Part("row", text, ref=_ref(row)))
        count += 1
    if page.length > (len(name) + 1 if name else 0) or (number == before == 0):
        yield page.page(number + 1, name)


def _fresh(name: str | None) -> Sheet:
    page = Sheet()
    if name and (title := line(name)):
        page.add(Part("heading", title, 1))
    return page


def _chained(first: list[Row], rest: Iterator[Row]) -> Iterator[Row]:
    yield from first
    yield from rest


def _headed(rows: list[Row]) -> tuple[list[Row], Row | None, list[Row]]:
    """The lines above a table, the row that names its columns where there is one, and the rows below."""
    for at, row in enumerate(rows):
        cells = [cell for cell in row.cells if cell]
        if len(cells) == 1 and at < len(rows) - 1 and len(row.cells) < max(len(each.cells) for each in rows):
            continue
        names = not any(_NUMBER.fullmatch(cell) for cell in cells) and len(rows) > at + 1
        return rows[:at], row if names else None, rows[at + 1 :] if names else rows[at:]
    return [], None, rows


def _text(row: Row, heads: list[str]) -> str:
    said: list[str] = []
    for at, cell in enumerate(row.cells):
        if cell:
            head = heads[at] if at < len(heads) and heads[at] else column(at + 1)
            said.append(f"{head}: {cell}")
    return "; ".join(said)


def _ref(row: Row) -> str:
    return f"A{row.number}:{column(max(1, len(row.cells)))}{row.number}"


def column(number: int) -> str:
    """The letters that a sheet's column has, counted from 1."""
    letters = ""
    while number > 0:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
