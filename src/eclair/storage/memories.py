"""Port of memories: what a person had kept for later conversations."""

from __future__ import annotations

from typing import Protocol

from eclair.schema.memories import Memory
from eclair.schema.principal import Principal


class MemoryStore(Protocol):
    async def add_memory(self, principal: Principal, memory: Memory) -> Memory:
        """Add a memory, or return the one with the same text.

        One of a conversation in a project is kept in that project. Raises NotFound for a project, and Conflict where
        the id is taken, or the principal has MAX_MEMORIES.
        """
        ...

    async def list_memories(self, principal: Principal) -> list[Memory]:
        """List the memories by id, which is the order in which they were made."""
        ...

    async def edit_memory(self, principal: Principal, id: str, text: str, changed: int) -> Memory:
        """Replace the text of a memory, which leaves no trace. Raises NotFound."""
        ...

    async def delete_memory(self, principal: Principal, id: str) -> None:
        """Erase a memory. Raises NotFound."""
        ...

    async def delete_all_memories(self, principal: Principal) -> int:
        """Erase all memories; return how many there were."""
        ...
