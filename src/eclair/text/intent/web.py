"""Tells whether a question wants the web: because it has an address in it, or depends on the time, or on facts that a
model is not likely to know.

A rule for the languages whose lexicon has such words; numbers and addresses count in any language. It reads letters
without case and accents. Where it is wrong the person decides, by the switch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal
from urllib.parse import urlsplit

from eclair.text.facts import fold
from eclair.text.lexicon.loader import Lexicon, Patterns, merge_patterns

LOOKED_AT = 2000
"""Characters of a question that are looked at: whoever pastes more asks about that."""

ADDRESSES = 3
"""Addresses of a question that are read."""

KNOWN = 2
"""Years that a model's knowledge is behind, about: it is asked in vain for what happened since."""

Why = Literal["address", "news", "current", "price", "office", "recent"]

ONE_DAY, DAYS, MONTH, YEAR = 2, 14, 45, 400
"""Days that a source may be old where a question is about today, about what is new, about this month, this year."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What a question wants of the web. `days` is how old a source may be, None where that does not matter."""

    why: Why
    days: int | None = None


_ADDRESS = re.compile(r"https?://[^\s<>\"'`\\^{}|]+", re.IGNORECASE)
_BARE = re.compile(r"(?<![\w@./-])www\.[\w-]+(?:\.[\w-]+)+(?:/[^\s<>\"'`\\^{}|]*)?", re.IGNORECASE)

Rule = tuple[Why, int | None, re.Pattern[str]]


@cache
def _rules() -> tuple[Rule, ...]:
    """Patterns of questions with how old a source may be, those first that say most about it."""
    who = merge_patterns(lambda lexicon: lexicon.web_intent.who_is)
    offices = merge_patterns(lambda lexicon: lexicon.web_intent.offices)
    return (
        ("news", ONE_DAY, _words(lambda lexicon: lexicon.web_intent.today)),
        ("news", DAYS, _words(lambda lexicon: lexicon.web_intent.news)),
        ("price", MONTH, _words(lambda lexicon: lexicon.web_intent.price)),
        ("current", MONTH, _words(lambda lexicon: lexicon.web_intent.current)),
        ("office", YEAR, re.compile(rf"\b(?:{who})\b.{{0,40}}\b(?:{offices})\b")),
    )


def _words(rule: Callable[[Lexicon], Patterns]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{merge_patterns(rule)})\b")


_YEAR = re.compile(r"(?<![\d.,-])(1\d\d\d|20\d\d)(?![\d-]|[.,]\d)")


def addresses(question: str) -> list[str]:
    """The addresses of pages in a question, each once, in their order, as many as are read."""
    found = [match[0] for match in _ADDRESS.finditer(question)]
    found += [f"https://{match[0]}" for match in _BARE.finditer(_ADDRESS.sub(" ", question))]
    cleaned = (_trimmed(url) for url in found)
    return list(dict.fromkeys(url for url in cleaned if _has_host(url)))[:ADDRESSES]


def without_addresses(question: str) -> str:
    return " ".join(_BARE.sub(" ", _ADDRESS.sub(" ", question)).split())


@cache
def _small_talk() -> re.Pattern[str]:
    return re.compile(rf"(?:{merge_patterns(lambda lexicon: lexicon.web_intent.small_talk)})\b(?: \w+){{0,3}}")


def chats(question: str) -> bool:
    """Whether nothing is asked, as in a greeting or thanks."""
    words = " ".join(re.findall(r"\w+", fold(question[:LOOKED_AT])))
    return not words or _small_talk().fullmatch(words) is not None


def wish(question: str, today: date) -> Wish | None:
    """What the question wants of the web; None where it can do without."""
    if addresses(question):
        return Wish("address")
    return timely(question, today)


def timely(question: str, today: date) -> Wish | None:
    """The same without looking for addresses."""
    text = fold(without_addresses(question[:LOOKED_AT]))
    newest = max((int(year) for year in _YEAR.findall(text)), default=None)
    if newest is not None and newest <= today.year - KNOWN:
        return None
    for why, days, rule in _rules():
        if rule.search(text):
            return Wish(why, days)
    return Wish("recent") if newest is not None and newest <= today.year + 1 else None


def subject(question: str) -> str:
    """What a question is about, without addresses and without the words that only say that it is about what is new."""
    text = fold(without_addresses(question[:LOOKED_AT]))
    for _, _, rule in _rules():
        text = rule.sub(" ", text)
    return " ".join(text.split())


def _trimmed(url: str) -> str:
    """Without what ends the sentence in which it stands."""
    url = url.rstrip(".,;:!?…'\"*_»”’")
    while url.endswith((")", "]")) and url.count(url[-1]) > url.count("(" if url[-1] == ")" else "["):
        url = url[:-1].rstrip(".,;:!?…")
    return url


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False
