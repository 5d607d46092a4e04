"""Takes files in: kept at once, then read page by page, cut, embedded, while answers already rest on what was read.

Reading and embedding go on in the background and are taken up where they were after the process died. What goes along
with a message is read before what was put into a library. How a file is read and how its chunks are found is the
affair of `parsing`, `chunks`, `embedding` and `search`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field

from eclair.documents.chunking import Chunker
from eclair.documents.e5 import lane_count
from eclair.documents.embeddings import TEXTS_PER_REQUEST, Embedder
from eclair.documents.parser import READER_VERSION, Parser
from eclair.errors import Conflict, EclairError, InvalidInput, NotFound, StoreError, TooLarge, UpstreamError, UserError
from eclair.schema.documents import Chunk, Opened, Page, Remarked
from eclair.schema.ids import Clock, new_id
from eclair.schema.messages import Fault
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.documents import DocumentState
from eclair.storage.files import FileState, StoredFile
from eclair.storage.libraries import Library
from eclair.util.background import IdleScheduler

OFTEN = 0.25
"""Seconds from a page on, after which those that were read meanwhile are kept with it and told of."""
MOST_PAGES = 64
"""Pages that are kept together."""
BATCH = TEXTS_PER_REQUEST * lane_count()
"""Chunks that are embedded together."""
PATIENCE = 30.0
"""Seconds for which embedding waits at most for an answer to end."""
AGAIN = 5.0
"""Seconds after which it is tried again where the disk is full."""
LOOSE_FOR = 24 * 3600
"""Seconds for which a file is kept that goes along with no message and is in no library."""
SWEEP = 3600.0
"""Seconds between two looks for such files."""
AHEAD = 50
"""Documents, of those that wait, of which one is being read where a process is at work on them."""
LOOK = 5.0
"""Seconds between two looks at what other processes took in and left unread when they ended."""

HEAD = 200
"""Characters at a chunk's beginning in which its own headings stand."""

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Gathered:
    """What was read and is not kept yet."""

    pages: list[Page] = field(default_factory=list[Page])
    chunks: list[Chunk] = field(default_factory=list[Chunk])
    since: float = 0.0

    def add(self, page: Page, chunks: list[Chunk]) -> None:
        self.since = self.since or time.monotonic()
        self.pages.append(page)
        self.chunks += chunks

    def due(self) -> bool:
        return len(self.pages) >= MOST_PAGES or (self.since > 0 and time.monotonic() - self.since >= OFTEN)


class Ingestor:
    """`start` takes up what is unfinished; `close` leaves it for the next time."""

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
    ) -> None:
        self._storage = storage
        self._blobs = blobs
        self._parser = parser
        self._embedder = embedder
        self._changes = changes
        self._idle = idle
        self._clock = clock
        self._ids = ids
        self._tasks: list[asyncio.Task[None]] = []
        self._readers: dict[str, asyncio.Task[None]] = {}
        self._queues = {"message": asyncio.Queue[str](), "library": asyncio.Queue[str]()}
        self._chunks = asyncio.Event()
        self._read = asyncio.Condition()
        self._deleting = asyncio.Lock()
        self._waking: asyncio.Task[None] | None = None
        self._told = 0.0
        self.read_error: str | None = None
        """Why nothing can be read for now."""
        self.embed_error: str | None = None
        """Why nothing can be embedded for now."""

    @property
    def has_embedder(self) -> bool:
        """Whether documents are found by meaning, once they are embedded."""
        return self._embedder is not None

    async def start(self) -> None:
        """Begin to read and embed what is unfinished. Raises StoreError."""
        await asyncio.to_thread(self._blobs.remove_partial)
        await self._storage.documents.erase_orphans()
        for sha256 in await self._storage.documents.list_outdated(READER_VERSION):
            await self._storage.documents.requeue(sha256, READER_VERSION)
        for state in await self._storage.documents.list_unfinished():
            self._queues["library"].put_nowait(state.sha256)
        self._chunks.set()
        works = [self._read_queue("message"), self._read_queue("library"), self._take_up(), self._sweep()]
        if self._embedder is not None:
            works.append(self._embed(self._embedder))
        self._tasks = [asyncio.create_task(work, name="documents") for work in works]
        for task in self._tasks:
            task.add_done_callback(_complain)

    async def close(self) -> None:
        tasks = [*self._tasks, *self._readers.values(), *([self._waking] if self._waking is not None else [])]
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
    ) -> FileState:
        """Keep a file, in the place of the one that it `replaces`, and have it read: `soon`, as where it is in no
        library, before what others put into theirs. Raises what `source` raises,
        NotFound for a library, Conflict for a path that another file has there, StoreError."""
        kept = await self._blobs.put_stream(source)
        file = StoredFile(
            id=self._ids("file"),
            owner=principal.id,
            name=name,
            size=kept.size,
            sha256=kept.name,
            media=media,
            created=int(self._clock() * 1000),
            library=library,
            path=path,
            mtime_ns=mtime_ns,
        )
        async with self._alone():
            if not await asyncio.to_thread(self._blobs.path(kept.name).exists):
                raise Conflict(f"{name} was being deleted while it was sent; send it again.")
            try:
                if replaces is None:
                    state, gone = await self._storage.files.add_file(principal, file, READER_VERSION), None
                else:
                    state, gone = await self._storage.files.replace_file(principal, replaces, file, READER_VERSION)
            except EclairError:
                await self._forget_blob(kept.name)
                raise
            await self._erased(gone)
        if state.state in ("queued", "reading"):
            self._queues["message" if is_urgent or library is None else "library"].put_nowait(kept.name)
        self._tell(now=True)
        return FileState(file, state)

    async def add_library(self, principal: Principal, name: str) -> Library:
        """Raises Conflict where there is one of that name."""
        library = Library(self._ids("lib"), principal.id, name, int(self._clock() * 1000))
        await self._storage.libraries.add_library(principal, library)
        self._tell(now=True)
        return library

    async def render_page(self, file: StoredFile, page: int, width: int) -> bytes:
        """A page as PNG, `width` pixels wide. Raises what the parser raises."""
        return await self._parser.render_page(self._blobs.path(file.sha256), file.name, page, width)

    async def retry(self, principal: Principal, id: str) -> FileState:
        """Read anew what could not be read. Raises NotFound."""
        file = (await self._storage.files.get_file(principal, id)).file
        state = await self._storage.documents.requeue(file.sha256, READER_VERSION)
        self._queues["message"].put_nowait(file.sha256)
        self._tell(now=True)
        return FileState(file, state)

    async def delete(self, principal: Principal, id: str) -> None:
        """Erase a file, and what was read of it where no other has the same bytes. Raises NotFound."""
        async with self._alone():
            await self._erased(await self._storage.files.delete_file(principal, id))
        self._tell(now=True)

    async def delete_library(self, principal: Principal, id: str) -> None:
        """Erase a library with its files. Raises NotFound."""
        async with self._alone():
            for blob in await self._storage.libraries.delete_library(principal, id):
                await self._erased(blob)
        self._tell(now=True)

    async def wait_until_searchable(self, sha256s: set[str], seconds: float) -> None:
        """Until something can be found in each of these documents, or it is known that nothing can, or for so long."""

        async def unknown() -> bool:
            states = [await self._state(sha256) for sha256 in sha256s]
            return any(state is not None and is_pending(state) for state in states)

        try:
            async with asyncio.timeout(seconds), self._read:
                while await unknown():
                    await self._read.wait()
        except TimeoutError:
            return

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        """Within, nobody adds or deletes files, in this process or another."""
        async with self._deleting, self._blobs.lock():
            yield

    async def _state(self, sha256: str) -> DocumentState | None:
        try:
            return await self._storage.documents.get_state(sha256)
        except NotFound:
            return None

    async def _erased(self, blob: str | None) -> None:
        if blob is None:
            return
        if (task := self._readers.get(blob)) is not None:
            task.cancel()
        await self._blobs.delete(blob)

    async def _forget_blob(self, blob: str) -> None:
        """Delete the bytes of what was not added, unless another file has them."""
        if await self._state(blob) is None:
            await self._blobs.delete(blob)

    async def _read_queue(self, name: str) -> None:
        """Read one document after another."""
        queue = self._queues[name]
        while True:
            sha256 = await queue.get()
            if sha256 in self._readers:
                continue
            task = self._readers[sha256] = asyncio.create_task(self._read_whole(sha256), name="read a document")
            try:
                await asyncio.wait([task])
            finally:
                task.cancel()
                del self._readers[sha256]
            if not task.cancelled() and (error := task.exception()) is not None:
                if isinstance(error, StoreError):
                    self.read_error = error.message
                    log.warning("a document waits to be read: %s", error.message)
                    asyncio.get_running_loop().call_later(AGAIN, queue.put_nowait, sha256)
                else:
                    log.error("a document was not read", exc_info=error)
            await self._woken(ended=True)

    async def _read_whole(self, sha256: str) -> None:
        """Read what of a document is not read yet, unless another process does. Raises StoreError."""
        try:
            with self._blobs.try_lock_reading(sha256) as ours:
                state = await self._storage.documents.get_state(sha256)
                if ours and state.state in ("queued", "reading"):
                    await self._read_rest(state)
        except (NotFound, Conflict):
            return  # it was deleted meanwhile, or another process reads it
        except UserError as error:
            await self._storage.documents.mark_failed(sha256, Fault(error.code, error.message))

    async def _read_rest(self, state: DocumentState) -> None:
        sha256 = state.sha256
        self._wake()
        chunker = Chunker(sha256)
        gathered = _Gathered()
        for stored in await self._storage.documents.list_pages(sha256):
            gathered.chunks += chunker.add(stored.page)
        name = await self._storage.files.get_name(sha256)
        reading = self._parser.read(self._blobs.path(sha256), name, after=state.pages_read)
        async with aclosing(reading) as pieces:
            async for piece in pieces:
                match piece:
                    case Opened(pages=pages):
                        await self._storage.documents.mark_reading(sha256, pages)
                    case Remarked(message=message):
                        await self._storage.documents.add_remark(sha256, message)
                    case Page():
                        gathered.add(piece, chunker.add(piece))
                if gathered.due():
                    await self._keep(sha256, gathered)
                    gathered = _Gathered()
        gathered.chunks += chunker.finish()
        await self._keep(sha256, gathered, finished=True)

    async def _keep(self, sha256: str, gathered: _Gathered, *, finished: bool = False) -> None:
        await self._storage.documents.add_pages(sha256, gathered.pages, gathered.chunks, finished=finished)
        self.read_error = None
        await self._woken()

    async def _woken(self, *, ended: bool = False) -> None:
        """Something was read, or all that can be: whoever waits for that looks."""
        self._chunks.set()
        async with self._read:
            self._read.notify_all()
        self._tell(now=ended)

    async def _take_up(self) -> None:
        """Have read what another process left, once it has ended: while it reads, its files are left to it."""
        while True:
            await asyncio.sleep(LOOK)
            self._chunks.set()
            if self._readers or not all(queue.empty() for queue in self._queues.values()):
                continue
            try:
                waiting = [state.sha256 for state in await self._storage.documents.list_unfinished()]
            except StoreError as error:
                log.warning("what is left to be read cannot be seen: %s", error.message)
                continue
            if not any(map(self._blobs.is_being_read, waiting[:AHEAD])):
                for sha256 in waiting:
                    self._queues["library"].put_nowait(sha256)

    def _wake(self) -> None:
        """Have the embedder start while a document is read: whoever asks of it wants it soon."""

        async def wake(embedder: Embedder) -> None:
            with contextlib.suppress(UpstreamError):  # whoever embeds hears of it
                await embedder.wake()

        if self._embedder is not None and (self._waking is None or self._waking.done()):
            self._waking = asyncio.create_task(wake(self._embedder), name="the embedder starts")

    async def _embed(self, embedder: Embedder) -> None:
        """Give each chunk its vector, in batches between answers."""
        while True:
            await self._chunks.wait()
            self._chunks.clear()
            try:
                await self._embed_rest(embedder)
            except EclairError as error:
                self.embed_error = error.message
                log.warning("documents are found by their words alone for now: %s", error.message)
                asyncio.get_running_loop().call_later(AGAIN, self._chunks.set)

    async def _embed_rest(self, embedder: Embedder) -> None:
        """Embed what has no vector yet, unless another process does."""
        with self._blobs.try_lock_embedding() as ours:
            while ours and (chunks := await self._storage.chunks.list_unembedded(embedder.name, BATCH)):
                await self._calm()
                vectors = await embedder.embed([embedding_text(chunk) for chunk in chunks], "passage", soon=False)
                await self._storage.chunks.add_vectors(embedder.name, chunks, vectors)
                self.embed_error = None
                self._tell(now=len(chunks) < BATCH)

    async def _calm(self) -> None:
        """Wait until nobody waits for an answer, but not for ever."""

        async def nothing() -> bool:
            return True

        try:
            async with asyncio.timeout(PATIENCE):
                while await self._idle.run_once(nothing, delay_s=0) is None:
                    pass
        except TimeoutError:
            return

    async def _sweep(self) -> None:
        """Erase what nothing holds any more."""
        while True:
            try:
                for file in await self._storage.files.list_unattached_files(int((self._clock() - LOOSE_FOR) * 1000)):
                    await self.delete(Principal(file.owner), file.id)
            except (StoreError, NotFound) as error:
                log.warning("files that nothing holds were not erased: %s", error.message)
            await asyncio.sleep(SWEEP)

    def _tell(self, *, now: bool = False) -> None:
        if now or time.monotonic() - self._told >= OFTEN:
            self._told = time.monotonic()
            self._changes.publish(None, "files")


async def limit_size(source: AsyncIterable[bytes], name: str, max_mb: int) -> AsyncGenerator[bytes, None]:
    """The bytes of a file, as they come. Raises TooLarge, and InvalidInput where there is nothing."""
    size = 0
    async for piece in source:
        size += len(piece)
        if size > max_mb * 1_000_000:
            raise TooLarge(f"{name} is larger than {max_mb:,} MB, the limit (ECLAIR_MAX_FILE_MB).")
        yield piece
    if size == 0:
        raise InvalidInput(f"{name} is empty; choose another file.")


def _complain(task: asyncio.Task[None]) -> None:
    """Work that ends by itself ended of a mistake of ours."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("work on documents has ended", exc_info=error)


def is_pending(state: DocumentState) -> bool:
    """Whether nothing of the document can be found yet, but soon."""
    return not state.chunks and state.state in ("queued", "reading")


def embedding_text(chunk: Chunk) -> str:
    """What of a chunk is embedded: its words below the headings that it does not begin with itself."""
    above = [heading for heading in chunk.heading if heading not in chunk.text[: len(heading) + HEAD]]
    return "\n".join([*([" › ".join(above)] if above else []), chunk.text])
