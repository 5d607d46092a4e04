"""Chooses the memories that an answer is made with.

Those that were there when the conversation began stand at the head of its prompts, always the same, so that the
engine's prefix cache holds. If they are too many for that, or are newer, the closest to the question stand beside it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eclair.errors import UpstreamError
from eclair.schema.memories import Memory
from eclair.text.terms import is_content_word, split_terms
from eclair.util.lru import LruCache

if TYPE_CHECKING:
    from eclair.documents.embeddings import Embedder

HEAD_CHARS = 6000
"""About 1,500 tokens: the most that memories take of the head of a prompt."""
WINDOW_SHARE = 8
"""At the head of a prompt memories take at most one of so many parts of a model's window."""
CHARS_PER_TOKEN = 4
MAX_RECALLED = 8
"""Memories beside a question."""
MAX_QUESTION_CHARS = 1000
EMBEDDING_TIMEOUT_S = 2.0
"""After that words decide alone, so that an answer doesn't wait for an embedder that starts."""


@dataclass(frozen=True, slots=True)
class RecalledMemories:
    """The memories at the head of a prompt, and those beside its question."""

    head: tuple[Memory, ...] = ()
    near: tuple[Memory, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        return tuple(memory.id for memory in (*self.head, *self.near))


NOTHING_RECALLED = RecalledMemories()


class MemoryRecall:
    """Finds the memories for a question; by words alone without an embedder or while it fails."""

    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder = embedder
        self._vectors = LruCache[str, Sequence[float]](4000)

    async def choose(
        self, memories: Sequence[Memory], begun: int, question: str, window: int | None
    ) -> RecalledMemories:
        """Choose for a question in a conversation that has `begun` at that millisecond, and a model's window."""
        old = [memory for memory in memories if memory.changed <= begun]
        new = [memory for memory in memories if memory.changed > begun]
        room = HEAD_CHARS if window is None else min(HEAD_CHARS, window * CHARS_PER_TOKEN // WINDOW_SHARE)
        if sum(len(memory.text) + 3 for memory in old) <= room:
            return RecalledMemories(tuple(old), tuple(await self._closest(new, question)))
        return RecalledMemories((), tuple(await self._closest([*old, *new], question)))

    async def _closest(self, memories: Sequence[Memory], question: str) -> list[Memory]:
        if len(memories) <= MAX_RECALLED:
            return list(memories)
        asked = question[:MAX_QUESTION_CHARS]
        scores = await self._score_by_meaning(memories, asked) or _score_by_words(memories, asked)
        best = sorted(range(len(memories)), key=lambda at: -scores[at])[:MAX_RECALLED]
        return [memories[at] for at in sorted(best)]

    async def _score_by_meaning(self, memories: Sequence[Memory], question: str) -> list[float] | None:
        """Return how close in meaning each memory is to the question; None if that can't be told now."""
        if self._embedder is None:
            return None
        missing = list({memory.text for memory in memories if self._vectors.get(memory.text) is None})
        try:
            async with asyncio.timeout(EMBEDDING_TIMEOUT_S):
                (asked,) = await self._embedder.embed([question], "query")
                found = await self._embedder.embed(missing, "passage") if missing else ()
        except (UpstreamError, TimeoutError):
            return None
        for text, vector in zip(missing, found, strict=True):
            self._vectors.put(text, vector)
        vectors = [self._vectors.get(memory.text) for memory in memories]
        return [
            0.0 if vector is None else float(sum(a * b for a, b in zip(asked, vector, strict=True)))
            for vector in vectors
        ]


def _score_by_words(memories: Sequence[Memory], question: str) -> list[float]:
    """Return how many words of the question each memory has; of two alike, the newer counts more."""
    asked = {term.stem for term in split_terms(question) if is_content_word(term)}
    return [
        len(asked & {term.stem for term in split_terms(memory.text)}) + at / (2 * len(memories))
        for at, memory in enumerate(memories)
    ]
