"""Measures how fast a loaded model reads prompts, in tokens per second."""

from __future__ import annotations

from eclair.llm.base import TokenUsage
from eclair.models.catalog import CatalogEntry
from eclair.schema.models import Model
from eclair.settings import Settings
from eclair.util.cpu import available_cores

BILLIONS_PER_CORE_SECOND = 70.0
"""Tokens times billions of parameters that a core reads in a second: 47 tokens of a model of 1.54 billion."""

MIN_MEASURED_TOKENS = 64
"""A shorter prompt tells little: most of its time is not spent on reading."""

NEWEST_SHARE = 0.3
"""Weight of the newest measurement."""


class ReadingRate:
    """Tokens per second: `estimate` until measured, then a running average; None if unknown."""

    def __init__(self, estimate: float | None) -> None:
        self._rate = estimate
        self._is_measured = False

    @property
    def tokens_per_second(self) -> float | None:
        return self._rate

    def record(self, usage: TokenUsage) -> None:
        """Learn from one answer."""
        tokens = usage.prompt_tokens - (usage.cached_tokens or 0)
        if tokens < MIN_MEASURED_TOKENS or not usage.reading_seconds:
            return
        rate = tokens / usage.reading_seconds
        known = self._rate if self._is_measured else None
        self._rate = rate if known is None else known + NEWEST_SHARE * (rate - known)
        self._is_measured = True


def reading_rate(settings: Settings, model: CatalogEntry | Model) -> ReadingRate:
    """Begin with an estimate from the cores and the parameters used per token."""
    weight = model.active or model.parameters
    cores = settings.embedded_threads or available_cores()
    return ReadingRate(BILLIONS_PER_CORE_SECOND * cores / weight if weight else None)
