"""`eclair add`: adds files and folders to a library; --watch follows changes."""

from __future__ import annotations

import argparse
import asyncio
import re
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from eclair.accounts.budgets import Budgets
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._logins import find_login
from eclair.cli._progress import ProgressCounter
from eclair.cli._remote_files import add_there
from eclair.cli._signals import run_async
from eclair.cli._sources import describe_progress
from eclair.cli._terminal import Terminal
from eclair.documents import folder_sync
from eclair.documents.folder_sync import FolderScan, ScannedFile, SyncPlan, SyncResult
from eclair.errors import Conflict, InvalidInput, NotFound, StoreError
from eclair.generation.usage import UsageLedger
from eclair.live_settings import LiveSettings
from eclair.llm.registry import build_registry
from eclair.llm.servers.engines import UserEngines
from eclair.network.client import OutboundGate
from eclair.network.egress_log import EgressLog
from eclair.network.policy import OutboundPolicy
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.services import DocumentComponents, open_documents
from eclair.settings import Settings
from eclair.speech.recognizer_choice import with_speech_settings
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.files import FileState, iterate_files
from eclair.storage.libraries import Library, LibrarySummary
from eclair.storage.open import open_storage
from eclair.util.background import IdleScheduler

DEFAULT_LIBRARY = "documents"
WATCH_INTERVAL_S = 2.0
POLL_INTERVAL_S = 0.2
"""The interval of checks on the progress of reading and embedding."""
_NAME = re.compile(r"\w[\w.-]{0,79}")


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """Files and folders to add to a library. With `sync`, files that have gone are removed from it."""

    roots: Sequence[Path]
    library: str
    sync: bool


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    library = arguments.library
    if not _NAME.fullmatch(library):
        raise InvalidInput(f"{library!r} is not a valid library name; use a single word of up to 80 characters.")
    roots = folder_sync.resolve_roots(arguments.paths)
    if (login := find_login(arguments)) is not None:
        if arguments.sync or arguments.watch:
            raise InvalidInput("--sync and --watch work on this machine alone; leave them out, or add --local.")
        return run_async(add_there(settings, login, list(roots), library, terminal))
    request = SyncRequest(roots, library, arguments.sync or arguments.watch)
    return run_async(_add(settings, request, arguments.watch, terminal))


async def _add(settings: Settings, request: SyncRequest, watch: bool, terminal: Terminal) -> int:
    async with open_documents_storage(settings) as (storage, documents):
        library = await _library(storage, documents, request.library)
        syncing = LibrarySync(settings, storage, documents, library, terminal)
        try:
            failed = await syncing.sync(request)
            if watch:
                await syncing.watch(request)
        except asyncio.CancelledError:
            if await syncing.has_unread():
                terminal.warn("The files added so far stay; the next `eclair add` or `eclair serve` goes on reading.")
            raise
    return 2 if failed else 0


@asynccontextmanager
async def open_documents_storage(settings: Settings) -> AsyncGenerator[tuple[Storage, DocumentComponents]]:
    """Open the database and the services that read documents, without an embedded model."""
    settings = await asyncio.to_thread(with_speech_settings, settings)
    storage = await asyncio.to_thread(open_storage, settings)
    calls = EgressLog(storage.egress)
    try:
        gate = OutboundGate(OutboundPolicy.from_settings(settings), calls)
        added = UserEngines(settings, storage.servers.list_servers, gate=gate)
        registry = build_registry(replace(settings, embedded=False), added, gate=gate)
        try:
            budgets = Budgets(storage.budgets, storage.processes, LiveSettings(settings))
            ledger = UsageLedger(settings, storage.usage, budgets)
            changes = ChangeFeed(storage.processes)
            opening = open_documents(settings, storage, registry, changes, IdleScheduler(), ledger, gate=gate)
            async with opening as documents:
                yield storage, documents
        finally:
            await registry.close()
    finally:
        await calls.close()
        await storage.close()


async def _library(storage: Storage, documents: DocumentComponents, name: str) -> Library:
    """Get the library of that name, creating it if needed."""
    try:
        return await storage.libraries.get_library_by_name(LOCAL_PRINCIPAL, name)
    except NotFound:
        pass
    try:
        return await documents.ingestor.add_library(LOCAL_PRINCIPAL, name)
    except Conflict:  # another process has just created it
        return await storage.libraries.get_library_by_name(LOCAL_PRINCIPAL, name)


class LibrarySync:
    """Brings a library up to date with files and folders, and shows the progress."""

    def __init__(
        self, settings: Settings, storage: Storage, documents: DocumentComponents, library: Library, terminal: Terminal
    ) -> None:
        self._max_mb = settings.max_file_mb
        self._storage = storage
        self._ingestor = documents.ingestor
        self._library = library
        self._terminal = terminal
        self._done: set[ScannedFile] = set()

    async def sync(self, request: SyncRequest) -> int:
        """Sync once, and wait until everything is read and embedded; return the number of failed files."""
        self._terminal.status("Looking…")
        found, plan = await self._scan(request)
        for why in found.unread.values():
            self._terminal.warn(why)
        if left_out := found.left_out():
            self._terminal.warn(left_out)
        counts, failed = await self._apply(plan)
        counts["same"] += plan.same
        self._sum_up(counts)
        return failed + len(found.unread)

    async def watch(self, request: SyncRequest) -> None:
        """Keep syncing. Files that failed, or were removed here, are added again once they change."""
        self._terminal.warn("Watching; Ctrl-C ends it.")
        before: SyncPlan | None = None
        while True:
            await asyncio.sleep(WATCH_INTERVAL_S)
            _, plan = await self._scan(request)
            if settled := plan.filter_settled(before):
                counts, _ = await self._apply(settled)
                self._sum_up(counts)
            before = plan

    async def has_unread(self) -> bool:
        return bool((await self._summary()).waiting)

    async def _scan(self, request: SyncRequest) -> tuple[FolderScan, SyncPlan]:
        found = await asyncio.to_thread(folder_sync.scan, request.roots)
        known = await self._storage.files.list_watched_files(LOCAL_PRINCIPAL, self._library.id)
        self._done &= set(found.files.values())
        plan = folder_sync.plan_sync(found, known, request.roots).without(self._done)
        return found, plan if request.sync else replace(plan, gone=())

    async def _apply(self, plan: SyncPlan) -> tuple[Counter[str], int]:
        """Apply the plan; return counts by kind of change, and the number of failed files."""
        counts: Counter[str] = Counter()
        files: set[str] = set()
        counting = ProgressCounter(self._terminal, "Adding")
        of = len(plan.new) + len(plan.changed) + len(plan.gone)
        bringing = folder_sync.sync(
            self._storage, self._ingestor, LOCAL_PRINCIPAL, self._library.id, plan, self._max_mb
        )
        async with aclosing(bringing) as brought:
            async for each in brought:
                counts[each.what] += 1
                files |= self._report(each)
                counting.show(counts.total(), of)
        self._done |= plan.files()
        await self._read()
        await self._embedded()
        self._terminal.status("")
        return counts, counts["refused"] + await self._failures(files)

    def _report(self, each: SyncResult) -> set[str]:
        """Report one result; return the file's id if it is to be read now."""
        if each.why is not None:
            self._terminal.warn(each.why)
        return {each.file} if each.file is not None and each.what in ("added", "changed") else set()

    async def _read(self) -> None:
        counting = ProgressCounter(self._terminal, "Reading")
        while (listed := await self._summary()).waiting:
            if (why := self._ingestor.read_error) is not None:
                raise StoreError(why)
            if listed.waiting > 1:
                counting.show(listed.files - listed.waiting, listed.files)
            else:
                await self._show_last()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _show_last(self) -> None:
        """Show the progress of the last unfinished file."""
        with suppress(NotFound):  # it was deleted meanwhile
            for state in await self._storage.documents.list_unfinished():
                self._terminal.status(describe_progress(await self._storage.files.get_name(state.sha256), state))

    async def _embedded(self) -> None:
        """Wait until all chunks are embedded, or embedding has failed."""
        counting = ProgressCounter(self._terminal, "Preparing search by meaning")
        while self._ingestor.embedding.is_enabled and (listed := await self._summary()).embedded < listed.chunks:
            if (why := self._ingestor.embedding.error) is not None:
                self._terminal.warn(f"For now these files are found by their words alone: {why}")
                return
            counting.show(listed.embedded, listed.chunks)
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _summary(self) -> LibrarySummary:
        """Read the library's counts. Raises NotFound if another process has deleted it."""
        for each in await self._storage.libraries.list_libraries(LOCAL_PRINCIPAL):
            if each.library.id == self._library.id:
                return each
        raise NotFound(f"The library {self._library.name!r} was deleted meanwhile.")

    async def _failures(self, files: set[str]) -> int:
        """Report what could not be read of these files; return the number of those that failed."""
        failed = 0
        async for each in iterate_files(self._storage.files, LOCAL_PRINCIPAL, self._library.id):
            if each.file.id in files:
                failed += each.document.fault is not None
                for sentence in describe_problems(each):
                    self._terminal.warn(sentence)
        return failed

    def _sum_up(self, counts: Counter[str]) -> None:
        words = {"added": "added", "changed": "changed", "removed": "removed", "same": "unchanged"}
        parts = [f"{counts[what]:,} {word}" for what, word in words.items() if counts[what]]
        self._terminal.line(f"{self._library.name}: {', '.join(parts) or 'nothing to add'}.")


def describe_problems(each: FileState) -> list[str]:
    """List what could not be read of a file, in sentences."""
    fault = each.document.fault
    return [*([fault.message] if fault is not None else []), *each.document.remarks]
