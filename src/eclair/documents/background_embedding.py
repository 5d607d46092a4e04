"""Embeds the chunks of documents in the background, so that they are found by meaning too.

It waits while answers are made. What it embeds counts to the owner of the document, and waits while their budget is
used up. Documents that a question was just asked of come first, then those attached to messages
and the newest. Searching by words waits for none of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable

from eclair.documents.e5 import lane_count
from eclair.documents.embeddings import Embedder, EngineEmbedder
from eclair.errors import (
    EclairError,
    EmbeddingRefused,
    EngineBroken,
    EngineBusy,
    EngineRefused,
    KeyRefused,
    ModelTooLarge,
    StoreError,
    UpstreamError,
)
from eclair.network.gate import PRINCIPAL
from eclair.schema.documents import Chunk
from eclair.schema.jobs import Job
from eclair.schema.messages import Passage
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.util.background import IdleScheduler

BATCH_CHUNKS = 16 * lane_count()
"""Chunks whose vectors are saved together: two seconds of work."""

MAX_IDLE_WAIT_S = 30.0
"""The longest time that embedding yields to answers."""

MIN_WORK_S = 1.0
"""Then it works for so long beside them."""

RETRY_DELAY_S = 5.0
"""After a failure."""

MAX_RETRY_DELAY_S = 3600.0
"""After failures of one document, again and again."""

BUDGET_RETRY_S = 60.0
"""After a budget refused, since it may have been raised."""

OWN_HEADING_CHARS = 200
"""Headings within this many characters of a chunk's beginning count as its own."""

_FAULTS_OF_ALL = (KeyRefused, ModelTooLarge)
"""Refusals for which no document is to blame; others may be its text, so that the next one is tried first."""

FindOwner = Callable[[str], Awaitable[Principal | None]]
"""Finds an owner of documents with the rights that they have now; None where they are locked or gone."""

log = logging.getLogger(__name__)


async def nobody_known(owner: str) -> None:
    """A `FindOwner` for one person at a command line, whose groups and role nothing depends on."""


class BackgroundEmbedder:
    """Embeds what has no vector yet; without an embedder it does nothing.

    `notify` is called when documents have more vectors, with True if that was the last batch for now. `find_owner`
    says for whom a document is embedded.
    """

    def __init__(
        self,
        storage: Storage,
        embedder: Embedder | None,
        idle: IdleScheduler,
        notify: Callable[[bool], None],
        find_owner: FindOwner = nobody_known,
    ) -> None:
        self._storage = storage
        self._embedder = embedder
        self._idle = idle
        self._notify = notify
        self._find_owner = find_owner
        self._refused: dict[str, float] = {}
        self._chunks = asyncio.Event()
        self._asked: SearchScope | None = None
        self._works_until = 0.0
        self._waking: asyncio.Task[None] | None = None
        self.error: str | None = None
        """The reason why nothing can be embedded at the moment."""

    @property
    def is_enabled(self) -> bool:
        """True if documents can be searched by meaning once they are embedded."""
        return self._embedder is not None

    @property
    def uses_engine(self) -> bool:
        """True if an engine embeds, which has room for several documents at once."""
        return isinstance(self._embedder, EngineEmbedder)

    def resume(self) -> None:
        """Look for chunks without a vector."""
        self._chunks.set()

    async def look_for_chunks(self) -> None:
        """Resume where there are chunks without a vector, as other processes store some. Raises StoreError."""
        jobs = self._storage.jobs
        if self._embedder is not None and await jobs.has_unembedded(self._embedder.name, self._waiting_owners()):
            self.resume()

    def prefer(self, scope: SearchScope) -> None:
        """Embed the documents of a scope first, as questions are asked of them."""
        self._asked = scope

    def wake(self) -> None:
        """Start the embedder while a document is read, as its chunks will need it soon."""

        async def wake(embedder: Embedder) -> None:
            with contextlib.suppress(UpstreamError):  # embedding will report it
                await embedder.wake()

        if self._embedder is not None and (self._waking is None or self._waking.done()):
            self._waking = asyncio.create_task(wake(self._embedder), name="start the embedder")

    async def run(self) -> None:
        """Embed chunks as they come, until cancelled."""
        try:
            while self._embedder is not None:
                await self._chunks.wait()
                self._chunks.clear()
                try:
                    await self._embed_pending(self._embedder)
                except EngineBusy as error:
                    log.info("embedding waits: %s", error.message)
                    asyncio.get_running_loop().call_later(error.retry_after or RETRY_DELAY_S, self._chunks.set)
                except EclairError as error:
                    self.error = error.message
                    log.warning("documents are searched by words alone for now: %s", error.message)
                    asyncio.get_running_loop().call_later(RETRY_DELAY_S, self._chunks.set)
        finally:
            if self._waking is not None:
                self._waking.cancel()
                await asyncio.gather(self._waking, return_exceptions=True)

    async def _embed_pending(self, embedder: Embedder) -> None:
        """Embed chunks without a vector, of one document after another, until other processes have the rest."""
        jobs = self._storage.jobs
        while job := await jobs.claim_embedding(embedder.name, self._asked, self._waiting_owners()):
            try:
                await self._embed_some(embedder, job)
            except (EclairError, asyncio.CancelledError) as error:
                try:
                    if isinstance(error, EngineRefused | EngineBroken) and not isinstance(error, _FAULTS_OF_ALL):
                        await jobs.fail(job, error.message, _delay_s(job))
                    else:
                        await jobs.put_back(job, RETRY_DELAY_S if isinstance(error, EclairError) else 0)
                except StoreError:
                    jobs.put_back_later(job)
                raise
            except Exception as error:  # a bug of ours, which other documents need not wait for
                log.exception("a document was not embedded")
                await jobs.fail(job, f"Internal error ({type(error).__name__}); see the log.", _delay_s(job))
            else:
                await jobs.finish(job)

    async def _embed_some(self, embedder: Embedder, job: Job) -> None:
        """Embed some chunks of a document; others may come first after them."""
        chunks = self._storage.chunks
        some = await chunks.list_unembedded(embedder.name, BATCH_CHUNKS, document=job.subject)
        if not some:  # it was deleted meanwhile
            return
        texts = [embedding_text(chunk) for chunk in some]
        owner = await chunks.find_owner(job.subject)
        acting = PRINCIPAL.set(await self._find_owner(owner) or Principal(owner))
        try:
            vectors = await embedder.embed(texts, "passage", soon=False, turn=self._wait_until_idle)
        except EmbeddingRefused as error:
            self._wait_for_budget(owner, error)
            return
        finally:
            PRINCIPAL.reset(acting)
        await chunks.add_vectors(embedder.name, some, vectors)
        self.error = None
        self._notify(len(some) < BATCH_CHUNKS)

    def _waiting_owners(self) -> list[str]:
        """Return the owners whose documents wait for a budget."""
        now = time.monotonic()
        self._refused = {owner: until for owner, until in self._refused.items() if until > now}
        return list(self._refused)

    def _wait_for_budget(self, owner: str, error: EmbeddingRefused) -> None:
        log.info("documents of one person are searched by words alone for now: %s", error.message)
        self._refused[owner] = time.monotonic() + BUDGET_RETRY_S
        asyncio.get_running_loop().call_later(BUDGET_RETRY_S * 1.02, self._chunks.set)

    async def _wait_until_idle(self) -> None:
        """Wait until no answer is being made, for `MAX_IDLE_WAIT_S` at most."""
        if time.monotonic() < self._works_until:
            return

        async def nothing() -> bool:
            return True

        try:
            async with asyncio.timeout(MAX_IDLE_WAIT_S):
                while await self._idle.run_once(nothing, delay_s=0) is None:
                    pass
        except TimeoutError:
            self._works_until = time.monotonic() + MIN_WORK_S


def _delay_s(job: Job) -> float:
    return min(MAX_RETRY_DELAY_S, RETRY_DELAY_S * 4**job.attempts)


def embedding_text(chunk: Chunk | Passage) -> str:
    """Return the text to embed for a chunk or its passage: its headings, unless it begins with them, and its text."""
    above = [heading for heading in chunk.heading if heading not in chunk.text[: len(heading) + OWN_HEADING_CHARS]]
    return "\n".join([*([" › ".join(above)] if above else []), chunk.text])
