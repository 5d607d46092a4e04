"""Imports under way: an export is read and waits, then goes into the store conversation by conversation."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from eclair.errors import Conflict, NotFound, StoreError
from eclair.schema.ids import Clock, new_id
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.transfer.normalize import Imported

if TYPE_CHECKING:
    from eclair.transfer.staging import Preview, Staged

MOST = 4
"""Exports that wait at the same time; the oldest goes for a new one."""
PATIENCE = 3600.0
"""Seconds that an export waits."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an import is: conversations `done` of so many, of which `added` with so many `messages` are new here and
    `skipped` were here before."""

    done: int
    of: int
    added: int
    messages: int
    skipped: int
    problems: tuple[str, ...]

    @property
    def finished(self) -> bool:
        return self.done == self.of


@dataclass(slots=True)
class _Waiting:
    staged: Staged
    since: float
    busy: bool = False


class Imports:
    """Holds what was read until it is imported, dropped or too old; `folder` has the unnamed files."""

    def __init__(self, storage: Storage, folder: Path, changes: ChangeFeed, clock: Clock = time.time) -> None:
        self._storage = storage
        self._folder = folder
        self._changes = changes
        self._clock = clock
        self._waiting: dict[str, _Waiting] = {}

    def room(self) -> Path:
        """The folder for unnamed files, made if need be. Raises StoreError."""
        return room(self._folder)

    async def stage(self, file: BinaryIO, name: str) -> tuple[str, Preview]:
        """Read an export in a thread; the id under which it waits. Raises UserError and StoreError."""
        self._forget_old()
        staged = await read(file, name, self.room(), int(self._clock() * 1000))
        idle = [id for id, waiting in self._waiting.items() if not waiting.busy]
        for id in idle[: max(0, len(self._waiting) - MOST + 1)]:
            self._close(id)
        id = new_id("imp", self._clock)
        self._waiting[id] = _Waiting(staged, self._clock())
        return id, staged.preview

    def check(self, id: str) -> None:
        """Raises NotFound for what does not wait (any more), Conflict for what is being imported."""
        self._forget_old()
        if id not in self._waiting:
            raise NotFound(f"There is no import {id!r} (any more); send the file again.")
        if self._waiting[id].busy:
            raise Conflict("This import is under way already; wait for its end.")

    async def carry_out(self, id: str, owner: str) -> AsyncGenerator[Progress, None]:
        """Import what waits. Closed early, it stops between two conversations, and may be carried out again."""
        self.check(id)
        waiting = self._waiting[id]
        waiting.busy = True
        try:
            async for progress in bring_in(self._storage, owner, waiting.staged):
                yield progress
        except BaseException:
            waiting.busy = False
            raise
        finally:
            self._changes.publish(None, "changed")
        self._close(id)

    def drop(self, id: str) -> None:
        """Forget what waits; nothing of it was kept. Raises as `check` does."""
        self.check(id)
        self._close(id)

    def close(self) -> None:
        for id in list(self._waiting):
            self._close(id)

    def _close(self, id: str) -> None:
        if (waiting := self._waiting.pop(id, None)) is not None:
            waiting.staged.close()

    def _forget_old(self) -> None:
        for id, waiting in list(self._waiting.items()):
            if not waiting.busy and waiting.since + PATIENCE < self._clock():
                self._close(id)


def room(folder: Path) -> Path:
    """The folder, made if need be. Raises StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror}.") from error
    return folder


async def read(
    file: BinaryIO, name: str, folder: Path, now: int, progress: Callable[[int], None] = lambda done: None
) -> Staged:
    """`stage` in a thread, which is told to end, and waited for, when this is cancelled. `progress` is called there."""
    stopped = threading.Event()

    def check(done: int) -> None:
        if stopped.is_set():
            raise _Stopped
        progress(done)

    def work() -> Staged:
        from eclair.transfer.staging import stage  # much to import, and most never take anything in

        try:
            return stage(file, name, folder, now, check)
        except OSError as error:
            raise StoreError(f"{name} cannot be unpacked in {folder}: {error.strerror}.") from error

    task = asyncio.create_task(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        stopped.set()
        await asyncio.wait([task])
        if task.exception() is None:
            task.result().close()
        raise


class _Stopped(Exception):
    """Nobody waits for the reading any more."""


async def bring_in(storage: Storage, owner: str, staged: Staged) -> AsyncGenerator[Progress, None]:
    """Keep each conversation that is not here yet, in a transaction of its own. Raises StoreError."""
    of = staged.preview.conversations
    progress = Progress(0, of, 0, 0, 0, staged.preview.problems)
    conversations = staged.conversations()
    while (imported := await _next(conversations)) is not None:
        added, problem = await _add(storage, owner, imported)
        progress = replace(
            progress,
            done=progress.done + 1,
            added=progress.added + added,
            messages=progress.messages + (len(imported.messages) if added else 0),
            skipped=progress.skipped + (not added),
            problems=(*progress.problems, *problem),
        )
        yield progress


async def _add(storage: Storage, owner: str, imported: Imported) -> tuple[bool, tuple[str, ...]]:
    try:
        return await storage.conversations.add_tree(replace(imported.conversation, owner=owner), imported.messages), ()
    except Conflict as error:
        return False, (f"{imported.conversation.title!r} was left out: {error.message}",)


async def _next(conversations: Iterator[Imported]) -> Imported | None:
    """The next, read in a thread that is waited for even when this is cancelled: the file is not for two at once."""
    task = asyncio.create_task(asyncio.to_thread(next, conversations, None))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise
