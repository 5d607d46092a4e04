"""Retrieves the newest entries of feeds that a question names; it calls nobody."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from eclair.citations.checker import CitationChecker
from eclair.documents.embeddings import Embedder
from eclair.documents.reading_budget import reading_budget
from eclair.generation.sources import NO_LEAD, ClosestQuotes, Finding, Lead, PassageNumbers
from eclair.llm.base import Engine
from eclair.schema.events import Notice, SourceFound
from eclair.schema.ids import derived_id
from eclair.schema.messages import Passage
from eclair.schema.models import Model
from eclair.storage.feeds import EntryHit, FeedStore, ListedEntry
from eclair.storage.web import WebStore
from eclair.web.feeds.feed_search import as_page
from eclair.web.question import WebQuestion

MAX_ENTRY_CHARS = 1200
"""Of an entry's text, in a passage."""


class FeedRetriever:
    """Implements `Retriever` for one answer, from feeds of the person who asks."""

    def __init__(
        self,
        feeds: FeedStore,
        pages: WebStore,
        embedder: Embedder | None,
        question: WebQuestion,
        numbers: PassageNumbers,
        chosen: Sequence[str],
    ) -> None:
        self._feeds = feeds
        self._pages = pages
        self._embedder = embedder
        self._question = question
        self._numbers = numbers
        self._chosen = chosen

    async def retrieve(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        """Yield the newest entries, of each feed about as many, and a notice where there are none."""
        limit = reading_budget(model).passages
        share = max(1, -(-limit // max(1, len(self._chosen))))
        listed: dict[str, ListedEntry] = {}
        for feed in self._chosen:
            for each in await self._feeds.list_entries(self._question.principal, share, feed=feed):
                listed.setdefault(each.entry.url, each)
        newest = sorted(listed.values(), key=lambda each: each.at, reverse=True)[:limit]
        passages = [await self._passage(each) for each in newest]
        for passage in self._numbers.assign(passages):
            yield SourceFound(passage)
        if not passages:
            yield Notice("nothing_found", "The chosen news feeds have no entries.")

    async def lead(self, model: Model) -> Lead:
        """Return nothing: entries are summed up, not quoted."""
        return NO_LEAD

    async def closest_quotes(self, model: Model) -> ClosestQuotes:
        """Return nothing, for the same reason."""
        return ()

    def checker(self, passages: Sequence[Passage]) -> CitationChecker:
        return CitationChecker(passages, self._embedder, self._question.text)

    async def _passage(self, listed: ListedEntry) -> Passage:
        page = as_page(EntryHit(listed.entry, listed.source, listed.at, 1.0, 0.0))
        question = self._question
        file = derived_id("page", question.conversation or question.run, page.url, page.text)
        if question.conversation is not None:
            await self._pages.add_page(question.principal, file, question.conversation, page)
        text = page.text.strip()[:MAX_ENTRY_CHARS]
        return Passage(
            number=0,
            file=file,
            name=page.title or listed.source,
            page=1,
            label=None,
            heading=(),
            start=0,
            end=len(text),
            text=text,
            url=page.url,
            published=page.published.isoformat() if page.published is not None else None,
        )
