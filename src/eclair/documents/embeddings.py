"""Embeds texts: with multilingual-e5-small here, or an engine's embedding model.

The cosine of two vectors tells how close their texts are in meaning, whatever their languages. Storing and searching
vectors is left to the storage.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from eclair.documents.e5 import find_weights, lane_count
from eclair.documents.e5.embedding_protocol import REQUESTS, RESULTS, EmbedTexts, Vectors
from eclair.errors import BudgetExceeded, EmbeddingRefused, EngineBroken, EngineUnavailable
from eclair.generation.usage import ReadTexts, read_uncounted
from eclair.llm.registry import Registry
from eclair.settings import Settings
from eclair.util.child_process import ChildProcess, python_module
from eclair.util.frames import FrameError

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

EmbeddingKind = Literal["query", "passage"]
Turn = Callable[[], Awaitable[None]]

TEXTS_PER_REQUEST = 4
"""A cancelled embedding stops after this many texts in each lane, and after one that is not urgent."""

IDLE_TIMEOUT_S = 300.0
"""An idle process is ended, so that its memory is free."""

_TASK = "Instruct: Given a question, find passages that answer it\nQuery: "
MODEL_PREFIXES: tuple[tuple[str, str, str], ...] = (
    ("e5-mistral", _TASK, ""),
    ("e5-large-instruct", _TASK, ""),
    ("qwen3-embedding", _TASK, ""),
    ("e5-", "query: ", "passage: "),
    ("nomic-embed", "search_query: ", "search_document: "),
)
"""Prefixes that models expect before a query and before a passage, by a part of their name."""


class Embedder(Protocol):
    @property
    def name(self) -> str:
        """Vectors of embedders with different names are never compared."""
        ...

    async def embed(
        self, texts: Sequence[str], kind: EmbeddingKind, *, soon: bool = True, turn: Turn | None = None
    ) -> NDArray[float32]:
        """Return a matrix with a unit vector for each text. Without `soon` it delays no other request.

        `turn` is awaited before each piece of the work. Raises UpstreamError; EmbeddingRefused is one.
        """
        ...

    async def wake(self) -> None:
        """Start whatever takes time, as it will be needed. Raises UpstreamError."""
        ...

    async def close(self) -> None: ...


def choose_embedder(settings: Settings, registry: Registry, reading: ReadTexts = read_uncounted) -> Embedder | None:
    """Return the embedder of the settings; None if it is off, or not available on this platform.

    `reading` counts what a model of an engine reads.
    """
    if settings.embedder == "off":
        return None
    if settings.embedder != "auto":
        return EngineEmbedder(registry, settings.embedder, reading)
    return E5Embedder() if find_weights() is not None else None


def prefixes_of(model: str) -> dict[EmbeddingKind, str]:
    """Return the prefixes that a model expects; empty ones if it expects none."""
    found = next((prefixes for part, *prefixes in MODEL_PREFIXES if part in model.lower()), ("", ""))
    return {"query": found[0], "passage": found[1]}


class EngineEmbedder:
    """Embeds with a model of an engine, which is looked up each time, since engines come and go.

    It counts to the person on whose behalf it is asked.
    """

    def __init__(self, registry: Registry, model: str, reading: ReadTexts = read_uncounted) -> None:
        self._registry = registry
        self._reading = reading
        self.name = model
        self._prefixes = prefixes_of(model)

    async def embed(
        self, texts: Sequence[str], kind: EmbeddingKind, *, soon: bool = True, turn: Turn | None = None
    ) -> NDArray[float32]:
        if turn is not None:
            await turn()
        engine, model = await self._registry.resolve_for_house(self.name)
        prefixed = [self._prefixes[kind] + text for text in texts]
        try:
            async with self._reading(model, prefixed) as count:
                found = await engine.embed(model.id, prefixed, None)
                count(found.tokens)
        except BudgetExceeded as error:
            raise EmbeddingRefused(error.message) from error
        return await asyncio.to_thread(_normalize, found.vectors)

    async def wake(self) -> None:
        """Do nothing: the engine is its owner's to start."""

    async def close(self) -> None:
        """Do nothing: the engine is its owner's to close."""


@dataclass(frozen=True, slots=True)
class EmbeddedTexts:
    """A unit vector for each text, as the rows of a matrix, and the texts' tokens in all."""

    matrix: NDArray[float32]
    tokens: int


@dataclass(slots=True)
class _Running:
    process: ChildProcess[EmbedTexts, Vectors]
    reader: asyncio.Task[None]
    waiting: dict[int, asyncio.Future[EmbeddedTexts]]


class E5Embedder:
    """Embeds with multilingual-e5-small in four bits, in a process that starts on demand."""

    name = "multilingual-e5-small-q4"

    def __init__(self, idle: float = IDLE_TIMEOUT_S) -> None:
        self._idle = idle
        self._running: _Running | None = None
        self._starting = asyncio.Lock()
        self._lanes = asyncio.Semaphore(lane_count())
        self._bulk_lanes = asyncio.Semaphore(lane_count())
        self._numbers = itertools.count()
        self._ending: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def embed(
        self, texts: Sequence[str], kind: EmbeddingKind, *, soon: bool = True, turn: Turn | None = None
    ) -> NDArray[float32]:
        size, lanes = (TEXTS_PER_REQUEST, None) if soon else (1, self._lanes)
        prefixed = [f"{kind}: {text}" for text in texts]
        return (await self._embed_batches(prefixed, size, lanes, is_urgent=soon, turn=turn)).matrix

    async def embed_counted(self, texts: Sequence[str]) -> EmbeddedTexts:
        """Embed texts that have their prefixes, and count their tokens. Raises UpstreamError.

        A few wait for nothing. More share the lanes of what isn't urgent: half of them while documents are embedded.
        """
        is_urgent = len(texts) <= TEXTS_PER_REQUEST
        lanes = None if is_urgent else self._bulk_lanes
        return await self._embed_batches(texts, TEXTS_PER_REQUEST, lanes, is_urgent=is_urgent)

    async def _embed_batches(
        self,
        texts: Sequence[str],
        size: int,
        lanes: asyncio.Semaphore | None,
        *,
        is_urgent: bool,
        turn: Turn | None = None,
    ) -> EmbeddedTexts:
        """Embed texts, `size` at a time, as many at once as there are `lanes`."""
        import numpy as np  # takes 0.1 s, which most starts don't need

        async def embed_batch(at: int) -> EmbeddedTexts:
            async with lanes or contextlib.nullcontext():
                if turn is not None:
                    await turn()
                return await self._embed_request(texts[at : at + size], is_urgent)

        works = [asyncio.create_task(embed_batch(at)) for at in range(0, len(texts), size)]
        try:
            parts = await asyncio.gather(*works)
        finally:
            for work in works:
                work.cancel()
            await asyncio.gather(*works, return_exceptions=True)
        matrix = np.concatenate([part.matrix for part in parts]) if parts else np.zeros((0, 0), np.float32)
        return EmbeddedTexts(matrix, sum(part.tokens for part in parts))

    async def wake(self) -> None:
        await self._embed_request((), is_urgent=False)

    async def close(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        if self._running is not None:
            running, self._running = self._running, None
            await _end(running)
        await asyncio.gather(*self._closing)

    @property
    def pid(self) -> int | None:
        """The process id, while there is a process."""
        return self._running.process.pid if self._running is not None else None

    async def _embed_request(self, texts: Sequence[str], is_urgent: bool) -> EmbeddedTexts:
        running = await self._ensure_running()
        request = EmbedTexts(next(self._numbers), tuple(map(_clean_text, texts)), is_urgent)
        future: asyncio.Future[EmbeddedTexts] = asyncio.get_running_loop().create_future()
        running.waiting[request.number] = future
        try:
            with contextlib.suppress(ConnectionError):  # then the reader says so
                await running.process.send(request)
            return await future
        finally:
            running.waiting.pop(request.number, None)
            self._schedule_stop()

    async def _ensure_running(self) -> _Running:
        async with self._starting:
            if self._running is None or self._running.reader.done():
                self._running = await self._start()
            return self._running

    async def _start(self) -> _Running:
        try:
            process = await ChildProcess[EmbedTexts, Vectors].start(
                python_module("eclair.documents.e5.process"), REQUESTS, RESULTS
            )
        except OSError as error:
            raise EngineUnavailable(f"The embedder cannot be started: {error.strerror}.") from error
        waiting: dict[int, asyncio.Future[EmbeddedTexts]] = {}
        return _Running(process, asyncio.create_task(_read(process, waiting), name="embedder"), waiting)

    def _schedule_stop(self) -> None:
        if self._ending is not None:
            self._ending.cancel()
        self._ending = asyncio.get_running_loop().call_later(self._idle, self._stop_if_idle)

    def _stop_if_idle(self) -> None:
        if self._running is None or self._running.waiting:
            return
        task = asyncio.create_task(_end(self._running))
        self._running = None
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


async def _read(process: ChildProcess[EmbedTexts, Vectors], waiting: dict[int, asyncio.Future[EmbeddedTexts]]) -> None:
    """Hand results to their requests until the process ends."""
    import numpy as np

    with contextlib.suppress(EOFError, FrameError):
        while True:
            vectors = await process.receive()
            future = waiting.get(vectors.number)
            if future is not None and not future.done():  # else it was cancelled
                matrix = np.frombuffer(vectors.data, np.float32).reshape(vectors.rows, vectors.columns)
                future.set_result(EmbeddedTexts(matrix, vectors.tokens))
    await process.stop()
    for future in waiting.values():
        if not future.done():
            future.set_exception(EngineBroken(f"The embedder died ({process.last_words()}); try again."))


async def _end(running: _Running) -> None:
    await running.process.stop()
    await running.reader


def _clean_text(text: str) -> str:
    """Return the text without NUL and lone surrogates."""
    return text.encode(errors="replace").decode().replace("\0", " ")


def _normalize(vectors: Sequence[Sequence[float]]) -> NDArray[float32]:
    import numpy as np

    matrix = np.asarray(vectors, np.float32)
    return matrix / np.maximum(np.linalg.norm(matrix, axis=1, keepdims=True), 1e-12)
