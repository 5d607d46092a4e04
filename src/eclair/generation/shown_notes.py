"""Keeps what was shown with questions, so that the next prompt begins as the last one did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from eclair.generation.sources import Note
from eclair.schema.messages import Message

MAX_QUESTIONS = 256
"""Questions that are remembered; beyond that, the oldest are forgotten. An engine's cache holds fewer."""


@dataclass(frozen=True, slots=True)
class QuestionNotes:
    """The notes of a question of a `conversation`, and whether its answer is `spoken`, as the model is told."""

    conversation: str
    notes: tuple[Note, ...] = ()
    spoken: bool = False


NO_NOTES = QuestionNotes("")


class ShownNotes:
    """The notes of this process's newest questions, by the question's id. After a restart, no engine has them read."""

    def __init__(self, by_question: Mapping[str, QuestionNotes] | None = None) -> None:
        self._by_question = dict(by_question or {})

    @property
    def by_question(self) -> Mapping[str, QuestionNotes]:
        return self._by_question

    def copy(self) -> ShownNotes:
        """Return them for a prompt that nobody will ask to go on."""
        return ShownNotes(self._by_question)

    def find(self, question: str) -> QuestionNotes:
        """Return what a question was shown with."""
        return self._by_question.get(question, NO_NOTES)

    def keep(self, question: Message, notes: Sequence[Note], *, spoken: bool = False) -> None:
        """Keep what a question is shown with now, in place of what it was shown with before."""
        self._by_question.pop(question.id, None)
        if notes or spoken:
            self._by_question[question.id] = QuestionNotes(question.conversation, tuple(notes), spoken)
        while len(self._by_question) > MAX_QUESTIONS:
            del self._by_question[next(iter(self._by_question))]

    def forget(self, conversation: str | None) -> None:
        """Forget the notes of a conversation that is deleted; None stands for all of them."""
        for question, kept in list(self._by_question.items()):
            if conversation in (None, kept.conversation):
                del self._by_question[question]
