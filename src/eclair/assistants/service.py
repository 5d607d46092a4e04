"""Assistants of people: who may use which, and what a conversation that was begun with one has from it.

The files of an assistant are in a library of its own, which is made with the first of them.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from typing import Protocol

from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.errors import NotFound
from eclair.schema.assistants import Assistant, AssistantProfile
from eclair.schema.ids import Clock, new_id
from eclair.schema.principal import Principal
from eclair.storage.assistants import AssistantStore
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.libraries import Library, own_library_name

GONE = "There is no such assistant; it may have been deleted, or is no longer shared."


class LibraryEraser(Protocol):
    """Deletes libraries with their files, as the `Ingestor` does."""

    async def delete_library(self, principal: Principal, id: str) -> None: ...


class AssistantService:
    """Reads and changes assistants, and publishes each change."""

    def __init__(
        self,
        assistants: AssistantStore,
        changes: ChangeFeed,
        rights: RightRules = OPEN_RULES,
        *,
        clock: Clock = time.time,
        ids: Callable[[str], str] = new_id,
    ) -> None:
        self._assistants = assistants
        self._changes = changes
        self._rights = rights
        self._clock = clock
        self._ids = ids

    async def list(self, principal: Principal) -> list[Assistant]:
        """List by name the assistants that a principal may use."""
        found = await self._assistants.list_assistants(principal)
        return [each for each in found if self._may_use(principal, each)]

    async def get(self, principal: Principal, id: str) -> Assistant:
        """Return an assistant that a principal may use. Raises NotFound."""
        found = await self._assistants.get_assistant(principal, id)
        if not self._may_use(principal, found):
            raise NotFound(GONE)
        return found

    async def find(self, principal: Principal, id: str | None) -> Assistant | None:
        """Return an assistant; None for none, and for one that is gone or may not be used any more."""
        if id is None:
            return None
        try:
            return await self.get(principal, id)
        except NotFound:
            return None

    async def get_by_name(self, principal: Principal, name: str) -> Assistant:
        """Return the assistant of that name or id, the principal's own before a shared one. Raises NotFound."""
        sought = " ".join(name.split()).casefold()
        found = [each for each in await self.list(principal) if sought in (each.name.casefold(), each.id)]
        if not found:
            raise NotFound(f"There is no assistant {name!r}; choose another.")
        return min(found, key=lambda each: each.access != "own")

    async def add(self, principal: Principal, profile: AssistantProfile) -> Assistant:
        """Add an assistant. Raises Conflict."""
        now = int(self._clock() * 1000)
        new = Assistant(id=self._ids("asst"), owner=principal.id, profile=profile, created=now, changed=now)
        await self._assistants.add_assistant(principal, new)
        self._changes.publish(principal, None, "assistants")
        return new

    async def edit(self, principal: Principal, id: str, profile: AssistantProfile) -> Assistant:
        """Replace what an assistant is. Raises NotFound, Forbidden and Conflict."""
        await self.get(principal, id)
        edited = await self._assistants.edit_assistant(principal, id, profile, int(self._clock() * 1000))
        self._changes.publish_to_all("assistants")
        return edited

    async def open_library(self, principal: Principal, id: str) -> str:
        """Return the id of its own library, made if needed. Raises NotFound, and Forbidden for viewers without one."""
        assistant = await self.get(principal, id)
        if assistant.library is not None:
            return assistant.library
        name = own_library_name(assistant.name, "assistant")
        new = Library(self._ids("lib"), assistant.owner, name, int(self._clock() * 1000))
        library = await self._assistants.open_library(principal, id, new)
        self._changes.publish_to_all("assistants")
        self._changes.publish_to_all("files")
        return library

    async def delete(self, principal: Principal, id: str, files: LibraryEraser) -> None:
        """Delete an assistant with its files, for all. Raises NotFound, HeldBack, and Forbidden for all but its owner.

        Files go first: under a legal hold nothing does, and what an interruption leaves can be deleted again.
        """
        found = await self._assistants.get_assistant(principal, id)
        if found.library is not None and found.access == "own":
            with contextlib.suppress(NotFound):  # it was deleted meanwhile
                await files.delete_library(principal, found.library)
                self._changes.publish_to_all("files")
        await self._assistants.delete_assistant(principal, id)
        self._changes.publish_to_all("assistants")

    def _may_use(self, principal: Principal, assistant: Assistant) -> bool:
        return self._rights.may(principal, f"assistant:{assistant.id}")
