"""The question that a web search is made for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eclair.schema.messages import Message
from eclair.schema.principal import Principal

MIN_WORDS = 5
"""A shorter question is ranked by together with the previous one."""


@dataclass(frozen=True, slots=True)
class WebQuestion:
    """A question in a `run`. `before` are the previous ones, which a short question continues.

    Without a `conversation` no copies of pages are stored. `has_sources` says that an earlier answer had some.
    """

    principal: Principal
    run: str
    text: str
    before: tuple[str, ...] = ()
    conversation: str | None = None
    has_sources: bool = False

    @classmethod
    def last_in(
        cls, history: Sequence[Message], principal: Principal, run: str, conversation: str | None
    ) -> WebQuestion:
        """Return the last question of a history."""
        *before, text = [message.text for message in history if message.role == "user"]
        has_sources = any(message.passages for message in history)
        return cls(principal, run, text, tuple(before), conversation, has_sources)

    @property
    def in_context(self) -> str:
        """The text that passages are ranked by: the question, after the previous one if it is short."""
        return "\n".join([*self.before[-1:], self.text]) if len(self.text.split()) < MIN_WORDS else self.text
