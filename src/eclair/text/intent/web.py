"""Detect questions that need the web: with an address, or on news.

A rule for the languages whose lexicon has such words, on letters without case and accents; numbers and addresses count
in any language. Where it is wrong, the person decides with the switch.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal
from urllib.parse import urlsplit

from eclair.text.intent import MAX_QUESTION_CHARS
from eclair.text.lexicon.loader import Lexicon, Patterns, merge_patterns
from eclair.text.terms import fold_text

MAX_ADDRESSES = 3

KNOWLEDGE_LAG_YEARS = 2
"""A question on a year so long ago needs no web; a model knows little of what happened since."""

TODAY_MAX_AGE_DAYS = 2
NEWS_MAX_AGE_DAYS = 14
CURRENT_MAX_AGE_DAYS = 45
OFFICE_MAX_AGE_DAYS = 400

WebReason = Literal["address", "news", "current", "price", "office", "recent"]


@dataclass(frozen=True, slots=True)
class WebNeed:
    """The reason a question needs the web; `max_age_days` of a source is None where its age doesn't matter."""

    reason: WebReason
    max_age_days: int | None = None


_ADDRESS = re.compile(r"https?://[^\s<>\"'`\\^{}|]+", re.IGNORECASE)
_BARE_ADDRESS = re.compile(r"(?<![\w@./-])www\.[\w-]+(?:\.[\w-]+)+(?:/[^\s<>\"'`\\^{}|]*)?", re.IGNORECASE)
_SUM = re.compile(r"(?<![\d./-])\d{1,12}(?:[.,]\d{1,6})? ?[+×÷*^] ?\d")
_YEAR = re.compile(r"(?<![\d.,-])(1\d\d\d|20\d\d)(?![\d-]|[.,]\d)")


def detect_web_need(question: str, today: date) -> WebNeed | None:
    """Return the question's need of the web; None if it can do without."""
    if find_addresses(question):
        return WebNeed("address")
    return detect_time_need(question, today)


def detect_time_need(question: str, today: date) -> WebNeed | None:
    """Return the question's need of recent facts, leaving addresses aside."""
    text = _fold_question(question)
    latest = max((int(year) for year in _YEAR.findall(text)), default=None)
    if latest is not None and latest <= today.year - KNOWLEDGE_LAG_YEARS:
        return None
    for reason, max_age_days, pattern in _rules():
        if pattern.search(text):
            return WebNeed(reason, max_age_days)
    return WebNeed("recent") if latest is not None and latest <= today.year + 1 else None


def extract_topic(question: str) -> str:
    """Return the folded question without addresses and without words that only say it is about what is new."""
    text = _fold_question(question)
    for _, _, pattern in _rules():
        text = pattern.sub(" ", text)
    return " ".join(text.split())


def is_small_talk(question: str) -> bool:
    """Tell whether nothing is asked, as in a greeting or thanks."""
    words = " ".join(re.findall(r"\w+", fold_text(question[:MAX_QUESTION_CHARS])))
    return not words or _small_talk().fullmatch(words) is not None


def is_task(question: str) -> bool:
    """Tell whether something is to be written, changed or computed rather than found out."""
    return _task().match(_fold_question(question)) is not None or _SUM.search(question[:MAX_QUESTION_CHARS]) is not None


def find_addresses(question: str) -> list[str]:
    """Return the addresses of pages in a question, each once, in order, at most MAX_ADDRESSES."""
    found = [match[0] for match in _ADDRESS.finditer(question)]
    found += [f"https://{match[0]}" for match in _BARE_ADDRESS.finditer(_ADDRESS.sub(" ", question))]
    urls = (_trim_sentence_end(url) for url in found)
    return list(dict.fromkeys(url for url in urls if _has_host(url)))[:MAX_ADDRESSES]


def strip_addresses(question: str) -> str:
    """Return the question without addresses of pages."""
    return " ".join(_BARE_ADDRESS.sub(" ", _ADDRESS.sub(" ", question)).split())


def _fold_question(question: str) -> str:
    return fold_text(strip_addresses(question[:MAX_QUESTION_CHARS]))


def _trim_sentence_end(url: str) -> str:
    """The address without the punctuation of the sentence in which it stands."""
    url = url.rstrip(".,;:!?…'\"*_»”’")
    while url.endswith((")", "]")) and url.count(url[-1]) > url.count("(" if url[-1] == ")" else "["):
        url = url[:-1].rstrip(".,;:!?…")
    return url


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:
        return False


@cache
def _rules() -> tuple[tuple[WebReason, int | None, re.Pattern[str]], ...]:
    """Patterns of questions with the age that a source may have, the most demanding first."""
    who_is = merge_patterns(lambda lexicon: lexicon.web_intent.who_is)
    offices = merge_patterns(lambda lexicon: lexicon.web_intent.offices)
    return (
        ("news", TODAY_MAX_AGE_DAYS, _compile_words(lambda lexicon: lexicon.web_intent.today)),
        ("news", NEWS_MAX_AGE_DAYS, _compile_words(lambda lexicon: lexicon.web_intent.news)),
        ("price", CURRENT_MAX_AGE_DAYS, _compile_words(lambda lexicon: lexicon.web_intent.price)),
        ("current", CURRENT_MAX_AGE_DAYS, _compile_words(lambda lexicon: lexicon.web_intent.current)),
        ("office", OFFICE_MAX_AGE_DAYS, re.compile(rf"\b(?:{who_is})\b.{{0,40}}\b(?:{offices})\b")),
    )


def _compile_words(rule: Callable[[Lexicon], Patterns]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{merge_patterns(rule)})\b")


@cache
def _task() -> re.Pattern[str]:
    courtesies = merge_patterns(lambda lexicon: lexicon.web_intent.courtesies)
    tasks = merge_patterns(lambda lexicon: lexicon.web_intent.tasks)
    return re.compile(rf"\W{{0,4}}(?:(?:{courtesies})\b,? ?){{0,2}}(?:{tasks})\b")


@cache
def _small_talk() -> re.Pattern[str]:
    return re.compile(rf"(?:{merge_patterns(lambda lexicon: lexicon.web_intent.small_talk)})\b(?: \w+){{0,3}}")
