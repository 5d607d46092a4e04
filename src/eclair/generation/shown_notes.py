"""Keeps the notes that were shown with questions, so that the next prompt begins as the last one did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from eclair.generation.sources import Note
from eclair.schema.messages import Message

MAX_QUESTIONS = 256
"""Questions that are remembered; beyond that, the oldest are forgotten. An engine's cache holds fewer."""


class ShownNotes:
    """The notes of this process's newest questions, by the question's id. After a restart, no engine has them read."""

    def __init__(self) -> None:
        self._notes: dict[str, tuple[Note, ...]] = {}
        self._conversations: dict[str, str] = {}

    @property
    def by_question(self) -> Mapping[str, Sequence[Note]]:
        return self._notes

    def keep(self, question: Message, notes: Sequence[Note]) -> None:
        """Keep what a question is shown with now, in place of what it was shown with before."""
        self._forget(question.id)
        if notes:
            self._notes[question.id] = tuple(notes)
            self._conversations[question.id] = question.conversation
        while len(self._notes) > MAX_QUESTIONS:
            self._forget(next(iter(self._notes)))

    def forget(self, conversation: str | None) -> None:
        """Forget the notes of a conversation that is deleted; None stands for all of them."""
        for question, own in list(self._conversations.items()):
            if conversation in (None, own):
                self._forget(question)

    def _forget(self, question: str) -> None:
        self._notes.pop(question, None)
        self._conversations.pop(question, None)
