"""Counts of the answers of this process, for monitoring; sums without words or owners."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Literal

from eclair.schema.messages import Usage
from eclair.util.histogram import Histogram

Outcome = Literal["finished", "stopped", "failed"]

FIRST_WORD_BOUNDS_S = (0.1, 0.25, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300)
SPEED_BOUNDS = (1, 2, 5, 10, 20, 30, 50, 75, 100, 200, 500, 1000)
"""Words per second."""


class AnswerStatistics:
    """Sums over all answers since the start."""

    def __init__(self) -> None:
        self._running: dict[object, str] = {}
        self.outcomes = Counter[Outcome]({"finished": 0, "stopped": 0, "failed": 0})
        self.words = self.prompt_tokens = self.completion_tokens = 0
        self.first_word_s = Histogram(FIRST_WORD_BOUNDS_S)
        self.words_per_second = Histogram(SPEED_BOUNDS)

    @property
    def running(self) -> int:
        """The number of answers that are being made."""
        return len(self._running)

    def begin(self, answer: object, model: str) -> None:
        """Count an answer that a model is asked for, until its `end`."""
        self._running[answer] = model

    def end(self, answer: object) -> None:
        del self._running[answer]

    def count_ahead(self, answer: object) -> int:
        """Count the answers of the same model that began earlier and are still being made."""
        earlier = itertools.takewhile(lambda each: each is not answer, self._running)
        return sum(self._running[each] == self._running[answer] for each in earlier)

    def add(self, outcome: Outcome, usage: Usage | None) -> None:
        """Add an answer that has ended."""
        self.outcomes[outcome] += 1
        if usage is None:
            return
        self.words += usage.words
        self.prompt_tokens += usage.prompt_tokens or 0
        self.completion_tokens += usage.completion_tokens or 0
        if usage.first_word_ms is not None:
            self.first_word_s.observe(usage.first_word_ms / 1000)
        if usage.words_per_second is not None:
            self.words_per_second.observe(usage.words_per_second)
