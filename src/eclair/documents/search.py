"""Finds the chunks that fit a query, by words and by meaning, across languages.

The nearest in meaning come first; shared words raise a chunk by the share of the query's words that it has. A question
in another language shares few words, so this does no harm there, while adding up ranks halves what is found.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eclair.documents.embeddings import Embedder
from eclair.errors import UpstreamError
from eclair.schema.documents import Chunk
from eclair.schema.messages import PageBreak
from eclair.storage.chunks import ChunkHit, ChunkStore, LocatedChunk, SearchScope

MAX_QUERY_CHARS = 2000
"""Characters of a query that are looked for, half of them from its beginning: a question with a pasted text asks at one
end or the other."""

MAX_CANDIDATES = 100
"""Chunks that are looked at for their words, and for their meaning."""

WORD_WEIGHT = 0.05
"""What having every word of the query adds to a cosine. From 0.03 to 0.06 it is better than the cosine alone in each of
16 pairs of languages (bench/retrieve.py); with 0.07 worse in one."""

SHORT_QUERY_WORD_WEIGHT = 0.15
"""And where the query is no sentence but a name, a number or a code, which must be found as it is written."""

MAX_SHORT_QUERY_WORDS = 2
"""Words of such a query."""

MIN_LEADERS = 3
"""Rows of dots in a chunk that make it one of a table of contents; it comes after what else was found."""

_LEADER = re.compile(r"(?:\.[ \u00a0]?){5,}|…{3,}")
_ENTRY = re.compile(r"^.*[^\W\d].* \| (\d{1,4})$", re.MULTILINE)
"""A row of one whose dots were left out: a heading and its page."""

MatchKind = Literal["words", "meaning", "both"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FoundChunk:
    """A chunk in a file of the scope. `score` is its cosine to the query, or for one found by `words` alone the share
    of the query's words that it has, rarer ones counting more. `label` and `member` are those of the page on which it
    begins, `breaks` where further pages begin in it."""

    chunk: Chunk
    file: str
    name: str
    score: float
    match: MatchKind
    label: str | None
    member: str | None
    breaks: tuple[PageBreak, ...]


class DocumentSearch:
    """Looks in the documents of a store. Without an embedder, or while it fails, words alone decide."""

    def __init__(self, chunks: ChunkStore, embedder: Embedder | None) -> None:
        self._chunks = chunks
        self._embedder = embedder

    async def find(self, scope: SearchScope, query: str, limit: int) -> list[FoundChunk]:
        """The chunks that fit best, best first. Raises StoreError."""
        if len(query) > MAX_QUERY_CHARS:
            query = f"{query[: MAX_QUERY_CHARS // 2]}\n{query[-MAX_QUERY_CHARS // 2 :]}"
        words, near = await asyncio.gather(
            self._chunks.search_words(scope, query, MAX_CANDIDATES), self._near(scope, query, MAX_CANDIDATES)
        )
        ranked = _fused(
            words, near, WORD_WEIGHT if len(query.split()) > MAX_SHORT_QUERY_WORDS else SHORT_QUERY_WORD_WEIGHT
        )[: 2 * limit]
        located = await self._chunks.locate_chunks(scope, ranked)
        by_words = {(hit.key, hit.number): hit.score for hit in words}
        by_meaning = {(hit.key, hit.number): hit.score for hit in near}
        keys = [key for hit in ranked if (key := (hit.key, hit.number)) in located]
        keys.sort(key=lambda key: is_table_of_contents(located[key].chunk))
        return [_found(located[key], by_words.get(key), by_meaning.get(key)) for key in keys[:limit]]

    async def _near(self, scope: SearchScope, query: str, limit: int) -> list[ChunkHit]:
        if self._embedder is None:
            return []
        try:
            (vector,) = await self._embedder.embed([query], "query")
        except UpstreamError as error:
            log.warning("passages are found by their words alone: %s", error.message)
            return []
        return await self._chunks.search_vectors(scope, self._embedder.name, vector, limit)


def is_table_of_contents(chunk: Chunk) -> bool:
    """Whether it is from a table of contents, which has the words of every heading and answers nothing."""
    pages = [int(page) for page in _ENTRY.findall(chunk.text)]
    ordered = 2 * len(pages) > chunk.text.count("\n") and pages == sorted(pages)
    return len(_LEADER.findall(chunk.text)) >= MIN_LEADERS or (ordered and len(pages) >= MIN_LEADERS)


def _fused(words: Sequence[ChunkHit], near: Sequence[ChunkHit], weight: float) -> list[ChunkHit]:
    """Both lists as one. What is not among the nearest counts as the last of them."""
    least = near[-1].score if near else 0.0
    scores = {(hit.key, hit.number): hit.score for hit in near}
    for hit in words:
        place = (hit.key, hit.number)
        scores[place] = scores.get(place, least) + weight * hit.score
    return sorted((ChunkHit(*place, score) for place, score in scores.items()), key=lambda hit: -hit.score)


def _found(located: LocatedChunk, words: float | None, meaning: float | None) -> FoundChunk:
    how: MatchKind = "both" if words and meaning else "meaning" if meaning else "words"
    score = max(meaning if meaning is not None else words or 0.0, 0.0)
    return FoundChunk(
        located.chunk, located.file, located.name, score, how, located.label, located.member, located.breaks
    )
