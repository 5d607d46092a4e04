"""Shows found chunks with what stands before and after them, in place of the worst ones."""

from __future__ import annotations

from collections.abc import Sequence

from eclair.documents.document_search import DocumentSearch, FoundChunk
from eclair.storage.chunks import SearchScope

PASSAGES_PER_NEIGHBOR = 8
"""Of so many passages, one may be a neighbor of a better one."""


async def with_neighbors(search: DocumentSearch, scope: SearchScope, found: Sequence[FoundChunk]) -> list[FoundChunk]:
    """Return as many chunks, best first, with neighbors of the best of them beside these. Raises StoreError.

    What an answer rests on often goes on below, or begins above: a list, a condition, the name of what is meant.
    """
    room = len(found) // PASSAGES_PER_NEIGHBOR
    have = {(each.file, each.chunk.number) for each in found}
    near: dict[int, list[FoundChunk]] = {}
    for rank, hit in enumerate(found[: len(found) - room]):
        if room == 0:
            break
        others = [
            each for each in await search.find_neighbors(scope, hit) if (each.file, each.chunk.number) not in have
        ]
        near[rank] = sorted(others, key=lambda each: -each.chunk.number)[:room]
        have |= {(each.file, each.chunk.number) for each in near[rank]}
        room -= len(near[rank])
    kept = found[: len(found) - sum(map(len, near.values()))]
    shown: list[FoundChunk] = []
    for rank, hit in enumerate(kept):
        shown += sorted([hit, *near.get(rank, ())], key=lambda each: each.chunk.number)
    return shown
