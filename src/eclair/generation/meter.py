"""Measures one answer: time to its first word, words, speed, and what it took.

A `Meter` is fed while the answer streams; `usage` may be read at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from eclair.generation.cost import UNSTATED, Rates, settle
from eclair.llm.base import EnergyUse, TokenUsage
from eclair.schema.messages import Usage

MIN_RATE_SECONDS = 0.05
"""An answer that came faster has no rate: it came at once, and its speed would say nothing."""


class Meter:
    """`accepted` is when the person asked, on `clock` (seconds)."""

    def __init__(
        self, accepted: float, rates: Rates = UNSTATED, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.tab = EnergyUse()
        self.rates = rates
        self._accepted = accepted
        self._clock = clock
        self._shown: float | None = None
        self._first: float | None = None
        self._last = 0.0
        self._words = 0
        self._in_word = False
        self._counted: TokenUsage | None = None

    def quoted(self) -> None:
        """Note that a quote is shown: it counts as the first word, but not toward the model's speed."""
        self._shown = self._clock() if self._shown is None else self._shown

    def text(self, text: str) -> None:
        """Count words of the model that came just now; a word may come in pieces."""
        self._last = self._clock()
        if self._first is None and text.strip():
            self._first = self._last
            self._shown = self._first if self._shown is None else self._shown
        if text:
            self._words += len(text.split()) - (self._in_word and not text[0].isspace())
            self._in_word = not text[-1].isspace()

    def counted(self, counted: TokenUsage) -> None:
        """Add the engine's own token counts; a meter may measure several answers."""
        self._counted = counted if self._counted is None else _sum(self._counted, counted)

    def usage(self) -> Usage | None:
        """Return what was measured; None where nothing came and nothing was taken."""
        if self._shown is None and self._counted is None and self.tab == EnergyUse():
            return None
        words = self._words
        seconds = self._last - self._first if self._first is not None else 0.0
        counted = self._counted
        usage = Usage(
            prompt_tokens=counted.prompt_tokens if counted else None,
            cached_tokens=counted.cached_tokens if counted else None,
            completion_tokens=counted.completion_tokens if counted else None,
            first_word_ms=None if self._shown is None else round((self._shown - self._accepted) * 1000, 1),
            words=words,
            words_per_second=round((words - 1) / seconds, 1) if words > 1 and seconds >= MIN_RATE_SECONDS else None,
            seconds=round(self._clock() - self._accepted, 3),
            drafted_tokens=counted.drafted_tokens if counted else None,
            accepted_tokens=counted.accepted_tokens if counted else None,
        )
        return settle(usage, self.rates, self.tab)


def _sum(one: TokenUsage, other: TokenUsage) -> TokenUsage:
    def add(first: int | None, second: int | None) -> int | None:
        return None if first is None and second is None else (first or 0) + (second or 0)

    return TokenUsage(
        one.prompt_tokens + other.prompt_tokens,
        one.completion_tokens + other.completion_tokens,
        add(one.cached_tokens, other.cached_tokens),
        add(one.reasoning_tokens, other.reasoning_tokens),
        add(one.drafted_tokens, other.drafted_tokens),
        add(one.accepted_tokens, other.accepted_tokens),
    )
