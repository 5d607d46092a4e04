"""Vectors in memory, and which of them are nearest to one: exact, by multiplying them all.

They are kept as 32-bit floats in slabs, those of one document beside each other: 1.5 kB a chunk at 384 dimensions.
What is in the database is not this module's affair.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SLAB = 4096
"""Rows of a slab."""

MOST_ROWS = 500_000
"""When more are held than this, those that a search does not need are let go."""


def packed(vectors: Floats) -> bytes:
    """As 16-bit floats: half the space, and a cosine that differs by less than 0.001."""
    return vectors.astype("<f2").tobytes()


class Vectors:
    """Vectors of one length. Documents are known by a key; their chunks are numbered from 0."""

    def __init__(self, dimensions: int) -> None:
        self.dimensions = dimensions
        self._slabs: list[Floats] = []
        self._ids: list[NDArray[np.int64]] = []
        self._used = SLAB
        self._parts: dict[int, list[tuple[int, int, int]]] = {}
        self._held: dict[int, int] = {}

    @property
    def rows(self) -> int:
        return len(self._slabs) * SLAB

    def held(self, key: int) -> int:
        """How many chunks of a document are here."""
        return self._held.get(key, 0)

    def add(self, key: int, data: bytes) -> None:
        """The next vectors of a document, as `packed` gives them."""
        vectors = np.frombuffer(data, "<f2").reshape(-1, self.dimensions)
        while len(vectors):
            if self._used == SLAB:
                self._slabs.append(np.zeros((SLAB, self.dimensions), np.float32))
                self._ids.append(np.zeros((SLAB, 2), np.int64))
                self._used = 0
            count, start, held = min(len(vectors), SLAB - self._used), self._used, self.held(key)
            self._slabs[-1][start : start + count] = vectors[:count]
            self._ids[-1][start : start + count, 0] = key
            self._ids[-1][start : start + count, 1] = np.arange(held, held + count)
            self._parts.setdefault(key, []).append((len(self._slabs) - 1, start, start + count))
            self._held[key] = held + count
            self._used += count
            vectors = vectors[count:]

    def drop(self, key: int) -> None:
        """Overwrite those of a document. Their rows stay empty until all is let go."""
        for slab, start, stop in self._parts.pop(key, ()):
            self._slabs[slab][start:stop] = 0
        self._held.pop(key, None)

    def clear(self) -> None:
        self._slabs, self._ids, self._used = [], [], SLAB
        self._parts, self._held = {}, {}

    def best(self, keys: Iterable[int], vector: Floats, limit: int) -> list[tuple[int, int, float]]:
        """Key, number and cosine of the nearest chunks of these documents, best first."""
        spans = _joined(part for key in keys for part in self._parts.get(key, ()))
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


def _joined(parts: Iterable[tuple[int, int, int]]) -> Sequence[tuple[int, int, int]]:
    """Parts that touch as one."""
    spans: list[tuple[int, int, int]] = []
    for slab, start, stop in sorted(parts):
        if spans and spans[-1][0] == slab and spans[-1][2] == start:
            spans[-1] = (slab, spans[-1][1], stop)
        else:
            spans.append((slab, start, stop))
    return spans
