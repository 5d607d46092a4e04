"""The port between the pipeline and whatever finds passages for an answer to rest on. It finds nothing itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from eclair.citations.checker import CitationChecker
from eclair.llm.base import Engine
from eclair.schema.events import Notice, SourceFound, StepFinished, StepStarted
from eclair.schema.messages import Citation, Message, Passage
from eclair.schema.models import Model


@dataclass(frozen=True, slots=True)
class Note:
    """What a model wrote down of sources too long to be shown, with the numbers of the passages that say so."""

    text: str


Finding = StepStarted | StepFinished | SourceFound | Notice | Note
"""One step of a retrieval, or one thing it found. All but notes are shown to the person."""


@dataclass(frozen=True, slots=True)
class Quote:
    """Words of a source that an answer begins with; the citation's place is within `text`."""

    text: str
    citation: Citation


@dataclass(frozen=True, slots=True)
class Lead:
    """What stands before the model's words: quotes, or a sentence saying that nothing was found.

    Where it `is_complete` it is the whole answer, and no model is asked.
    """

    texts: tuple[Quote | str, ...] = ()
    is_complete: bool = False

    @property
    def quotes(self) -> bool:
        """Whether it begins with the words of a source."""
        return bool(self.texts) and isinstance(self.texts[0], Quote)


NO_LEAD = Lead()


class Retriever(Protocol):
    """Finds what one answer can rest on, and checks sentences against it."""

    def retrieve(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        """Find passages, as many as the model reads well; it may be asked for notes.

        Raises EclairError where nothing can be found out.
        """
        ...

    async def lead(self, model: Model) -> Lead:
        """Choose what the answer begins with, once `retrieve` has ended; nothing for a model that reads well."""
        ...

    def checker(self, passages: Sequence[Passage]) -> CitationChecker: ...


class PassageNumbers:
    """Numbers passages: one keeps the number it has in the conversation, a new one gets the next."""

    def __init__(self, history: Sequence[Message]) -> None:
        passages = [passage for message in history for passage in message.passages]
        self._known = {(old.file, old.start, old.end): old.number for old in passages}

    def assign(self, passages: Sequence[Passage]) -> list[Passage]:
        """Return the passages with their numbers."""
        numbered: list[Passage] = []
        for passage in passages:
            place = (passage.file, passage.start, passage.end)
            if place not in self._known:
                self._known[place] = max(self._known.values(), default=0) + 1
            numbered.append(replace(passage, number=self._known[place]))
        return numbered


class CompositeRetriever:
    """Several retrievers, asked in order. The first that quotes a source leads the answer."""

    def __init__(self, *retrievers: Retriever) -> None:
        self._retrievers = retrievers

    async def retrieve(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        for retriever in self._retrievers:
            async with aclosing(retriever.retrieve(engine, model)) as findings:
                async for finding in findings:
                    yield finding

    async def lead(self, model: Model) -> Lead:
        """A sentence saying that nothing was found counts only where no retriever has a quote."""
        empty: Lead | None = None
        leading: Lead | None = None
        for retriever in self._retrievers:
            lead = await retriever.lead(model)
            if lead.quotes:
                return lead
            empty = empty or lead
            leading = leading or (lead if lead.texts else None)
        return leading or empty or NO_LEAD

    def checker(self, passages: Sequence[Passage]) -> CitationChecker:
        return self._retrievers[0].checker(passages)


class SharedRetriever:
    """Retrieves once for several answers to the same question; the others are given what the first found."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self._lock = asyncio.Lock()
        self._findings: list[Finding] | None = None
        self._lead: Lead | None = None

    async def retrieve(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        async with self._lock:
            if self._findings is None:
                found: list[Finding] = []
                async with aclosing(self._retriever.retrieve(engine, model)) as findings:
                    async for finding in findings:
                        found.append(finding)
                        yield finding
                self._findings = found
                return
        for finding in self._findings:
            yield finding

    async def lead(self, model: Model) -> Lead:
        async with self._lock:
            self._lead = self._lead or await self._retriever.lead(model)
        return self._lead

    def checker(self, passages: Sequence[Passage]) -> CitationChecker:
        return self._retriever.checker(passages)


def combine(*retrievers: Retriever | None) -> Retriever | None:
    """Combine those that are there into one; None where none is."""
    there = [retriever for retriever in retrievers if retriever is not None]
    return there[0] if len(there) == 1 else CompositeRetriever(*there) if there else None


class QuoteMarkFilter:
    """Removes `>` at the head of a line from a model's words, which stand below quotes but are none."""

    def __init__(self) -> None:
        self._at_head = True
        self._after_mark = False

    def filter(self, text: str) -> str:
        """Filter the next words; a line may come in pieces."""
        kept: list[str] = []
        for char in text:
            if char == "\n":
                self._at_head, self._after_mark = True, False
            elif self._at_head and char == ">":
                self._after_mark = True
                continue
            elif self._at_head and char == " " and self._after_mark:
                continue
            elif char != " ":
                self._at_head = False
            kept.append(char)
        return "".join(kept)
