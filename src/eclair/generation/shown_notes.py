"""Keeps the notes that were shown with questions, so that the next prompt begins as the last one did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eclair.generation.sources import Note

MAX_QUESTIONS = 256
"""Questions that are remembered; beyond that, the oldest are forgotten. An engine's cache holds fewer."""


class ShownNotes:
    """The notes of this process's newest questions, by the question's id. After a restart, no engine has them read."""

    def __init__(self) -> None:
        self._notes: dict[str, tuple[Note, ...]] = {}

    @property
    def by_question(self) -> Mapping[str, Sequence[Note]]:
        return self._notes

    def keep(self, question: str, notes: Sequence[Note]) -> None:
        """Keep what a question is shown with now, in place of what it was shown with before."""
        self._notes.pop(question, None)
        if notes:
            self._notes[question] = tuple(notes)
        while len(self._notes) > MAX_QUESTIONS:
            del self._notes[next(iter(self._notes))]
