"""What of a claim differs from the lines that come nearest to it: a date, a number, a name, a negation."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from eclair.citations.types import Claim, Line
from eclair.text.facts import Facts, Number, Term, scope, sure, tells
from eclair.text.language import capitalizes_nouns
from eclair.text.lexicon.loader import merge_words

ALMOST = 0.85
"""Share of a claim's words from which it repeats a place rather than joins two."""


@dataclass(frozen=True, slots=True)
class Around:
    """What a claim is compared with: the `lines` of a place, the `whole` passage and `every` line there is. `language`
    is the passage's, `title` has the stems above it; `names` are stems with a capital within sentences, `common` those
    without. If `foreign`, the claim is in another language; `share` of its words stand in the lines."""

    lines: Sequence[Line]
    whole: Sequence[Line]
    every: Sequence[Line]
    language: str | None
    title: frozenset[str]
    names: set[str]
    common: set[str]
    foreign: bool
    share: float

    def is_name(self, term: Term) -> bool:
        if term.stem in self.common:
            return False
        return not term.first or term.stem in self.names or (len(term.text) > 1 and term.text.isupper())


def difference(claim: Claim, around: Around) -> str | None:
    """What of the claim differs from what stands in the lines; empty where that is a negation that the claim lacks."""
    return (
        _other_date(claim, around)
        or _other_number(claim, around)
        or (None if around.foreign else _other_name(claim, around))
        or _other_polarity(claim, around)
    )


def found(number: Number, said: Sequence[Number], parts: set[float]) -> bool:
    """Whether a number is among those `said`, or a part of a date."""
    return any(number.same(other) for other in said) or not number.values.isdisjoint(parts)


def date_numbers(lines: Sequence[Line]) -> set[float]:
    return set[float]().union(*(years(line.facts) for line in lines))


def years(facts: Facts) -> set[float]:
    """The years and days of dates, which may be named alone."""
    parts = (value for date in facts.dates for year, _, day in date.readings for value in (year, day))
    return {float(value) for value in parts if value is not None}


def _other_date(claim: Claim, around: Around) -> str | None:
    lines, whole = around.lines, around.whole
    for date in claim.facts.dates:
        if any(date.same(other) for line in lines for other in line.facts.dates):
            continue
        parts = {value for reading in date.readings for value in reading if value is not None}
        said = {value for line in lines for number in line.numbers for value in number.values}
        named = {value for value in parts if value > 31}
        if named and named <= said and not any(line.facts.dates for line in lines):
            continue
        if any(date.same(other) for line in whole for other in line.facts.dates) and not any(
            line.facts.dates for line in lines
        ):
            continue
        return date.text
    return None


def _other_number(claim: Claim, around: Around) -> str | None:
    lines, whole = around.lines, around.whole
    said = [number for line in lines for number in line.numbers]
    parts = date_numbers(lines)
    left: list[Number] = []
    unused = list(said)
    for number in claim.facts.numbers:
        match = next((other for other in unused if number.same(other)), None)
        if match:
            unused.remove(match)
        elif sure(number) and number.values.isdisjoint(parts):
            left.append(number)
    spare = [other for other in unused if sure(other) and not other.spelled and not found(other, left, set())]
    elsewhere = [number for line in whole for number in line.numbers]
    for number in left:
        if number.spelled and not any(sure(other) for other in said):
            continue
        if not spare and found(number, elsewhere, date_numbers(whole)):
            continue
        if not around.foreign and around.share < ALMOST and _said_elsewhere(claim, number, around):
            continue
        return number.text
    return None


def _said_elsewhere(claim: Claim, number: Number, around: Around) -> bool:
    """Whether another line has the number and words of the claim that these lines lack: the claim joins two."""
    here = frozenset[str]().union(*(line.stems for line in around.lines))
    missing = {stem for stem in claim.weights if stem not in here}
    return any(
        line not in around.lines and found(number, line.numbers, date_numbers([line])) and missing & line.stems
        for line in around.every
    )


def _other_name(claim: Claim, around: Around) -> str | None:
    lines, whole = around.lines, around.whole
    here = frozenset[str]().union(*(line.stems for line in lines))
    near = frozenset[str]().union(*(line.stems for line in whole), around.title)
    mine = set(claim.weights)
    spare = any(
        term.capital and tells(term) and term.stem not in mine and around.is_name(term)
        for line in lines
        for term in line.facts.terms
    )
    for place, term in enumerate(claim.facts.terms):
        if not term.capital or not tells(term):
            continue
        if _exchanged(claim.facts.terms, place, lines):
            return term.text
        if term.stem in here or _alike(term, here) or not around.is_name(term) or _shortens(term, whole):
            continue
        if capitalizes_nouns(around.language) and not _bare_name(claim.facts.terms, place):
            continue
        if not spare and (term.stem in near or _alike(term, near)):
            continue
        return term.text
    return None


def _alike(term: Term, stems: frozenset[str]) -> bool:
    """Whether one of the stems is an inflection of the name: they share most of their beginning."""
    need = max(4, math.ceil(len(term.stem) * 0.7))
    return len(term.stem) >= 4 and any(stem[:need] == term.stem[:need] for stem in stems)


def _exchanged(terms: Sequence[Term], place: int, lines: Sequence[Line]) -> bool:
    """Whether the lines have another word with a capital between the same neighbours, and this word nowhere beside
    either of them."""
    stem, before, after = terms[place].stem, _near(terms, place - 1), _near(terms, place + 1)
    other = False
    for line in lines:
        theirs = line.facts.terms
        for at, term in enumerate(theirs):
            left, right = _near(theirs, at - 1) == before, _near(theirs, at + 1) == after
            if term.stem == stem and (left or right):
                return False
            other |= left and right and term.capital and term.stem != stem and not _alike(term, frozenset((stem,)))
    return other


def _shortens(term: Term, lines: Sequence[Line]) -> bool:
    """Whether it is the initials of words with a capital that follow each other, as EU is of European Union."""
    if not term.text.isupper() or len(term.text) < 2:
        return False
    return any(term.text in "".join(word.text[0] for word in line.facts.terms if word.capital) for line in lines)


def _bare_name(terms: Sequence[Term], place: int) -> bool:
    """Whether a German word with a capital is a name rather than a noun, as far as that can be told: the word before
    it is a preposition or a name, or there is none."""
    return place == 0 or terms[place - 1].capital or terms[place - 1].key in _words_before_names()


@cache
def _words_before_names() -> frozenset[str]:
    return merge_words(lambda lexicon: lexicon.grammar.words_before_names)


def _near(terms: Sequence[Term], place: int) -> str:
    return terms[place].stem if 0 <= place < len(terms) else ""


def _other_polarity(claim: Claim, around: Around) -> str | None:
    """What denies, where one of claim and lines denies what the other says. Empty where the lines do."""
    mine = claim.facts
    theirs = [(line.facts, cue) for line in around.lines for cue in line.facts.cues]
    if around.foreign:
        return mine.terms[mine.cues[0]].text if mine.cues and not theirs else None
    left = [cue for cue in mine.cues if not _pair_off(theirs, lambda facts, other: _beside(mine, cue, facts, other))]  # noqa: B023
    for cue in left:
        denied = scope(mine, cue, 5)
        if around.share >= ALMOST or not _pair_off(theirs, lambda facts, other: bool(denied & scope(facts, other, 6))):  # noqa: B023
            return mine.terms[cue].text
    joined = {(_near(mine.terms, at), _near(mine.terms, at + 1)) for at in range(-1, len(mine.terms))}
    stems = set(claim.weights)
    for facts, cue in theirs:
        denied = scope(facts, cue, 3)
        if (_near(facts.terms, cue - 1), _near(facts.terms, cue + 1)) in joined or (
            len(denied) > 1 and denied <= stems and not mine.cues
        ):
            return ""
    return None


def _beside(mine: Facts, cue: int, theirs: Facts, other: int) -> bool:
    """Whether both negations have the same word before or after them."""
    return _near(mine.terms, cue - 1) == _near(theirs.terms, other - 1) or (
        _near(mine.terms, cue + 1) == _near(theirs.terms, other + 1)
    )


def _pair_off(cues: list[tuple[Facts, int]], fits: Callable[[Facts, int], bool]) -> bool:
    """Take the first that fits off the list; whether there was one."""
    for pair in cues:
        if fits(*pair):
            cues.remove(pair)
            return True
    return False
