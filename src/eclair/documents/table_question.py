"""Reads a question on a table by rule, where its words are those of the table: operation, column, groups, conditions.

Whatever the question's words leave open is for a model (`table_choice`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from eclair.documents.data_table import Column, DataTable, read_number
from eclair.documents.table_query import DatePart, FilterComparison, Operation, RowFilter, TableQuery
from eclair.text.language import identify_language
from eclair.text.lexicon.loader import ComputationWords, load_lexicons
from eclair.text.terms import fold_text, is_content_word, split_terms
from eclair.text.written_dates import extract_dates

MAX_VALUE_WORDS = 5
"""Words of a cell that a question may name."""

MIN_FOLDED_VALUE_CHARS = 4
"""Shorter cells, such as `DE`, count only as they are written."""

MIN_COMPOUND_CHARS = 8

MIN_UNREAD_WORDS = 2
"""So many words that are not the table's are left to the model; one may be a verb."""

MAX_TOP = 100

_FIGURE = re.compile(r"\d[\d.,'’\u00a0\u202f]*\d|\d")
_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_QUARTER = re.compile(r"\bq([1-4])\b")
_TOKEN = re.compile(r"\w+(?:[-.&/]\w+)*")


@dataclass(frozen=True, slots=True)
class TableQuestion:
    """Words of a question that ask for a computation.

    It `is_superlative` if it wants the first of some groups; `is_sum` if a largest or smallest sum is meant.
    """

    text: str
    folded: str
    operation: Operation
    words: ComputationWords
    is_superlative: bool = False
    is_ascending: bool = False
    is_sum: bool = False


@dataclass(frozen=True, slots=True)
class TableReading:
    """A query as the rule reads it. It `is_complete` if nothing is left open; `score` counts what the table names."""

    table: DataTable
    query: TableQuery
    score: float
    is_complete: bool


def read_question(question: str) -> TableQuestion | None:
    """Tell what a question asks to compute; None if it asks for nothing of the kind."""
    folded = fold_text(question)
    words = _words_of(identify_language(question))

    def has(patterns: Sequence[str]) -> bool:
        return _find(patterns, folded) is not None

    if has(words.average):
        return TableQuestion(question, folded, "average", words)
    if has(words.count):
        operation: Operation = "distinct" if has(words.different) else "count"
        is_sum = has(words.most) or has(words.fewest)
        return TableQuestion(question, folded, operation, words, is_superlative=is_sum)
    is_sum = has(words.sum)
    if has(words.largest):
        return TableQuestion(question, folded, "max", words, is_sum=is_sum)
    if has(words.smallest):
        return TableQuestion(question, folded, "min", words, is_ascending=True, is_sum=is_sum)
    if has(words.most):
        return TableQuestion(question, folded, "sum", words, is_superlative=True)
    if has(words.fewest):
        return TableQuestion(question, folded, "sum", words, is_superlative=True, is_ascending=True)
    return TableQuestion(question, folded, "sum", words) if is_sum else None


def read_query(question: TableQuestion, table: DataTable) -> TableReading | None:
    """Read a question for one table; None if it names nothing of it."""
    named = {column.head: _naming(question, column) for column in table.columns}
    filters = [*_value_filters(question, table, named), *_date_filters(question, table)]
    bound = _bound(question, table, named)
    filters += [bound] if bound is not None else []
    group, part = _group(question, table, named, {each.column for each in filters})
    column = _target(question, table, named, group)
    query = _query(question, table, column, group, part, tuple(filters))
    score = sum(named.values()) + len(filters) + (1 if group else 0)
    asks_for_rows = _find(question.words.rows, question.folded) is not None
    if score == 0 and not asks_for_rows:
        return None
    needs_column = query.operation not in ("count",)
    is_complete = (query.column is not None) if needs_column else (asks_for_rows or score > 0)
    if question.is_superlative and query.group is None:
        is_complete = False
    if query.column is not None and not named[query.column] and query.group is None:
        unread = _unread_stems(question, table, filters)
        if len(unread) >= MIN_UNREAD_WORDS or (unread and not filters):
            is_complete = False  # they may name rows that the rule doesn't see
    if _find(question.words.per, question.folded) and group is None and not filters:
        is_complete = False
    if not table.is_sheet and not asks_for_rows and not _concerns_rows(question, table, query, named):
        is_complete = False
    return TableReading(table, query, score, is_complete)


def _query(
    question: TableQuestion,
    table: DataTable,
    column: str | None,
    group: str | None,
    part: DatePart | None,
    filters: tuple[RowFilter, ...],
) -> TableQuery:
    operation, top = question.operation, _top(question)
    if operation == "count":
        return TableQuery(
            operation,
            None,
            group,
            part,
            filters,
            (top or 1) if question.is_superlative else None,
            question.is_ascending,
        )
    if operation in ("max", "min") and group is not None:
        if column is not None and (part is not None or question.is_sum or top):
            return TableQuery("sum", column, group, part, filters, top or 1, question.is_ascending)
        # "the most expensive product": the row that has it is shown
        return TableQuery(operation, column, None, None, filters)
    if question.is_superlative or (top and group):
        return TableQuery(operation, column, group, part, filters, top or 1, question.is_ascending)
    return TableQuery(operation, column, group, part, filters)


def _unread_stems(question: TableQuestion, table: DataTable, filters: Sequence[RowFilter]) -> set[str]:
    """Return the stems of the words that are neither of the table nor of the operation."""
    rest = question.folded
    for name in ComputationWords.__dataclass_fields__:
        rest = _compiled(tuple(getattr(question.words, name) or ("(?!)",))).sub(" ", rest)
    known = {term.stem for term in split_terms(" ".join((*table.heads, *(v for each in filters for v in each.values))))}
    values = [fold_text(value) for each in filters for value in each.values]
    return {
        term.stem
        for term in split_terms(rest)
        if is_content_word(term)
        and term.stem not in known
        and term.key not in _months()
        and not any(term.key.startswith(value) for value in values)
    }


def _concerns_rows(question: TableQuestion, table: DataTable, query: TableQuery, named: dict[str, float]) -> bool:
    """Tell whether a question is surely about the rows of a table in a document, not about what its text tells.

    What is counted must be what the rows are. Of other questions hardly any word may be foreign to the table, unless
    they ask for more than a sum and have the whole name of the column or of the group.
    """
    if query.operation not in ("count", "distinct"):
        has_name = any(named[head] == 1 for head in (query.column, query.group) if head is not None)
        is_total = query.operation == "sum" and query.group is None
        return (has_name and not is_total) or len(_unread_stems(question, table, query.filters)) < MIN_UNREAD_WORDS
    if query.group is not None and table.column(query.group).type == "number":
        return False
    asked = _find(question.words.count, question.folded)
    rest = question.folded[asked.end() :] if asked is not None else ""
    after = split_terms(_compiled(tuple(question.words.different or ("(?!)",))).sub(" ", rest))
    counted = next((term.stem for term in after if is_content_word(term)), None)
    kinds = {term.stem for column in table.columns if column.type == "text" for term in split_terms(column.head)}
    return counted in kinds


def _target(question: TableQuestion, table: DataTable, named: dict[str, float], group: str | None) -> str | None:
    """Return the column to compute on: the one that is named, or the only one with numbers."""
    wants_text = question.operation == "distinct"
    found = [
        column
        for column in table.columns
        if column.head != group and (wants_text or (column.type == "number" and not _is_key(column)))
    ]
    hits = sorted((column for column in found if named[column.head]), key=lambda column: -named[column.head])
    if hits and (len(hits) == 1 or named[hits[0].head] > named[hits[1].head]):
        return hits[0].head
    if not hits and len(found) == 1 and not wants_text:
        return found[0].head
    return None


def _is_key(column: Column) -> bool:
    """Tell whether numbers are only names, such as years or ids."""
    values = [number for number in column.numbers if number is not None]
    are_whole = all(number == number.to_integral_value() for number in values)
    are_years = are_whole and all(1900 <= number <= 2100 for number in values)
    return are_years or (
        are_whole and re.search(r"(?i)(?:\bid|\bno|nr|nummer|number|zip|plz|code)\.?\Z", column.head) is not None
    )


def _naming(question: TableQuestion, column: Column) -> float:
    """Return the share of a column's name that a question has, from 0 to 1."""
    head = {term.stem for term in split_terms(column.head.replace("_", " ")) if len(term.key) > 1}
    content = {term.stem for term in split_terms(column.head.replace("_", " ")) if is_content_word(term)} or head
    asked = {term.stem for term in split_terms(question.text)}
    shared = content & asked
    return len(shared) / len(content) if content else 0.0


def _group(
    question: TableQuestion, table: DataTable, named: dict[str, float], filtered: set[str]
) -> tuple[str | None, DatePart | None]:
    """Return the column to group by, and the part of its date."""
    words = question.words
    after = _find(words.per, question.folded)
    while after is not None:
        tail = question.folded[after.end() : after.end() + 40]
        stems = [term.stem for term in split_terms(tail)][:4]
        if (dated := next((column for column in table.columns if column.type == "date"), None)) is not None:
            for part, patterns in _date_parts(words):
                if re.match(rf"\W*(?:\w+\W+)?(?:{'|'.join(patterns or ['(?!)'])})\b", tail):
                    return dated.head, part
        for column in table.columns:
            head = [term.stem for term in split_terms(column.head.replace("_", " ")) if is_content_word(term)]
            if head and any(stem in head for stem in stems[:2]):
                return column.head, None
        after = _find(words.per, question.folded, after.end())
    if question.is_superlative or question.operation in ("max", "min"):
        texts = [
            column.head
            for column in table.columns
            if column.type == "text" and named[column.head] and column.head not in filtered
        ]
        if len(texts) == 1:
            return texts[0], None
        dated = next((column for column in table.columns if column.type == "date"), None)
        for part, patterns in _date_parts(words):
            if dated is not None and question.is_superlative and _find(patterns, question.folded):
                return dated.head, part
    return None, None


def _date_parts(words: ComputationWords) -> tuple[tuple[DatePart, Sequence[str]], ...]:
    return (("year", words.years), ("quarter", words.quarters), ("month", words.months))


def _value_filters(question: TableQuestion, table: DataTable, named: dict[str, float]) -> Iterator[RowFilter]:
    """Yield conditions for cells that the question names."""
    heads = {term.stem for head, share in named.items() if share == 1 for term in split_terms(head)}
    grams = [gram for gram in _grams(question.text) if not heads & {term.stem for term in split_terms(gram)}]
    compounds = [token for token in _TOKEN.findall(question.text) if len(token) > MIN_COMPOUND_CHARS]
    seen: set[str] = set()
    for column in sorted(table.columns, key=lambda column: -named[column.head]):
        if column.type != "text":
            continue
        exact = {fold_text(value): value for value in column.distinct}
        inflected = {_stems(value): value for value in column.distinct}
        hits: list[tuple[str, str]] = []
        for gram in grams:
            value = exact.get(fold_text(gram)) or (inflected.get(_stems(gram)) if _stems(gram) else None)
            is_meant = value is not None and (value == gram or min(len(gram), len(value)) >= MIN_FOLDED_VALUE_CHARS)
            if value is not None and is_meant and gram not in seen:
                hits.append((gram, value))
        if not hits:
            hits = [(token, value) for token in compounds for value in column.distinct if _begins_with(token, value)]
        longest = [hit for hit in hits if not any(hit[0] != other and hit[0] in other for other, _ in hits)]
        if longest:
            seen |= {gram for gram, _ in hits}
            yield RowFilter(column.head, "is", tuple(dict.fromkeys(value for _, value in longest)))


def _begins_with(token: str, value: str) -> bool:
    """Tell whether a word is a compound of a cell, as `Reisekosten` is of `Reise`."""
    word, cell = fold_text(token), fold_text(value)
    return len(cell) >= MIN_COMPOUND_CHARS - 3 and word.startswith(cell) and len(word) > len(cell) + 2


def _stems(text: str) -> str:
    """Return the stems of a text's words with its figures; empty where it has none."""
    return " ".join(
        token if token[0].isdigit() else "".join(term.stem for term in split_terms(token))
        for token in _TOKEN.findall(fold_text(text))
    )


def _grams(text: str) -> Iterator[str]:
    """Yield the runs of up to `MAX_VALUE_WORDS` words."""
    spans = [match.span() for match in _TOKEN.finditer(text)]
    for size in range(min(MAX_VALUE_WORDS, len(spans)), 0, -1):
        for at in range(len(spans) - size + 1):
            gram = text[spans[at][0] : spans[at + size - 1][1]]
            if size > 1 or any(is_content_word(term) for term in split_terms(gram)) or gram.isdigit():
                yield gram


def _date_filters(question: TableQuestion, table: DataTable) -> list[RowFilter]:
    """Return conditions for the days, months, quarters and years that the question names."""
    column = next((column for column in table.columns if column.type == "date"), None)
    years = list(dict.fromkeys(_YEAR.findall(question.text)))
    if column is None:
        numbered = [each for each in table.columns if each.type == "number" and _is_key(each)]
        return [
            RowFilter(each.head, "is", tuple(found))
            for each in numbered
            if (found := [year for year in years if year in each.distinct])
        ][:1]
    for day in extract_dates(question.text):
        reading = day.readings[0]
        if None not in reading:
            iso = "{:04}-{:02}-{:02}".format(*reading)
            before = fold_text(question.text[: day.start])[-20:]
            if _find(question.words.since, before):
                return [RowFilter(column.head, "from", (iso,))]
            if _find(question.words.until, before):
                return [RowFilter(column.head, "until", (iso,))]
            return [RowFilter(column.head, "is", (iso,), "day")]
    months = _months_in(question.text)
    quarters = _QUARTER.findall(question.folded)
    if months:
        values = [f"{year}-{month:02}" for year in years for month in months] or [str(month) for month in months]
        return [RowFilter(column.head, "is", tuple(values), "month")]
    if quarters:
        values = [f"{year}-Q{each}" for year in years for each in quarters] or [f"Q{each}" for each in quarters]
        return [RowFilter(column.head, "is", tuple(values), "quarter")]
    return [RowFilter(column.head, "is", tuple(years), "year")] if years else []


def _months_in(text: str) -> list[int]:
    """Return the months that a text names; `may` only in capitals inside a sentence."""
    found: list[int] = []
    for term in split_terms(text):
        month = _months().get(term.key)
        is_name = len(term.key) > 3 or (term.is_capitalized and not term.starts_sentence)
        if month is not None and is_name and month not in found:
            found.append(month)
    return found


@cache
def _months() -> dict[str, int]:
    return {
        fold_text(name): month
        for lexicon in load_lexicons()
        for month, names in enumerate(lexicon.dates.months, 1)
        for name in names
        if len(name) > 2
    }


def _bound(question: TableQuestion, table: DataTable, named: dict[str, float]) -> RowFilter | None:
    """Return the condition `more than 500` on the named column, or the only one with numbers."""
    words = question.words
    bounds: tuple[tuple[FilterComparison, Sequence[str]], ...] = (("over", words.more_than), ("under", words.less_than))
    for comparison, patterns in bounds:
        match = _find(patterns, question.folded)
        figure = _FIGURE.search(question.folded, match.end()) if match is not None else None
        if match is None or figure is None or figure.start() - match.end() > 4:
            continue
        numeric = [column for column in table.columns if column.type == "number" and not _is_key(column)]
        hits = sorted((each for each in numeric if named[each.head]), key=lambda each: -named[each.head]) or numeric
        value = read_number(
            figure[0],
            "." if re.search(r"\.\d{1,2}\Z", figure[0]) else "," if re.search(r",\d{1,2}\Z", figure[0]) else None,
        )
        if hits and value is not None and (len(hits) == 1 or named[hits[0].head] > named[hits[1].head]):
            return RowFilter(hits[0].head, comparison, (f"{value:f}",))
    return None


def _top(question: TableQuestion) -> int | None:
    match = re.search(r"\btop (\d{1,3})\b", question.folded)
    if match is None and (question.operation in ("max", "min") or question.is_superlative):
        match = re.search(r"(?<![\d.,])(\d{1,2})(?![\d.,])", _YEAR.sub("", question.folded))
    return int(match[1]) if match is not None and 0 < int(match[1]) <= MAX_TOP else None


def _find(patterns: Sequence[str], text: str, at: int = 0) -> re.Match[str] | None:
    return _compiled(tuple(patterns)).search(text, at) if patterns else None


@cache
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(patterns)})\b")


@cache
def _words_of(language: str | None) -> ComputationWords:
    """Return the words of a language, or of all together where it has none."""
    for lexicon in load_lexicons():
        if lexicon.code == language and lexicon.computation.count:
            return lexicon.computation
    names = ComputationWords.__dataclass_fields__
    return ComputationWords(
        **{
            name: [pattern for lexicon in load_lexicons() for pattern in getattr(lexicon.computation, name)]
            for name in names
        }
    )
