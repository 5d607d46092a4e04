"""Measures how fast a loaded model reads prompts, in tokens per second."""

from __future__ import annotations

from collections import deque
from statistics import median

from eclair.llm.base import TokenUsage
from eclair.models.catalog import CatalogEntry
from eclair.schema.models import Model
from eclair.settings import Settings
from eclair.util.cpu import available_cores

BILLIONS_PER_CORE_SECOND = 70.0
"""Tokens times billions of parameters that a core reads in a second: 47 tokens of a model of 1.54 billion."""

MIN_MEASURED_TOKENS = 64
"""A shorter prompt tells little: most of its time is not spent on reading."""

MEASUREMENTS = 8
"""Newest measurements that count."""


class ReadingRate:
    """Tokens per second: `estimate` until measured, then the median of the last measurements; None if unknown.

    The median, since other programs slow the reading down for a while, and what is shown to a model should stay the
    same. The best of them is reached too seldom to promise a first word by it.
    """

    def __init__(self, estimate: float | None) -> None:
        self._estimate = estimate
        self._measured = deque[float](maxlen=MEASUREMENTS)

    @property
    def tokens_per_second(self) -> float | None:
        return median(self._measured) if self._measured else self._estimate

    def record(self, usage: TokenUsage) -> None:
        """Learn from one answer, or from what was read ahead."""
        tokens = usage.prompt_tokens - (usage.cached_tokens or 0)
        if tokens < MIN_MEASURED_TOKENS or not usage.reading_seconds:
            return
        self._measured.append(tokens / usage.reading_seconds)


def reading_rate(settings: Settings, model: CatalogEntry | Model) -> ReadingRate:
    """Begin with an estimate from the cores and the parameters used per token."""
    weight = model.active or model.parameters
    cores = settings.embedded_threads or available_cores()
    return ReadingRate(BILLIONS_PER_CORE_SECOND * cores / weight if weight else None)
