"""Finds contradictions between sources on a question: another value, state or name for the same thing.

Better none than a wrong one: statements on another place, year or thing, in other units, or rounded, don't contradict
each other. Where one source is much older, its value is superseded.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property
from itertools import combinations, product
from urllib.parse import urlsplit

from eclair.citations.evidence import split_passage
from eclair.citations.opposites import are_opposites
from eclair.schema.events import Notice
from eclair.schema.messages import Passage
from eclair.text.facts import Facts, content_stems, extract_facts
from eclair.text.language import capitalizes_nouns, identify_language
from eclair.text.lexicon.loader import merge_patterns, merge_words
from eclair.text.terms import Term, fold_text, is_content_word
from eclair.text.written_numbers import Number

MIN_SHARED_WORDS = 0.5
"""Share of the question's words that a sentence must have to be compared."""
MIN_ALIKE = 0.5
"""Share of the shorter sentence's words that both must have for a state or a name to be compared."""
MAX_SENTENCE_CHARS = 400
MAX_ROUNDING, MIN_ROUNDED = 0.03, 20
"""Relative difference up to which two numbers from there on are the same, one of them rounded."""
SUPERSEDED_AFTER_DAYS = 30
MAX_SUPERSEDED = 3

_YEAR = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")
_YEARS = range(1800, 2101)
MAX_GAP_CHARS = 4
"""Between a number and the word that it counts, as in `12 millions d'euros`."""

_BASES = {"km": "m", "cm": "m", "mm": "m", "kg": "g", "mg": "g", "t": "g"}
_MONEY = frozenset("€$£") | {"chf", "zł", "kr"}


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Two passages that contradict each other, with their sentences; the newer one first, where their days are known.

    The other `is_superseded` if it is much older.
    """

    passage: Passage
    sentence: str
    other: Passage
    other_sentence: str
    is_superseded: bool


@dataclass(frozen=True, slots=True)
class Differences:
    """Differences between the sources of an answer: superseded statements, and a contradiction, if there is one."""

    superseded: tuple[Contradiction, ...] = ()
    contradiction: Contradiction | None = None

    @property
    def superseded_files(self) -> frozenset[str]:
        return frozenset(each.other.file for each in self.superseded)


@dataclass(frozen=True)
class _Statement:
    """A sentence of a passage, with its facts and the numbers among them that the question doesn't name."""

    passage: Passage
    sentence: str
    facts: Facts
    numbers: tuple[Number, ...]

    @property
    def site(self) -> str:
        return urlsplit(self.passage.url or self.passage.file).hostname or self.passage.file

    @cached_property
    def stems(self) -> frozenset[str]:
        return frozenset(term.stem for term in self.facts.terms if is_content_word(term))

    @cached_property
    def around(self) -> frozenset[str]:
        """The words of the sentence, and of the title and headings over it."""
        above = content_stems(" . ".join((self.passage.name, *self.passage.heading)))
        return self.stems | frozenset(above)

    @cached_property
    def names(self) -> frozenset[str]:
        """The stems of the names in it, as far as capital letters tell."""
        terms = self.facts.terms
        nouns = capitalizes_nouns(identify_language(self.passage.text))
        return frozenset(
            term.stem
            for at, term in enumerate(terms)
            if _is_name(terms, at, capitalizes=nouns) and is_content_word(term)
        )

    @cached_property
    def years(self) -> frozenset[int]:
        """The years that are named, in dates too."""
        of_dates = {year for found in self.facts.dates for year, _, _ in found.readings if year is not None}
        alone = {int(value) for number in self.facts.numbers for value in number.values if _is_year(number, value)}
        return frozenset(of_dates | alone)


async def find_contradiction(question: str, passages: Sequence[Passage]) -> Contradiction | None:
    """Return two sources that contradict each other on the question; None if none do."""
    return await asyncio.to_thread(_find, question, passages)


async def find_differences(question: str, passages: Sequence[Passage]) -> Differences:
    """Find what the passages differ in; what a superseded page says is compared no further.

    A question that names a year may be about an old value, so that nothing is superseded.
    """
    superseded: list[Contradiction] = []
    left = list(passages)
    while (found := await find_contradiction(question, left)) is not None and found.is_superseded:
        if _YEAR.search(question) or len(superseded) == MAX_SUPERSEDED:
            return Differences(tuple(superseded))
        superseded.append(found)
        left = [each for each in left if each.file != found.other.file]
    return Differences(tuple(superseded), found)


def difference_notices(differences: Differences, passages: Sequence[Passage]) -> Iterator[Notice]:
    """Yield notices that quote both sides. `passages` are those shown, with their numbers."""
    numbers = {(each.file, each.start): each.number for each in passages}

    def source(passage: Passage) -> str:
        number = numbers.get((passage.file, passage.start))
        return f"[{number}]" if number is not None else urlsplit(passage.url or passage.file).hostname or passage.name

    for found in differences.superseded:
        yield Notice(
            "superseded",
            f"Sources differ; the newest counts: {source(found.passage)} of {found.passage.published} says "
            f"“{found.sentence}”, {source(found.other)} of {found.other.published} said “{found.other_sentence}”.",
        )
    if (found := differences.contradiction) is not None:
        yield Notice(
            "contradicted",
            f"Sources contradict each other: {source(found.passage)} says “{found.sentence}”, "
            f"{source(found.other)} says “{found.other_sentence}”.",
        )


def _find(question: str, passages: Sequence[Passage]) -> Contradiction | None:
    asked = frozenset(content_stems(question))
    given = extract_facts(question).numbers
    asks_one = _asks_for_one().search(fold_text(question)) is not None
    for one, other in combinations(_best_statements(asked, given, passages), 2):
        if one.site != other.site and _differ(one, other, asked, asks_one=asks_one):
            days = [_day(each.passage) for each in (one, other)]
            first, second = (other, one) if days[0] and days[1] and days[1] > days[0] else (one, other)
            age = abs((days[0] - days[1]).days) if days[0] and days[1] else 0
            return Contradiction(
                first.passage, first.sentence, second.passage, second.sentence, age >= SUPERSEDED_AFTER_DAYS
            )
    return None


def _day(passage: Passage) -> date | None:
    return date.fromisoformat(passage.published) if passage.published is not None else None


def _best_statements(asked: frozenset[str], given: Sequence[Number], passages: Sequence[Passage]) -> list[_Statement]:
    """Return the sentence of each page that has most of the question's words, if it has enough.

    Numbers `given` in the question are left aside.
    """
    best: dict[str, tuple[float, _Statement]] = {}
    for passage in passages:
        for start, end in split_passage(passage):
            text = " ".join(passage.text[start:end].split())
            shared = len(asked & frozenset(content_stems(text))) / len(asked) if asked else 0.0
            if start < passage.body or len(text) > MAX_SENTENCE_CHARS or shared < MIN_SHARED_WORDS:
                continue
            if (known := best.get(passage.file)) is None or shared > known[0]:
                facts = extract_facts(text)
                numbers = tuple(each for each in facts.numbers if not any(map(each.matches, given)))
                best[passage.file] = (shared, _Statement(passage, text, facts, numbers))
    return [said for _, said in best.values()]


def _differ(one: _Statement, other: _Statement, asked: frozenset[str], *, asks_one: bool) -> bool:
    """Return whether two statements are on the same thing and can't both be true."""
    if _is_other_time(one, other) or _is_other_subject(one, other, asked):
        return False
    own, others = _new_names(one, other, asks_one=asks_one) - asked, _new_names(other, one, asks_one=asks_one) - asked
    opposites = list(_opposites(one, other))
    if own and others:
        return asks_one and not opposites and _alike(one, other, own | others) >= MIN_ALIKE
    if opposites:
        is_state = all(term.key in _states() for pair in opposites for term in pair)
        same_parity = len(one.facts.negations) % 2 == len(other.facts.negations) % 2
        changed = frozenset(term.stem for pair in opposites for term in pair)
        return is_state and same_parity and _alike(one, other, changed) >= MIN_ALIKE
    if len(one.facts.negations) % 2 != len(other.facts.negations) % 2:
        return False
    return _numbers_differ(one, other, asked) or _is_free_and_not(one, other, asked)


def _new_names(said: _Statement, other: _Statement, *, asks_one: bool) -> frozenset[str]:
    """Return the names in a statement that the other doesn't have; if one is asked for, any capitalized word may be."""
    capitalized = {term.stem for term in said.facts.terms if term.is_capitalized and not term.starts_sentence}
    names = said.names | capitalized if asks_one else said.names
    return frozenset(names) - other.around


def _is_other_time(one: _Statement, other: _Statement) -> bool:
    """Return whether they name different years or days."""
    if one.years and other.years and one.years.isdisjoint(other.years):
        return True
    dates, others = one.facts.dates, other.facts.dates
    return bool(dates and others) and not any(mine.matches(theirs) for mine in dates for theirs in others)


def _is_other_subject(one: _Statement, other: _Statement, asked: frozenset[str]) -> bool:
    """Return whether one of them lacks a name of the question that the other has."""
    names = (one.names | other.names) & asked
    return not (names <= one.around and names <= other.around)


def _alike(one: _Statement, other: _Statement, apart: frozenset[str]) -> float:
    """Return the share of the shorter sentence's words that both have, some left aside."""
    mine, theirs = one.stems - apart, other.stems - apart
    return len(mine & theirs) / min(len(mine), len(theirs)) if mine and theirs else 0.0


def _opposites(one: _Statement, other: _Statement) -> Iterator[tuple[Term, Term]]:
    """Yield words of which one statement has the contrary of the other's."""
    for mine in one.facts.terms:
        if mine.stem in other.stems:
            continue
        for theirs in other.facts.terms:
            if theirs.stem not in one.stems and are_opposites(mine, theirs):
                yield mine, theirs


def _numbers_differ(one: _Statement, other: _Statement, asked: frozenset[str]) -> bool:
    """Return whether each states one number of a kind, and the two differ; one kind that agrees is enough for no."""
    mine, theirs = _numbers_by_kind(one, asked), _numbers_by_kind(other, asked)
    kinds = mine.keys() & theirs.keys()
    if any(_agree(number, another) for number in one.numbers for another in other.numbers):
        return False
    return any(len(mine[kind]) == len(theirs[kind]) == 1 for kind in kinds)


def _numbers_by_kind(said: _Statement, asked: frozenset[str]) -> dict[str, list[Number]]:
    """Return the numbers by their unit and the word after it, or by that word alone.

    A year and a bare number have no kind. Words of the question such as `long` belong to the kind of a measure.
    """
    found: dict[str, list[Number]] = {}
    for number in said.numbers:
        if number.is_spelled_out or all(_is_year(number, value) for value in number.values):
            continue
        after = (term for term in said.facts.terms if 0 <= term.start - number.end <= MAX_GAP_CHARS)
        near = next((term.stem for term in after if is_content_word(term)), "")
        if _CLOCK.fullmatch(number.text.strip()):
            kind = "clock"
        elif number.unit in _MONEY:
            kind = str(number.unit)
        elif number.unit is not None:
            kind = f"{_BASES.get(number.unit, number.unit)} {near} {_dimension(said, asked)}"
        else:
            kind = near
        if kind:
            found.setdefault(kind, []).append(number)
    return found


_CLOCK = re.compile(r"\d{1,2}(?::|\s?h\s?|\sUhr\s)\d{2}|\d{1,2}(?:[:.]\d{2})?\s?[ap]\.?\s?m\.?", re.IGNORECASE)


def _dimension(said: _Statement, asked: frozenset[str]) -> str:
    """Return the words of the question in a statement that are no names, such as `long`."""
    return " ".join(sorted((asked & said.around) - said.names))


def _agree(one: Number, other: Number) -> bool:
    """Return whether two numbers may be the same, one of them rounded."""
    if one.matches(other):
        return True
    same_unit = one.unit == other.unit
    pairs = product(one.values, other.values) if same_unit else product(one.base_values, other.base_values)
    return any(_is_rounded(mine, theirs) for mine, theirs in pairs)


def _is_rounded(one: float, other: float) -> bool:
    """Return whether one number is the other with fewer decimals, or both are large and nearly the same."""
    rough, exact = sorted((one, other), key=_decimals)
    if _decimals(rough) < _decimals(exact) and round(exact, _decimals(rough)) == rough:
        return True
    return max(one, other) >= MIN_ROUNDED and math.isclose(one, other, rel_tol=MAX_ROUNDING)


def _decimals(value: float) -> int:
    return len(f"{value:g}".partition(".")[2])


def _is_free_and_not(one: _Statement, other: _Statement, asked: frozenset[str]) -> bool:
    """Return whether one says that something is free, and the other that it costs money."""
    for free, paid in ((one, other), (other, one)):
        words = _free().search(fold_text(free.sentence))
        if words is None or _prices(free) or not _prices(paid) or _free().search(fold_text(paid.sentence)):
            continue
        more = free.stems - paid.around - asked - frozenset(content_stems(words[0]))
        return len(more) <= 1 and not free.facts.negations
    return False


def _prices(said: _Statement) -> list[Number]:
    return [number for number in said.facts.numbers if number.unit in _MONEY and max(number.values) > 0]


def _is_year(number: Number, value: float) -> bool:
    return number.unit is None and value in _YEARS and len(number.text.strip()) == 4


def _is_name(terms: Sequence[Term], at: int, *, capitalizes: bool) -> bool:
    """Guess whether a word is a name; where every noun is capitalized, after a preposition or another such word."""
    term = terms[at]
    if not term.is_capitalized:
        return False
    if not capitalizes:
        return not term.starts_sentence or (at + 1 < len(terms) and not terms[at + 1].is_capitalized and at == 0)
    before = terms[at - 1] if at else None
    return before is not None and (
        before.key in _before_names() or (before.is_capitalized and not before.starts_sentence)
    )


@cache
def _before_names() -> frozenset[str]:
    return merge_words(lambda lexicon: lexicon.grammar.words_before_names)


@cache
def _states() -> frozenset[str]:
    """Folded words of states and outcomes, of which only one can hold."""
    return frozenset(map(fold_text, merge_words(lambda lexicon: lexicon.web_pages.states)))


@cache
def _free() -> re.Pattern[str]:
    return re.compile(rf"\b(?:{merge_patterns(lambda lexicon: lexicon.web_pages.free)})\b")


@cache
def _asks_for_one() -> re.Pattern[str]:
    """Match a question for the one who won, or who holds an office."""
    who = merge_patterns(lambda lexicon: lexicon.web_intent.who)
    offices = merge_patterns(lambda lexicon: lexicon.web_intent.offices)
    outcomes = merge_patterns(lambda lexicon: lexicon.web_pages.outcomes)
    return re.compile(rf"\b(?:{who})\b.{{0,80}}\b(?:{offices}|{outcomes})\b")
