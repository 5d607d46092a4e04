"""Demand of people on an installation, and targets for its answers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from eclair.capacity.arrivals import Lengths
from eclair.errors import InvalidInput

WORDS_PER_TOKEN = 0.7
"""English; other languages have fewer words in a token."""

DAY_HOURS = 24
BUSIEST_HOUR = 11


@dataclass(frozen=True, slots=True)
class QuestionDemand:
    """Questions of a day, and of its busiest hour a second."""

    per_day: float
    peak_rate: float

    @classmethod
    def of_people(cls, people: int, per_day: float, busy_share: float, per_busy_hour: float) -> QuestionDemand:
        """Return the demand of people of whom a share is busy in the busiest hour. Raises InvalidInput."""
        daily, hourly = people * per_day, people * busy_share * per_busy_hour
        if hourly > daily:
            raise InvalidInput(
                f"The busiest hour would have more questions ({hourly:,.0f}) than the whole day ({daily:,.0f}); raise "
                "the questions per day, or lower the share of busy people.",
                param="questions_per_day",
            )
        return cls(daily, max(hourly, daily / DAY_HOURS) / 3600)

    def hourly(self) -> list[float]:
        """Return the questions of each hour: a bell around late morning whose peak is the busiest hour."""
        peak = self.peak_rate * 3600
        low, high = 0.05, 100.0
        for _ in range(60):
            width = (low + high) / 2
            low, high = (width, high) if _peak_share(width) * self.per_day > peak else (low, width)
        bell = _bell((low + high) / 2)
        return [self.per_day * each / sum(bell) for each in bell]


@dataclass(frozen=True, slots=True)
class Targets:
    """Targets that 95 of 100 answers meet: seconds to the first word, and words a second after it."""

    first_word_s: float
    words_per_s: float

    @property
    def tokens_per_s(self) -> float:
        return self.words_per_s / WORDS_PER_TOKEN


@dataclass(frozen=True, slots=True)
class Workload:
    """The questions of one load: their lengths, and how unevenly they come."""

    lengths: Lengths
    burst: float

    @property
    def held_tokens(self) -> float:
        """Tokens of a question halfway through its answer."""
        return self.lengths.prompt_tokens + self.lengths.answer_tokens / 2


def _bell(width: float) -> list[float]:
    return [math.exp(-(((hour - BUSIEST_HOUR) / width) ** 2) / 2) for hour in range(DAY_HOURS)]


def _peak_share(width: float) -> float:
    bell = _bell(width)
    return max(bell) / sum(bell)
