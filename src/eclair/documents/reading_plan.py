"""Plans how a long document is read for one answer: all of its text, or the key sentences of each section."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from eclair.documents.reading_budget import CHARS_PER_TOKEN, reading_budget
from eclair.documents.sections import PASSAGE_OVERHEAD_CHARS
from eclair.schema.events import SectionRead
from eclair.schema.models import Model

MAX_FULL_READING_S = 600.0
"""A longer reading is done in digest, unless it is asked for in full."""

DIGEST_READING_S = 180.0
"""The time that reading a digest takes."""

WRITING_COST = 10.0
"""Tokens that a model reads in the time in which it writes one: measured 200 to 20 per second on a processor."""

NOTE_SENTENCE_CHARS = 150
"""Typical length of a sentence in a note."""

NOTE_TOKENS = 90
"""Typical length of the notes on one section."""


@dataclass(frozen=True, slots=True)
class ReadingPlan:
    """Lengths and times of a reading.

    `section_chars` is the most characters of a section, `sentences` the most sentences of all notes in the end. With
    `digest_chars`, the model reads key sentences of that length in all. `seconds` is the estimated time, and
    `full_seconds` that of reading all of the text; None if the model's speed is unknown.
    """

    section_chars: int
    sentences: int
    digest_chars: int | None = None
    seconds: float | None = None
    full_seconds: float | None = None


def plan_reading(model: Model, characters: int, *, thorough: bool, known: Iterable[SectionRead] = ()) -> ReadingPlan:
    """Plan to read so many characters; as an interrupted run did whose sections are `known`."""
    before = next(iter(known), None)
    section_chars = before.section_chars if before is not None else reading_budget(model).document_chars
    sentences = section_chars // (2 * NOTE_SENTENCE_CHARS + PASSAGE_OVERHEAD_CHARS)
    full = _seconds(model, characters, section_chars)
    plan = ReadingPlan(section_chars, sentences, None, full, full)
    if before is not None:
        digest_chars = before.digest_chars
    elif thorough or full is None or full <= MAX_FULL_READING_S:
        digest_chars = None
    else:
        digest_chars = max(section_chars, int(characters * DIGEST_READING_S / full))
    if digest_chars is None:
        return plan
    return replace(plan, digest_chars=digest_chars, seconds=_seconds(model, digest_chars, section_chars))


def _seconds(model: Model, characters: int, section_chars: int) -> float | None:
    """Estimate the time for taking notes on so many characters; None if the model's speed is unknown."""
    if model.reading_rate is None:
        return None
    sections = -(-characters // section_chars)
    tokens = characters / CHARS_PER_TOKEN + sections * NOTE_TOKENS * WRITING_COST
    return tokens / model.reading_rate
