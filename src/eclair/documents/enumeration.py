"""Finds every sentence of documents that has a date, an amount or an address, so that a list is complete."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from eclair.citations.evidence import split_passage
from eclair.documents.sections import KeySentence
from eclair.schema.messages import Passage
from eclair.text.intent.whole_document import ListedKind
from eclair.text.terms import is_content_word, split_terms
from eclair.text.written_dates import extract_dates
from eclair.text.written_numbers import extract_numbers, is_certain

DURATION_UNITS = frozenset(("d", "wk", "mo", "yr"))
MONEY_UNITS = frozenset("€$£")

_DIGIT = re.compile(r"\d")
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]+(?:\.[\w-]+)+")
_LINK = re.compile(r"https?://\S+|\bwww\.\S+")
_PHONE = re.compile(r"(?<![\w/.,-])(?:\+|00|\(?0)\d?[\d ()/.-]{6,18}\d(?![\w/-])")
_CURRENCY = re.compile(r"\b(?:EUR|USD|GBP|CHF|PLN|SEK|NOK|DKK|CZK|HUF|RON|BGN|euros?|zł|Kč)\b", re.IGNORECASE)


def find_items(passages: Sequence[Passage], kind: ListedKind) -> list[KeySentence]:
    """Return the sentences that have something of a kind, in order, each once below its headings."""
    has = _FINDERS[kind]
    found: list[KeySentence] = []
    seen: set[tuple[str, tuple[str, ...], str]] = set()
    for passage in passages:
        for start, end in split_passage(passage):
            text = " ".join(passage.text[start:end].split())
            key = (passage.file, passage.heading, text)
            if start >= passage.body and key not in seen and has(text):
                seen.add(key)
                found.append(KeySentence(text, passage, passage.start + start, passage.start + end))
    return found


def filter_items(items: Sequence[KeySentence], stems: frozenset[str]) -> list[KeySentence]:
    """Return the items whose sentence or headings have one of these stems; all if none has."""
    chosen = [item for item in items if stems & _stems_of(item)]
    return chosen or list(items)


def _stems_of(item: KeySentence) -> set[str]:
    text = " ".join((item.text, *item.passage.heading))
    return {term.stem for term in split_terms(text) if is_content_word(term)}


def _has_date(text: str) -> bool:
    return bool(_DIGIT.search(text)) and any(
        sum(piece is not None for piece in date.readings[0]) > 1 for date in extract_dates(text)
    )


def _has_deadline(text: str) -> bool:
    return _has_date(text) or any(
        number.unit in DURATION_UNITS and (not number.is_spelled_out or is_certain(number))
        for number in extract_numbers(text)
    )


def _has_amount(text: str) -> bool:
    if not _DIGIT.search(text):
        return False
    return bool(_CURRENCY.search(text)) or any(number.unit in MONEY_UNITS for number in extract_numbers(text))


def _has_percentage(text: str) -> bool:
    return any(number.unit == "%" for number in extract_numbers(text))


_FINDERS: dict[ListedKind, Callable[[str], bool]] = {
    "dates": _has_date,
    "deadlines": _has_deadline,
    "amounts": _has_amount,
    "percentages": _has_percentage,
    "emails": lambda text: _EMAIL.search(text) is not None,
    "phones": lambda text: _PHONE.search(text) is not None,
    "links": lambda text: _LINK.search(text) is not None,
}
