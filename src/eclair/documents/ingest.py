"""Ingests files: stores them and queues their documents, which are read and embedded in the background.

Answers can already use the pages that have been read. What a process left unfinished, or leaves to others, is done by
another. `background_reading` reads and cuts, `background_embedding` embeds and `document_search` finds the chunks.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Collection, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import IO, Any

from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.documents.background_embedding import BackgroundEmbedder, FindOwner, nobody_known
from eclair.documents.background_reading import BackgroundReader
from eclair.documents.document_parser import READER_VERSION, SET_ASIDE, UNHEARD, Parser
from eclair.documents.embeddings import Embedder
from eclair.errors import (
    Conflict,
    EclairError,
    InvalidInput,
    NotFound,
    RecognizerMissing,
    SpeechPartMissing,
    StoreError,
    TooLarge,
)
from eclair.schema.ids import Clock, new_id
from eclair.schema.jobs import ALL_WORK, WorkKind
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.blob_stores.blob_marks import ERASURE_DELAY_S
from eclair.storage.blobs import Blobs
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.documents import DocumentState
from eclair.storage.files import FileState, StoredFile
from eclair.storage.jobs import free_dead_claims
from eclair.storage.libraries import Library
from eclair.util.background import IdleScheduler

NOTIFY_INTERVAL_S = 0.25
"""The interval at which progress is announced while documents are read."""
UNATTACHED_TTL_S = 24 * 3600
"""After this time, a file that is in no message and no library is deleted."""
SWEEP_INTERVAL_S = 3600.0
SHARED_SWEEP_INTERVAL_S = 30.0
POLL_INTERVAL_S = 1.0
"""Between two looks for work that other processes added or left, where nobody tells of their writes."""
MIN_POLL_INTERVAL_S = 0.25
"""Between two looks where somebody tells."""
RELEASE_INTERVAL_S = 1.0
"""Between two looks for processes that have died."""
MAX_UNCHECKED_S = ERASURE_DELAY_S / 2
"""For so long shared bytes stay once they were seen: what is marked after they were stored goes later."""
URGENT = 1
"""Priority of documents that somebody may wait for: attached to messages, or to be tried again."""

NO_UPLOADS = "Your account may not add to libraries; ask an administrator."

log = logging.getLogger(__name__)


class Ingestor:
    """Ingests files. `start` begins the kinds of background work that are left to this process; `close` ends it.

    `at_once` documents are read at once, and one more that somebody waits for; an engine embeds as many.
    """

    def __init__(
        self,
        storage: Storage,
        blobs: Blobs,
        parser: Parser,
        embedder: Embedder | None,
        changes: ChangeFeed,
        idle: IdleScheduler,
        clock: Clock = time.time,
        ids: Callable[[str], str] = new_id,
        rights: RightRules = OPEN_RULES,
        find_owner: FindOwner = nobody_known,
        work: Collection[WorkKind] = ALL_WORK,
        at_once: int = 1,
    ) -> None:
        self._rights = rights
        self._storage = storage
        self._blobs = blobs
        self._parser = parser
        self._changes = changes
        self._clock = clock
        self._ids = ids
        self._work = work
        self._at_once = at_once
        self._tasks: list[asyncio.Task[None]] = []
        self._readings: list[asyncio.Task[None]] = []
        self._read = asyncio.Condition()
        self._deleting = asyncio.Lock()
        self._notified = 0.0
        self._released = 0.0
        self._heard_with: str | None = None
        self.embedding = BackgroundEmbedder(storage, embedder, idle, lambda ended: self._notify(now=ended), find_owner)
        self._reading = BackgroundReader(storage, blobs, parser, self.embedding, self._announce_progress)

    @property
    def read_error(self) -> str | None:
        """The reason why nothing can be read at the moment."""
        return self._reading.error

    async def start(self) -> None:
        """Begin to read, to embed and to erase, as far as that is left to this process. Raises StoreError."""
        await asyncio.to_thread(self._blobs.remove_partial)
        await self._queue_unheard()
        works: list[Coroutine[Any, Any, None]] = [self._watch()]
        if "read" in self._work:
            await self._storage.documents.erase_orphans()
            for sha256 in await self._storage.documents.list_outdated(READER_VERSION):
                await self._storage.documents.requeue(sha256, READER_VERSION, is_outdated=True)
            readings = [self._reading.run(min_priority=URGENT), *(self._reading.run() for _ in range(self._at_once))]
            self._readings = [asyncio.create_task(reading, name="read documents") for reading in readings]
        if "embed" in self._work and self.embedding.is_enabled:
            self.embedding.resume()
            works += [self.embedding.run() for _ in range(self._at_once if self.embedding.uses_engine else 1)]
        if "erase" in self._work:
            works.append(self._sweep_forever())
            if self._blobs.is_shared:
                works.append(self._sweep_blobs())
        self._tasks = [*self._readings, *(asyncio.create_task(work, name="documents") for work in works)]
        for task in self._tasks:
            task.add_done_callback(_log_failure)

    async def drain(self, seconds: float) -> None:
        """Begin to read no further document, and wait until those begun are read, so long at most."""
        self._reading.drain()
        if self._readings:
            await asyncio.wait(self._readings, timeout=seconds)

    async def close(self) -> None:
        """End the work, and give back what isn't done."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def ingest(
        self,
        principal: Principal,
        name: str,
        media: str,
        source: AsyncIterable[bytes],
        *,
        library: str | None = None,
        path: str | None = None,
        mtime_ns: int | None = None,
        replaces: str | None = None,
        is_urgent: bool = False,
        id: str | None = None,
        created: int | None = None,
    ) -> FileState:
        """Store a file, optionally in place of the one that it `replaces`, and queue it to be read.

        It keeps its `id` and the time when it was `created` where it comes from an archive. Urgent files, and those
        outside of libraries, are read first. Raises what `source` raises, NotFound for a library, Conflict for a path
        that another file has there or an id that is taken, and StoreError.
        """
        if library is not None:
            self._rights.require(principal, "uploads", NO_UPLOADS)
        kept = await self._blobs.put_stream(source)
        stored = time.monotonic()
        is_there = self._blobs.is_shared and await self._blobs.exists(kept.name)  # a call that no lock need wait for
        file = StoredFile(
            id=id or self._ids("file"),
            owner=principal.id,
            name=name,
            size=kept.size,
            sha256=kept.name,
            media=media,
            created=int(self._clock() * 1000) if created is None else created,
            library=library,
            path=path,
            mtime_ns=mtime_ns,
        )
        async with self._exclusive():
            if not is_there or time.monotonic() - stored > MAX_UNCHECKED_S:
                is_there = await self._blobs.exists(kept.name)
            if not is_there:
                raise Conflict(f"{name} was being deleted while it was sent; send it again.")
            try:
                if replaces is None:
                    state = await self._storage.files.add_file(principal, file, READER_VERSION, is_urgent=is_urgent)
                    gone = None
                else:
                    state, gone = await self._storage.files.replace_file(
                        principal, replaces, file, READER_VERSION, is_urgent=is_urgent
                    )
            except EclairError:
                await self._forget_blob(kept.name)
                raise
            await self._delete_blob(gone)
        if state.state in ("queued", "reading"):
            self._reading.wake()
        self._changes.publish(principal, None, "files")
        return FileState(file, state)

    async def read_bytes(self, sha256: str) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of a stored file in pieces. Raises StoreError."""
        async with aclosing(self._blobs.stream(sha256)) as pieces:
            async for piece in pieces:
                yield piece

    async def add_library(self, principal: Principal, name: str) -> Library:
        """Add a library. Raises Conflict if the name is taken, and RightMissing."""
        self._rights.require(principal, "uploads", NO_UPLOADS)
        library = Library(self._ids("lib"), principal.id, name, int(self._clock() * 1000))
        await self._storage.libraries.add_library(principal, library)
        self._changes.publish(principal, None, "files")
        return library

    async def render_page(self, file: StoredFile, page: int, width: int) -> bytes:
        """Return a page as PNG, `width` pixels wide. Raises as `Parser.render_page` does."""
        async with self._blobs.open_path(file.sha256) as path:
            return await self._parser.render_page(path, file.name, page, width)

    async def unpack_sound(self, file: StoredFile, member: str) -> IO[bytes]:
        """Return a temporary file with a recording that lies in an archive or e-mail. Raises as the parser does."""
        with contextlib.ExitStack() as stack:
            target = stack.enter_context(tempfile.TemporaryFile(prefix="eclair-sound-"))
            async with self._blobs.open_path(file.sha256) as path:
                await self._parser.unpack_sound(path, file.name, member, target)
            stack.pop_all()
        return target

    async def retry(self, principal: Principal, id: str) -> FileState:
        """Queue a file that couldn't be read once more. Raises NotFound."""
        file = (await self._storage.files.get_file(principal, id)).file
        state = await self._storage.documents.requeue(file.sha256, READER_VERSION)
        self._reading.wake()
        self._changes.publish(principal, None, "files")
        return FileState(file, state)

    async def delete(self, principal: Principal, id: str) -> None:
        """Delete a file, and its document unless another file has the same bytes. Raises NotFound."""
        async with self._exclusive():
            await self._delete_blob(await self._storage.files.delete_file(principal, id))
        self._changes.publish(principal, None, "files")

    async def delete_uploads(self, principal: Principal) -> None:
        """Delete the files that programs uploaded for the principal."""
        for file in await self._storage.files.list_uploaded_files(principal):
            with contextlib.suppress(NotFound):  # somebody else has just deleted it
                await self.delete(principal, file.id)

    async def delete_library(self, principal: Principal, id: str) -> None:
        """Delete a library with its files. Raises NotFound."""
        async with self._exclusive():
            for blob in await self._storage.libraries.delete_library(principal, id):
                await self._delete_blob(blob)
        self._changes.publish(principal, None, "files")

    async def wait_until_searchable(self, sha256s: set[str], seconds: float) -> None:
        """Wait until each document can be searched or never will be, for `seconds` at most."""

        async def unknown() -> bool:
            states = [await self._find_state(sha256) for sha256 in sha256s]
            return any(state is not None and is_pending(state) for state in states)

        try:
            async with asyncio.timeout(seconds), self._read:
                while await unknown():
                    await self._read.wait()
        except TimeoutError:
            return

    @asynccontextmanager
    async def _exclusive(self) -> AsyncGenerator[None]:
        """Keep all other processes from adding and deleting files within the block."""
        async with self._deleting, self._blobs.lock():
            yield

    async def _find_state(self, sha256: str) -> DocumentState | None:
        try:
            return await self._storage.documents.get_state(sha256)
        except NotFound:
            return None

    async def _delete_blob(self, blob: str | None) -> None:
        if blob is None:
            return
        self._reading.cancel(blob)
        await self._blobs.delete(blob)

    async def _forget_blob(self, blob: str) -> None:
        """Delete the bytes of a file that wasn't added, unless another file has the same."""
        if await self._find_state(blob) is None:
            await self._blobs.delete(blob)

    async def _announce_progress(self, ended: bool) -> None:
        """Wake whoever waits for pages or chunks."""
        self.embedding.resume()
        async with self._read:
            self._read.notify_all()
        self._notify(now=ended)

    async def _watch(self) -> None:
        """Look for what other processes read, added or left when they died, again and again."""
        while True:
            await self._storage.processes.wait_for_write(POLL_INTERVAL_S)
            try:
                await self._look_for_work()
            except StoreError as error:
                log.warning("work on documents cannot be looked for: %s", error.message)
            async with self._read:
                self._read.notify_all()
            await asyncio.sleep(MIN_POLL_INTERVAL_S)

    async def _look_for_work(self) -> None:
        jobs = self._storage.jobs
        if time.monotonic() - self._released >= RELEASE_INTERVAL_S:
            self._released = time.monotonic()
            await free_dead_claims(jobs, self._storage.processes)
        if self._parser.hears_with != self._heard_with:
            await self._queue_unheard()
        if "read" in self._work and await jobs.has_unread():
            self._reading.wake()
        if "embed" in self._work:
            await self.embedding.look_for_chunks()

    async def _queue_unheard(self) -> None:
        """Queue the recordings that wait for what recognizes speech, once it is there, or another model is chosen.

        So are those in other files that were left out before they could be heard. Raises StoreError.
        """
        self._heard_with = self._parser.hears_with
        if self._heard_with is None:
            return
        documents = self._storage.documents
        unheard: list[str] = []
        for code in (SpeechPartMissing.code, RecognizerMissing.code):
            unheard += await documents.list_failed(code)
        for remark in (UNHEARD, SET_ASIDE):
            unheard += await documents.list_remarked(remark)
        for sha256 in dict.fromkeys(unheard):
            with contextlib.suppress(NotFound):  # it has just been deleted
                await documents.requeue(sha256, READER_VERSION)
            self._notify(now=True)

    async def _sweep_forever(self) -> None:
        """Delete files that have expired, or are in no message and no library, again and again."""
        files = self._storage.files
        while True:
            try:
                now = int(self._clock() * 1000)
                unattached = await files.list_unattached_files(now - int(UNATTACHED_TTL_S * 1000))
                for file in (*unattached, *await files.list_expired_files(now)):
                    await self.delete(Principal(file.owner), file.id)
            except (StoreError, NotFound) as error:
                log.warning("unattached files were not deleted: %s", error.message)
            await asyncio.sleep(SWEEP_INTERVAL_S)

    async def _sweep_blobs(self) -> None:
        """Erase the shared bytes of documents that were deleted a minute ago, again and again."""

        async def is_needed(sha256: str) -> bool:
            return await self._find_state(sha256) is not None

        while True:
            await asyncio.sleep(SHARED_SWEEP_INTERVAL_S)
            try:
                await self._blobs.sweep(is_needed)
            except StoreError as error:
                log.warning("deleted files wait to be erased: %s", error.message)

    def _notify(self, *, now: bool = False) -> None:
        if now or time.monotonic() - self._notified >= NOTIFY_INTERVAL_S:
            self._notified = time.monotonic()
            self._changes.publish_to_all("files")


async def limit_size(source: AsyncIterable[bytes], name: str, max_mb: int) -> AsyncGenerator[bytes, None]:
    """Pass on a file's bytes. Raises TooLarge above `max_mb`, and InvalidInput for an empty file."""
    size = 0
    async for piece in source:
        size += len(piece)
        if size > max_mb * 1_000_000:
            raise TooLarge(f"{name} is larger than {max_mb:,} MB, the limit (ECLAIR_MAX_FILE_MB).")
        yield piece
    if size == 0:
        raise InvalidInput(f"{name} is empty; choose another file.")


def _log_failure(task: asyncio.Task[None]) -> None:
    """Log the exception of a background task, which never ends by itself unless we have a bug."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("work on documents has ended", exc_info=error)


def is_pending(state: DocumentState) -> bool:
    """Return whether a document can't be searched yet, but will be."""
    return not state.chunks and state.state in ("queued", "reading")
