"""Port of presence: who has which conversation open at which process.

A row says nothing of rights: whoever shows it asks whether both people may read the conversation. One whose process is
dead doesn't count.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class Present:
    """A person who has a conversation open, as one in however many tabs."""

    conversation: str
    person: str


class PresenceStore(Protocol):
    """Presence is noted for the people whose pages are open at a process, and read for the one who asks."""

    async def change_presence(self, added: Collection[Present], removed: Collection[Present]) -> None:
        """Note who has come and gone at this process."""
        ...

    async def list_own_presence(self) -> set[Present]:
        """List who is noted at this process."""
        ...

    async def list_present(self, conversation: str) -> list[tuple[str, str]]:
        """List the people who have a conversation open, each with the process where they do."""
        ...

    async def list_open(self, principal: Principal) -> list[str]:
        """List the conversations that the principal has open, at any process."""
        ...

    async def list_presence_processes(self) -> list[str]:
        """List the processes at which anybody is noted."""
        ...

    async def remove_presence_of(self, process: str) -> list[str]:
        """Remove whoever is noted at a process that is dead; return the conversations that they had open."""
        ...
