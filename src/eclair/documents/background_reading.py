"""Reads and chunks documents in the background, whichever process took them in.

A document is claimed in the storage before it is read, so that one process reads it at a time. When that dies, another
goes on after the last page that was stored. One that ends its reader again and again is given up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field

from eclair.documents.background_embedding import BackgroundEmbedder
from eclair.documents.chunking import Chunker
from eclair.documents.document_parser import Parser
from eclair.documents.readers.file_type import SOUND_TYPES
from eclair.errors import (
    Conflict,
    EngineBusy,
    NotFound,
    SpeechPartMissing,
    StoreError,
    UnreadableFile,
    UpstreamError,
    UserError,
)
from eclair.schema.documents import Chunk, Opened, Page, UnreadPart
from eclair.schema.jobs import Job
from eclair.schema.messages import Fault
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.storage.documents import FILE_NAME_MARK, DocumentState

SAVE_INTERVAL_S = 0.25
"""The interval at which pages are saved and progress is announced while a document is read."""
MAX_BATCH_PAGES = 64
"""More pages are saved at once."""
RETRY_DELAY_S = 5.0
"""After a failure, such as a full disk. Each attempt at a document after the first waits so much longer."""
MAX_ATTEMPTS = 3
"""Attempts at a document without a further page, after which it can't be read."""

MAX_IDLE_S = 15.0
"""After which one that nobody wakes looks for documents by itself."""

RECORDING_DELAY_S = 15.0
"""The time for which a recording waits while another one is heard in its turn."""
MEMBER_DELAY_S = 120.0
"""The time for which one in an archive or e-mail waits: the file has to be opened again for each try."""

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


@dataclass(frozen=True, slots=True)
class _Turn:
    """The turn of a document to be read.

    A recording takes minutes, for which others needn't wait: it sets `is_recording`, and its reading goes on by itself
    if it `may_go_on`; otherwise another one does, and its turn comes later.
    """

    may_go_on: bool
    is_recording: asyncio.Event = field(default_factory=asyncio.Event)


class BackgroundReader:
    """Reads what waits to be read, by priority; each `run` reads one document at a time, and a recording beside it.

    `announce` is called when a document has more pages, with True once nothing more will be read of it.
    """

    def __init__(
        self,
        storage: Storage,
        blobs: Blobs,
        parser: Parser,
        embedding: BackgroundEmbedder,
        announce: Callable[[bool], Awaitable[None]],
    ) -> None:
        self._storage = storage
        self._blobs = blobs
        self._parser = parser
        self._embedding = embedding
        self._announce = announce
        self._readers: dict[str, asyncio.Task[float]] = {}
        self._woken = asyncio.Event()
        self._is_draining = False
        self.error: str | None = None
        """The reason why nothing can be read at the moment."""

    def wake(self) -> None:
        """Look for documents that wait."""
        self._woken.set()
        self._woken = asyncio.Event()

    def drain(self) -> None:
        """Begin no further document: each `run` ends once its own is read."""
        self._is_draining = True
        self.wake()

    def cancel(self, sha256: str) -> None:
        """Stop reading a document, which is being deleted."""
        if (task := self._readers.get(sha256)) is not None:
            task.cancel()

    async def run(self, *, min_priority: int = 0) -> None:
        """Read documents of that priority at least, until cancelled or drained."""
        recording: asyncio.Task[None] | None = None
        try:
            while not self._is_draining:
                woken = self._woken
                try:
                    job = await self._storage.jobs.claim_reading(min_priority=min_priority)
                except StoreError as error:
                    self._wait(error)
                    await asyncio.sleep(RETRY_DELAY_S)
                    continue
                if job is None:
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(MAX_IDLE_S):
                            await woken.wait()
                else:
                    recording = await self._take_turn(job, recording)
            if recording is not None:
                await recording
        finally:
            await _cancel(recording)

    async def _take_turn(self, job: Job, recording: asyncio.Task[None] | None) -> asyncio.Task[None] | None:
        """Read a document to its end, unless it is a recording that goes on by itself; return the one that does."""
        turn = _Turn(may_go_on=recording is None or recording.done())
        attempt = asyncio.create_task(self._attempt(job, turn), name="attempt a document")
        is_recording = asyncio.create_task(turn.is_recording.wait(), name="wait for a recording")
        try:
            await asyncio.wait([attempt, is_recording], return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            await _cancel(attempt)
            raise
        finally:
            is_recording.cancel()
        if not attempt.done() and turn.may_go_on:
            return attempt
        await attempt
        return recording

    async def _attempt(self, job: Job, turn: _Turn) -> None:
        """Read a document in a task of its own, and say what became of that."""
        task = self._readers[job.subject] = asyncio.create_task(self._read_document(job, turn), name="read a document")
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.wait([task])
            with contextlib.suppress(StoreError):  # the lease of this process ends soon
                await self._storage.jobs.put_back(job)
            raise
        finally:
            del self._readers[job.subject]
        while True:
            try:
                if not task.cancelled() and task.exception() is None and (delay_s := task.result()):
                    await self._storage.jobs.put_back(job, delay_s)
                else:
                    await self._end(job, None if task.cancelled() else task.exception())
                break
            except StoreError as error:
                self._wait(error)
                await asyncio.sleep(RETRY_DELAY_S)
        await self._announce(True)

    async def _end(self, job: Job, error: BaseException | None) -> None:
        """Give a claim back as its attempt ended. Raises StoreError."""
        jobs = self._storage.jobs
        match error:
            case None | NotFound():  # it was read, or deleted
                await jobs.finish(job)
            case Conflict():  # where another process has taken it over, nothing changes
                await jobs.fail(job, error.message, job.attempts * RETRY_DELAY_S)
            case StoreError():
                self._wait(error)
                await jobs.put_back(job, RETRY_DELAY_S)
            case _:
                log.error("a document was not read", exc_info=error)
                fault = f"Internal error ({type(error).__name__}); see the log."
                await jobs.fail(job, fault, job.attempts * RETRY_DELAY_S)

    def _wait(self, error: StoreError) -> None:
        self.error = error.message
        log.warning("documents wait to be read: %s", error.message)

    async def _read_document(self, job: Job, turn: _Turn) -> float:
        """Read the remaining pages of a document; return 0, or the seconds after which it is tried again.

        That is when the turn of a recording comes, or what hears it may have room.
        Raises NotFound, Conflict and StoreError.
        """
        documents, sha256 = self._storage.documents, job.subject
        try:
            if job.attempts > MAX_ATTEMPTS:
                raise UnreadableFile(
                    f"{FILE_NAME_MARK} cannot be read: {MAX_ATTEMPTS} attempts ended before a further page was read. "
                    "Try again, or save it again from the program that made it."
                )
            state = await documents.get_state(sha256)
            if state.state in ("queued", "reading"):
                return await self._read_pages(job, state, turn)
        except (NotFound, Conflict):
            raise
        except EngineBusy as error:
            log.info("a recording waits: %s", error.message)
            return max(RETRY_DELAY_S, error.retry_after or 0.0)
        except (UserError, SpeechPartMissing, UpstreamError) as error:
            message = without_name(error.message, await self._storage.files.get_name(sha256))
            await documents.mark_failed(sha256, Fault(error.code, message), job)
        return 0.0

    async def _read_pages(self, job: Job, state: DocumentState, turn: _Turn) -> float:
        sha256 = state.sha256
        self._embedding.wake()
        chunker = Chunker(sha256)
        batch = _PageBatch()
        kept = [stored.page for stored in await self._storage.documents.list_pages(sha256)]
        batch.chunks += await asyncio.to_thread(_chunk, chunker, kept)
        name = await self._storage.files.get_name(sha256)
        opened = 0
        async with (
            self._blobs.open_path(sha256, check=False) as path,
            aclosing(self._parser.read(path, name, kept)) as pieces,
        ):
            async for piece in pieces:
                match piece:
                    case Opened(media=media, pages=pages):
                        opened += 1
                        if media in SOUND_TYPES:
                            turn.is_recording.set()
                            if not turn.may_go_on:
                                await self._save(job, batch)
                                return RECORDING_DELAY_S if opened == 1 else MEMBER_DELAY_S
                        await self._storage.documents.mark_reading(sha256, pages)
                    case UnreadPart(message=message):
                        await self._storage.documents.add_remark(sha256, without_name(message, name))
                    case Page():
                        batch.add(piece, chunker.add(piece))
                if batch.is_due():
                    await self._save(job, batch)
                    batch = _PageBatch()
        batch.chunks += chunker.finish()
        await self._save(job, batch, finished=True)
        return 0.0

    async def _save(self, job: Job, batch: _PageBatch, *, finished: bool = False) -> None:
        await self._storage.documents.add_pages(job.subject, batch.pages, batch.chunks, finished=finished, job=job)
        self.error = None
        await self._announce(False)


def _chunk(chunker: Chunker, pages: Iterable[Page]) -> list[Chunk]:
    return [chunk for page in pages for chunk in chunker.add(page)]


async def _cancel(task: asyncio.Task[None] | None) -> None:
    """Cancel a task, and wait until it has ended."""
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task])


def without_name(message: str, name: str) -> str:
    """Return a sentence about a document without the name of the file that it was read from."""
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", FILE_NAME_MARK, message)
