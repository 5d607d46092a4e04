"""Measures one answer: time to its first word, words, speed, energy and cost.

Feed a `Meter` while the answer streams; `usage` may be read at any time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from eclair.generation.cost import UNSTATED, Rates, add_costs
from eclair.llm.base import EnergyUse, TokenUsage
from eclair.schema.messages import Cost, Energy, Usage

MIN_RATE_SECONDS = 0.05
"""A faster answer gets no rate: it came at once."""


class Meter:
    """Measures an answer from `accepted`, the time of the request on `clock`, in seconds."""

    def __init__(
        self, accepted: float, rates: Rates = UNSTATED, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.energy = EnergyUse()
        self.rates = rates
        self._accepted = accepted
        self._clock = clock
        self._shown: float | None = None
        self._first: float | None = None
        self._last = 0.0
        self._words = 0
        self._in_word = False
        self._counted: TokenUsage | None = None

    def count_quote(self) -> None:
        """Note that a quote was shown: it is the first word, but not the model's speed."""
        self._shown = self._clock() if self._shown is None else self._shown

    def count_text(self, text: str) -> None:
        """Count the model's words that came just now; a word may come in pieces."""
        self._last = self._clock()
        if self._first is None and text.strip():
            self._first = self._last
            self._shown = self._first if self._shown is None else self._shown
        if text:
            self._words += len(text.split()) - (self._in_word and not text[0].isspace())
            self._in_word = not text[-1].isspace()

    def add_token_usage(self, counted: TokenUsage) -> None:
        """Add the engine's own token counts; a meter may measure several answers."""
        self._counted = counted if self._counted is None else _sum(self._counted, counted)

    def usage(self) -> Usage | None:
        """Return what was measured; None if nothing was."""
        if self._shown is None and self._counted is None and self.energy == EnergyUse():
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
            watermarked_tokens=counted.watermarked_tokens if counted else None,
        )
        return add_costs(usage, self.rates, self.energy)


def add_usage(earlier: Usage | None, later: Usage | None) -> Usage | None:
    """Add the usage of an answer before and after it waited."""
    if earlier is None or later is None:
        return earlier or later
    return replace(
        earlier,
        prompt_tokens=_add(earlier.prompt_tokens, later.prompt_tokens),
        cached_tokens=_add(earlier.cached_tokens, later.cached_tokens),
        completion_tokens=_add(earlier.completion_tokens, later.completion_tokens),
        words=earlier.words + later.words,
        words_per_second=later.words_per_second or earlier.words_per_second,
        seconds=(earlier.seconds or 0.0) + (later.seconds or 0.0),
        energy=_add_energy(earlier.energy, later.energy),
        cost=_add_cost(earlier.cost, later.cost),
        drafted_tokens=_add(earlier.drafted_tokens, later.drafted_tokens),
        accepted_tokens=_add(earlier.accepted_tokens, later.accepted_tokens),
        watermarked_tokens=_add(earlier.watermarked_tokens, later.watermarked_tokens),
    )


def _add_energy(first: Energy | None, second: Energy | None) -> Energy | None:
    if first is None or second is None:
        return first or second
    kind = "measured" if first.kind == second.kind == "measured" else "estimated"
    return Energy(first.joules + second.joules, kind)


def _add_cost(first: Cost | None, second: Cost | None) -> Cost | None:
    if first is None or second is None or first.currency != second.currency:
        return first or second
    return Cost(first.micros + second.micros, first.currency)


def _add(first: int | None, second: int | None) -> int | None:
    return None if first is None and second is None else (first or 0) + (second or 0)


def _sum(first: TokenUsage, second: TokenUsage) -> TokenUsage:
    return TokenUsage(
        first.prompt_tokens + second.prompt_tokens,
        first.completion_tokens + second.completion_tokens,
        _add(first.cached_tokens, second.cached_tokens),
        _add(first.reasoning_tokens, second.reasoning_tokens),
        _add(first.drafted_tokens, second.drafted_tokens),
        _add(first.accepted_tokens, second.accepted_tokens),
        watermarked_tokens=_add(first.watermarked_tokens, second.watermarked_tokens),
    )
