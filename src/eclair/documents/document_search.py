"""Hybrid search of chunks, by words and by meaning, across languages.

A chunk's score is its cosine to the query, plus a bonus for its share of the query's words. A question in another
language shares few words, so the bonus does no harm there; rank fusion would halve recall. Chunks of files that the
query names get a bonus too, and are searched for by themselves, since a large library has many that fit as well.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

from eclair.documents.background_embedding import embedding_text
from eclair.documents.embeddings import Embedder
from eclair.documents.named_files import find_named_files
from eclair.documents.reranker import Reranker
from eclair.errors import UpstreamError
from eclair.schema.documents import Chunk
from eclair.schema.messages import PageBreak
from eclair.storage.chunks import ChunkHit, ChunkStore, LocatedChunk, SearchScope

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

MAX_QUERY_CHARS = 2000
"""Half from the beginning and half from the end, where a question with a pasted text usually is."""

MAX_RERANKED = 30
"""Best chunks that a reranker puts into order: it reads each of them with the question."""

MAX_CANDIDATES = 100
"""Best chunks by words, and by meaning, that are ranked."""

WORD_WEIGHT = 0.05
"""Bonus on the cosine for all of the query's words. From 0.03 to 0.06 it beats the cosine alone in each of 16
language pairs (bench/retrieve.py); 0.07 is worse in one."""

SHORT_QUERY_WORD_WEIGHT = 0.15
"""The same for a short query: a name, number or code, which must be found as written."""

MAX_SHORT_QUERY_WORDS = 2

NAME_WEIGHT = 0.01
"""Bonus for a file that the query names: enough among files that fit alike. With 0.015 a file of another subject whose
name has a word of the question comes before the right one in 2 of 360 (bench/LOG.md)."""

MIN_LEADERS = 3
"""Dot leaders that make a chunk part of a table of contents, which is ranked last."""

_LEADER = re.compile(r"(?:\.[ \u00a0]?){5,}|…{3,}")
_CONTENTS_ROW = re.compile(r"^(?:[^\w\n]|\d)*+[^\W\d].* \| (\d{1,4})$", re.MULTILINE)
"""A row of a table of contents without dots: a heading and its page."""

MatchKind = Literal["words", "meaning", "both"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FoundChunk:
    """A found chunk and its file. `label` and `member` are those of its first page; `breaks` is where others begin.

    `score` is its cosine to the query or, if it was only found by words, its weighted share of the query's words. `key`
    is the storage's own for its document.
    """

    key: int
    chunk: Chunk
    file: str
    name: str
    score: float
    match: MatchKind
    label: str | None
    member: str | None
    breaks: tuple[PageBreak, ...]


class DocumentSearch:
    """Searches stored documents; by words alone without an embedder or while it fails."""

    def __init__(self, chunks: ChunkStore, embedder: Embedder | None, reranker: Reranker | None = None) -> None:
        self._chunks = chunks
        self._embedder = embedder
        self._reranker = reranker

    async def find(self, scope: SearchScope, query: str, limit: int) -> list[FoundChunk]:
        """Return the best chunks, best first. Raises StoreError."""
        if len(query) > MAX_QUERY_CHARS:
            query = f"{query[: MAX_QUERY_CHARS // 2]}\n{query[-MAX_QUERY_CHARS // 2 :]}"
        reranker = self._reranker if self._reranker is not None and self._reranker.is_enabled else None
        weight = WORD_WEIGHT if len(query.split()) > MAX_SHORT_QUERY_WORDS else SHORT_QUERY_WORD_WEIGHT
        words, (vector, near), named = await asyncio.gather(
            self._chunks.search_words(scope, query, MAX_CANDIDATES),
            self._search_meaning(scope, query),
            find_named_files(self._chunks, scope, query),
        )
        ranked = _fuse(words, near, weight)
        if named:
            files = SearchScope(scope.principal, files=tuple(each.file for each in named))
            their_words, their_near = await asyncio.gather(
                self._chunks.search_words(files, query, MAX_CANDIDATES), self._search_vectors(files, vector)
            )
            theirs = _fuse(their_words, their_near, weight)
            ranked = _add_named(ranked, theirs, {each.key: each.score for each in reversed(named)})
            words, near = [*words, *their_words], [*near, *their_near]
        ranked = ranked[: max(2 * limit, MAX_RERANKED if reranker is not None else 0)]
        located = await self._chunks.locate_chunks(scope, ranked)
        by_words = {(hit.key, hit.number): hit.score for hit in words}
        by_meaning = {(hit.key, hit.number): hit.score for hit in near}
        keys = [key for hit in ranked if (key := (hit.key, hit.number)) in located]
        if reranker is not None:
            names = [f"{located[key].name}\n" if named else "" for key in keys]
            texts = [f"{name}{embedding_text(located[key].chunk)}" for name, key in zip(names, keys, strict=True)]
            keys = [keys[place] for place in await reranker.rank(query, texts)]
        keys.sort(key=lambda key: is_table_of_contents(located[key].chunk))
        return [_as_found(located[key], key[0], by_words.get(key), by_meaning.get(key)) for key in keys[:limit]]

    async def locate(self, scope: SearchScope, hits: Sequence[ChunkHit]) -> list[FoundChunk]:
        """Return the chunks of hits that are still there, in their order. Raises StoreError."""
        located = await self._chunks.locate_chunks(scope, hits)
        return [
            _as_found(located[key], hit.key, None, None) for hit in hits if (key := (hit.key, hit.number)) in located
        ]

    async def find_neighbors(self, scope: SearchScope, found: FoundChunk) -> list[FoundChunk]:
        """Return the chunks before and after a found one, as far as they are of its section. Raises StoreError."""
        number = found.chunk.number
        hits = [ChunkHit(found.key, near, 0.0) for near in (number - 1, number + 1) if near >= 0]
        near = await self.locate(scope, hits)
        return [each for each in near if each.chunk.heading == found.chunk.heading]

    async def _search_meaning(self, scope: SearchScope, query: str) -> tuple[NDArray[float32] | None, list[ChunkHit]]:
        """Return the query's vector and the chunks nearest to it; None and none while the embedder fails."""
        if self._embedder is None:
            return None, []
        try:
            (vector,) = await self._embedder.embed([query], "query")
        except UpstreamError as error:
            log.warning("documents are searched by words alone: %s", error.message)
            return None, []
        return vector, await self._search_vectors(scope, vector)

    async def _search_vectors(self, scope: SearchScope, vector: NDArray[float32] | None) -> list[ChunkHit]:
        if self._embedder is None or vector is None:
            return []
        return await self._chunks.search_vectors(scope, self._embedder.name, vector, MAX_CANDIDATES)


def is_table_of_contents(chunk: Chunk) -> bool:
    """Return whether a chunk is from a table of contents, which has every heading's words but no answer."""
    pages = [int(page) for page in _CONTENTS_ROW.findall(chunk.text)]
    is_ordered = 2 * len(pages) > chunk.text.count("\n") and pages == sorted(pages)
    return len(_LEADER.findall(chunk.text)) >= MIN_LEADERS or (is_ordered and len(pages) >= MIN_LEADERS)


def merge_rankings(rankings: Sequence[Sequence[FoundChunk]]) -> list[FoundChunk]:
    """Merge the results of several queries, the best of each first. A chunk has its best score."""
    best: dict[tuple[str, int], FoundChunk] = {}
    for each in (each for rank in zip_longest(*rankings) for each in rank if each is not None):
        place = (each.file, each.chunk.number)
        best[place] = max(best.get(place, each), each, key=lambda found: found.score)
    return list(best.values())


def _fuse(words: Sequence[ChunkHit], near: Sequence[ChunkHit], weight: float) -> list[ChunkHit]:
    """Merge both lists, best first. A chunk that isn't among the nearest gets the lowest cosine of these."""
    lowest = near[-1].score if near else 0.0
    scores = {(hit.key, hit.number): hit.score for hit in near}
    for hit in words:
        key = (hit.key, hit.number)
        scores[key] = scores.get(key, lowest) + weight * hit.score
    return _rank(scores)


def _add_named(ranked: Sequence[ChunkHit], theirs: Sequence[ChunkHit], named: Mapping[int, float]) -> list[ChunkHit]:
    """Merge the chunks of named files into all, best first; `named` has how well each document's name fits."""
    scores = {(hit.key, hit.number): hit.score for hit in [*theirs, *ranked]}
    return _rank({key: score + NAME_WEIGHT * named.get(key[0], 0.0) for key, score in scores.items()})


def _rank(scores: Mapping[tuple[int, int], float]) -> list[ChunkHit]:
    return sorted((ChunkHit(*key, score) for key, score in scores.items()), key=lambda hit: -hit.score)


def _as_found(located: LocatedChunk, key: int, words: float | None, meaning: float | None) -> FoundChunk:
    match: MatchKind = "both" if words and meaning else "meaning" if meaning else "words"
    score = max(meaning if meaning is not None else words or 0.0, 0.0)
    return FoundChunk(
        key, located.chunk, located.file, located.name, score, match, located.label, located.member, located.breaks
    )
