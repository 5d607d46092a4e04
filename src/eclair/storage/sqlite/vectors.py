"""Index of vectors in memory: exact nearest neighbors, by multiplying them all.

Vectors are 32-bit floats in slabs, those of one document side by side: 1.5 kB a chunk at 384 dimensions. Reading them
from the database is left to `chunks.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SLAB_ROWS = 4096

MAX_ROWS = 500_000
"""Above this, vectors that a search does not need are dropped."""


def packed(vectors: Floats) -> bytes:
    """16-bit floats: half the space, and a cosine that differs by less than 0.001."""
    return vectors.astype("<f2").tobytes()


class VectorIndex:
    """Vectors of one length. Documents have a key; their chunks are numbered from 0."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._slabs: list[Floats] = []
        self._ids: list[NDArray[np.int64]] = []
        self._used = SLAB_ROWS
        self._parts: dict[int, list[tuple[int, int, int]]] = {}
        self._held: dict[int, int] = {}

    @property
    def rows(self) -> int:
        return len(self._slabs) * SLAB_ROWS

    def held(self, key: int) -> int:
        """Return the number of chunks of a document that are loaded."""
        return self._held.get(key, 0)

    def add(self, key: int, data: bytes) -> None:
        """Append the next vectors of a document, in the format of `packed`."""
        vectors = np.frombuffer(data, "<f2").reshape(-1, self.dimensions)
        while len(vectors):
            if self._used == SLAB_ROWS:
                self._slabs.append(np.zeros((SLAB_ROWS, self.dimensions), np.float32))
                self._ids.append(np.zeros((SLAB_ROWS, 2), np.int64))
                self._used = 0
            count, start, held = min(len(vectors), SLAB_ROWS - self._used), self._used, self.held(key)
            self._slabs[-1][start : start + count] = vectors[:count]
            self._ids[-1][start : start + count, 0] = key
            self._ids[-1][start : start + count, 1] = np.arange(held, held + count)
            self._parts.setdefault(key, []).append((len(self._slabs) - 1, start, start + count))
            self._held[key] = held + count
            self._used += count
            vectors = vectors[count:]

    def drop(self, key: int) -> None:
        """Overwrite the vectors of a document. Their rows stay empty until `clear`."""
        for slab, start, stop in self._parts.pop(key, ()):
            self._slabs[slab][start:stop] = 0
        self._held.pop(key, None)

    def clear(self) -> None:
        self._slabs, self._ids, self._used = [], [], SLAB_ROWS
        self._parts, self._held = {}, {}

    def best(self, keys: Iterable[int], vector: Floats, limit: int) -> list[tuple[int, int, float]]:
        """Find the nearest chunks of these documents, as key, number and cosine, best first."""
        spans = _merged(part for key in keys for part in self._parts.get(key, ()))
        if not spans:
            return []
        # not `@`: its library shares each of these products between threads that wait for each other, spinning
        scores = np.concatenate([np.vecdot(self._slabs[slab][start:stop], vector) for slab, start, stop in spans])
        ids = np.concatenate([self._ids[slab][start:stop] for slab, start, stop in spans])
        most = min(limit, len(scores))
        top = np.argpartition(scores, -most)[-most:]
        top = top[np.argsort(-scores[top], kind="stable")]
        keyed = cast(list[list[int]], ids[top].tolist())
        return [(key, number, score) for (key, number), score in zip(keyed, scores[top].tolist(), strict=True)]


def _merged(parts: Iterable[tuple[int, int, int]]) -> Sequence[tuple[int, int, int]]:
    """Merge adjacent parts."""
    spans: list[tuple[int, int, int]] = []
    for slab, start, stop in sorted(parts):
        if spans and spans[-1][0] == slab and spans[-1][2] == start:
            spans[-1] = (slab, spans[-1][1], stop)
        else:
            spans.append((slab, start, stop))
    return spans
