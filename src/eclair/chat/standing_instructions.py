"""Instructions at the head of a prompt: those of the house, the person, the project and the assistant.

They come in that order, the most stable first, and stay the same through a conversation, so that the engine's prefix
cache holds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StandingInstructions:
    """Instructions for every answer of a conversation, by who gives them; None or empty for none.

    `house` is the system prompt of the settings, or the one that stands in its place.
    """

    house: str
    person: str | None = None
    project: str | None = None
    assistant: str | None = None

    @property
    def text(self) -> str:
        """The head of the prompt. The house's part is as it stands, since engines have read that before."""
        added = (self.person, self.project, self.assistant)
        parts = (self.house, *(text.strip() for text in added if text is not None))
        return "\n\n".join(part for part in parts if part)
