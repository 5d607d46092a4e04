"""Vectors of chunks on PostgreSQL, by pgvector: compared one by one in a small scope, by an index in a large one.

Processes hold none of them in memory, so any number of them can share a database.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from eclair.storage.chunks import ChunkHit, SearchScope
from eclair.storage.postgres.connection import RawConnection
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.document_rows import MAX_NUMBER, NUMBER_BITS
from eclair.storage.sql.search_scope import INSIDE, scope_values
from eclair.storage.sql.store import SQLStore, first_row, search, snapshot

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

INDEXED_DIMENSIONS = frozenset({384, 768, 1024})
"""Lengths of vectors for which the tables have an index."""
INDEX_MEMORY = "2GB"
"""Memory of a session that makes indexes, at most; an index that doesn't fit is made on disk, far more slowly."""
MAX_COMPARED = 200_000
"""Vectors that are compared one by one, which takes 0.4 µs each; in a larger scope the index is asked."""
MIN_CANDIDATES, MAX_CANDIDATES = 100, 1000

_EMBEDDED = (
    f"{INSIDE}, embedded (document) AS MATERIALIZED (SELECT DISTINCT number FROM document"
    " JOIN inside ON inside.document = number WHERE embedder = ?4 AND document.embedded > 0 AND sha256 IS NOT NULL)"
)
_COSINE = "-(embedding::public.vector <#> CAST(CAST(?5 AS TEXT) AS public.vector))"


class PostgresChunkVectors(SQLStore):
    """Implements `ChunkVectors`."""

    def put(self, db: Connection, id: int, vectors: NDArray[float32]) -> None:
        db.executemany(
            "INSERT INTO vector (id, embedding) VALUES (?, CAST(CAST(? AS TEXT) AS public.halfvec))",
            [(id + number, _literal(vector.tolist())) for number, vector in enumerate(vectors)],
        )

    @search
    def search(
        self, db: Connection, scope: SearchScope, embedder: str, vector: NDArray[float32], limit: int
    ) -> list[ChunkHit]:
        values = (*scope_values(scope), embedder, _literal(vector.tolist()))
        with snapshot(db):
            if len(vector) in INDEXED_DIMENSIONS and self._count(db, values[:4]) > MAX_COMPARED:
                rows = list(db.execute(_nearest_by_index(db, len(vector), limit), (*values, limit)))
            else:
                rows = list(db.execute(_nearest(len(vector)), (*values, limit)))
        return [ChunkHit(*row) for row in rows]

    async def forget(self, documents: Sequence[int]) -> None:
        pass

    def _count(self, db: Connection, values: tuple[str, ...]) -> int:
        sql = f"{_EMBEDDED} SELECT coalesce(sum(document.embedded), 0) FROM document JOIN embedded ON document = number"
        count: int = first_row(db, sql, values)[0]
        return count


async def drop_indexes(raw: RawConnection) -> None:
    """Drop the indexes of vectors before very many are added, which they would slow down."""
    for dimensions in sorted(INDEXED_DIMENSIONS):
        await raw.execute(f"DROP INDEX IF EXISTS vector_{dimensions}")


async def make_indexes(raw: RawConnection) -> None:
    """Make the indexes of vectors that `drop_indexes` dropped."""
    await raw.execute(f"SET maintenance_work_mem = '{INDEX_MEMORY}'")
    for dimensions in sorted(INDEXED_DIMENSIONS):
        await raw.execute(
            f"CREATE INDEX vector_{dimensions} ON vector USING hnsw"
            f" ((embedding::public.halfvec({dimensions})) public.halfvec_ip_ops)"
            f" WHERE public.vector_dims(embedding) = {dimensions}"
        )
    await raw.execute("RESET maintenance_work_mem")


def _nearest(dimensions: int) -> str:
    """Return the statement that compares all vectors of a scope.

    Their number of dimensions is no condition on them: PostgreSQL would expect hardly any to meet it.
    """
    cosine = f"CASE WHEN vector_dims(embedding) = {dimensions} THEN {_COSINE} END"
    return (
        f"{_EMBEDDED} SELECT id >> {NUMBER_BITS}, id & {MAX_NUMBER}, cosine"
        f" FROM (SELECT id, {cosine} AS cosine FROM vector JOIN embedded USING (document) OFFSET 0) AS compared"
        " WHERE cosine IS NOT NULL ORDER BY cosine DESC, id LIMIT ?6"
    )


def _nearest_by_index(db: Connection, dimensions: int, limit: int) -> str:
    """Return the statement that asks the index, and goes on asking until enough are of the scope; set it up so."""
    candidates = min(MAX_CANDIDATES, max(MIN_CANDIDATES, 2 * limit))
    for setting, value in (("iterative_scan", "strict_order"), ("ef_search", str(candidates))):
        list(db.execute("SELECT set_config(?, ?, true)", (f"hnsw.{setting}", value)))
    half = f"public.halfvec({dimensions})"
    return (
        f"{_EMBEDDED}, nearest AS MATERIALIZED (SELECT id, embedding FROM vector"
        f" WHERE document IN (SELECT document FROM embedded) AND vector_dims(embedding) = {dimensions}"
        f" ORDER BY embedding::{half} <#> CAST(CAST(?5 AS TEXT) AS {half}) LIMIT ?6)"
        f" SELECT id >> {NUMBER_BITS}, id & {MAX_NUMBER}, {_COSINE} AS cosine FROM nearest"
        " ORDER BY cosine DESC, id LIMIT ?6"
    )


def _literal(vector: Iterable[float]) -> str:
    """Write a vector as pgvector reads it."""
    return f"[{','.join(map(repr, vector))}]"
