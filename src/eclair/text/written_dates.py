"""Find dates in text of any language: `3. Mai 2024`, `2024-05-03`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from eclair.text.lexicon.loader import load_lexicons, merge_literals
from eclair.text.terms import fold_text

MAX_RANGE_CHARS = 20
"""From the first day of a range to the last, in characters."""

Reading = tuple[int | None, int | None, int | None]
"""Year, month and day; None for what isn't said."""

_ISO = re.compile(r"(?<!\d)(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})(?!\d)")
_POINTED = re.compile(
    r"(?<![\d.])(?P<day>\d{1,2})(?P<mark>[./])[ ]?(?P<month>\d{1,2})(?P=mark)[ ]?(?P<year>\d{4})(?!\d)"
)


@dataclass(frozen=True, slots=True)
class Date:
    """A day, a month of a year, or a day of a month, at characters `start` to `end`.

    It has two `readings` where the order of day and month can't be told.
    """

    text: str
    readings: tuple[Reading, ...]
    start: int
    end: int

    def matches(self, other: Date) -> bool:
        """Tell whether they have something in common and nothing that both say differs."""
        return any(_agree(mine, theirs) for mine in self.readings for theirs in other.readings)


def extract_dates(text: str) -> tuple[Date, ...]:
    """Return the dates in a text, in order, without overlaps."""
    dates: list[Date] = []
    taken = bytearray(len(text))

    def add(match: re.Match[str], *readings: Reading) -> None:
        if not any(taken[match.start() : match.end()]):
            start, end = match.span("date" if "date" in match.re.groupindex else 0)
            dates.append(Date(text[start:end].rstrip(". "), readings, start, end))
            taken[start:end] = b"1" * (end - start)

    for match in _ISO.finditer(text):
        if int(match["month"]) <= 12 and int(match["day"]) <= 31:
            add(match, (int(match["year"]), int(match["month"]), int(match["day"])))
    for match in _POINTED.finditer(text):
        year, left, right = int(match["year"]), int(match["day"]), int(match["month"])
        readings = [(year, right, left)] if right <= 12 and left <= 31 else []
        if match["mark"] == "/" and left <= 12 and right <= 31 and left != right:
            readings.append((year, left, right))
        if readings:
            add(match, *readings)
    rules = _date_rules()
    for match in rules.day_first.finditer(text):
        month = rules.months.get(fold_text(match["month"]))
        if month and 1 <= int(match["day"]) <= 31:
            year = _number(match["year"])
            add(match, (year, month, int(match["day"])))
            first = rules.range_start.search(text, max(0, match.start() - MAX_RANGE_CHARS), match.start())
            if first and 1 <= int(first["day"]) < int(match["day"]):
                add(first, (year, month, int(first["day"])))
    for match in rules.month_first.finditer(text):
        month = rules.months.get(fold_text(match["month"]))
        if month:
            year, day = _number(match["year"] or match["only"]), _number(match["day"])
            add(match, (year, month, day))
            last = rules.range_end.match(text, match.end())
            if last and day and day < int(last["day"]) <= 31:
                add(last, (year or _number(last["year"]), month, int(last["day"])))
    return tuple(sorted(dates, key=lambda date: date.start))


def _number(digits: str | None) -> int | None:
    return int(digits) if digits else None


def _agree(mine: Reading, theirs: Reading) -> bool:
    pairs = [pair for pair in zip(mine, theirs, strict=True) if None not in pair]
    return bool(pairs) and all(left == right for left, right in pairs)


@dataclass(frozen=True, slots=True)
class _DateRules:
    """Months by their folded names, and patterns of days written with a month's name, in any language.

    In a range such as `7 to 18 April`, only the day next to the month is written with it.
    """

    months: dict[str, int]
    day_first: re.Pattern[str]
    month_first: re.Pattern[str]
    range_start: re.Pattern[str]
    range_end: re.Pattern[str]


@cache
def _date_rules() -> _DateRules:
    months = {
        fold_text(name): month
        for lexicon in load_lexicons()
        for month, names in enumerate(lexicon.dates.months, 1)
        for name in names
    }
    suffix = rf"(?:{merge_literals(lambda lexicon: lexicon.dates.day_suffixes)})?"
    before_month = rf"(?:{merge_literals(lambda lexicon: lexicon.dates.month_prefixes)})?"
    before_year = rf"(?:{merge_literals(lambda lexicon: lexicon.dates.year_prefixes)})?"
    month = r"(?P<month>[^\W\d_]{3,10})\.?"
    until = rf"(?: ?[–—-] ?| (?:{merge_literals(lambda lexicon: lexicon.dates.until)}) )"
    return _DateRules(
        months,
        day_first=re.compile(
            rf"(?<![\w.,])(?P<day>\d{{1,2}}){suffix}\.?[ \u00a0]{before_month}{month}"
            rf"(?:,?[ \u00a0]{before_year}(?P<year>\d{{4}})\b)?"
        ),
        month_first=re.compile(
            rf"\b{month}[ \u00a0](?:(?P<day>\d{{1,2}}){suffix}(?!\d)(?:,?[ \u00a0](?P<year>\d{{4}})\b)?"
            rf"|{before_year}(?P<only>\d{{4}})\b)"
        ),
        range_start=re.compile(rf"(?<![\w.,/:–—-])(?P<date>(?P<day>\d{{1,2}}){suffix}\.?){until}\Z"),
        range_end=re.compile(
            rf"{until}(?P<date>(?P<day>\d{{1,2}}){suffix}(?:,? (?P<year>\d{{4}})\b)?)(?=\s*+(?:[.,;:)]|\Z))"
        ),
    )
