"""Keeping: conversations are changed, deleted, brought back and erased here, and whoever listens is told.

What is deleted is gone from everywhere at once, yet can be brought back for `RESTORABLE` seconds; then it is erased.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from eclair.chat.runs import Runs
from eclair.errors import Conflict, NotFound, StoreError
from eclair.images.gallery import Gallery
from eclair.schema.ids import Clock
from eclair.schema.messages import Conversation
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.conversations import ConversationEdit, Deletion

RESTORABLE = 600
EVERY = 30.0
"""Seconds between two looks for what is to be erased."""

T = TypeVar("T")

log = logging.getLogger(__name__)


class Keeping:
    """`start` before use; `close` at the end."""

    def __init__(
        self, storage: Storage, runs: Runs, changes: ChangeFeed, gallery: Gallery, clock: Clock = time.time
    ) -> None:
        self._storage = storage
        self._gallery = gallery
        self._runs = runs
        self._changes = changes
        self._clock = clock
        self._eraser: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._eraser = asyncio.create_task(self._erase_for_ever(), name="erase what was deleted")

    async def close(self) -> None:
        if self._eraser is not None:
            self._eraser.cancel()
            await asyncio.wait([self._eraser])

    async def add(self, principal: Principal, conversation: Conversation) -> Conversation:
        """Keep it, or give back the one of that id, as `Store.add_conversation` does."""
        kept = await self._storage.conversations.add_conversation(principal, conversation)
        if kept is conversation:
            self._changes.publish(kept.id, "changed")
        return kept

    async def change(self, principal: Principal, id: str, edit: ConversationEdit) -> Conversation:
        """As `Store.change_conversation` has it."""
        changed = await self._storage.conversations.edit_conversation(principal, id, edit)
        self._changes.publish(id, "changed")
        return changed

    async def delete(self, principal: Principal, id: str, *, forever: bool = False) -> None:
        """Stop what is at work in it, and delete it; `forever` erases it at once, also where it was deleted before.

        Raises NotFound, and Conflict where another process writes an answer in it.
        """
        await self._stopping(
            principal, lambda: self._storage.conversations.delete_conversation(principal, id, forever=forever)
        )
        self._changes.publish(id, "removed")
        if forever:
            await self._erase()

    async def delete_all(self, principal: Principal, *, forever: bool = False) -> Deletion:
        """As `delete`, with every conversation of the owner at once, those in the archive included; `forever` erases
        what was asked of the web as well, of which the egress ledger keeps only that it was asked of whom."""
        deleted = await self._stopping(
            principal, lambda: self._storage.conversations.delete_all_conversations(principal, forever=forever)
        )
        self._changes.publish(None, "changed")
        if forever:
            await self._erase()
            await self._storage.audit.erase_urls(principal)
        return deleted

    async def restore(self, principal: Principal, id: str) -> Conversation:
        """Bring back what was deleted; one that was not stays as it is. Raises NotFound once it is too late."""
        restored = await self._storage.conversations.restore_conversation(principal, id, self._oldest())
        self._changes.publish(id, "changed")
        return restored

    async def restore_all(self, principal: Principal, moment: int) -> int:
        """Bring back what `delete_all` deleted; how many came back. Raises NotFound once it is too late."""
        count = await self._storage.conversations.restore_deletion(principal, moment, self._oldest())
        self._changes.publish(None, "changed")
        return count

    async def delete_message(self, principal: Principal, id: str, message: str) -> Conversation:
        """Erase a message with everything under it. Raises NotFound, and Conflict while an answer is being made."""
        try:
            changed = await self._storage.conversations.delete_message(principal, id, message)
        except Conflict:
            if not await self._runs.reap(id):
                raise
            changed = await self._storage.conversations.delete_message(principal, id, message)
        await self._gallery.delete_orphans()
        self._changes.publish(id, "changed")
        return changed

    async def _stopping(self, principal: Principal, write: Callable[[], Awaitable[T]]) -> T:
        """Write, after stopping each run that stands in the way."""
        stopped: set[str] = set()
        while True:
            try:
                return await write()
            except Conflict as busy:
                if busy.run is None or busy.run in stopped:
                    raise
                stopped.add(busy.run)
                with contextlib.suppress(NotFound):  # it was deleted meanwhile, and stands in nobody's way
                    await self._runs.stop(await self._storage.runs.get_run(principal, busy.run))

    def _oldest(self) -> int:
        """When that was deleted which is just not erased yet, in milliseconds."""
        return int((self._clock() - RESTORABLE) * 1000)

    async def _erase(self) -> None:
        await self._storage.conversations.erase_deleted(self._oldest())
        await self._gallery.delete_orphans()

    async def _erase_for_ever(self) -> None:
        while True:
            try:
                await self._erase()
            except StoreError as error:
                log.error("what was deleted cannot be erased yet: %s", error.message)
            await asyncio.sleep(EVERY)
