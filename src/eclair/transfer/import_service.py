"""Imports: an export is uploaded, then stored conversation by conversation, at whichever server that is asked for.

Its bytes are a blob and what is known of it is a row, so that any server goes on with it: it reads the export again.
The claim of background work sees to it that one does so at a time, and ends with the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from eclair.errors import Conflict, NotFound, StoreError
from eclair.schema.ids import Clock, new_id
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.imports import WaitingImport
from eclair.storage.jobs import hold_when_free
from eclair.transfer.archive_importer import ArchiveImporter, ImportChoices, ImportItems, ImportStep
from eclair.transfer.normalize import ImportedConversation
from eclair.util.tasks import finish

if TYPE_CHECKING:
    from eclair.transfer.import_protocol import ImportPreview
    from eclair.transfer.staging import StagedImport

MAX_WAITING_IMPORTS = 4
"""Of a person; the oldest is dropped for a new one."""
WAITING_TTL_S = 3600.0
SWEEP_INTERVAL_S = 300.0
SHARED_SWEEP_INTERVAL_S = 30.0
END_TIMEOUT_S = 30.0
"""Time in which a running import, whose row was deleted, is to end: it looks for that after each thing it stores."""

log = logging.getLogger(__name__)


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


@dataclass(frozen=True, slots=True)
class UploadedImport:
    """An export that waits: the id it waits under, what it holds, and by kind how much of that is here already."""

    id: str
    preview: ImportPreview
    items: tuple[ImportItems, ...]


class ImportService:
    """Keeps uploaded exports until they are imported, dropped or expired. `folder` is for temporary files.

    `start` begins to delete what has expired, `close` ends that.
    """

    def __init__(
        self,
        storage: Storage,
        archives: ArchiveImporter,
        blobs: Blobs,
        folder: Path,
        changes: ChangeFeed,
        clock: Clock = time.time,
    ) -> None:
        self._storage = storage
        self._archives = archives
        self._blobs = blobs
        self._folder = folder
        self._changes = changes
        self._clock = clock
        self._changing = asyncio.Lock()
        self._sweeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._sweeping = asyncio.create_task(self._sweep_forever(), name="delete expired imports")

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.wait([self._sweeping])

    def open_folder(self) -> Path:
        """Return the folder for temporary files, creating it if needed. Raises StoreError."""
        return open_staging_folder(self._folder)

    async def upload(self, principal: Principal, source: AsyncIterable[bytes], name: str) -> UploadedImport:
        """Keep an export and read it in a sandbox. Raises UserError, StoreError and what `source` raises."""
        blob = (await self._blobs.put_stream(source)).name
        now = self._clock()
        waiting = WaitingImport(
            id=new_id("imp", self._clock),
            owner=principal.id,
            name=name,
            blob=blob,
            created=int(now * 1000),
            expires=int((now + WAITING_TTL_S) * 1000),
        )
        async with self._exclusive():
            if not await self._blobs.exists(blob):
                raise Conflict(f"{name} was being deleted while it was sent; send it again.")
            await self._storage.imports.add_import(principal, waiting)
        try:
            async with self._open(waiting) as staged:
                items = await compare_import(self._storage, self._archives, principal, staged)
                uploaded = UploadedImport(waiting.id, staged.preview, items)
            await self._make_room(principal, waiting.id)
        except BaseException:
            await finish(self._delete(waiting))
            raise
        return uploaded

    async def check(self, principal: Principal, id: str) -> None:
        """Check that an export of the principal's waits. Raises NotFound, or Conflict while it is being imported."""
        async with self._claim(principal, id):
            pass

    async def run(self, principal: Principal, id: str, choices: ImportChoices) -> AsyncGenerator[ImportProgress, None]:
        """Import an export that waits. If closed early it stops between two things and can be resumed.

        Raises as `check` does, also once the export was deleted meanwhile, as its person was erased.
        """
        imports = self._storage.imports
        async with self._claim(principal, id) as waiting:
            async with self._open(waiting) as staged:
                staged.added_libraries |= waiting.libraries
                noted = {**staged.added_libraries}
                steps = store_import(self._storage, self._archives, principal, staged, choices)
                try:
                    async with aclosing(steps):
                        async for progress in steps:
                            await imports.get_import(principal, id)
                            if staged.added_libraries != noted:
                                noted = {**staged.added_libraries}
                                await imports.note_libraries(principal, id, noted)
                            yield progress
                finally:
                    self._changes.publish(principal, None, "changed")
            await self._delete(waiting)

    async def drop(self, principal: Principal, id: str) -> None:
        """Discard an export that waits; none of it was stored. Raises as `check` does."""
        async with self._claim(principal, id) as waiting:
            await self._delete(waiting)

    async def delete_all(self, principal: Principal) -> None:
        """Discard all of a principal's exports, which ends the import of one. Raises StoreError if that goes on."""
        storage = self._storage
        for waiting in await storage.imports.list_imports(principal):
            await self._delete_row(waiting)
            async with hold_when_free(storage.jobs, storage.processes, "import", waiting.id, END_TIMEOUT_S) as ended:
                await self._delete_blob(waiting.blob)
            if not ended:
                raise StoreError(f"The import {waiting.id} has not ended yet.")

    async def sweep(self) -> None:
        """Delete exports that have expired, and bytes that none has. Raises StoreError."""
        for waiting in await self._storage.imports.list_expired_imports(self._now()):
            async with self._storage.jobs.hold("import", waiting.id) as ours:
                if ours:
                    await self._delete(waiting)
        named = await self._storage.imports.list_import_blobs()
        for blob in await self._blobs.list_blobs():
            if blob.name not in named and blob.age_s > WAITING_TTL_S:
                await self._delete_blob(blob.name)

    @asynccontextmanager
    async def _claim(self, principal: Principal, id: str) -> AsyncGenerator[WaitingImport]:
        """Have an export that no other request changes within the block. Raises as `check` does."""
        await self._storage.imports.get_import(principal, id)
        async with self._storage.jobs.hold("import", id) as ours:
            if not ours:
                raise Conflict("This import is already running; wait until it has finished.")
            waiting = await self._storage.imports.get_import(principal, id)
            if waiting.expires <= self._now() or not await self._blobs.exists(waiting.blob):
                raise NotFound(f"There is no import {id!r} (any more); send the file again.")
            yield waiting

    @asynccontextmanager
    async def _open(self, waiting: WaitingImport) -> AsyncGenerator[StagedImport]:
        """Read an export within the block. Raises UserError and StoreError."""
        from eclair.transfer.staging import stage  # slow to import, and rarely needed

        folder = await asyncio.to_thread(self.open_folder)
        async with self._blobs.open_path(waiting.blob) as path:
            file = await asyncio.to_thread(path.open, "rb")
            with file:
                staged = await stage(file, waiting.name, folder, waiting.created)
            with closing(staged):
                yield staged

    @asynccontextmanager
    async def _exclusive(self) -> AsyncGenerator[None]:
        """Keep this and other processes from adding and deleting exports."""
        async with self._changing, self._blobs.lock():
            yield

    async def _make_room(self, principal: Principal, new: str) -> None:
        """Discard the oldest exports of a principal's that nobody imports, so that a new one may wait."""
        found = [each for each in await self._storage.imports.list_imports(principal) if each.id != new]
        surplus = len(found) - MAX_WAITING_IMPORTS + 1
        for waiting in found:
            if surplus > 0:
                async with self._storage.jobs.hold("import", waiting.id) as ours:
                    if ours:
                        await self._delete(waiting)
                        surplus -= 1

    async def _delete(self, waiting: WaitingImport) -> None:
        """Delete an export; one that is gone is no error."""
        await self._delete_row(waiting)
        await self._delete_blob(waiting.blob)

    async def _delete_row(self, waiting: WaitingImport) -> None:
        with contextlib.suppress(NotFound):
            await self._storage.imports.delete_import(Principal(waiting.owner), waiting.id)

    async def _delete_blob(self, name: str) -> None:
        """Delete the bytes of an export unless another has the same."""
        async with self._exclusive():
            if name not in await self._storage.imports.list_import_blobs():
                await self._blobs.delete(name)

    async def _sweep_forever(self) -> None:
        async def is_needed(name: str) -> bool:
            return name in await self._storage.imports.list_import_blobs()

        swept = -SWEEP_INTERVAL_S
        while True:
            try:
                if time.monotonic() - swept >= SWEEP_INTERVAL_S:
                    await asyncio.to_thread(self._blobs.remove_partial)
                    await self.sweep()
                    swept = time.monotonic()
                await self._blobs.sweep(is_needed)
            except StoreError as error:
                log.warning("expired imports were not deleted: %s", error.message)
            await asyncio.sleep(SHARED_SWEEP_INTERVAL_S if self._blobs.is_shared else SWEEP_INTERVAL_S)

    def _now(self) -> int:
        return int(self._clock() * 1000)


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
