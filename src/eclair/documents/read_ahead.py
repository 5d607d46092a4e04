"""Keeps what models have read of documents ahead of questions that are still being written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eclair.documents.reading_budget import CHARS_PER_TOKEN, PROMPT_TOKENS
from eclair.storage.chunks import ChunkHit

MAX_QUESTIONS = 256
"""Questions that are remembered; beyond that, the oldest are forgotten."""

PassagePlace = tuple[str, int]
"""The file of a passage or a sentence, and where in it that starts."""


@dataclass(frozen=True, slots=True)
class QuestionKey:
    """The question that will follow message `after`, empty for a first one, for one person and one model.

    A first `question` is known by its id once it is asked: other conversations begin with the same files.
    """

    principal: str
    model: str
    files: tuple[str, ...]
    libraries: tuple[str, ...]
    after: str
    question: str = ""


@dataclass(frozen=True, slots=True)
class PlannedPassage:
    """The place of a passage in a prompt that is read ahead, and its length; `hit` finds a searched one again."""

    file: str
    start: int
    chars: int
    hit: ChunkHit | None = None

    @property
    def place(self) -> PassagePlace:
        return self.file, self.start


@dataclass(frozen=True, slots=True)
class Plan:
    """The passages of a prompt that is read ahead, in order, and the sentences closest to its draft.

    `follows_draft` if they were searched for a draft.
    """

    passages: tuple[PlannedPassage, ...] = ()
    closest: tuple[PassagePlace, ...] = ()
    follows_draft: bool = False


@dataclass(frozen=True, slots=True)
class AheadReading:
    """A plan, and how many characters of its passages the model has read; below zero it reads what precedes them."""

    plan: Plan = Plan()
    chars: float = -CHARS_PER_TOKEN * PROMPT_TOKENS

    @property
    def passages_read(self) -> tuple[PlannedPassage, ...]:
        """The passages that have been read to their end."""
        left = self.chars
        for at, each in enumerate(self.plan.passages):
            left -= each.chars
            if left < 0:
                return self.plan.passages[:at]
        return self.plan.passages


NOTHING_READ = AheadReading()


class ReadAhead:
    """Keeps what models have read for the next questions of conversations."""

    def __init__(self) -> None:
        self._readings: dict[QuestionKey, AheadReading] = {}

    def add(self, key: QuestionKey, plan: Plan, chars: float) -> None:
        """Note that a model went on with so many characters of passages, by this plan; infinity if to its end."""
        before = self._readings.pop(key, NOTHING_READ)
        kept = min(before.chars, _common_chars(before.plan.passages, plan.passages))
        self._readings[key] = AheadReading(plan, kept + chars)
        while len(self._readings) > MAX_QUESTIONS:
            del self._readings[next(iter(self._readings))]

    def move(self, old: QuestionKey, new: QuestionKey) -> None:
        """Keep under another key what has been read, unless that has a reading."""
        if new not in self._readings and (reading := self._readings.pop(old, None)) is not None:
            self._readings[new] = reading

    def find(self, key: QuestionKey) -> AheadReading:
        return self._readings.get(key, NOTHING_READ)


def _common_chars(before: Sequence[PlannedPassage], after: Sequence[PlannedPassage]) -> int:
    """Return the length of the passages that both begin with."""
    chars = 0
    for old, new in zip(before, after, strict=False):
        if old.place != new.place:
            break
        chars += new.chars
    return chars
