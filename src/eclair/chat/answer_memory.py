"""The memory of an answer: there unless the turn, the conversation or the person says otherwise."""

from __future__ import annotations

from eclair.chat.chat_question import ChatQuestion
from eclair.chat.preferences import PreferenceService
from eclair.memory.service import MemoryService


class AnswerMemory:
    """Opens the memory to answers in stored conversations, as far as people want it used."""

    def __init__(self, memory: MemoryService | None = None, preferences: PreferenceService | None = None) -> None:
        self._memory = memory
        self._preferences = preferences

    async def open_to(self, question: ChatQuestion) -> MemoryService | None:
        """Return the memory if an answer may use and keep it; never in a temporary chat."""
        if self._memory is None or question.conversation is None:
            return None
        chosen = question.options.memory or question.conversation.memory
        if chosen is None and self._preferences is not None:
            chosen = "on" if (await self._preferences.get(question.principal)).memory else "off"
        return None if chosen == "off" else self._memory
