"""Detect questions that are to be worked out: sums, units, dates and times, and what code makes of attached files.

They are few and certain: two numbers alone ask for nothing.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from datetime import date
from functools import cache
from importlib import resources
from pathlib import PurePosixPath
from typing import Literal

import orjson

from eclair.text.lexicon.loader import load_lexicons, merge_patterns
from eclair.text.terms import fold_text
from eclair.text.written_dates import extract_dates

MAX_CHARS = 400
"""A longer text with numbers is read, not worked out."""

DateOperation = Literal["describe", "between", "add", "convert_time"]
CalculationKind = Literal["figures"] | DateOperation

_NUMBER = re.compile(r"(?<![\w.])\d[\d.,'’\u00a0\u202f]*")
_YEAR = re.compile(r"(?:19|20)\d\d")
_EXPRESSION = re.compile(r"\d[)\]!²³]*\s*(?:[+*×÷^]|\*\*)\s*[(\[]*\d|\d[)\]]*\s+[-−/:x]\s+[(\[]*\d|\d\s?x\s?\d")
_PERCENT = re.compile(r"\d\s*[%‰]")
_CLOCK = re.compile(r"(?<!\d)(?:[01]?\d|2[0-3])(?::[0-5]\d|\s?[ap]\.?m\b)")
_CODE = re.compile(
    r"\b(?:python|javascript|typescript|java|rust|sql|regex|html|css|bash|c\+\+|code\w*|kod\w*|koodi\w*|codigo|codice"
    r"|function|funktion|fonction|program\w*|script\w*)\b"
)
_FILE_NAME = re.compile(
    r"(?<![\w-])[\w-]{1,80}+\.(?:csv|tsv|json|svg|png|txt|md|html?|xml|ya?ml|xlsx)\b", re.IGNORECASE
)
_FORMAT = re.compile(r"\b(?:csv|tsv|json|xml|yaml|svg|xlsx|excel)\b")


def calculation_kind(question: str) -> CalculationKind | None:
    """Tell what is to be worked out exactly: figures, or something of dates and times; None for any other question."""
    if len(question) > MAX_CHARS:
        return None
    folded = fold_text(question)
    if _CODE.search(folded) or _has("writing", folded):
        return None
    return _date_operation(question, folded) or ("figures" if _asks_for_figure(question, folded) else None)


def written_days(question: str) -> tuple[date, ...]:
    """Return the days that a question names. One without a year is in that of the others, or in this one."""
    found = [each.readings[0] for each in extract_dates(question)]
    year = next((reading[0] for reading in reversed(found) if reading[0] is not None), date.today().year)
    days: list[date] = []
    for reading in found:
        if reading[1] is not None and reading[2] is not None:
            with contextlib.suppress(ValueError):
                days.append(date(reading[0] or year, reading[1], reading[2]))
    return tuple(days)


def asks_for_chart(question: str) -> bool:
    """Return whether a question asks for a chart, in any of the page's languages."""
    return _has("charts", fold_text(question[:MAX_CHARS]))


def asks_for_file(question: str, names: Sequence[str]) -> bool:
    """Return whether files are to be made of those of these `names`: one is named, or another format is."""
    known = {name.casefold() for name in names}
    suffixes = {PurePosixPath(name).suffix.lstrip(".").casefold() for name in names}
    head = question[:MAX_CHARS]
    return any(found.casefold() not in known for found in _FILE_NAME.findall(head)) or any(
        found not in suffixes for found in _FORMAT.findall(_FILE_NAME.sub(" ", fold_text(head)))
    )


def names_format(question: str, *formats: str) -> bool:
    """Return whether a question names one of these formats of files, alone or as the ending of a name."""
    return re.search(rf"\b(?:{'|'.join(formats)})\b", fold_text(question[:MAX_CHARS])) is not None


def asks_to_count_text(question: str) -> bool:
    """Return whether words, characters or the places of a word are to be counted."""
    folded = fold_text(question[:MAX_CHARS])
    counts = re.search(rf"\b(?:{_count_patterns()})\b", folded) is not None
    return _has("how_often", folded) or (counts and _has("text_units", folded))


def _asks_for_figure(question: str, folded: str) -> bool:
    numbers = [found[0].rstrip(".,'’") for found in _NUMBER.finditer(question)]
    if _EXPRESSION.search(folded):
        return True
    if not numbers:
        return False
    if len(numbers) >= 2 and _PERCENT.search(folded) and not all(map(_YEAR.fullmatch, numbers[1:])):
        return True
    if _has("maths", folded) and not all(map(_YEAR.fullmatch, numbers)):
        return len(numbers) >= 2 or _has("powers", folded)
    if len(numbers) >= 3 and re.search(rf"\b(?:{_average_patterns()})\b", folded):
        return True
    return _asks_for_unit(folded)


def _asks_for_unit(folded: str) -> bool:
    """Return whether numbers with units are to become one in another unit, or have two units between them."""
    units = _unit_pattern()
    measured = {_unit_symbol(found[1]) for found in re.finditer(rf"\d\s*°?({units})\b", folded)}
    named = {_unit_symbol(found[1]) for found in re.finditer(rf"(?<![\d\s.,])\s+°?({units})\b", folded)}
    return bool(measured) and (bool(named - measured) or (len(measured) >= 2 and "?" in folded))


def _date_operation(question: str, folded: str) -> DateOperation | None:
    if _CLOCK.search(folded) and _has("time_questions", folded):
        return "convert_time"
    days = written_days(question)
    if not days:
        return None
    is_span = re.search(rf"\d\s*(?:{_day_units()})", folded) is not None
    asks_for_number = re.search(rf"\b(?:{_count_patterns()})\b", folded) is not None
    if len(days) >= 2 and (asks_for_number or re.search(_day_units(), folded) is not None):
        return "between"
    if is_span:
        return "add"
    if _has("age_questions", folded):
        return "between"
    return "describe" if _has("weekday_questions", folded) else None


def _has(kind: str, folded: str) -> bool:
    """Return whether a text without case and accents has a word of a kind, in any language."""
    return _patterns()[kind].search(folded) is not None


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    kinds = orjson.loads((resources.files("eclair.text.intent") / "calculations.json").read_bytes())
    return {kind: re.compile(rf"\b(?:{'|'.join(patterns)})\b") for kind, patterns in kinds.items()}


@cache
def _count_patterns() -> str:
    return merge_patterns(lambda lexicon: lexicon.computation.count)


@cache
def _average_patterns() -> str:
    return merge_patterns(lambda lexicon: lexicon.computation.average)


@cache
def _unit_words() -> dict[str, str]:
    """Return the words and symbols of units, each with its symbol."""
    found: dict[str, str] = {}
    for lexicon in load_lexicons():
        for symbol, words in lexicon.numbers.units.items():
            if symbol not in ("%", "€", "$", "£", "d", "wk", "mo", "yr"):
                found.update({fold_text(word): symbol for word in (symbol, *words) if len(word) > 1})
    for symbol in ("km/h", "mph", "lb", "oz", "kg", "mg", "ml", "cl", "inches", "gallons", "pounds", "fahrenheit"):
        found.setdefault(symbol, symbol)
    return found


@cache
def _unit_pattern() -> str:
    return "|".join(re.escape(word) for word in sorted(_unit_words(), key=len, reverse=True))


def _unit_symbol(word: str) -> str:
    return _unit_words()[word]


@cache
def _day_units() -> str:
    """Return a pattern of the words for days, weeks, months and years in any language."""
    words = {
        fold_text(word)
        for lexicon in load_lexicons()
        for symbol in ("d", "wk", "mo", "yr")
        for word in lexicon.numbers.units.get(symbol, ())
        if len(word) > 1
    }
    return rf"\b(?:{'|'.join(map(re.escape, sorted(words, key=len, reverse=True)))})\b"
