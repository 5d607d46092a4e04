"""Compare the days of the week of two texts: `Mon–Fri` is from Monday to Friday, `dienstags` is on Tuesday."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from eclair.text.lexicon.loader import load_lexicons, merge_literals
from eclair.text.terms import match_key

WORKING_DAYS = frozenset(range(5))
WEEKEND = frozenset((5, 6))
MAX_NAME_ENDING_CHARS = 10
"""Letters after the name of a day: `Tuesdays`, `Dienstagvormittag`."""


@dataclass(frozen=True, slots=True)
class Days:
    """Days of the week, of which Monday is 0, at characters `start` to `end`."""

    text: str
    days: frozenset[int]
    start: int
    end: int
    is_group: bool = False
    """Such as a weekend, of which a text may mean a part."""


@dataclass(frozen=True, slots=True)
class _Patterns:
    """Names, abbreviations and groups of days, and what joins the first and the last of several.

    An abbreviation may be another word, so it counts only `next_to_short` and another day, or before `hours` with a
    mark of time: `So 20 to 30 come` names none.
    """

    day: re.Pattern[str]
    until: re.Pattern[str]
    next_to_short: re.Pattern[str]
    hours: re.Pattern[str]
    numbers: dict[str, int]


def find_differing_day(claim: str, stated: Sequence[str]) -> Days | None:
    """Return the day of a claim that the sentences lack, where they name others; one of a weekend is enough."""
    here = frozenset[int]().union(*(days.days for text in stated for days in read_weekdays(text)))
    if not here:
        return None
    for days in read_weekdays(claim):
        if days.days.isdisjoint(here) or (not days.is_group and not days.days <= here):
            return days
    return None


def weekday_keys(text: str) -> dict[int, str]:
    """Return what stands for each day that a text names, by where: the same for `Sat`, `samedi` and `samstags`."""
    return {each.start: f"#{day}" for each in _single_days(text) if len(each.days) == 1 for day in each.days}


def names_day(text: str) -> bool:
    """Tell whether a text names a day of the week."""
    return bool(read_weekdays(text))


def is_weekday(word: str) -> bool:
    """Tell whether a word is the name of a day."""
    found = _patterns().day.fullmatch(word)
    return found is not None and found["short"] is None


@lru_cache(maxsize=10_000)
def read_weekdays(text: str) -> tuple[Days, ...]:
    """Return the days that a text names, several in a row as one: `Monday to Friday`."""
    found = list(_single_days(text))
    days: list[Days] = []
    for one in found:
        before = days[-1] if days else None
        if (
            before is not None
            and len(before.days) == len(one.days) == 1
            and _patterns().until.fullmatch(text, before.end, one.start)
        ):
            (first,), (last,) = before.days, one.days
            several = frozenset((first + at) % 7 for at in range((last - first) % 7 + 1))
            days[-1] = Days(text[before.start : one.end], several, before.start, one.end)
        else:
            days.append(one)
    return tuple(days)


def _single_days(text: str) -> Iterator[Days]:
    rules = _patterns()
    found = list(rules.day.finditer(text))
    for at, match in enumerate(found):
        if match["group"] is not None:
            is_weekend = match_key(match["group"]) in _weekend()
            yield Days(match[0], WEEKEND if is_weekend else WORKING_DAYS, match.start(), match.end(), is_group=True)
        elif match["name"] is not None:
            yield _one(match, match["name"])
        else:
            near = [other for other in found[max(0, at - 1) : at + 2] if other is not match]
            gaps = [text[min(match.end(), other.end()) : max(match.start(), other.start())] for other in near]
            if any(map(rules.next_to_short.fullmatch, gaps)) or rules.hours.match(text, match.end()):
                yield _one(match, match["short"])


def _one(match: re.Match[str], name: str) -> Days:
    return Days(match[0], frozenset((_patterns().numbers[match_key(name)],)), match.start(), match.end())


@cache
def _weekend() -> frozenset[str]:
    return frozenset(match_key(word) for lexicon in load_lexicons() for word in lexicon.dates.weekend)


@cache
def _patterns() -> _Patterns:
    names: dict[str, int] = {}
    short: dict[str, int] = {}
    for lexicon in load_lexicons():
        for day, name in enumerate(lexicon.queries.weekdays if lexicon.queries is not None else ()):
            names[name] = day
        for day, listed in enumerate(lexicon.dates.weekday_abbreviations):
            short |= dict.fromkeys((*listed, *map(str.capitalize, listed)), day)
    until = merge_literals(lambda lexicon: lexicon.dates.until)
    groups = [word for lexicon in load_lexicons() for word in (*lexicon.dates.weekdays, *lexicon.dates.weekend)]
    to = rf"[ ]?(?:[-–]|(?:{until})\b)[ ]?"
    joining = rf"[ .]{{0,2}}(?:[-–—,&/]|(?:{until}|and|und|et|y)\b)[ ]?(?:(?:le|el) )?"
    return _Patterns(
        day=re.compile(
            rf"\b(?:(?P<group>{_any_of(groups)})\b|(?P<name>{_any_of(names)})[^\W\d_]{{0,{MAX_NAME_ENDING_CHARS}}}\b"
            rf"|(?-i:(?P<short>{_any_of(short)}))\b)",
            re.IGNORECASE,
        ),
        until=re.compile(rf"[ .]{{0,2}}(?:[-–—]|(?:{until})\b)[ ]?(?:(?:le|el) )?", re.IGNORECASE),
        next_to_short=re.compile(joining, re.IGNORECASE),
        hours=re.compile(
            rf"[ .:]{{1,2}}(?:\d{{1,2}}:\d\d|\d{{1,2}}\.\d\d{to}\d{{1,2}}\.\d\d"
            rf"|\d{{1,2}}(?:\.\d\d)?(?:{to}\d{{1,2}}(?:[:.]\d\d)?)?[ ]?(?:Uhr\b|h(?![^\W\d])|[ap]\.?m\b))"
        ),
        numbers={match_key(name): day for name, day in (short | names).items()},
    )


def _any_of(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(set(words), key=lambda word: (-len(word), word)))
