"""Limits on the text that a model is given to read, so that its first word comes soon."""

from __future__ import annotations

import math
from dataclasses import dataclass

from eclair.schema.models import Model

MANY_PASSAGES_MIN_BILLIONS = 10.0
"""Models of this size are shown more passages: hardware that runs them reads them in no time."""

PASSAGES_READING_S = 6.0
"""Time for reading passages, which a question has to wait for."""

PASSAGES, MANY_PASSAGES, MANY_PASSAGES_READING_S = 8, 20, 3.0
"""A capable model is shown up to the larger number where it reads them in that time, and has a large window."""

LARGE_WINDOW_TOKENS = 32_000

DOCUMENT_READING_S = 12.0
"""Time for reading a document in full: that begins while the question is being written, and is done once.

A question waits for `PASSAGES_READING_S` of it at most."""

PROMPT_TOKENS = 60
"""Read before the first passage: the system prompt and the instruction."""

CHARS_PER_TOKEN = 3.0
"""Of European languages, on the small side: English has four, Polish 2.5."""

PASSAGE_CHARS = 600
"""Typical length of a passage, with its heading."""

MIN_PASSAGES, MIN_DOCUMENT_CHARS = 3, 4_000
"""Even a slow model is shown so much.

With fewer passages the answer is too often not among them. A short document is read once, for all questions on it."""

MIN_UNREAD_CHARS = 1_200
"""Three passages are rarely shorter, so nothing is gained by choosing among so few."""


@dataclass(frozen=True, slots=True)
class ReadingBudget:
    """Most passages that a model is shown, and most characters of documents that it is shown in full.

    A question waits for `unread_chars` of those at most; if more have not been read ahead, it gets passages.
    """

    passages: int
    document_chars: int
    unread_chars: int


def reading_budget(model: Model) -> ReadingBudget:
    """Choose the budget by the model's tier, size and speed, within about half of its context window."""
    window = 4 * (model.context or 32_000)
    if model.only_quotes:
        characters = min(3_600, window // 4)
        return ReadingBudget(4, characters, characters)
    used = model.active or model.parameters
    is_large = used is not None and used >= MANY_PASSAGES_MIN_BILLIONS
    characters = 48_000 if model.can_plan else 6_000
    chars_per_s = _chars_per_second(model)
    passages = 12 if is_large else PASSAGES
    if (is_large or (model.can_plan and model.reading_rate is not None)) and window >= 4 * LARGE_WINDOW_TOKENS:
        passages = max(passages, int(min(MANY_PASSAGES, MANY_PASSAGES_READING_S * chars_per_s / PASSAGE_CHARS)))
    fast_passages = max(MIN_PASSAGES, PASSAGES_READING_S * chars_per_s / PASSAGE_CHARS)
    fast_characters = max(MIN_DOCUMENT_CHARS, DOCUMENT_READING_S * chars_per_s)
    document_chars = int(min(window // 3, characters, fast_characters))
    return ReadingBudget(
        int(min(passages, fast_passages, max(2, window // 2 // 1000))),
        document_chars,
        int(min(document_chars, max(MIN_UNREAD_CHARS, PASSAGES_READING_S * chars_per_s))),
    )


def chars_read_in(model: Model, seconds: float) -> float:
    """Estimate how many characters a model reads in some seconds; infinity if unknown."""
    return math.inf if math.isinf(seconds) or model.reading_rate is None else _chars_per_second(model) * seconds


def reads_slowly(model: Model) -> bool:
    """Return whether a model is shown fewer passages since it reads slowly, which pays to read ahead."""
    return not model.only_quotes and PASSAGES_READING_S * _chars_per_second(model) < PASSAGES * PASSAGE_CHARS


def _chars_per_second(model: Model) -> float:
    return CHARS_PER_TOKEN * model.reading_rate if model.reading_rate is not None else math.inf
