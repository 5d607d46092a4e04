"""Keeps memories: for a person who writes them, and for questions that ask to remember something.

What a question asks for is kept by rule: never from files, pages or results of tools, and nothing that may be of a
special category, which people write down themselves if they want it kept.
"""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable

from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.errors import Conflict, InvalidInput, StoreError
from eclair.memory.recall import MemoryRecall, RecalledMemories
from eclair.schema.events import MemoryKept, Notice
from eclair.schema.ids import Clock, new_id
from eclair.schema.memories import MAX_MEMORY_CHARS, Memory, MemoryMaker
from eclair.schema.principal import Principal
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.memories import MemoryStore
from eclair.storage.projects import Project
from eclair.text.intent.memory_request import find_memory_request
from eclair.text.intent.special_category import may_be_special_category

TOOL_NAME = "remember"
"""The tool whose right says if something may be kept for somebody."""

REFUSED = Notice(
    "memory_refused",
    "This may be about health, faith, politics or the like, so it wasn't remembered; write it into the memory yourself "
    "if you want it there.",
)


class MemoryService:
    """Reads and changes the memories of people, and publishes each change."""

    def __init__(
        self,
        memories: MemoryStore,
        changes: ChangeFeed,
        recall: MemoryRecall,
        rights: RightRules = OPEN_RULES,
        *,
        clock: Clock = time.time,
        ids: Callable[[str], str] = new_id,
    ) -> None:
        self._memories = memories
        self._changes = changes
        self._recall = recall
        self._rights = rights
        self._clock = clock
        self._ids = ids

    async def list(self, principal: Principal) -> list[Memory]:
        return await self._memories.list_memories(principal)

    async def keep(
        self,
        principal: Principal,
        text: str,
        *,
        maker: MemoryMaker = "person",
        conversation: str | None = None,
        message: str | None = None,
        project: str | None = None,
    ) -> Memory:
        """Keep a sentence, in a project or in that of its conversation, or return the memory that has it.

        Raises InvalidInput, NotFound for a project, and Conflict if there are too many.
        """
        now = self._now()
        new = Memory(
            id=self._ids("mem"),
            owner=principal.id,
            text=check_memory(text),
            maker=maker,
            created=now,
            changed=now,
            conversation=conversation,
            message=message,
            project_id=project,
        )
        kept = await self._memories.add_memory(principal, new)
        self._changes.publish(principal, None, "memories")
        return kept

    async def keep_asked(
        self, principal: Principal, question: str, conversation: str, message: str
    ) -> MemoryKept | Notice | None:
        """Keep what a question asks to remember, if it does; return what became of that."""
        wish = self.find_wish(principal, question)
        if wish is None:
            return None
        if may_be_special_category(wish):
            return REFUSED
        try:
            kept = await self.keep(principal, wish, conversation=conversation, message=message)
        except (Conflict, StoreError) as error:
            return Notice("memory_not_kept", error.message)
        return MemoryKept(kept.id)

    def find_wish(self, principal: Principal, question: str) -> str | None:
        """Return what a question asks to remember; None if nothing, or if the principal may not have anything kept."""
        wish = find_memory_request(question)
        if wish is None or len(wish) > MAX_MEMORY_CHARS:
            return None
        return wish if self._rights.may(principal, f"tool:{TOOL_NAME}") else None

    async def edit(self, principal: Principal, id: str, text: str) -> Memory:
        """Replace the text of a memory. Raises InvalidInput and NotFound."""
        changed = await self._memories.edit_memory(principal, id, check_memory(text), self._now())
        self._changes.publish(principal, None, "memories")
        return changed

    async def delete(self, principal: Principal, id: str) -> None:
        """Erase a memory. Raises NotFound."""
        await self._memories.delete_memory(principal, id)
        self._changes.publish(principal, None, "memories")

    async def delete_all(self, principal: Principal) -> int:
        """Erase all memories of the principal; return how many there were."""
        count = await self._memories.delete_all_memories(principal)
        self._changes.publish(principal, None, "memories")
        return count

    async def recall(
        self, principal: Principal, begun: int, question: str, window: int | None, project: Project | None = None
    ) -> RecalledMemories:
        """Return the memories for a question, in a project its own alone or also others; see `MemoryRecall.choose`."""
        scopes = [None] if project is None else [project.id, None] if project.memory == "both" else [project.id]
        memories = [each for each in await self._memories.list_memories(principal) if each.project_id in scopes]
        return await self._recall.choose(memories, begun, question, window)

    def _now(self) -> int:
        return int(self._clock() * 1000)


def check_memory(text: str) -> str:
    """Return a memory's text on one line. Raises InvalidInput if it is empty or too long."""
    line = " ".join(unicodedata.normalize("NFC", text).split())
    if not line or not line.isprintable():
        raise InvalidInput("A memory is a sentence; write one.", param="text")
    if len(line) > MAX_MEMORY_CHARS:
        raise InvalidInput(
            f"A memory has {MAX_MEMORY_CHARS} characters at most; this has {len(line):,}. Shorten it.", param="text"
        )
    return line
