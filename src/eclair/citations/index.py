"""The passages' sentences by their words, and which of them bears a claim out.

Words decide first: which sentence of a passage, or which two that follow each other, has the most of the claim's words.
Where that is not enough, the meaning of both is compared. What differs in a fact is `differences`' affair.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from heapq import nlargest

from eclair.citations.differences import Around, date_numbers, difference, found, years
from eclair.citations.types import Claim, Doubted, Line, Place, Supported, sentences_of
from eclair.schema.messages import Passage
from eclair.text.facts import read, roman, sure, tells
from eclair.text.language import language_of

LEAST = 0.5
"""Support under which a sentence is doubted."""

NEAR = 0.12
"""Support that a place may have less than the best and still be looked at when the best differs in a fact."""

USUAL = 0.79
FEW = 12
"""The cosine of sentences that have nothing to do with each other, and how many of them it stands for beside those at
hand: in a single short passage, all may be near."""

HALF = 0.5
"""Share of a claim's words under which it may be in another language, where that cannot be told."""

SHORT = 3
"""Telling words under which the numbers of a sentence count as such."""

MEANT = 0.5
"""What a name counts for where only the rest of the passage has it: the sentence may say "he"."""

LIKELY = 4
"""Lines that are looked at, by words and by meaning."""

PAIR = 0.06
"""What a second sentence must add of the claim's words to be quoted too."""


class Book:
    """The passages' sentences, by their words."""

    def __init__(self, passages: tuple[Passage, ...]) -> None:
        self.passages = passages
        self.lines: list[Line] = []
        self._languages = [language_of(passage.text) for passage in passages]
        self._holds: dict[str, list[int]] = defaultdict(list)
        self._titles: list[frozenset[str]] = []
        self._names = set[str]()
        self._common = set[str]()
        for place, passage in enumerate(passages):
            title = read(" . ".join((passage.name, *passage.heading)))
            self._titles.append(frozenset(term.stem for term in title.terms))
            for start, end in sentences_of(passage):
                self._add(place, start, end, passage.text[start:end])
        nexts = [line.passage for line in self.lines[1:]]
        self._joined = [line.passage == after for line, after in zip(self.lines, [*nexts, None], strict=False)]

    def _add(self, place: int, start: int, end: int, text: str) -> None:
        facts = read(text, self._languages[place])
        stems = frozenset(term.stem for term in facts.terms if tells(term))
        numbers = (*facts.numbers, *roman(text))
        values = {value for number in numbers for value in number.values} | years(facts)
        for stem in stems | {_figure(value) for value in values}:
            self._holds[stem].append(len(self.lines))
        for term in facts.terms:
            if term.capital and not term.first:
                self._names.add(term.stem)
            elif not term.capital:
                self._common.add(term.stem)
        self.lines.append(Line(place, start, end, text, facts, stems, numbers))

    def claim(self, text: str, context: str) -> Claim:
        """The sentence `text`; where it says little by itself, as "In 1943." does, `context` says what it is about."""
        language = language_of(text)
        facts = read(text, language)
        stems = list(dict.fromkeys(term.stem for term in facts.terms if tells(term)))
        weigh = dict.fromkeys(stems, 1.0)
        if len(stems) < SHORT:
            for number in facts.numbers:
                known = (_figure(value) for value in number.values)
                weigh[next((key for key in known if key in self._holds), _figure(min(number.values)))] = 2.0
            for date in facts.dates:
                weigh |= {_figure(float(year)): 2.0 for year, _, _ in date.readings if year is not None}
        if len(weigh) < 2:
            weigh |= {term.stem: 0.5 for term in read(context).terms if tells(term) and term.stem not in weigh}
            text = f"{context} {text}".strip()
        lines = len(self.lines)
        for stem, by in weigh.items():
            weigh[stem] = by * min(3.0, math.log(1 + lines / (len(self._holds.get(stem, ())) + 0.5)))
        names = frozenset(term.stem for term in facts.terms if term.capital)
        return Claim(text, facts, language, weigh, names)

    def _shares(self, claim: Claim) -> tuple[list[float], list[float]]:
        """Of the claim's words, by weight, what each line has, and each with the next of the same passage."""
        total = sum(claim.weights.values()) or 1.0
        alone, pairs = [0.0] * len(self.lines), [0.0] * len(self.lines)
        for stem, weight in claim.weights.items():
            lines = set(self._holds.get(stem, ()))
            begins = {begin for line in lines for begin in (line - 1, line) if begin >= 0 and self._joined[begin]}
            for line in lines:
                alone[line] += weight / total
            for begin in begins:
                pairs[begin] += weight / total
            if stem in claim.names:
                for line in self._around(stem, lines):
                    alone[line] += 0 if line in lines else MEANT * weight / total
                    pairs[line] += 0 if line in begins else MEANT * weight / total
        return alone, pairs

    def _around(self, stem: str, lines: set[int]) -> list[int]:
        """The lines of the passages that have the stem, or in whose title it stands."""
        within = {self.lines[line].passage for line in lines}
        within |= {place for place, title in enumerate(self._titles) if stem in title}
        return [at for at, line in enumerate(self.lines) if line.passage in within]

    def by_words(self, claim: Claim) -> list[Place]:
        """The places that have most of the claim's words, best first."""
        return self._places(claim, None)

    def by_meaning(self, claim: Claim, cosines: Sequence[float]) -> list[Place]:
        """The places that have most of the claim's words or come nearest to its meaning, best first."""
        usual = (
            (sorted(cosines)[len(cosines) // 2] * len(cosines) + USUAL * FEW) / (len(cosines) + FEW) if cosines else 0
        )
        return self._places(claim, [cosine - usual for cosine in cosines])

    def _places(self, claim: Claim, nearness: Sequence[float] | None) -> list[Place]:
        alone, pairs = self._shares(claim)
        every = range(len(self.lines))
        likely = set(nlargest(LIKELY, every, alone.__getitem__))
        if nearness is not None:
            likely.update(nlargest(LIKELY, every, nearness.__getitem__))
        found: dict[tuple[int, int], Place] = {}
        for line in likely:
            first, last, share = line, line, alone[line]
            for begin in (line - 1, line):
                if begin >= 0 and pairs[begin] > share + (PAIR if first == last else 0):
                    first, last, share = begin, begin + 1, pairs[begin]
            if first < last and max(alone[first], alone[last]) > share - PAIR:
                continue  # the other line says it alone
            support = _support(share, None if nearness is None else nearness[line])
            found[first, last] = max(
                Place(first, last, share, support),
                found.get((first, last), Place(0, 0, 0, -1)),
                key=_by_support,
            )
        return sorted(found.values(), key=_by_support, reverse=True)

    def judge(self, claim: Claim, places: list[Place]) -> Supported | Doubted:
        """The best place that differs in no fact; else the doubt about the best."""
        if not places or places[0].support < LEAST:
            return Doubted(self._foreign(claim), self._number(places[0]) if places else None)
        differs: list[str] = []
        for place in places:
            if place is not places[0] and not self._rivals(place, places[0]):
                continue
            about = self._difference(claim, place)
            if about is None:
                return self._supported(place)
            differs.append(about)
        return Doubted(differs[0], self._number(places[0]))

    def _rivals(self, place: Place, best: Place) -> bool:
        """Whether a place may be the one that is meant although another has more of the words."""
        apart = place.first > best.last or place.last < best.first
        return apart and place.support >= max(LEAST, best.support - NEAR) and place.share >= best.share - NEAR / 2

    def _number(self, place: Place) -> int:
        return self.passages[self.lines[place.first].passage].number

    def _supported(self, place: Place) -> Supported:
        first, last = self.lines[place.first], self.lines[place.last]
        passage = self.passages[first.passage]
        begin, quote = passage.start + first.start, passage.text[first.start : last.end]
        support = round(place.support, 3)
        return Supported(passage.number, begin, passage.start + last.end, quote, support, *passage.named_at(begin))

    def _foreign(self, claim: Claim) -> str:
        """The number or date of a claim that stands in no passage at all."""
        numbers = [number for line in self.lines for number in line.numbers]
        dates = [date for line in self.lines for date in line.facts.dates]
        for date in claim.facts.dates:
            if not any(date.same(other) for other in dates):
                return date.text
        for number in claim.facts.numbers:
            if sure(number) and not number.spelled and not found(number, numbers, date_numbers(self.lines)):
                return number.text
        return ""

    def _difference(self, claim: Claim, place: Place) -> str | None:
        """What of the claim differs from what stands at the place, as `difference` has it."""
        lines = self.lines[place.first : place.last + 1]
        passage = lines[0].passage
        whole = [line for line in self.lines if line.passage == passage]
        language = self._languages[passage]
        foreign = place.share < HALF if None in (claim.language, language) else claim.language != language
        title, names, common = self._titles[passage], self._names, self._common
        return difference(claim, Around(lines, whole, self.lines, language, title, names, common, foreign, place.share))


def _by_support(place: Place) -> tuple[float, float]:
    return place.support, place.share


def _figure(value: float) -> str:
    """What stands for a number among the stems."""
    return f"#{value:g}"


def _support(share: float, nearness: float | None) -> float:
    """How likely it is that a claim is supported where `share` of its words stand, and whose meaning is so much nearer
    than usual. The weights were fitted to the half of `bench/cite.py` that it does not report."""
    return _logistic(14 * share - 8 if nearness is None else 4.9 * share + 69 * nearness - 8.6)


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))
