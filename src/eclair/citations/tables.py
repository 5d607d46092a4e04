"""Read the tables of a passage, and find a claim's figures in them or compute them from them.

A table is rows of cells between bars. A receipt is one too: each row a label and an amount. A figure that no cell has
may be a sum, a difference or a share of those that the claim names; then the computation is shown.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations

from eclair.citations.evidence import Claim
from eclair.text.lexicon.loader import merge_words
from eclair.text.terms import fold_text, is_content_word, split_terms
from eclair.text.written_numbers import Number, extract_numbers, is_certain

MAX_ROWS = 200
"""Longer tables are only looked up in, not computed."""

MAX_LIST_ROWS = 20
"""A list of amounts is added up in part only if it isn't longer, or any sum could be found in it."""

MIN_COMPUTED_DIGITS = 2
MAX_COUNT = 12
"""A count written out, such as `three years`, is no figure of a table."""

_ALPHANUMERIC = re.compile(r"\b(?=\w*\d)(?=\w*[^\W\d])\w+\b")
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_COUNT = re.compile(r"(?:^|\s)(\d{1,2})(?=\s+[^\W\d]|\s*$|x\b)")


@dataclass(frozen=True, slots=True)
class TableCell:
    """A figure of a table with the words of its row and column, whose numbers count from 0."""

    row: int
    column: int
    value: float
    unit: str | None
    text: str


@dataclass(frozen=True, slots=True)
class LabeledRow:
    """A row: characters `start` to `end` of its passage, the keys of its label, and how many pieces it counts."""

    start: int
    end: int
    label: str
    keys: frozenset[str]
    count: float | None


@dataclass(frozen=True, slots=True)
class Table:
    """The rows, and the keys of each column's head; a list of amounts has one column without a head."""

    lines: tuple[LabeledRow, ...]
    heads: tuple[frozenset[str], ...]
    cells: tuple[TableCell, ...]
    corner: frozenset[str]

    @property
    def is_list(self) -> bool:
        return len(self.heads) == 1


@dataclass(frozen=True, slots=True)
class TableFinding:
    """A table's word on a claim.

    Characters `start` to `end` of the passage bear it out, `computation` if it had to be computed; or `differs` is the
    figure that the table contradicts.
    """

    start: int
    end: int
    computation: str | None = None
    differs: str | None = None


def read_tables(text: str) -> list[Table]:
    """Return the tables of a passage's text."""
    tables: list[Table] = []
    block: list[tuple[int, list[str]]] = []
    for start, line in [*_lines(text), (len(text), "")]:
        cells = [cell.strip() for cell in line.strip("| \t").split("|")] if "|" in line else []
        if block and len(cells) != len(block[0][1]):
            tables += _read_block(block)
            block = []
        if len(cells) > 1:
            block.append((start, cells))
    return tables


def check_table(claim: Claim, keys: frozenset[str], table: Table) -> TableFinding | None:
    """Compare a claim, whose `keys` are `keys_of` its text, with a table; None if it isn't about it."""
    figures = [number for number in claim.facts.numbers if not number.is_spelled_out or min(number.values) > MAX_COUNT]
    figures = [number for number in figures if is_certain(number)]
    rows, columns = _named_rows(table, keys), _named_columns(table, keys)
    figures = [number for number in figures if not _is_named(number, table, rows, columns)]
    if not figures:
        return _named_together(table, keys, rows, claim)
    findings = [_find_figure(number, table, rows, columns, keys) for number in figures]
    if any(finding is None for finding in findings):
        return None
    found = [finding for finding in findings if finding is not None]
    if different := next((finding for finding in found if finding.differs is not None), None):
        return different
    computations = "; ".join(finding.computation for finding in found if finding.computation)
    return TableFinding(min(each.start for each in found), max(each.end for each in found), computations or None)


def keys_of(text: str) -> frozenset[str]:
    """Return the stems, years and words such as `Q1` by which a text names rows and columns.

    `#total` asks for all of them, `#without` for the rest.
    """
    terms = split_terms(text)
    keys = {term.stem for term in terms if is_content_word(term)}
    keys |= {fold_text(word) for word in _ALPHANUMERIC.findall(text)} | set(_YEAR.findall(text))
    if any(term.key in _totals() for term in terms):
        keys.add("#total")
    if any(term.key in _exclusions() for term in terms):
        keys.add("#without")
    return frozenset(keys)


@cache
def _exclusions() -> frozenset[str]:
    return frozenset(map(fold_text, merge_words(lambda lexicon: lexicon.comparison.exclusions)))


@cache
def _totals() -> frozenset[str]:
    return frozenset(map(fold_text, merge_words(lambda lexicon: lexicon.comparison.totals)))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    start = 0
    for line in text.split("\n"):
        yield start, line
        start += len(line) + 1


def _read_block(block: Sequence[tuple[int, list[str]]]) -> list[Table]:
    width = len(block[0][1])
    has_head = len(block) > 1 and not any(_figure(cell) for cell in block[0][1][1:] if not _YEAR.fullmatch(cell))
    has_head = has_head and (width > 2 or not _YEAR.fullmatch(block[0][1][1]))
    heads = tuple(keys_of(cell) for cell in block[0][1][1:]) if has_head else (frozenset[str](),) * (width - 1)
    lines: list[LabeledRow] = []
    cells: list[TableCell] = []
    for start, row in block[1 if has_head else 0 :]:
        length = sum(map(len, row)) + 3 * (len(row) - 1)
        count = _COUNT.search(_YEAR.sub("", row[0])) if width == 2 else None
        lines.append(LabeledRow(start, start + length, row[0], keys_of(row[0]), float(count[1]) if count else None))
        for column, cell in enumerate(row[1:]):
            if (number := _figure(cell)) is not None:
                cells.append(TableCell(len(lines) - 1, column, _value(number), number.unit, cell))
    return (
        [Table(tuple(lines), heads, tuple(cells), keys_of(block[0][1][0]) if has_head else frozenset())]
        if cells
        else []
    )


def _figure(cell: str) -> Number | None:
    """The number of a cell that holds nothing else but its unit."""
    numbers = [number for number in extract_numbers(cell) if not number.is_spelled_out]
    return numbers[0] if len(numbers) == 1 and len(re.sub(r"[\W\d]", "", cell)) <= 6 else None


def _value(number: Number) -> float:
    """The most likely value: `1,240` in a table is a thousand more often than one and a quarter."""
    return max(number.values, key=abs)


def _named_rows(table: Table, keys: frozenset[str]) -> list[int]:
    """The rows whose labels the claim names, those with most of their words."""
    shares = {
        row: len(line.keys & keys) / len(line.keys)
        for row, line in enumerate(table.lines)
        if line.keys & (keys - {"#total"})
    }
    full = [row for row, share in shares.items() if share == 1]
    chosen = full or [row for row, share in shares.items() if share >= 0.5] or list(shares)
    if table.is_list and "#total" in keys and not chosen:
        return [row for row, line in enumerate(table.lines) if "#total" in line.keys]
    taken = frozenset[str]().union(*(table.lines[row].keys & keys for row in chosen))
    return sorted({*chosen, *(row for row in shares if (table.lines[row].keys & keys) - taken)})


def _named_columns(table: Table, keys: frozenset[str]) -> list[int]:
    return [column for column, head in enumerate(table.heads) if head & (keys - {"#total"})]


def _is_named(number: Number, table: Table, rows: Sequence[int], columns: Sequence[int]) -> bool:
    """Tell whether a number only names a row or a column, as a year does."""
    names = frozenset[str]().union(*(table.heads[column] for column in columns))
    names = names.union(*(table.lines[row].keys for row in rows))
    digits = number.text.strip()
    if digits in names or any(digits in _ALPHANUMERIC.findall(name) for name in names):
        return True
    return any(table.lines[row].count in number.values for row in rows)


def _named_together(table: Table, keys: frozenset[str], rows: Sequence[int], claim: Claim) -> TableFinding | None:
    """Bear out a claim without a figure that lists the table's rows, and names nothing else."""
    names = frozenset[str]().union(*(line.keys for line in table.lines)) | table.corner
    named = {term.stem for term in claim.facts.terms if term.is_capitalized and not term.starts_sentence}
    if len(rows) < 2 or claim.facts.numbers or claim.facts.negations or not named <= names:
        return None
    return (
        TableFinding(table.lines[rows[0]].start, table.lines[rows[-1]].end)
        if _share_beginning(table.corner, keys)
        else None
    )


def _share_beginning(one: frozenset[str], other: frozenset[str]) -> bool:
    return any(mine.startswith(theirs) or theirs.startswith(mine) for mine in one for theirs in other)


def _find_figure(
    number: Number, table: Table, rows: Sequence[int], columns: Sequence[int], keys: frozenset[str]
) -> TableFinding | None:
    """Find one figure among the cells that the claim names, then among what can be computed from them."""
    if table.is_list and not table.heads[0]:
        columns = [0]
    expected = [
        cell for cell in table.cells if (not rows or cell.row in rows) and (not columns or cell.column in columns)
    ]
    if rows or columns:
        hit = next((cell for cell in expected if _is_value(number, cell.value)), None)
        if hit is not None and (rows or not table.is_list):
            return _finding(table, [hit])
        if hit is not None and not _names_another(table, keys, hit):
            return _finding(table, [hit])
    computed = _compute(number, table, rows, columns, keys)
    if computed is not None:
        return computed
    is_elsewhere = any(_is_value(number, cell.value) for cell in table.cells if cell.row not in rows)
    if rows and expected and (columns or table.is_list or is_elsewhere):
        return TableFinding(table.lines[rows[0]].start, table.lines[rows[-1]].end, differs=number.text)
    return None


def _names_another(table: Table, keys: frozenset[str], cell: TableCell) -> bool:
    """Tell whether the claim speaks of a total where the cell's row is none, while another row is."""
    if "#total" not in keys or "#total" in table.lines[cell.row].keys:
        return False
    return any("#total" in line.keys for line in table.lines)


def _is_value(number: Number, value: float) -> bool:
    return any(math.isclose(abs(each), abs(value), rel_tol=1e-9, abs_tol=1e-9) for each in number.values)


def _finding(table: Table, cells: Sequence[TableCell], computation: str | None = None) -> TableFinding:
    lines = [table.lines[cell.row] for cell in cells]
    return TableFinding(min(line.start for line in lines), max(line.end for line in lines), computation)


def _compute(
    number: Number, table: Table, rows: Sequence[int], columns: Sequence[int], keys: frozenset[str]
) -> TableFinding | None:
    """Return the sum, difference or share that the figure is; None if it is none."""
    if len(re.sub(r"\D", "", number.text)) < MIN_COMPUTED_DIGITS or len(table.lines) > MAX_ROWS:
        return None
    if table.is_list and len(rows) == 1 and "#total" in table.lines[rows[0]].keys:
        return None
    for cells in _sums(table, rows, columns, keys):
        if len({cell.unit for cell in cells}) != 1:
            continue
        total = math.fsum(cell.value for cell in cells)
        if _is_value(number, total):
            return _finding(table, cells, f"{' + '.join(cell.text for cell in cells)} = {_shown(total, cells)}")
    for one, other in _differences(table, rows, columns, keys):
        difference = abs(one.value - other.value)
        if _is_value(number, difference):
            high, low = (one, other) if one.value >= other.value else (other, one)
            return _finding(table, [one, other], f"{high.text} - {low.text} = {_shown(difference, [one, other])}")
    for cell in table.cells:
        count = table.lines[cell.row].count
        if (
            count
            and (not rows or cell.row in rows)
            and any(_rounds_to(value, cell.value / count) for value in number.values)
        ):
            return _finding(table, [cell], f"{cell.text} / {count:g} = {_shown(cell.value / count, [cell], 2)}")
    return None


def _rounds_to(value: float, exact: float) -> bool:
    return abs(value - exact) < 0.0051


def _sums(table: Table, rows: Sequence[int], columns: Sequence[int], keys: frozenset[str]) -> Iterator[list[TableCell]]:
    """The cells that a claim may have added up: a whole column or row, neighbors in a list, and those it names."""
    if table.is_list:
        cells = list(table.cells)
        if len(rows) > 1:
            yield [cell for cell in cells if cell.row in rows]
        for first, last in combinations(range(len(cells) + 1), 2) if len(cells) <= MAX_LIST_ROWS else ():
            piece = cells[first:last]
            has_total = any("#total" in table.lines[cell.row].keys for cell in piece)
            if len(piece) > 1 and not has_total and {*rows} <= {cell.row for cell in piece}:
                yield piece
        return
    for column in columns or range(len(table.heads)):
        yield [cell for cell in table.cells if cell.column == column and (len(rows) < 2 or cell.row in rows)]
    for row in rows:
        cells = [cell for cell in table.cells if cell.row == row and (len(columns) < 2 or cell.column in columns)]
        for unit in dict.fromkeys(cell.unit for cell in cells):
            yield [cell for cell in cells if cell.unit == unit]


def _differences(
    table: Table, rows: Sequence[int], columns: Sequence[int], keys: frozenset[str]
) -> Iterator[tuple[TableCell, TableCell]]:
    """The pairs of cells that a claim may have compared: of one row, or of one column."""
    for one, other in combinations(table.cells, 2):
        if one.unit != other.unit:
            continue
        if table.is_list:
            are_named = (one.row in rows) + (other.row in rows) + ("#without" in keys)
            if len(table.cells) <= MAX_LIST_ROWS and (not rows or are_named >= 2):
                yield one, other
        elif {one.row, other.row} <= {*rows} and (one.row == other.row) != (one.column == other.column):
            is_named = {one.column, other.column} <= {*columns}
            if is_named or (not columns and one.column == other.column):
                yield one, other


def _shown(value: float, cells: Sequence[TableCell], decimals: int = 0) -> str:
    """Write a result as the cells are written: with as many decimals and the same decimal mark."""
    marks = [re.search(r"([.,])(\d{1,2})\D*$", cell.text) for cell in cells]
    places = max([decimals, *(len(mark[2]) for mark in marks if mark)])
    comma = any(mark and mark[1] == "," for mark in marks)
    text = f"{value:.{places}f}"
    return text.replace(".", ",") if comma else text
