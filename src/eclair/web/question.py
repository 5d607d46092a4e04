"""A question that the web is to answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eclair.schema.messages import Message
from eclair.schema.principal import Principal

FEW_WORDS = 5
"""A shorter question is searched for together with the one before."""


@dataclass(frozen=True, slots=True)
class WebQuestion:
    """What `principal` asks in a `run`, and the questions `before` it, from which a short one goes on.

    Without a `conversation` no copy of a page is kept.
    """

    principal: Principal
    run: str
    text: str
    before: tuple[str, ...] = ()
    conversation: str | None = None

    @classmethod
    def last_in(
        cls, history: Sequence[Message], principal: Principal, run: str, conversation: str | None
    ) -> WebQuestion:
        """The last question of a history."""
        *before, text = [message.text for message in history if message.role == "user"]
        return cls(principal, run, text, tuple(before), conversation)

    @property
    def in_context(self) -> str:
        """What passages are chosen by: the question, and where it is short the one before it too."""
        return "\n".join([*self.before[-1:], self.text]) if len(self.text.split()) < FEW_WORDS else self.text
