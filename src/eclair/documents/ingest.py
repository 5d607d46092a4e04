"""Ingests files: stores them, then reads and chunks in the background.

Answers can already use the pages that have been read. Work that a process left unfinished is resumed by the next. Files
of messages come before those of libraries. `document_parser` reads a file, `chunking` cuts it, `background_embedding`
embeds its chunks and `document_search` finds them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.documents.background_embedding import BackgroundEmbedder, FindOwner, nobody_known
from eclair.documents.chunking import Chunker
from eclair.documents.document_parser import READER_VERSION, Parser
from eclair.documents.embeddings import Embedder
from eclair.errors import Conflict, EclairError, InvalidInput, NotFound, StoreError, TooLarge, UserError
from eclair.schema.documents import Chunk, Opened, Page, UnreadPart
from eclair.schema.ids import Clock, new_id
from eclair.schema.messages import Fault
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.documents import FILE_NAME_MARK, DocumentState
from eclair.storage.files import FileState, StoredFile
from eclair.storage.libraries import Library
from eclair.util.background import IdleScheduler

SAVE_INTERVAL_S = 0.25
"""The interval at which pages are saved and progress is announced while a document is read."""
MAX_BATCH_PAGES = 64
"""More pages are saved at once."""
RETRY_DELAY_S = 5.0
"""After a failure, such as a full disk."""
UNATTACHED_TTL_S = 24 * 3600
"""After this time, a file that is in no message and no library is deleted."""
SWEEP_INTERVAL_S = 3600.0
SHARED_SWEEP_INTERVAL_S = 30.0
MAX_CHECKED_DOCUMENTS = 50
"""If none of this many waiting documents is being read, no process is at work on them."""
RESUME_INTERVAL_S = 5.0
"""Between two checks for documents that another process has abandoned."""

NO_UPLOADS = "Your account may not add to libraries; ask an administrator."

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _PageBatch:
    """Pages and chunks that were read but aren't saved yet."""

    pages: list[Page] = field(default_factory=list[Page])
    chunks: list[Chunk] = field(default_factory=list[Chunk])
    since: float = 0.0

    def add(self, page: Page, chunks: list[Chunk]) -> None:
        self.since = self.since or time.monotonic()
        self.pages.append(page)
        self.chunks += chunks

    def is_due(self) -> bool:
        return len(self.pages) >= MAX_BATCH_PAGES or (
            self.since > 0 and time.monotonic() - self.since >= SAVE_INTERVAL_S
        )


class Ingestor:
    """Ingests files. `start` resumes unfinished work; `close` leaves it for the next time."""

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
    ) -> None:
        self._rights = rights
        self._storage = storage
        self._blobs = blobs
        self._parser = parser
        self._changes = changes
        self._clock = clock
        self._ids = ids
        self._tasks: list[asyncio.Task[None]] = []
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._queues = {"message": asyncio.Queue[str](), "library": asyncio.Queue[str]()}
        self._read = asyncio.Condition()
        self._deleting = asyncio.Lock()
        self._notified = 0.0
        self.embedding = BackgroundEmbedder(
            storage, blobs, embedder, idle, lambda ended: self._notify(now=ended), find_owner
        )
        self.read_error: str | None = None
        """The reason why nothing can be read at the moment."""

    @property
    def waiting(self) -> int:
        """The documents that wait to be read."""
        return sum(queue.qsize() for queue in self._queues.values())

    async def start(self) -> None:
        """Resume reading and embedding. Raises StoreError."""
        await asyncio.to_thread(self._blobs.remove_partial)
        await self._storage.documents.erase_orphans()
        for sha256 in await self._storage.documents.list_outdated(READER_VERSION):
            await self._storage.documents.requeue(sha256, READER_VERSION)
        for state in await self._storage.documents.list_unfinished():
            self._queues["library"].put_nowait(state.sha256)
        self.embedding.resume()
        works = [
            self._read_queue("message"),
            self._read_queue("library"),
            self._resume_abandoned(),
            self._sweep_forever(),
            *([self._sweep_blobs()] if self._blobs.is_shared else []),
            *([self.embedding.run()] if self.embedding.is_enabled else []),
        ]
        self._tasks = [asyncio.create_task(work, name="documents") for work in works]
        for task in self._tasks:
            task.add_done_callback(_log_failure)

    async def close(self) -> None:
        tasks = [*self._tasks, *self._readers.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

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
            if not await self._blobs.exists(kept.name):
                raise Conflict(f"{name} was being deleted while it was sent; send it again.")
            try:
                if replaces is None:
                    state, gone = await self._storage.files.add_file(principal, file, READER_VERSION), None
                else:
                    state, gone = await self._storage.files.replace_file(principal, replaces, file, READER_VERSION)
            except EclairError:
                await self._forget_blob(kept.name)
                raise
            await self._delete_blob(gone)
        if state.state in ("queued", "reading"):
            self._queues["message" if is_urgent or library is None else "library"].put_nowait(kept.name)
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

    async def retry(self, principal: Principal, id: str) -> FileState:
        """Queue a file that couldn't be read once more. Raises NotFound."""
        file = (await self._storage.files.get_file(principal, id)).file
        state = await self._storage.documents.requeue(file.sha256, READER_VERSION)
        self._queues["message"].put_nowait(file.sha256)
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
        async with self._deleting, self._blobs.claims.lock():
            yield

    async def _find_state(self, sha256: str) -> DocumentState | None:
        try:
            return await self._storage.documents.get_state(sha256)
        except NotFound:
            return None

    async def _delete_blob(self, blob: str | None) -> None:
        if blob is None:
            return
        if (task := self._readers.get(blob)) is not None:
            task.cancel()
        await self._blobs.delete(blob)

    async def _forget_blob(self, blob: str) -> None:
        """Delete the bytes of a file that wasn't added, unless another file has the same."""
        if await self._find_state(blob) is None:
            await self._blobs.delete(blob)

    async def _read_queue(self, name: str) -> None:
        """Read the queued documents one after another."""
        queue = self._queues[name]
        while True:
            sha256 = await queue.get()
            if sha256 in self._readers:
                continue
            task = self._readers[sha256] = asyncio.create_task(self._read_document(sha256), name="read a document")
            try:
                await asyncio.wait([task])
            finally:
                task.cancel()
                del self._readers[sha256]
            if not task.cancelled() and (error := task.exception()) is not None:
                if isinstance(error, StoreError):
                    self.read_error = error.message
                    log.warning("a document waits to be read: %s", error.message)
                    asyncio.get_running_loop().call_later(RETRY_DELAY_S, queue.put_nowait, sha256)
                else:
                    log.error("a document was not read", exc_info=error)
            await self._announce_progress(ended=True)

    async def _read_document(self, sha256: str) -> None:
        """Read the remaining pages of a document, unless another process does. Raises StoreError."""
        try:
            with self._blobs.claims.try_lock_reading(sha256) as ours:
                state = await self._storage.documents.get_state(sha256)
                if ours and state.state in ("queued", "reading"):
                    await self._read_pages(state)
        except (NotFound, Conflict):
            return  # it was deleted, or another process reads it
        except UserError as error:
            name = await self._storage.files.get_name(sha256)
            message = _without_name(error.message, name)
            await self._storage.documents.mark_failed(sha256, Fault(error.code, message))

    async def _read_pages(self, state: DocumentState) -> None:
        sha256 = state.sha256
        self.embedding.wake()
        chunker = Chunker(sha256)
        batch = _PageBatch()
        for stored in await self._storage.documents.list_pages(sha256):
            batch.chunks += chunker.add(stored.page)
        name = await self._storage.files.get_name(sha256)
        async with (
            self._blobs.open_path(sha256, check=False) as path,
            aclosing(self._parser.read(path, name, after=state.pages_read)) as pieces,
        ):
            async for piece in pieces:
                match piece:
                    case Opened(pages=pages):
                        await self._storage.documents.mark_reading(sha256, pages)
                    case UnreadPart(message=message):
                        await self._storage.documents.add_remark(sha256, _without_name(message, name))
                    case Page():
                        batch.add(piece, chunker.add(piece))
                if batch.is_due():
                    await self._save(sha256, batch)
                    batch = _PageBatch()
        batch.chunks += chunker.finish()
        await self._save(sha256, batch, finished=True)

    async def _save(self, sha256: str, batch: _PageBatch, *, finished: bool = False) -> None:
        await self._storage.documents.add_pages(sha256, batch.pages, batch.chunks, finished=finished)
        self.read_error = None
        await self._announce_progress()

    async def _announce_progress(self, *, ended: bool = False) -> None:
        """Wake whoever waits for pages or chunks."""
        self.embedding.resume()
        async with self._read:
            self._read.notify_all()
        self._notify(now=ended)

    async def _resume_abandoned(self) -> None:
        """Queue documents that another process has abandoned; those of a process that runs are left to it."""
        while True:
            await asyncio.sleep(RESUME_INTERVAL_S)
            self.embedding.resume()
            if self._readers or not all(queue.empty() for queue in self._queues.values()):
                continue
            try:
                waiting = [state.sha256 for state in await self._storage.documents.list_unfinished()]
            except StoreError as error:
                log.warning("abandoned documents cannot be listed: %s", error.message)
                continue
            if not any(map(self._blobs.claims.is_being_read, waiting[:MAX_CHECKED_DOCUMENTS])):
                for sha256 in waiting:
                    self._queues["library"].put_nowait(sha256)

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
        if now or time.monotonic() - self._notified >= SAVE_INTERVAL_S:
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


def _without_name(message: str, name: str) -> str:
    """Return a sentence about a document without the name of the file that it was read from."""
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", FILE_NAME_MARK, message)


def _log_failure(task: asyncio.Task[None]) -> None:
    """Log the exception of a background task, which never ends by itself unless we have a bug."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("work on documents has ended", exc_info=error)


def is_pending(state: DocumentState) -> bool:
    """Return whether a document can't be searched yet, but will be."""
    return not state.chunks and state.state in ("queued", "reading")
