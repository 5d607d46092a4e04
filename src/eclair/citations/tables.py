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
from eclair.text.terms import Term, fold_text, is_content_word, split_terms
from eclair.text.written_numbers import CURRENCY_SIGNS, Number, extract_numbers, is_certain

MAX_ROWS = 200
"""Longer tables are only looked up in, not computed."""

MAX_LIST_ROWS = 20
"""A list of amounts is added up in part only if it isn't longer, or any sum could be found in it."""

MIN_COMPUTED_DIGITS = 2
MAX_COUNT = 12
"""A count written out, such as `three years`, is no figure of a table."""

MIN_PART_CHARS = 5
"""A word names a label that it contains, or begins like, if the shorter has so many letters."""

_ALPHANUMERIC = re.compile(r"\b(?=\w*\d)(?=\w*[^\W\d])\w+\b")
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_WHOLE_NUMBER = re.compile(r"(?<![\w.,:])\d+(?![\w]|[.,:]\d)")
_CLOCK = re.compile(r"([01]?\d|2[0-4])[:.h]([0-5]\d)")
_UNIT_OF_HEAD = re.compile(r"[(\[]([^()\[\]]{1,30})[)\]]|\sin\s(.{1,30})")
_SHORT_SCALES = {"k": 1e3, "t": 1e3, "m": 1e6, "mn": 1e6, "bn": 1e9}
_COUNT = re.compile(r"(?:^|\s)(\d{1,2})(?=\s+[^\W\d]|\s*$|x\b)")


@dataclass(frozen=True, slots=True)
class TableCell:
    """A figure of a table, whose row and column count from 0; `factor` is what its column's head counts in.

    `minutes` are those of a time of day since midnight.
    """

    row: int
    column: int
    value: float
    unit: str | None
    text: str
    factor: float = 1.0

    @property
    def minutes(self) -> int | None:
        found = _CLOCK.fullmatch(self.text)
        return int(found[1]) * 60 + int(found[2]) if found else None


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
            block.append((start + len(line) - len(line.lstrip("| \t")), cells))
    return tables


def check_table(claim: Claim, keys: frozenset[str], table: Table) -> TableFinding | None:
    """Compare a claim, whose `keys` are `keys_of` its text, with a table; None if it isn't about it."""
    figures = [number for number in claim.facts.numbers if not number.is_spelled_out or min(number.values) > MAX_COUNT]
    figures = [number for number in figures if is_certain(number)]
    keys |= _partly_named(claim, table, keys)
    rows, columns = _named_rows(table, keys), _named_columns(table, keys)
    figures = [number for number in figures if not _is_named(number, table, rows, columns)]
    if not figures:
        return _named_together(table, keys, rows, claim)
    exact = _most_specific(table, rows) if len(figures) == 1 else rows
    findings = [_find_figure(number, table, rows, exact, columns, keys) for number in figures]
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
    keys = {_same_words().get(term.key, term.stem) for term in terms if is_content_word(term)}
    keys |= {fold_text(word) for word in _ALPHANUMERIC.findall(text)} | set(_YEAR.findall(text))
    if any(term.key in _totals() for term in terms):
        keys.add("#total")
    if any(term.key in _exclusions() for term in terms):
        keys.add("#without")
    if any(term.key in _comparatives() for term in terms):
        keys.add("#more")
    return frozenset(keys)


def claim_keys(text: str) -> frozenset[str]:
    """Return the keys by which a claim names rows and columns: those of `keys_of`, and its whole numbers."""
    return keys_of(text) | frozenset(_WHOLE_NUMBER.findall(text))


def _partly_named(claim: Claim, table: Table, keys: frozenset[str]) -> frozenset[str]:
    """Return the words of labels and heads that words of a claim contain or begin like: `Tageskarte Familie`.

    Compounds such as `Familientageskarte` name both.
    """
    if len(table.lines) > MAX_ROWS:
        return frozenset()
    known = frozenset[str]().union(*(line.keys for line in table.lines), *table.heads)
    words = [term for term in claim.facts.terms if is_content_word(term) and term.stem not in known]
    return frozenset(
        key
        for key in known - keys
        if len(key) >= MIN_PART_CHARS and key[0] != "#" and any(_contains(term, key) for term in words)
    )


def _contains(term: Term, key: str) -> bool:
    return key in term.key or (len(term.stem) >= MIN_PART_CHARS and key.startswith(term.stem))


@cache
def _exclusions() -> frozenset[str]:
    return frozenset(map(fold_text, merge_words(lambda lexicon: lexicon.comparison.exclusions)))


@cache
def _comparatives() -> frozenset[str]:
    return frozenset(map(fold_text, merge_words(lambda lexicon: lexicon.comparison.comparatives)))


@cache
def _same_words() -> dict[str, str]:
    """Return the stem that stands for each of words that mean the same, such as `VAT` and `MwSt`."""
    groups = merge_words(lambda lexicon: lexicon.comparison.synonyms)
    return {term.key: terms[0].stem for terms in map(split_terms, sorted(groups)) for term in terms}


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
    scales = [_read_head(cell) if has_head else (None, 1.0) for cell in block[0][1][1:]]
    labels = [keys_of(row[0]) for _, row in block]
    lines: list[LabeledRow] = []
    cells: list[TableCell] = []
    for start, row in block[1 if has_head else 0 :]:
        length = sum(map(len, row)) + 3 * (len(row) - 1)
        count = _COUNT.search(_YEAR.sub("", row[0])) if width == 2 else None
        keys = keys_of(row[0])
        if labels.count(keys) > 1 or not keys:
            keys |= frozenset(_WHOLE_NUMBER.findall(row[0]))  # `IC 12` beside `IC 16`
        lines.append(LabeledRow(start, start + length, row[0], keys, float(count[1]) if count else None))
        for column, cell in enumerate(row[1:]):
            if (number := _figure(cell)) is not None:
                unit, factor = scales[column]
                cells.append(TableCell(len(lines) - 1, column, _value(number), number.unit or unit, cell, factor))
    return (
        [Table(tuple(lines), heads, tuple(cells), keys_of(block[0][1][0]) if has_head else frozenset())]
        if cells
        else []
    )


def _read_head(cell: str) -> tuple[str | None, float]:
    """Return the unit that a column's head gives, and how many of it a figure of 1 is: `(€ m)`, `in Mio. Euro`."""
    found = _UNIT_OF_HEAD.search(cell)
    if found is None:
        return None, 1.0
    words = (found[1] or found[2]).split()
    numbers = [number for word in words for number in extract_numbers(f"1 {word}")]
    unit = next((number.unit for number in numbers if number.unit is not None), None)
    factor = math.prod(max(number.values) for number in numbers)
    if unit is not None and unit in CURRENCY_SIGNS and factor == 1:
        factor = next((_SHORT_SCALES[word] for word in map(str.casefold, words) if word in _SHORT_SCALES), 1.0)
    return unit, factor


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


def _most_specific(table: Table, rows: Sequence[int]) -> list[int]:
    """Return the rows without those whose label another one goes on: `day ticket` beside `day ticket, family`."""
    return [row for row in rows if not any(table.lines[row].keys < table.lines[other].keys for other in rows)]


def _named_columns(table: Table, keys: frozenset[str]) -> list[int]:
    """Return the columns whose heads a claim names, those with most of their words."""
    shares = {
        column: len(head & keys) / len(head)
        for column, head in enumerate(table.heads)
        if head & (keys - {"#total", "#more", "#without"})
    }
    return [column for column, share in shares.items() if share == max(shares.values())]


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
    number: Number,
    table: Table,
    rows: Sequence[int],
    exact: Sequence[int],
    columns: Sequence[int],
    keys: frozenset[str],
) -> TableFinding | None:
    """Find one figure among the cells that the claim names, then among what can be computed from them.

    It stands in an `exact` row, or is computed from any of `rows`.
    """
    if table.is_list and not table.heads[0]:
        columns = [0]
    fitting = [cell for cell in table.cells if cell.unit == number.unit is not None]
    expected = [
        cell
        for cell in fitting or table.cells
        if (not exact or cell.row in exact) and (not columns or cell.column in columns)
    ]
    if rows or (columns and not table.is_list):
        hit = next((cell for cell in expected if _is_value(number, cell.value, cell.factor)), None)
        if hit is not None:
            return _finding(table, [hit])
    computed = _compute(number, table, rows, columns, keys)
    if computed is not None:
        return computed
    is_elsewhere = any(_is_value(number, cell.value, cell.factor) for cell in table.cells if cell not in expected)
    if rows and expected and (columns or table.is_list or is_elsewhere):
        return TableFinding(table.lines[rows[0]].start, table.lines[rows[-1]].end, differs=number.text)
    return None


def _is_value(number: Number, value: float, factor: float) -> bool:
    return any(
        math.isclose(abs(each), abs(stated), rel_tol=1e-9, abs_tol=1e-9)
        for each in number.values
        for stated in (value, value * factor)
    )


def _finding(table: Table, cells: Sequence[TableCell], computation: str | None = None) -> TableFinding:
    lines = [table.lines[cell.row] for cell in cells]
    return TableFinding(min(line.start for line in lines), max(line.end for line in lines), computation)


def _compute(
    number: Number, table: Table, rows: Sequence[int], columns: Sequence[int], keys: frozenset[str]
) -> TableFinding | None:
    """Return the sum, difference or share that the figure is; None if it is none."""
    if len(table.lines) > MAX_ROWS:
        return None
    if number.unit in ("h", "min") and (finding := _find_duration(number, table, rows)) is not None:
        return finding
    if len(re.sub(r"\D", "", number.text)) < MIN_COMPUTED_DIGITS and not ("#more" in keys and rows):
        return None
    if table.is_list and len(rows) == 1 and "#total" in table.lines[rows[0]].keys:
        return None
    for cells in _sums(table, rows, columns, keys):
        if len(cells) < 2 or len({cell.unit for cell in cells}) != 1:
            continue
        total = math.fsum(cell.value for cell in cells)
        if _is_value(number, total, cells[0].factor):
            return _finding(table, cells, f"{' + '.join(cell.text for cell in cells)} = {_shown(total, cells)}")
    for one, other in _differences(table, rows, columns, keys):
        difference = abs(one.value - other.value)
        if _is_value(number, difference, one.factor):
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


def _find_duration(number: Number, table: Table, rows: Sequence[int]) -> TableFinding | None:
    """Find two times of a named row that are as far apart as the claim says."""
    times = [(cell, minutes) for cell in table.cells if cell.row in rows and (minutes := cell.minutes) is not None]
    for (one, left), (other, right) in combinations(times, 2):
        minutes = (right - left) % (24 * 60)
        if one.row == other.row and number.matches(Number("", frozenset((float(minutes),)), "min", 0, 0)):
            return _finding(table, [one, other], f"{one.text} – {other.text} = {minutes} min")
    return None


def _rounds_to(value: float, exact: float) -> bool:
    return abs(value - exact) < 0.0051


def _sums(table: Table, rows: Sequence[int], columns: Sequence[int], keys: frozenset[str]) -> Iterator[list[TableCell]]:
    """The cells that a claim may have added up: a whole column or row, neighbors in a list, and those it names."""
    if table.is_list:
        if len(rows) == 1 and keys.isdisjoint(("#total", "#without")):
            return
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
            is_change = "#more" in keys and one.row == other.row and bool({one.column, other.column} & {*columns})
            if is_named or is_change or (not columns and ("#more" in keys or one.column == other.column)):
                yield one, other


def _shown(value: float, cells: Sequence[TableCell], decimals: int = 0) -> str:
    """Write a result as the cells are written: with as many decimals and the same decimal mark."""
    marks = [re.search(r"([.,])(\d{1,2})\D*$", cell.text) for cell in cells]
    places = max([decimals, *(len(mark[2]) for mark in marks if mark)])
    comma = any(mark and mark[1] == "," for mark in marks)
    text = f"{value:.{places}f}"
    return text.replace(".", ",") if comma else text
