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
from eclair.text.language import identify_language
from eclair.text.lexicon.loader import Patterns, WebIntent, load_lexicons, merge_patterns
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
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]*+`", re.DOTALL)
_QUOTED = re.compile(
    r"„[^“”„]{1,200}[“”]|“[^“”]{1,200}”|\"[^\"\n]{1,200}\"|«[^«»]{1,200}»|(?<!\w)['‘][^'‘’\n]{1,200}['’](?!\w)"
)
_IN_WORK = re.compile(r'\b(?:in|im|dans|nel|nella|nello|en|w|em|no|na) ""')
"""A quoted title of a work that the question is about."""

_SUM = re.compile(r"(?<![\d./-])\d{1,12}(?:[.,]\d{1,6})? ?[+×÷*^] ?\d")
_YEAR = re.compile(r"(?<![\d.,-])(1\d\d\d|20\d\d)(?![\d-]|[.,]\d)")


def detect_web_need(question: str, today: date) -> WebNeed | None:
    """Return the question's need of the web; None if it can do without."""
    if find_addresses(question):
        return WebNeed("address")
    return detect_time_need(question, today)


def detect_time_need(question: str, today: date) -> WebNeed | None:
    """Return the question's need of recent facts, leaving addresses aside.

    Of a task, such as a translation, only a wish for news counts. What stands in quotation marks is not looked at.
    """
    text = _fold_question(question)
    unquoted = _CODE.sub(" ", strip_addresses(question[:MAX_QUESTION_CHARS]))
    unquoted = " ".join(fold_text(_QUOTED.sub(' "" ', unquoted)).split())
    language = identify_language(question)
    rules = _rules(language if language in _languages() else None)
    if is_task(question):
        return WebNeed("news", NEWS_MAX_AGE_DAYS) if rules.news.search(unquoted.partition(":")[0]) else None
    latest = max((int(year) for year in _YEAR.findall(text)), default=None)
    if latest is not None and latest <= today.year - KNOWLEDGE_LAG_YEARS:
        return None
    for rule in rules.words:
        if rule.pattern.search(unquoted):
            return WebNeed(rule.reason, rule.max_age_days)
    if latest is not None:
        return WebNeed("recent") if latest <= today.year + 1 else None
    if not rules.timeless.search(unquoted) and not _IN_WORK.search(unquoted):
        for rule in rules.forms:
            if rule.pattern.search(unquoted):
                return WebNeed(rule.reason, rule.max_age_days)
    return None


def extract_topic(question: str) -> str:
    """Return the folded question without addresses and without words that only say it is about what is new."""
    text = _fold_question(question)
    for rule in (*_rules(None).words, *_rules(None).topicless):
        text = rule.pattern.sub(" ", text)
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


@dataclass(frozen=True, slots=True)
class _Rule:
    """A pattern of questions, with the reason to look and the age that a source may have."""

    reason: WebReason
    max_age_days: int | None
    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class _Rules:
    """Rules of a language, the most demanding first.

    `words` always count, `forms` unless the question is `timeless`. `topicless` are forms without the question's topic.
    """

    words: tuple[_Rule, ...]
    topicless: tuple[_Rule, ...]
    forms: tuple[_Rule, ...]
    news: re.Pattern[str]
    timeless: re.Pattern[str]


@cache
def _languages() -> frozenset[str]:
    """The languages that have rules."""
    return frozenset(lexicon.code for lexicon in load_lexicons() if lexicon.web_intent.news)


@cache
def _rules(language: str | None) -> _Rules:
    """Return the rules of a language and of English, or of all languages."""

    def compile_words(rule: Callable[[WebIntent], Patterns]) -> re.Pattern[str]:
        codes = (language, "en") if language is not None else None
        lexicons = (each for each in load_lexicons() if codes is None or each.code in codes)
        patterns = dict.fromkeys(pattern for each in lexicons for pattern in rule(each.web_intent))
        return re.compile(rf"\b(?:{'|'.join(patterns)})(?!\w)")

    who_is, offices = compile_words(lambda intent: intent.who_is), compile_words(lambda intent: intent.offices)
    news = compile_words(lambda intent: intent.news)
    price = _Rule("price", CURRENT_MAX_AGE_DAYS, compile_words(lambda intent: intent.price))
    office = _Rule("office", OFFICE_MAX_AGE_DAYS, re.compile(rf"{who_is.pattern}.{{0,40}}{offices.pattern}"))
    return _Rules(
        words=(
            _Rule("news", TODAY_MAX_AGE_DAYS, compile_words(lambda intent: intent.today)),
            _Rule("news", NEWS_MAX_AGE_DAYS, news),
            _Rule("current", CURRENT_MAX_AGE_DAYS, compile_words(lambda intent: intent.current)),
        ),
        topicless=(price, office),
        forms=(
            _Rule("news", TODAY_MAX_AGE_DAYS, compile_words(lambda intent: intent.weather_forms)),
            _Rule("news", NEWS_MAX_AGE_DAYS, compile_words(lambda intent: intent.result_forms)),
            price,
            _Rule("price", CURRENT_MAX_AGE_DAYS, compile_words(lambda intent: intent.price_forms)),
            _Rule("current", CURRENT_MAX_AGE_DAYS, compile_words(lambda intent: intent.current_forms)),
            office,
        ),
        news=news,
        timeless=compile_words(lambda intent: intent.timeless),
    )


@cache
def _task() -> re.Pattern[str]:
    courtesies = merge_patterns(lambda lexicon: lexicon.web_intent.courtesies)
    tasks = merge_patterns(lambda lexicon: lexicon.web_intent.tasks)
    return re.compile(rf"\W{{0,4}}(?:(?:{courtesies})\b,? ?){{0,2}}(?:{tasks})\b")


@cache
def _small_talk() -> re.Pattern[str]:
    return re.compile(rf"(?:{merge_patterns(lambda lexicon: lexicon.web_intent.small_talk)})\b(?: \w+){{0,3}}")
