"""Holds the sentences of an answer against the passages that it was given: a citation, a doubt or nothing.

Words decide first, then, where they are not enough, the meaning, in another language too (`book`). Then what can be
compared to the letter is: a number, date, name or negation that differs is a doubt, however much alike the sentences
are (`differences`). A passage is text and nothing else; what it says is never followed. What is shown of the result is
for others to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Protocol

from eclair.citations.claims import bare, claims, plain
from eclair.citations.index import Book
from eclair.citations.types import Doubted, Supported
from eclair.errors import UpstreamError
from eclair.schema.messages import Passage
from eclair.text.sentences import LONGEST

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

ASKED = 2000
"""Characters of what the person wrote that are looked at."""

CONTEXT = 200
"""Characters of the question, and before a short sentence, that are read along with it."""

BATCH = 8
"""Sentences of passages that are embedded in one call, so that a question need not wait long for its turn."""

CLEAR = 0.9
"""Support by words from which the meaning need not be asked."""


class Embedder(Protocol):
    """Texts as vectors of unit length, [n, dimensions]; never blocks the event loop."""

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[float32]: ...


class Checker:
    """Holds the sentences of an answer against its passages.

    `asked` is what the person wrote, so that its words repeated claim nothing. Without an embedder, words alone
    decide: what is said in other words or in another language is then doubted.
    """

    def __init__(self, passages: Sequence[Passage], embedder: Embedder | None, asked: str = "") -> None:
        self._passages = tuple(passages)
        self._embedder = embedder
        self._asked = asked[:ASKED]
        self._known = bare(self._asked)
        self._book: asyncio.Task[Book] | None = None
        self._vectors: asyncio.Task[list[NDArray[float32]]] | None = None

    async def warm(self) -> None:
        """Do now what the first sentence would have to wait for that words alone do not decide. Raises
        UpstreamError."""
        await self._read()
        if self._embedder:
            await self._embedded(self._embedder)

    async def check(self, sentence: str, before: str = "") -> Supported | Doubted | None:
        """What the passages say to a sentence of Markdown, which stands after `before` in the answer: None where it
        claims nothing, as a greeting, a question or a heading does. Where the embedder fails, words alone decide."""
        sentence = sentence[:LONGEST]
        if not claims(sentence) or bare(sentence) in self._known:
            return None
        if not self._passages:
            return Doubted("", None)
        book = await self._read()
        claim = book.claim(plain(sentence), plain(f"{self._asked[-CONTEXT:]} {before[-CONTEXT:]}"))
        nearest = book.by_words(claim)
        if self._embedder and not (nearest and nearest[0].support >= CLEAR):
            try:
                parts = await self._embedded(self._embedder)
                vector = (await self._embedder.embed([claim.text], "query"))[0]
            except UpstreamError:
                self._embedder = None
            else:
                nearest = book.by_meaning(claim, [cosine for part in parts for cosine in (part @ vector).tolist()])
        return book.judge(claim, nearest)

    async def _read(self) -> Book:
        self._book = self._book or asyncio.create_task(asyncio.to_thread(Book, self._passages))
        return await asyncio.shield(self._book)

    async def _embedded(self, embedder: Embedder) -> list[NDArray[float32]]:
        self._vectors = self._vectors or asyncio.create_task(self._embed(embedder))
        return await asyncio.shield(self._vectors)

    async def _embed(self, embedder: Embedder) -> list[NDArray[float32]]:
        texts = [line.text for line in (await self._read()).lines]
        return [await embedder.embed(texts[at : at + BATCH], "query") for at in range(0, len(texts), BATCH)]
