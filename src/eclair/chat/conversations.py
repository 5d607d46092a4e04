"""Edits, deletes, restores and erases conversations, and publishes each change.

A deleted conversation disappears at once and can be restored for `RESTORE_PERIOD_S` seconds; then it is erased.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from eclair.chat.runs import Runs
from eclair.errors import Conflict, NotFound, StoreError
from eclair.images.gallery import Gallery
from eclair.schema.ids import Clock, new_id
from eclair.schema.messages import Conversation, branch
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.conversations import ConversationEdit, Deletion, InactiveConversations
from eclair.util.log_context import log_admin_act

RESTORE_PERIOD_S = 600
ERASE_INTERVAL_S = 30.0
DAY_S = 86_400

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ErasureStatus:
    """Progress of erasing deleted conversations: whether it is under way, and how many of how many are done.

    `problem` is why that cannot go on yet.
    """

    running: bool
    done: int = 0
    total: int = 0
    problem: str | None = None


log = logging.getLogger(__name__)


class ConversationService:
    """Changes conversations. Call `start` before use and `close` at the end."""

    def __init__(
        self, storage: Storage, runs: Runs, changes: ChangeFeed, gallery: Gallery, clock: Clock = time.time
    ) -> None:
        self._storage = storage
        self._gallery = gallery
        self._runs = runs
        self._changes = changes
        self._clock = clock
        self._eraser: asyncio.Task[None] | None = None
        self._is_erasure_due = asyncio.Event()
        self.also_erases: list[Callable[[], Awaitable[None]]] = []
        """Erasures of other things that were deleted, which are due at the same times."""
        self.on_delete: Callable[[str | None], None] = lambda _: None
        """Forgets what is remembered of a conversation that is deleted; None stands for more than can be named."""
        self.erasure = ErasureStatus(running=False)

    async def start(self) -> None:
        self._eraser = asyncio.create_task(self._erase_periodically(), name="erase what was deleted")

    async def close(self) -> None:
        if self._eraser is not None:
            self._eraser.cancel()
            await asyncio.wait([self._eraser])

    async def add(self, principal: Principal, conversation: Conversation) -> Conversation:
        """Store a conversation, or return the stored one with its id."""
        stored = await self._storage.conversations.add_conversation(principal, conversation)
        if stored is conversation:
            self._changes.publish(principal, stored.id, "changed")
        return stored

    async def branch(self, principal: Principal, id: str, message: str, title: str | None = None) -> Conversation:
        """Copy the thread that ends with a message into a new conversation, with files and sources.

        Without a `title` it has that of the original. Raises NotFound, and Conflict for an answer still in progress.
        """
        origin, tree = await self._storage.conversations.get_tree(principal, id)
        by_id = {each.id: each for each in tree}
        if message not in by_id:
            raise NotFound(f"There is no message {message!r} in this conversation.")
        thread = branch(by_id, message)
        if any(each.is_open for each in thread):
            raise Conflict("This conversation is still answering; stop that answer or wait for it.")
        names = {each.id: new_id("msg", self._clock) for each in thread}
        now, copy = int(self._clock() * 1000), new_id("conv", self._clock)
        messages = [
            replace(
                each,
                id=names[each.id],
                conversation=copy,
                parent=names.get(each.parent or ""),
                run=None,
                rating=None,
                comparison=None,
            )
            for each in thread
        ]
        conversation = replace(
            origin,
            id=copy,
            title=(title or f"{origin.title} (branch)")[:200],
            created=now,
            updated=now,
            leaf=messages[-1].id,
            pinned=False,
            archived=False,
            branched_from=origin.id,
        )
        await self._storage.conversations.add_tree(principal, conversation, messages)
        attached = await self._storage.files.list_attached_files(principal, id)
        for old, new in names.items():
            if files := attached.get(old):
                await self._storage.files.attach_files(principal, new, [file.id for file in files])
        self._changes.publish(principal, copy, "changed")
        return conversation

    async def edit(self, principal: Principal, id: str, edit: ConversationEdit) -> Conversation:
        """Edit a conversation; raises what `ConversationStore.edit_conversation` raises."""
        changed = await self._storage.conversations.edit_conversation(principal, id, edit)
        self._changes.publish(principal, id, "changed")
        return changed

    async def delete(self, principal: Principal, id: str, *, forever: bool = False) -> None:
        """Stop the runs of a conversation and delete it.

        With `forever` it is erased at once, even if it was deleted before. Raises NotFound, and Conflict while
        another process writes an answer in it.
        """
        await self._write_after_stopping_runs(
            principal, lambda: self._storage.conversations.delete_conversation(principal, id, forever=forever)
        )
        self.on_delete(id)
        self._changes.publish(principal, id, "removed")
        if forever:
            await self._storage.conversations.erase_conversation(id)
            await self._gallery.delete_orphans()

    async def delete_all(self, principal: Principal, *, forever: bool = False) -> Deletion:
        """Delete every conversation of the owner, archived ones included; see `delete`.

        With `forever` they are erased in the background, as `erasure` tells, and after a restart if need be. So are
        the responses and batches of the API, and the URLs in the egress log: it shows only hosts then.
        """
        deleted = await self._write_after_stopping_runs(
            principal, lambda: self._storage.conversations.delete_all_conversations(principal, forever=forever)
        )
        self.on_delete(None)
        self._changes.publish(principal, None, "changed")
        if forever:
            await self._storage.responses.delete_all(principal)
            await self._storage.batches.delete_all(principal)
            self.erasure = ErasureStatus(running=True, total=deleted.count)
            self._is_erasure_due.set()
            await self._storage.egress.erase_urls(principal)
        how = "deleted for good" if forever else "deleted"
        log_admin_act("conversations.deleted", f"All conversations of {principal.id} were {how}.", owner=principal.id)
        return deleted

    async def expire(self, days: int) -> None:
        """Delete everyone's conversations for good that nothing was added to for so many days; pinned ones stay."""
        count = await self._storage.conversations.expire_conversations(self._days_ago(days))
        if count:
            self.on_delete(None)
            self._changes.publish_to_all("changed")
            self._is_erasure_due.set()
            sentence = f"{count:,} conversations without a message for {days:,} days were deleted for good (keep_days)."
            log_admin_act("conversations.expired", sentence, count=count, days=days)

    async def preview_expiry(self, principal: Principal, days: int) -> InactiveConversations:
        """Count what `expire` would delete now of the principal's conversations."""
        return await self._storage.conversations.count_inactive(principal, self._days_ago(days))

    async def restore(self, principal: Principal, id: str) -> Conversation:
        """Restore a deleted conversation; does nothing if it wasn't deleted.

        Raises NotFound once it is too late.
        """
        restored = await self._storage.conversations.restore_conversation(principal, id, self._restorable_since())
        self._changes.publish(principal, id, "changed")
        return restored

    async def restore_all(self, principal: Principal, moment: int) -> int:
        """Restore what `delete_all` deleted at `moment`; return how many conversations.

        Raises NotFound once it is too late.
        """
        count = await self._storage.conversations.restore_deletion(principal, moment, self._restorable_since())
        self._changes.publish(principal, None, "changed")
        return count

    async def delete_message(self, principal: Principal, id: str, message: str) -> Conversation:
        """Erase a message and everything below it.

        Raises NotFound, and Conflict while an answer is being made.
        """
        try:
            changed = await self._storage.conversations.delete_message(principal, id, message)
        except Conflict:
            if not await self._runs.reap(id):
                raise
            changed = await self._storage.conversations.delete_message(principal, id, message)
        await self._gallery.delete_orphans()
        self.on_delete(id)
        self._changes.publish(principal, id, "changed")
        return changed

    async def _write_after_stopping_runs(self, principal: Principal, write: Callable[[], Awaitable[T]]) -> T:
        """Write, after stopping each run that is in the way."""
        stopped: set[str] = set()
        while True:
            try:
                return await write()
            except Conflict as conflict:
                if conflict.run is None or conflict.run in stopped:
                    raise
                stopped.add(conflict.run)
                with contextlib.suppress(NotFound):  # it was deleted meanwhile
                    await self._runs.stop(await self._storage.runs.get_run(principal, conflict.run))

    def _restorable_since(self) -> int:
        """The oldest time of deletion that can still be undone, in milliseconds."""
        return int((self._clock() - RESTORE_PERIOD_S) * 1000)

    def _days_ago(self, days: int) -> int:
        return int((self._clock() - days * DAY_S) * 1000)

    def erase_soon(self) -> None:
        """Erase what is to be erased in the background, without waiting for the next round."""
        self.on_delete(None)
        self._changes.publish_to_all("changed")
        self._is_erasure_due.set()

    async def erase_due(self) -> None:
        """Erase what was deleted forever, or too long ago to be restored, and return once it is gone."""
        await self._erase()

    async def _erase(self) -> None:
        """Erase what was deleted, in steps that `erasure` tells of."""

        def report(done: int, total: int) -> None:
            self.erasure = ErasureStatus(running=True, done=done, total=total)

        await self._storage.conversations.erase_deleted(self._restorable_since(), report)
        for erase in self.also_erases:
            await erase()
        await self._gallery.delete_orphans()
        if self.erasure.running and not self._is_erasure_due.is_set():
            done = self.erasure.done
            self.erasure = ErasureStatus(running=False, done=done, total=done)
            log.info("%d deleted conversations were erased for good.", done)

    async def _erase_periodically(self) -> None:
        while True:
            self._is_erasure_due.clear()
            try:
                await self._erase()
            except StoreError as error:
                log.error("deleted conversations cannot be erased yet: %s", error.message)
                self.erasure = replace(self.erasure, problem=error.message)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ERASE_INTERVAL_S):
                    await self._is_erasure_due.wait()
