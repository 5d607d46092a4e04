"""Computes over all rows of a table, exactly, and says in words what was computed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal, TypeVar

from babel.numbers import format_decimal, get_decimal_symbol

from eclair.documents.data_table import Column, DataTable
from eclair.text.lexicon.loader import TableWords, load_lexicon
from eclair.text.terms import fold_text

Operation = Literal["sum", "average", "min", "max", "count", "distinct"]
FilterComparison = Literal["is", "is not", "over", "under", "from", "until"]
DatePart = Literal["year", "quarter", "month", "day"]

OrderedT = TypeVar("OrderedT", date, Decimal)

MAX_SHOWN_GROUPS = 40
MAX_SHOWN_ROWS = 3
AVERAGE_DECIMALS = 2
"""Decimals of an average beyond those of its column."""

NO_DATE, NO_CELL = "\0date", "\0cell"
"""Names of the groups of rows without a date, and without a cell."""


@dataclass(frozen=True, slots=True)
class RowFilter:
    """A condition on a column: its cell, or the `part` of its date, compared with any of `values`."""

    column: str
    comparison: FilterComparison
    values: tuple[str, ...]
    part: DatePart | None = None


@dataclass(frozen=True, slots=True)
class TableQuery:
    """A computation on `column`, for each value of `group` (or the `part` of its date) if there is one.

    With `top`, only so many groups count, the largest first, or the smallest if `is_ascending`.
    """

    operation: Operation
    column: str | None = None
    group: str | None = None
    part: DatePart | None = None
    filters: tuple[RowFilter, ...] = ()
    top: int | None = None
    is_ascending: bool = False


@dataclass(frozen=True, slots=True)
class ResultGroup:
    """The value of a group, None if it has no number, and how many rows it rests on."""

    name: str
    value: Decimal | None
    rows: int


@dataclass(frozen=True, slots=True)
class TableResult:
    """Groups in order; one without a name if the query has no group. `rows` are the numbers of the rows used.

    `left_out` rows have no number in the column. `holders` are rows that have the smallest or largest value.
    """

    query: TableQuery
    groups: tuple[ResultGroup, ...]
    rows: tuple[int, ...]
    left_out: int = 0
    holders: tuple[int, ...] = ()


def compute(table: DataTable, query: TableQuery) -> TableResult:
    """Compute a query over all rows of a table. Raises ValueError for a column that it doesn't have."""
    chosen = [at for at in range(len(table.rows)) if all(_passes(table, each, at) for each in query.filters)]
    column = table.column(query.column) if query.column is not None else None
    used = chosen if column is None else [at for at in chosen if _holds(column, at, query.operation)]
    groups: dict[str, list[int]] = defaultdict(list)
    for at in used:
        groups["" if query.group is None else _group_of(table.column(query.group), at, query.part)].append(at)
    if query.group is None and not groups:
        groups[""] = []
    found = [ResultGroup(name, _value(query.operation, column, rows), len(rows)) for name, rows in groups.items()]
    if query.group is not None:
        found = _ordered(found, query)
    holders: tuple[int, ...] = ()
    if query.operation in ("min", "max") and query.group is None and column is not None and found[0].value is not None:
        holders = tuple(at for at in used if column.numbers[at] == found[0].value)
    return TableResult(query, tuple(found), tuple(used), len(chosen) - len(used), holders)


def _ordered(groups: list[ResultGroup], query: TableQuery) -> list[ResultGroup]:
    if query.top is None and query.part is not None:
        return sorted(groups, key=lambda group: group.name)
    known = [group for group in groups if group.value is not None]
    ranked = sorted(known, key=lambda group: group.value or Decimal(0), reverse=not query.is_ascending)
    if query.top is None or query.top >= len(ranked):
        return ranked
    last = ranked[query.top - 1].value
    return [group for at, group in enumerate(ranked) if at < query.top or group.value == last]


def _value(operation: Operation, column: Column | None, rows: Sequence[int]) -> Decimal | None:
    if operation == "count" or column is None:
        return Decimal(len(rows))
    if operation == "distinct":
        return Decimal(len({fold_text(column.cells[at]) for at in rows}))
    numbers = [number for at in rows if (number := column.numbers[at]) is not None]
    if not numbers:
        return None
    match operation:
        case "sum":
            return sum(numbers, Decimal(0))
        case "average":
            places = Decimal(1).scaleb(-(column.decimals + AVERAGE_DECIMALS))
            return (sum(numbers, Decimal(0)) / len(numbers)).quantize(places, ROUND_HALF_UP)
        case "min":
            return min(numbers)
        case "max":
            return max(numbers)


def _holds(column: Column, at: int, operation: Operation) -> bool:
    if operation in ("count", "distinct"):
        return bool(column.cells[at])
    return column.type == "number" and column.numbers[at] is not None


def _group_of(column: Column, at: int, part: DatePart | None) -> str:
    if part is not None and column.type == "date":
        day = column.dates[at]
        return NO_DATE if day is None else _part_of(day, part)
    return column.cells[at] or NO_CELL


def _part_of(day: date, part: DatePart) -> str:
    match part:
        case "year":
            return f"{day.year}"
        case "quarter":
            return f"{day.year}-Q{(day.month + 2) // 3}"
        case "month":
            return f"{day.year}-{day.month:02}"
        case "day":
            return day.isoformat()


def _passes(table: DataTable, condition: RowFilter, at: int) -> bool:
    column = table.column(condition.column)
    if condition.part is not None:
        day = column.dates[at] if column.type == "date" else None
        return day is not None and (_names_part(day, condition) == (condition.comparison == "is"))
    if condition.comparison in ("is", "is not"):
        return (_equals(column, at, condition.values)) == (condition.comparison == "is")
    if column.type == "date":
        return _is_within(column.dates[at], date.fromisoformat(condition.values[0]), condition.comparison)
    number = column.numbers[at] if column.type == "number" else None
    return _is_within(number, Decimal(condition.values[0]), condition.comparison)


def _names_part(day: date, condition: RowFilter) -> bool:
    """Tell whether a date is in one of the years, quarters or months; a month may be meant in any year."""
    names = {
        "year": {f"{day.year}"},
        "quarter": {f"{day.year}-Q{(day.month + 2) // 3}", f"Q{(day.month + 2) // 3}"},
        "month": {f"{day.year}-{day.month:02}", f"{day.month}", f"{day.month:02}"},
        "day": {day.isoformat()},
    }[condition.part or "day"]
    return not names.isdisjoint(condition.values)


def _equals(column: Column, at: int, values: Sequence[str]) -> bool:
    cell = fold_text(column.cells[at]).strip()
    if any(cell == fold_text(value).strip() for value in values):
        return True
    number = column.numbers[at] if column.type == "number" else None
    return number is not None and any(_as_decimal(value) == number for value in values)


def _as_decimal(value: str) -> Decimal | None:
    try:
        return Decimal(value)
    except ArithmeticError:
        return None


def _is_within(value: OrderedT | None, bound: OrderedT, comparison: FilterComparison) -> bool:
    if value is None:
        return False
    match comparison:
        case "over":
            return value > bound
        case "under":
            return value < bound
        case "from":
            return value >= bound
        case _:
            return value <= bound


# In words


def describe_query(table: DataTable, result: TableResult, language: str | None = None) -> str:
    """Say what was computed, as in `Sum of Amount by Region over 132 rows of sales.csv where Year = 2024`."""
    query, words = result.query, _words(language)
    filters = f" {words.conjunction} ".join(_describe_filter(each, words) for each in query.filters)
    return words.query.format(
        value=_describe_value(query, words),
        group=words.group.format(_describe_column(query.group, query.part, words)) if query.group else "",
        rows=_count(len(result.rows), language),
        table=f"{table.name}, {table.label}" if table.label else table.name,
        filters=words.filters.format(filters) if filters else "",
    )


def describe_result(table: DataTable, result: TableResult, language: str | None = None) -> str:
    """Say what was computed and what came out: a sentence, or a table of the groups."""
    query, words, title = result.query, _words(language), describe_query(table, result, language)
    column = table.column(query.column) if query.column is not None else None
    notes = [words.left_out.format(_count(result.left_out, language))] if result.left_out else []
    if query.group is None:
        value = result.groups[0].value
        lines = [f"{title}: {_shown(value, query, column, language)}."]
        for at in result.holders[:MAX_SHOWN_ROWS]:
            cells = zip(table.heads, table.rows[at].cells, strict=True)
            lines.append("; ".join(f"{head}: {cell}" for head, cell in cells if cell))
        if len(result.holders) > MAX_SHOWN_ROWS:
            notes.append(words.ties.format(_count(len(result.holders), language)))
        return "\n".join([*lines, *notes])
    shown = result.groups[:MAX_SHOWN_GROUPS]
    lines = [f"{title}:", f"{query.group} | {_describe_value(query, words)} | {words.rows}"]
    for group in shown:
        name = {NO_DATE: words.no_date, NO_CELL: words.empty}.get(group.name, group.name)
        lines.append(f"{name} | {_shown(group.value, query, column, language)} | {group.rows}")
    if len(shown) < len(result.groups):
        notes.append(words.first_groups.format(len(shown), _count(len(result.groups), language)))
    return "\n".join([*lines, *notes])


def _words(language: str | None) -> TableWords:
    lexicon = load_lexicon(language or "en")
    return lexicon.table_words if lexicon is not None else TableWords()


def _describe_value(query: TableQuery, words: TableWords) -> str:
    if query.operation == "count":
        return words.count if query.column is None else words.count_with.format(query.column)
    names = {
        "sum": words.sum,
        "average": words.average,
        "min": words.smallest,
        "max": words.largest,
        "distinct": words.distinct,
    }
    return names[query.operation].format(query.column)


def _describe_column(column: str, part: DatePart | None, words: TableWords) -> str:
    names = {"year": words.year, "quarter": words.quarter, "month": words.month, "day": words.day}
    return column if part is None else words.part.format(part=names[part], column=column)


def _describe_filter(condition: RowFilter, words: TableWords) -> str:
    """Say a condition, as in `Region = North`."""
    sign = {"is": "=", "is not": "≠", "over": ">", "under": "<", "from": "≥", "until": "≤"}[condition.comparison]
    values = f" {words.disjunction} ".join(condition.values)
    return f"{_describe_column(condition.column, condition.part, words)} {sign} {values}"


def _count(number: int, language: str | None) -> str:
    return format_decimal(number, locale=language or "en")


def _shown(value: Decimal | None, query: TableQuery, column: Column | None, language: str | None) -> str:
    if value is None:
        return _words(language).no_number
    text = f"{value:f}".replace(".", get_decimal_symbol(language or "en"))
    unit = column.unit if column is not None and query.operation not in ("count", "distinct") else ""
    return f"{text}{unit}" if unit == "%" else f"{text} {unit}".strip()
