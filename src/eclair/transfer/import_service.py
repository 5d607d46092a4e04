"""Imports: an export is staged, then stored conversation by conversation."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from eclair.errors import Conflict, NotFound, StoreError
from eclair.schema.ids import Clock, new_id
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.transfer.archive_importer import ArchiveImporter, ImportChoices, ImportItems, ImportStep
from eclair.transfer.normalize import ImportedConversation

if TYPE_CHECKING:
    from eclair.transfer.import_protocol import ImportPreview
    from eclair.transfer.staging import StagedImport

MAX_WAITING_IMPORTS = 4
"""The oldest is dropped for a new one."""
WAITING_TTL_S = 3600.0


@dataclass(frozen=True, slots=True)
class ImportProgress:
    """Progress of an import: conversations, and other things of an archive, `done` of a total.

    `added` of the conversations, with `messages`, are new; `skipped` were here before. `items` counts what else was
    looked at by kind, and how much of it is not new.
    """

    done: int
    total: int
    added: int
    messages: int
    skipped: int
    problems: tuple[str, ...]
    items: tuple[ImportItems, ...] = ()

    @property
    def is_finished(self) -> bool:
        return self.done == self.total


@dataclass(slots=True)
class _Waiting:
    principal: Principal
    staged: StagedImport
    since: float
    is_busy: bool = False


class ImportService:
    """Keeps staged exports until they are imported, dropped or expired, in unnamed files in `folder`."""

    def __init__(
        self, storage: Storage, archives: ArchiveImporter, folder: Path, changes: ChangeFeed, clock: Clock = time.time
    ) -> None:
        self._storage = storage
        self._archives = archives
        self._folder = folder
        self._changes = changes
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}

    def open_folder(self) -> Path:
        """Return the staging folder, creating it if needed. Raises StoreError."""
        return open_staging_folder(self._folder)

    async def stage(self, principal: Principal, file: BinaryIO, name: str) -> tuple[str, ImportPreview]:
        """Read an export in a sandbox; returns the id it waits under. Raises UserError and StoreError."""
        from eclair.transfer.staging import stage  # slow to import, and rarely needed

        self._forget_old()
        staged = await stage(file, name, self.open_folder(), int(self._clock() * 1000))
        idle = [id for id, waiting in self._waiting.items() if not waiting.is_busy]
        for id in idle[: max(0, len(self._waiting) - MAX_WAITING_IMPORTS + 1)]:
            self._close(id)
        id = new_id("imp", self._clock)
        self._waiting[id] = _Waiting(principal, staged, self._clock())
        return id, staged.preview

    def check(self, principal: Principal, id: str) -> None:
        """Check that an export of the principal's waits. Raises NotFound, or Conflict while it is being imported."""
        self._forget_old()
        if id not in self._waiting or self._waiting[id].principal != principal:
            raise NotFound(f"There is no import {id!r} (any more); send the file again.")
        if self._waiting[id].is_busy:
            raise Conflict("This import is already running; wait until it has finished.")

    async def compare(self, principal: Principal, id: str) -> tuple[ImportItems, ...]:
        """Count what a staged export holds, by kind, and how much of it is here already. Raises as `check` does."""
        self.check(principal, id)
        return await compare_import(self._storage, self._archives, principal, self._waiting[id].staged)

    async def run(self, principal: Principal, id: str, choices: ImportChoices) -> AsyncGenerator[ImportProgress, None]:
        """Import a staged export. If closed early it stops between two things and can be resumed."""
        self.check(principal, id)
        waiting = self._waiting[id]
        waiting.is_busy = True
        try:
            steps = store_import(self._storage, self._archives, principal, waiting.staged, choices)
            async with aclosing(steps):
                async for progress in steps:
                    yield progress
        except BaseException:
            waiting.is_busy = False
            raise
        finally:
            self._changes.publish(principal, None, "changed")
        self._close(id)

    def drop(self, principal: Principal, id: str) -> None:
        """Discard a staged export; none of it was stored. Raises as `check` does."""
        self.check(principal, id)
        self._close(id)

    def close(self) -> None:
        for id in list(self._waiting):
            self._close(id)

    def _close(self, id: str) -> None:
        if (waiting := self._waiting.pop(id, None)) is not None:
            waiting.staged.close()

    def _forget_old(self) -> None:
        for id, waiting in list(self._waiting.items()):
            if not waiting.is_busy and waiting.since + WAITING_TTL_S < self._clock():
                self._close(id)


def open_staging_folder(folder: Path) -> Path:
    """Return the staging folder, creating it if needed. Raises StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror}.") from error
    return folder


async def compare_import(
    storage: Storage, archives: ArchiveImporter, principal: Principal, staged: StagedImport
) -> tuple[ImportItems, ...]:
    """Count what a staged export holds, by kind, and how much of it is here already."""
    ids = await asyncio.to_thread(staged.conversation_ids)
    known = set(await storage.conversations.list_conversation_ids(principal))
    conversations = ImportItems("conversations", len(ids), sum(id in known for id in ids))
    return (*([conversations] if ids else []), *(await archives.compare(principal, staged)))


async def store_import(
    storage: Storage,
    archives: ArchiveImporter,
    principal: Principal,
    staged: StagedImport,
    choices: ImportChoices,
) -> AsyncGenerator[ImportProgress, None]:
    """Store what is not here yet, each thing whole or not at all. Raises StoreError."""
    progress = ImportProgress(0, staged.preview.conversations + len(staged.index), 0, 0, 0, staged.preview.problems)
    conversations = staged.conversations()
    places: dict[str, tuple[str, str]] = {}
    attachments: dict[str, list[str]] = {}
    while (imported := await _next(conversations)) is not None:
        added, problem = await _add(storage, principal, imported)
        if not problem:
            for message in imported.messages:
                for file in message.files:
                    attachments.setdefault(file.id, []).append(message.id)
                places |= {part.id: (message.conversation, message.id) for part in message.parts if part.id}
        progress = replace(
            progress,
            done=min(progress.done + 1, progress.total - 1),
            added=progress.added + added,
            messages=progress.messages + (len(imported.messages) if added else 0),
            skipped=progress.skipped + (not added),
            problems=(*progress.problems, *problem),
        )
        yield progress
    async with aclosing(archives.store_files(principal, staged, attachments)) as steps:
        async for step in steps:
            progress = _after(progress, step)
            yield progress
    async with aclosing(archives.store_rest(principal, staged, places, choices)) as steps:
        async for step in steps:
            progress = _after(progress, step)
            yield progress
    yield replace(progress, done=progress.total)


def _after(progress: ImportProgress, step: ImportStep) -> ImportProgress:
    """Count a step. The total is only reached when all is done."""
    known = {items.kind: items for items in progress.items}
    items = known.get(step.kind, ImportItems(step.kind, 0, 0))
    known[step.kind] = ImportItems(step.kind, items.count + 1, items.here + (not step.added and not step.problem))
    return replace(
        progress,
        done=min(progress.done + 1, progress.total - 1),
        problems=(*progress.problems, *([step.problem] if step.problem else [])),
        items=tuple(known.values()),
    )


async def _add(storage: Storage, principal: Principal, imported: ImportedConversation) -> tuple[bool, tuple[str, ...]]:
    try:
        conversation = replace(imported.conversation, owner=principal.id)
        return await storage.conversations.add_tree(principal, conversation, imported.messages), ()
    except Conflict as error:
        return False, (f"{imported.conversation.title!r} was left out: {error.message}",)


async def _next(conversations: Iterator[ImportedConversation]) -> ImportedConversation | None:
    """Read the next conversation in a thread, awaited even on cancellation: the file has one reader."""
    task = asyncio.create_task(asyncio.to_thread(next, conversations, None))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
