"""Detect what a question asks for: a fact such as a price and the words that a source must have for it, or yes or no.

A rule for the languages whose lexicon has such words, on letters without case and accents. A question in another
language asks for nothing that could be told.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Literal

from eclair.text.intent import MAX_QUESTION_CHARS
from eclair.text.lexicon.loader import AskedFacts, Patterns, load_lexicon, merge_patterns
from eclair.text.sentences import has_question_mark
from eclair.text.terms import Term, fold_text, is_content_word, split_terms
from eclair.text.written_numbers import extract_numbers

FactKind = Literal["money", "year", "clock"]

CURRENCIES = frozenset("€$£") | {"zł"}
"""Units of money."""

_YEAR = re.compile(r"(?<![\d.,])(?:1\d|20)\d\d(?!\d|[.,]\d)")
_PRICE_CELL = re.compile(r"\|\s*\d{1,6}[.,]\d\d\s*(?:\||$)", re.MULTILINE)
"""A column of prices may have its currency in the title, or nowhere."""

_TIME_OF_DAY = re.compile(
    r"(?<![\d.,])(?:[01]?\d|2[0-4])(?:\s?[h:.]\s?[0-5]\d(?!\d)|\s?(?:uhr|h|o'clock|[ap]\.?\s?m)\b)"
    r"|(?<![^\W\d])[^\W\d]++\s(?:[01]?\d|2[0-4])\b(?![.,:]?\d)"
)
"""A full hour may be written like any number, after a word such as `at`."""

_GREETING = re.compile(r"\A\w++(?: \w++)?, ")
"""Words before a request: `Hi, could you …`."""

_SECOND_QUESTION = re.compile(r",[^,]{1,20}$")
"""A short second question at the end: `…, and why?`."""

_CODE = re.compile(r"\b(?=\w*\d)(?=\w*[A-Z])[A-Z\d]{2,8}\b")

MAX_OPENING_WORDS = 4
"""Words within which a question says what it asks for, as in `up to what amount`."""


@dataclass(frozen=True, slots=True)
class AskedFact:
    """Parts of a question that say what it asks for.

    `words` are what a source should have to answer it, `codes` such as `E30` must stand there as they are; `counted` is
    the thing whose number is asked for. `is_person` says that it asks who has an office, `is_existence` if there is
    something at all.
    """

    kind: FactKind | None
    words: tuple[Term, ...]
    codes: tuple[str, ...]
    counted: Term | None
    is_person: bool
    is_existence: bool


def read_asked_fact(question: str, language: str | None) -> AskedFact | None:
    """Return what a question in this language asks for; None if the language has no rules."""
    rules = _rules(language) if language is not None else None
    if rules is None:
        return None
    question = question[:MAX_QUESTION_CHARS]
    text = " ".join(fold_text(question).split()).lstrip("¿¡ ")
    counted = rules.count.search(text) if rules.count is not None else None
    return AskedFact(
        asked_kind(question),
        tuple(term for term in split_terms(question) if _says_something(term, rules)),
        tuple(_CODE.findall(question)),
        _counted_thing(next(each for each in counted.groups() if each), rules) if counted else None,
        rules.person is not None and rules.person.match(text) is not None,
        rules.existence is not None and rules.existence.match(text) is not None,
    )


def asks_yes_or_no(question: str, language: str | None) -> bool:
    """Tell whether a question in a language is answered by yes or no; False if the language has no rules for it.

    No word such as `what` is among its first words, or its last but for `…, and why?`. One that asks the assistant to
    do something isn't.
    """
    question = question.strip()[:MAX_QUESTION_CHARS]
    text = _GREETING.sub("", " ".join(fold_text(question).replace("\u2010", "-").split()).lstrip("¿¡ "))
    if not has_question_mark(question) or _requests().match(text):
        return False
    if _yes_no_openings().match(text):
        return True
    words = _question_words(language)
    terms = [fold_text(term.text) for term in split_terms(question)]
    asking = [*terms[:MAX_OPENING_WORDS], *([] if _SECOND_QUESTION.search(question) else terms[-1:])]
    return bool(words and terms) and words.isdisjoint(asking)


@cache
def _question_words(language: str | None) -> frozenset[str]:
    lexicon = load_lexicon(language) if language is not None else None
    return frozenset(map(fold_text, lexicon.asked_facts.question_words)) if lexicon is not None else frozenset()


@cache
def _requests() -> re.Pattern[str]:
    return re.compile(merge_patterns(lambda lexicon: lexicon.asked_facts.requests))


@cache
def _yes_no_openings() -> re.Pattern[str]:
    return re.compile(merge_patterns(lambda lexicon: lexicon.asked_facts.yes_no))


def asked_kind(question: str) -> FactKind | None:
    """Return the kind of fact that a question in any language asks for; None if that can't be told."""
    text = " ".join(fold_text(question[:MAX_QUESTION_CHARS]).split())
    return next((kind for kind, pattern in _kinds().items() if pattern.search(text)), None)


def states_kind(kind: FactKind, text: str) -> bool:
    """Tell whether a text states a fact of that kind, or that nothing is to be paid."""
    match kind:
        case "money":
            return states_money(text)
        case "year":
            return _YEAR.search(text) is not None
        case "clock":
            return _TIME_OF_DAY.search(fold_text(text)) is not None


def states_money(text: str) -> bool:
    folded = fold_text(text)
    if _money().search(folded) or _PRICE_CELL.search(folded):
        return True
    return any(number.unit in CURRENCIES for number in extract_numbers(text))


@dataclass(frozen=True, slots=True)
class _Rules:
    """The patterns of one language, None where it has none, and the words that only ask."""

    count: re.Pattern[str] | None
    person: re.Pattern[str] | None
    existence: re.Pattern[str] | None
    words: frozenset[str]


@cache
def _rules(language: str) -> _Rules | None:
    lexicon = load_lexicon(language)
    if lexicon is None or not lexicon.asked_facts.words:
        return None
    asked = lexicon.asked_facts
    return _Rules(_compile(asked.count), _compile(asked.person), _compile(asked.existence), _asking_words(asked))


def _compile(patterns: Patterns) -> re.Pattern[str] | None:
    return re.compile(rf"(?<!\w)(?:{'|'.join(patterns)})") if patterns else None


def _asking_words(asked: AskedFacts) -> frozenset[str]:
    return frozenset(map(fold_text, asked.words))


def _says_something(term: Term, rules: _Rules) -> bool:
    return len(term.key) > 1 and term.key not in rules.words and is_content_word(term)


def _counted_thing(word: str, rules: _Rules) -> Term | None:
    """Return the word as a term; None for a unit such as `hours`, which need not be written out."""
    (number,) = extract_numbers(f"3 {word}") or (None,)
    terms = [term for term in split_terms(word) if _says_something(term, rules)]
    return terms[0] if terms and (number is None or number.unit is None) else None


@cache
def _kinds() -> dict[FactKind, re.Pattern[str]]:
    """The patterns of each kind in all languages, the most certain first."""
    year = merge_patterns(lambda lexicon: lexicon.asked_facts.year)
    clock = merge_patterns(lambda lexicon: lexicon.asked_facts.clock)
    money = merge_patterns(lambda lexicon: lexicon.asked_facts.money)
    named: dict[FactKind, str] = {"year": year, "clock": clock, "money": money}
    return {kind: re.compile(rf"(?<!\w)(?:{patterns})") for kind, patterns in named.items()}


@cache
def _money() -> re.Pattern[str]:
    """Match an amount in a currency that has no unit of its own, or the words that nothing is to be paid."""
    currencies = merge_patterns(lambda lexicon: lexicon.asked_facts.currencies)
    free = merge_patterns(lambda lexicon: lexicon.web_pages.free)
    return re.compile(rf"\d\s?(?:{currencies})\b|\b(?:{currencies})\s?\d|(?<!\w)(?:{free})\b(?! of)")
