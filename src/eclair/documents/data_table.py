"""Tables with a name and a type for each column, from the rows of stored sheets and the tables of documents."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import Literal

from eclair.schema.documents import Block
from eclair.storage.documents import StoredPage
from eclair.text.written_dates import extract_dates

ColumnType = Literal["number", "date", "text"]

MIN_TYPED_SHARE = 0.8
"""A column of which so many cells are numbers is one of numbers."""

MAX_ROWS = 500_000

_PAIR = re.compile(r"(?:^|; )([^;]+?): ")
_REF = re.compile(r"[A-Z]+\d+:([A-Z]+)\d+\Z")
_FIGURE = re.compile(
    r"(?P<open>\()?(?P<sign>[-+−])?\s*+(?:(?P<before>[€$£¥]|[A-Z]{3}\b)\s*+)?(?P<sign2>[-−])?"
    r"(?P<digits>\d[\d.,'’ \u00a0\u202f]*+)(?:(?P<after>%|[€$£¥]|[A-Z]{3}\b|[a-z]{1,3}\b)\s*+)?(?P<close>\))?"
)
_SPACES = re.compile(r"['’ \u00a0\u202f]")
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})\b")
_YEAR_MONTH = re.compile(r"(\d{4})-(\d{2})\Z")


@dataclass(frozen=True, slots=True)
class DataRow:
    """A row: the text of its cells by column, and where it stands in the document."""

    cells: tuple[str, ...]
    start: int
    end: int


@dataclass(frozen=True)
class DataTable:
    """A table of the file `file`, called `name`; it begins on `page`, labeled `label`. It may be a sheet.

    With `has_plain_numbers` a point is always a decimal point, as in workbooks.
    """

    file: str
    name: str
    page: int
    label: str | None
    heads: tuple[str, ...]
    rows: tuple[DataRow, ...]
    is_sheet: bool = False
    has_plain_numbers: bool = False

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        """The columns with their types and values."""
        mark = "." if self.has_plain_numbers else _decimal_mark(cell for row in self.rows for cell in row.cells)
        return tuple(
            _read_column(head, [row.cells[at] for row in self.rows], mark, plain=self.has_plain_numbers)
            for at, head in enumerate(self.heads)
        )

    def column(self, head: str) -> Column:
        """Return a column by its name."""
        return self.columns[self.heads.index(head)]


@dataclass(frozen=True)
class Column:
    """A column with the text of each cell. `numbers` and `dates` are None where a cell holds none."""

    head: str
    type: ColumnType
    cells: tuple[str, ...]
    numbers: tuple[Decimal | None, ...] = ()
    dates: tuple[date | None, ...] = ()
    decimals: int = 0
    unit: str = ""
    distinct: Counter[str] = field(default_factory=Counter[str])


def read_data_tables(file: str, name: str, pages: Sequence[StoredPage], *, has_plain_numbers: bool) -> list[DataTable]:
    """Return the sheets and tables of a document; pages of one sheet make one table."""
    tables: list[DataTable] = []
    sheet: list[tuple[Block, str, int]] = []
    first: StoredPage | None = None

    def close() -> None:
        if first is not None and sheet:
            tables.extend(_read_sheet(file, name, first, sheet, has_plain_numbers=has_plain_numbers))

    for stored in pages:
        rows = [block for block in stored.page.blocks if block.kind == "row"]
        if not rows or first is None or stored.page.label != first.page.label:
            close()
            sheet, first = [], stored
        sheet += [(row, stored.page.text[row.start : row.end], stored.start) for row in rows]
        for block in stored.page.blocks:
            if block.kind == "table":
                tables.extend(_read_block(file, name, stored, block))
        if sum(len(table.rows) for table in tables) + len(sheet) >= MAX_ROWS:
            break
    close()
    return [table for table in tables if table.rows]


def _read_sheet(
    file: str, name: str, first: StoredPage, lines: Sequence[tuple[Block, str, int]], *, has_plain_numbers: bool
) -> Iterable[DataTable]:
    heads = _find_heads(lines)
    if not heads:
        return
    known = {head: at for at, head in enumerate(heads)}
    rows: list[DataRow] = []
    for block, text, offset in lines[:MAX_ROWS]:
        cells = [""] * len(heads)
        found = [match for match in _PAIR.finditer(text) if match[1] in known]
        last = -1
        for number, match in enumerate(found):
            end = found[number + 1].start() if number + 1 < len(found) else len(text)
            at = known[match[1]]
            if at <= last:  # a cell's own words look like a name
                cells[last] += text[match.start() : end]
                continue
            cells[at], last = text[match.end() : end], at
        rows.append(DataRow(tuple(cells), offset + block.start, offset + block.end))
    yield DataTable(
        file,
        name,
        first.page.number,
        first.page.label,
        tuple(heads),
        tuple(rows),
        is_sheet=True,
        has_plain_numbers=has_plain_numbers,
    )


def _find_heads(lines: Sequence[tuple[Block, str, int]]) -> list[str]:
    """Find the names of the columns, which each row repeats before its cells, in their order."""
    counts, places = Counter[str](), Counter[str]()
    width = 1
    for block, text, _ in lines:
        if block.ref and (match := _REF.match(block.ref)):
            width = max(width, _column_number(match[1]))
        for place, match in enumerate(_PAIR.finditer(text)):
            counts[match[1]] += 1
            places[match[1]] += place
    chosen = [head for head, _ in counts.most_common(width)]
    return sorted(chosen, key=lambda head: places[head] / counts[head])


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number


def _read_block(file: str, name: str, stored: StoredPage, block: Block) -> Iterable[DataTable]:
    """Return the table of a block whose rows have as many cells as its head."""
    place = stored.start + block.start
    rows: list[DataRow] = []
    for line in stored.page.text[block.start : block.end].split("\n"):
        rows.append(DataRow(tuple(cell.strip() for cell in line.split(" | ")), place, place + len(line)))
        place += len(line) + 1
    heads = rows[0].cells if rows else ()
    body = tuple(row for row in rows[1:] if len(row.cells) == len(heads))
    if len(heads) < 2 or len(set(heads)) < len(heads) or len(body) < max(2, len(rows) // 2):
        return
    if any(_FIGURE.fullmatch(head) for head in heads[1:] if not re.fullmatch(r"\d{4}", head)):
        return
    yield DataTable(file, name, stored.page.number, stored.page.label, heads, body)


# Types


def _read_column(head: str, cells: Sequence[str], mark: str | None, *, plain: bool) -> Column:
    filled = [cell for cell in cells if cell]
    distinct = Counter(filled)
    if not filled:
        return Column(head, "text", tuple(cells))
    dates = _read_dates(cells)
    if sum(day is not None for day in dates) >= MIN_TYPED_SHARE * len(filled):
        return Column(head, "date", tuple(cells), dates=tuple(dates), distinct=distinct)
    mark = mark if plain else _decimal_mark(filled) or mark
    numbers = [read_number(cell, mark) if cell else None for cell in cells]
    known = [number for number in numbers if number is not None]
    if len(known) < MIN_TYPED_SHARE * len(filled):
        return Column(head, "text", tuple(cells), distinct=distinct)
    decimals = max(
        (-exponent for number in known if isinstance(exponent := number.as_tuple().exponent, int)), default=0
    )
    return Column(
        head,
        "number",
        tuple(cells),
        numbers=tuple(numbers),
        decimals=max(0, decimals),
        unit=_common_unit(filled),
        distinct=distinct,
    )


def read_number(cell: str, mark: str | None) -> Decimal | None:
    """Return the number that a cell is; `mark` is the decimal mark, None if points and commas group thousands."""
    match = _FIGURE.fullmatch(cell.strip())
    if match is None or bool(match["open"]) != bool(match["close"]):
        return None
    digits = _SPACES.sub("", match["digits"])
    whole, fraction = digits, ""
    if mark is not None and mark in digits:
        whole, _, fraction = digits.rpartition(mark)
        if mark in whole:
            return None
    whole = re.sub(r"[.,]", "", whole)
    if not whole.isdecimal() or (fraction and not fraction.isdecimal()):
        return None
    negative = bool(match["open"]) or (match["sign"] or match["sign2"] or "+") in "-−"
    value = Decimal(f"{whole}.{fraction}" if fraction else whole)
    return -value if negative else value


def _decimal_mark(cells: Iterable[str]) -> str | None:
    """Infer the decimal mark from unambiguous figures; None if there are none."""
    votes = Counter[str]()
    for cell in cells:
        match = _FIGURE.fullmatch(cell.strip())
        digits = _SPACES.sub("", match["digits"]).rstrip(".,") if match else ""
        marks = [sign for sign in digits if sign in ".,"]
        if len(set(marks)) == 2:
            votes[marks[-1]] += 1
        elif len(marks) == 1:
            whole, _, fraction = digits.partition(marks[0])
            if len(fraction) != 3 or len(whole) > 3 or whole == "0":
                votes[marks[0]] += 1
    return votes.most_common(1)[0][0] if votes else None


def _common_unit(cells: Iterable[str]) -> str:
    units = Counter(
        (match["before"] or match["after"] or "") for cell in cells if (match := _FIGURE.fullmatch(cell.strip()))
    )
    return next(iter(units)) if len(units) == 1 else ""


def _read_dates(cells: Sequence[str]) -> list[date | None]:
    slashed = [match for cell in cells if (match := _SLASHED.match(cell))]
    is_month_first = any(int(match[2]) > 12 for match in slashed) and not any(int(match[1]) > 12 for match in slashed)
    known: dict[str, date | None] = {"": None}
    for cell in cells:
        if cell not in known:
            known[cell] = _read_date(cell, is_month_first=is_month_first)
    return [known[cell] for cell in cells]


def _read_date(cell: str, *, is_month_first: bool) -> date | None:
    if match := _YEAR_MONTH.match(cell):
        return _make_date(int(match[1]), int(match[2]), 1)
    found = extract_dates(cell[:40])
    if len(found) != 1 or found[0].start > 0:
        return None
    readings = [reading for reading in found[0].readings if None not in reading]
    if not readings:
        return None
    year, month, day = readings[-1 if is_month_first else 0]
    return _make_date(year or 0, month or 0, day or 0)


def _make_date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
