"""Port of ratings: people's verdicts on answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from eclair.schema.messages import Message, Rating
from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class RatedAnswer:
    """A rated answer: where it stands, the model that gave it, and how it begins."""

    conversation: str
    title: str
    message: str
    model: str | None
    rating: Rating
    beginning: str


class RatingStore(Protocol):
    """Ratings, which are part of the answers' messages, and choices, of their questions': they are deleted with them.

    A choice says which of several answers side by side was kept.
    """

    async def rate_answer(self, principal: Principal, message: str, rating: Rating | None) -> str:
        """Rate an answer, or remove its rating with None; return its conversation.

        Raises NotFound, and Conflict for a message that is no answer, or not finished yet.
        """
        ...

    async def keep_answer(self, principal: Principal, question: str, answer: str) -> Message:
        """Keep one of the answers that stand side by side, and show its branch; return the question.

        Raises NotFound, and Conflict for an answer that hasn't ended.
        """
        ...

    async def list_ratings(self, principal: Principal, limit: int) -> list[RatedAnswer]:
        """List the latest ratings, newest first."""
        ...

    async def list_judged(self, principal: Principal) -> dict[str, list[str]]:
        """List rated answers, and questions with a kept answer, by conversation; the latest first."""
        ...
