"""Estimate from meaning, words and figures how likely a span is to support a claim."""

from __future__ import annotations

import math
from collections.abc import Sequence

from eclair.citations.evidence import EvidenceSentence
from eclair.text.facts import Facts
from eclair.text.written_numbers import Number

TYPICAL_COSINE = 0.79
TYPICAL_COSINE_WEIGHT = 12
"""Cosine of unrelated sentences, and how many of them it stands for beside those at hand: in a single short passage,
all sentences may be near."""

NEXT_COSINE = 0.78
"""Cosine of the next sentence where there is only one."""

MARGINS = (-0.05, 0.15)
"""The least and greatest distance to the next sentence that counts."""

MAX_MISSING_FIGURES = 2
CLEAR_DIGITS = 4
"""A number of so many digits isn't the same by chance."""

Figures = tuple[float, int]
"""From 0 to 1 how much the figures that a claim and a span share say, and how many the span lacks."""


class Nearness:
    """The cosines between a claim and each sentence of an index."""

    def __init__(self, cosines: Sequence[float]) -> None:
        self.cosines = cosines
        self._order = sorted(range(len(cosines)), key=cosines.__getitem__, reverse=True)[:5]
        middle = sorted(cosines)[len(cosines) // 2] if cosines else 0.0
        total = middle * len(cosines) + TYPICAL_COSINE * TYPICAL_COSINE_WEIGHT
        self._typical = total / (len(cosines) + TYPICAL_COSINE_WEIGHT)

    def estimate_support(self, first: int, last: int, overlap: float, figures: Figures) -> float:
        """Estimate the likelihood that sentences `first` to `last` support the claim, sharing `overlap` of its words.

        They must be nearer than is typical, and nearer than the sentences around them. The weights were fitted to the
        half of `bench/cite.py` that it doesn't report, and to `bench/claims/tune.toml`.
        """
        cosine = max(self.cosines[first : last + 1])
        following = next((at for at in self._order if not first - 1 <= at <= last + 1), None)
        margin = cosine - (self.cosines[following] if following is not None else NEXT_COSINE)
        shared, missing = figures
        return logistic(
            2.4 * overlap
            + 44 * (cosine - self._typical)
            + 45 * max(MARGINS[0], min(MARGINS[1], margin))
            + 2.7 * shared
            - 2.5 * min(MAX_MISSING_FIGURES, missing)
            - 5.8
        )


def count_figures(facts: Facts, span: Sequence[EvidenceSentence], known: Sequence[Number]) -> Figures:
    """Compare a claim's numbers and dates with those of a span; those `known` from its title aren't missing."""
    numbers = [number for sentence in span for number in sentence.numbers]
    dates = [date for sentence in span for date in sentence.facts.dates]
    shared, missing = 0.0, 0
    for number in facts.numbers:
        if any(number.matches(other) for other in numbers):
            shared += min(1.0, sum(map(str.isdigit, number.text)) / CLEAR_DIGITS)
        else:
            missing += not (number.is_spelled_out or any(number.matches(other) for other in known))
    for date in facts.dates:
        is_stated = any(date.matches(other) for other in dates)
        shared += is_stated
        missing += not is_stated
    return min(1.0, shared), missing


def logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))
