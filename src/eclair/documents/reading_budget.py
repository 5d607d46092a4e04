"""Limits on the text that a model is given to read."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.schema.models import Model

MANY_PASSAGES_MIN_BILLIONS = 10.0
"""Models of this size are shown more passages: hardware that runs them reads them in no time."""


@dataclass(frozen=True, slots=True)
class ReadingBudget:
    """Most passages that a model is shown, and most characters of documents that it is shown in full."""

    passages: int
    document_chars: int


def reading_budget(model: Model) -> ReadingBudget:
    """Choose the budget by the model's tier and size, within about half of its context window."""
    window = 4 * (model.context or 32_000)
    if model.only_quotes:
        return ReadingBudget(4, min(3_600, window // 4))
    used = model.active or model.parameters
    passages = 12 if used is not None and used >= MANY_PASSAGES_MIN_BILLIONS else 8
    characters = 48_000 if model.can_plan else 6_000
    return ReadingBudget(min(passages, max(2, window // 2 // 1000)), min(window // 3, characters))
