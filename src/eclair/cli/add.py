"""`eclair add`: files and folders are brought into a library, read and embedded; with --watch as long as it runs."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from eclair.app import Reading, open_reading
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._progress import Counting
from eclair.cli._signals import carry_out
from eclair.cli._sources import how_far
from eclair.cli._terminal import Terminal
from eclair.documents import folder_sync
from eclair.documents.folder_sync import FolderScan, ScannedFile, SyncPlan, SyncResult
from eclair.errors import Conflict, InvalidInput, NotFound, StoreError
from eclair.generation.usage import UsageLedger
from eclair.llm.registry import build_registry
from eclair.llm.servers.engines import UserEngines
from eclair.network.audit_log import AuditLog
from eclair.network.client import OutboundGate
from eclair.network.policy import OutboundPolicy
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.files import FileState
from eclair.storage.libraries import Library, LibrarySummary
from eclair.storage.open import open_storage
from eclair.util.background import IdleScheduler

LIBRARY = "documents"
"""The library where none is named."""
LOOK = 2.0
"""Seconds between two looks at what is watched."""
GLANCE = 0.2
"""Seconds between two looks at how far the reading is."""
_NAME = re.compile(r"\w[\w.-]{0,79}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be brought where. With `sync` what has gone from a folder goes from the library."""

    roots: Sequence[Path]
    library: str
    sync: bool


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    library = arguments.library
    if not _NAME.fullmatch(library):
        raise InvalidInput(f"{library!r} is no name for a library; it is one word of 80 characters at most.")
    wanted = Wanted(folder_sync.resolve_roots(arguments.paths), library, arguments.sync or arguments.watch)
    return carry_out(_add(settings, wanted, arguments.watch, terminal))


async def _add(settings: Settings, wanted: Wanted, watch: bool, terminal: Terminal) -> int:
    async with open_shelf(settings) as (storage, reading):
        adding = Adding(settings, storage, reading, await _library(storage, reading, wanted.library), terminal)
        try:
            failed = await adding.once(wanted)
            if watch:
                await adding.watch(wanted)
        except asyncio.CancelledError:
            if await adding.waiting():
                terminal.complain("What was taken in stays; the next `eclair add` or `eclair serve` reads on.")
            raise
    return 2 if failed else 0


@asynccontextmanager
async def open_shelf(settings: Settings) -> AsyncGenerator[tuple[Storage, Reading]]:
    """The store and what reads into it, without a model."""
    storage = await asyncio.to_thread(open_storage, settings.data_dir)
    calls = AuditLog(storage.audit)
    try:
        gate = OutboundGate(OutboundPolicy.from_settings(settings), calls)
        added = UserEngines(settings, storage.servers.list_servers, gate=gate)
        registry = build_registry(replace(settings, embedded=False), added, gate=gate)
        try:
            ask = UsageLedger(settings, storage.usage).ask
            changes = ChangeFeed(storage.processes)
            async with open_reading(settings, storage, registry, changes, IdleScheduler(), ask) as reading:
                yield storage, reading
        finally:
            await registry.close()
    finally:
        await calls.close()
        await storage.close()


async def _library(storage: Storage, reading: Reading, name: str) -> Library:
    """The library of that name, made where there is none."""
    try:
        return await storage.libraries.get_library_by_name(LOCAL_PRINCIPAL, name)
    except NotFound:
        pass
    try:
        return await reading.ingestor.add_library(LOCAL_PRINCIPAL, name)
    except Conflict:  # another process has just made it
        return await storage.libraries.get_library_by_name(LOCAL_PRINCIPAL, name)


class Adding:
    """Brings what is found into one library, and shows how far that is."""

    def __init__(
        self, settings: Settings, storage: Storage, reading: Reading, library: Library, terminal: Terminal
    ) -> None:
        self._most_mb = settings.max_file_mb
        self._storage = storage
        self._ingestor = reading.ingestor
        self._library = library
        self._terminal = terminal
        self._done: set[ScannedFile] = set()

    async def once(self, wanted: Wanted) -> int:
        """Look, bring, and wait until all is read and embedded; how many files failed."""
        self._terminal.status("Looking…")
        found, plan = await self._look(wanted)
        for why in found.unread.values():
            self._terminal.complain(why)
        if left_out := found.left_out():
            self._terminal.complain(left_out)
        counts, failed = await self._bring(plan)
        counts["same"] += plan.same
        self._sum_up(counts)
        return failed + len(found.unread)

    async def watch(self, wanted: Wanted) -> None:
        """Go on looking. What could not be added, or was removed here, is added once it has changed."""
        self._terminal.complain("Watching; Ctrl-C ends it.")
        before: SyncPlan | None = None
        while True:
            await asyncio.sleep(LOOK)
            _, plan = await self._look(wanted)
            if settled := plan.settled(before):
                counts, _ = await self._bring(settled)
                self._sum_up(counts)
            before = plan

    async def waiting(self) -> bool:
        return bool((await self._listed()).waiting)

    async def _look(self, wanted: Wanted) -> tuple[FolderScan, SyncPlan]:
        found = await asyncio.to_thread(folder_sync.scan, wanted.roots)
        known = await self._storage.files.list_watched_files(LOCAL_PRINCIPAL, self._library.id)
        self._done &= set(found.files.values())
        plan = folder_sync.plan_sync(found, known, wanted.roots).without(self._done)
        return found, plan if wanted.sync else replace(plan, gone=())

    async def _bring(self, plan: SyncPlan) -> tuple[Counter[str], int]:
        """Do it; how many were what, and how many failed."""
        counts: Counter[str] = Counter()
        files: set[str] = set()
        counting = Counting(self._terminal, "Adding")
        of = len(plan.new) + len(plan.changed) + len(plan.gone)
        bringing = folder_sync.sync(
            self._storage, self._ingestor, LOCAL_PRINCIPAL, self._library.id, plan, self._most_mb
        )
        async with aclosing(bringing) as brought:
            async for each in brought:
                counts[each.what] += 1
                files |= self._told(each)
                counting.show(counts.total(), of)
        self._done |= plan.files()
        await self._read()
        await self._embedded()
        self._terminal.status("")
        return counts, counts["refused"] + await self._failures(files)

    def _told(self, each: SyncResult) -> set[str]:
        """The id of what is to be read now, if it is."""
        if each.why is not None:
            self._terminal.complain(each.why)
        return {each.file} if each.file is not None and each.what in ("added", "changed") else set()

    async def _read(self) -> None:
        counting = Counting(self._terminal, "Reading")
        while (listed := await self._listed()).waiting:
            if (why := self._ingestor.read_error) is not None:
                raise StoreError(why)
            if listed.waiting > 1:
                counting.show(listed.files - listed.waiting, listed.files)
            else:
                await self._show_last()
            await asyncio.sleep(GLANCE)

    async def _show_last(self) -> None:
        """How far the one file is that is still being read."""
        with suppress(NotFound):  # it was deleted meanwhile
            for state in await self._storage.documents.list_unfinished():
                self._terminal.status(how_far(await self._storage.files.get_name(state.sha256), state))

    async def _embedded(self) -> None:
        """Wait until all is found by meaning too, as far as that is possible."""
        counting = Counting(self._terminal, "Embedding")
        while self._ingestor.has_embedder and (listed := await self._listed()).embedded < listed.chunks:
            if (why := self._ingestor.embed_error) is not None:
                self._terminal.complain(f"For now these files are found by their words alone: {why}")
                return
            counting.show(listed.embedded, listed.chunks)
            await asyncio.sleep(GLANCE)

    async def _listed(self) -> LibrarySummary:
        """Raises NotFound where another process has deleted the library."""
        for each in await self._storage.libraries.list_libraries(LOCAL_PRINCIPAL):
            if each.library.id == self._library.id:
                return each
        raise NotFound(f"The library {self._library.name!r} was deleted meanwhile.")

    async def _failures(self, files: set[str]) -> int:
        """Say what could not be read of these files; how many could not be at all."""
        failed = 0
        async for each in self._files():
            if each.file.id in files:
                failed += each.document.fault is not None
                for sentence in troubles(each):
                    self._terminal.complain(sentence)
        return failed

    async def _files(self) -> AsyncGenerator[FileState, None]:
        before: str | None = None
        while True:
            page = await self._storage.files.list_files(LOCAL_PRINCIPAL, 200, library=self._library.id, before=before)
            for each in page.files:
                yield each
            if (before := page.next) is None:
                return

    def _sum_up(self, counts: Counter[str]) -> None:
        said = {"added": "added", "changed": "changed", "removed": "removed", "same": "unchanged"}
        parts = [f"{counts[what]:,} {word}" for what, word in said.items() if counts[what]]
        self._terminal.line(f"{self._library.name}: {', '.join(parts) or 'nothing to add'}.")


def troubles(each: FileState) -> list[str]:
    """What could not be read of a file, a sentence each."""
    fault = each.document.fault
    return [*([fault.message] if fault is not None else []), *each.document.remarks]
