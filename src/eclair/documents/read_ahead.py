"""Keeps how long models have read documents ahead of questions that are still being written."""

from __future__ import annotations

MAX_QUESTIONS = 256
"""Questions that are remembered; beyond that, the oldest are forgotten."""

QuestionKey = tuple[str, tuple[str, ...], int]
"""A model's id, the ids of the files in the conversation, and the number of questions up to this one."""


class ReadAhead:
    """Seconds for which a model has read the files of a conversation for its next question."""

    def __init__(self) -> None:
        self._seconds: dict[QuestionKey, float] = {}

    def add(self, key: QuestionKey, seconds: float) -> None:
        """Add the seconds of one reading; infinity if everything has been read."""
        self._seconds[key] = self._seconds.pop(key, 0.0) + seconds
        while len(self._seconds) > MAX_QUESTIONS:
            del self._seconds[next(iter(self._seconds))]

    def seconds(self, key: QuestionKey) -> float:
        return self._seconds.get(key, 0.0)
