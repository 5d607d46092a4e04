"""Vectors of chunks in a database: what the store of chunks asks of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from eclair.storage.chunks import ChunkHit, SearchScope
from eclair.storage.sql.connection import Connection

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


class ChunkVectors(Protocol):
    """Vectors in the table `vector`, whose ids are those of chunks, and the search among them."""

    def put(self, db: Connection, id: int, vectors: NDArray[float32]) -> None:
        """Add vectors for chunks in a row, of which the first has this id."""
        ...

    async def search(self, scope: SearchScope, embedder: str, vector: NDArray[float32], limit: int) -> list[ChunkHit]:
        """Find the chunks nearest to a vector as `ChunkStore.search_vectors` says."""
        ...

    async def forget(self, documents: Sequence[int]) -> None:
        """Drop the vectors of erased documents from memory."""
        ...
