"""Vectors of chunks on SQLite: in memory once they are searched, and brought up to date by each search."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eclair.storage.chunks import ChunkHit, SearchScope
from eclair.storage.sql.connection import Connection, Database
from eclair.storage.sql.document_rows import id_range
from eclair.storage.sql.search_scope import INSIDE, scope_values
from eclair.storage.sql.store import SQLStore, read

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from eclair.storage.sqlite.vectors import VectorIndex

MAX_DOCUMENTS_PER_LOAD = 50
"""Documents whose vectors are loaded in one read."""


class SQLiteChunkVectors(SQLStore):
    """Implements `ChunkVectors`."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._vectors: VectorIndex | None = None
        self._embedder = ""
        self._searching = asyncio.Lock()

    def put(self, db: Connection, id: int, vectors: NDArray[float32]) -> None:
        from eclair.storage.sqlite.vectors import packed  # numpy takes 0.1 s to import, and many never need it

        db.execute("INSERT INTO vector (id, count, data) VALUES (?, ?, ?)", (id, len(vectors), packed(vectors)))

    async def search(self, scope: SearchScope, embedder: str, vector: NDArray[float32], limit: int) -> list[ChunkHit]:
        documents = await self._list_embedded(scope, embedder)
        async with self._searching:
            vectors = await self._load(embedder, len(vector), documents)
            best = await asyncio.to_thread(vectors.best, [key for key, _ in documents], vector, limit)
        return [ChunkHit(*each) for each in best]

    async def forget(self, documents: Sequence[int]) -> None:
        async with self._searching:
            for number in documents:
                if self._vectors is not None:
                    self._vectors.drop(number)

    @read
    def _list_embedded(self, db: Connection, scope: SearchScope, embedder: str) -> list[tuple[int, int]]:
        """Number and count of vectors of the scope's documents that have vectors of the embedder."""
        return list(
            db.execute(
                f"{INSIDE} SELECT DISTINCT number, embedded FROM document JOIN inside ON inside.document = number"
                " WHERE embedder = ?4 AND embedded > 0 AND sha256 IS NOT NULL ORDER BY number",
                (*scope_values(scope), embedder),
            )
        )

    async def _load(self, embedder: str, dimensions: int, documents: Sequence[tuple[int, int]]) -> VectorIndex:
        """The vectors in memory, with all that these documents have."""
        from eclair.storage.sqlite.vectors import MAX_ROWS, VectorIndex

        vectors = self._vectors
        if vectors is None or (self._embedder, vectors.dimensions) != (embedder, dimensions):
            vectors = self._vectors = VectorIndex(dimensions)
            self._embedder = embedder
        missing = [(key, count) for key, count in documents if vectors.held(key) != count]
        room = max(MAX_ROWS, 2 * sum(count for _, count in documents))
        if missing and vectors.rows + sum(count for _, count in missing) > room:
            vectors.clear()
            missing = list(documents)
        for start in range(0, len(missing), MAX_DOCUMENTS_PER_LOAD):
            await self._load_documents(vectors, missing[start : start + MAX_DOCUMENTS_PER_LOAD])
        return vectors

    @read
    def _load_documents(self, db: Connection, vectors: VectorIndex, documents: Sequence[tuple[int, int]]) -> None:
        for key, embedded in documents:
            if vectors.held(key) > embedded:  # embedded again meanwhile
                vectors.drop(key)
            rows = db.execute(
                "SELECT count, data FROM vector WHERE id BETWEEN ? AND ? ORDER BY id",
                id_range(key, vectors.held(key)),
            )
            for count, data in list(rows):
                if len(data) == count * vectors.dimensions * 2:  # else the model was replaced under its name
                    vectors.add(key, data)
