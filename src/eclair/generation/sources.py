"""The port between pipeline and retrievers, and their combination."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Literal, Protocol

from eclair.citations.checker import CitationChecker
from eclair.llm.base import Engine
from eclair.schema.events import Notice, SectionRead, SourceFound, StepFinished, StepProgressed, StepStarted
from eclair.schema.messages import Citation, Message, Passage
from eclair.schema.models import Model


@dataclass(frozen=True, slots=True)
class Note:
    """A text that tells a model about the passages, citing them by their numbers.

    That is a model's note on a `section` too long to be shown, or the sentences that are `closest` to the question.
    """

    text: str
    kind: Literal["section", "closest"] = "section"


OpenBlock = Literal["passages", "closest"]
"""The block at the end of a prompt that is read ahead, which what is found for the question will go on with."""


@dataclass(frozen=True, slots=True)
class KnownFindings:
    """Findings that are known before a question is asked, and the block that others will go on with, if any."""

    passages: tuple[Passage, ...] = ()
    notes: tuple[Note, ...] = ()
    open_block: OpenBlock | None = None


Finding = StepStarted | StepProgressed | StepFinished | SectionRead | SourceFound | Notice | Note
"""A step of a retrieval, or a result of it. Only events become part of the run; notes are for the model."""


@dataclass(frozen=True, slots=True)
class Quote:
    """A quote of a source at the start of an answer; the citation's offsets are within `text`."""

    text: str
    citation: Citation


@dataclass(frozen=True, slots=True)
class Lead:
    """The start of an answer before the model's words: quotes, or "nothing was found".

    If it `is_complete`, it is the answer, and no model is asked. One that `refuses` says that these sources don't
    answer.
    """

    texts: tuple[Quote | str, ...] = ()
    is_complete: bool = False
    refuses: bool = False


NO_LEAD = Lead()

ClosestQuotes = Sequence[Quote | str]
"""The end of an answer below the model's words: a sentence that says what follows, and quotes."""


class Retriever(Protocol):
    """Finds passages for one answer, and checks sentences against them."""

    def retrieve(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        """Find as many passages as the model can use; it may be asked to take notes.

        Raises EclairError if the search fails.
        """
        ...

    async def lead(self, model: Model) -> Lead:
        """Choose how the answer starts, after `retrieve`; nothing for a model that reads well."""
        ...

    async def closest_quotes(self, model: Model) -> ClosestQuotes:
        """Quote the sentences closest to the question, below an answer that no source supports.

        Nothing for a model that reads well, and where the question asks for no statement of the sources. Raises
        UpstreamError if the embedder fails.
        """
        ...

    def checker(self, passages: Sequence[Passage]) -> CitationChecker: ...


class PassageNumbers:
    """Numbers passages; a passage keeps its number within a conversation."""

    def __init__(self, history: Sequence[Message]) -> None:
        self._known: dict[tuple[str, int, int, str | None], int] = {}
        for message in history:
            self.keep(message.passages)

    def keep(self, passages: Sequence[Passage]) -> None:
        """Take the numbers that passages have."""
        self._known.update({(old.file, old.start, old.end, old.computation): old.number for old in passages})

    def assign(self, passages: Sequence[Passage]) -> list[Passage]:
        """Return the passages with their numbers."""
        numbered: list[Passage] = []
        for passage in passages:
            key = (passage.file, passage.start, passage.end, passage.computation)
            if key not in self._known:
                self._known[key] = max(self._known.values(), default=0) + 1
            numbered.append(replace(passage, number=self._known[key]))
        return numbered


def was_asked(answer: Message) -> bool:
    """Return whether a model was asked for an answer; not if it is a quote or a refusal alone."""
    return not answer.text or answer.usage is None or answer.usage.words > 0


def passages_read(answer: Message) -> tuple[Passage, ...]:
    """Return the passages that a model read for an answer; those that are cited if none was asked.

    A model is shown them once more with the next question.
    """
    if was_asked(answer):
        return answer.passages
    cited = {citation.passage for citation in answer.citations}
    return tuple(passage for passage in answer.passages if passage.number in cited)


class CompositeRetriever:
    """Asks several retrievers in order. The first that can begin the answer leads it."""

    def __init__(self, *retrievers: Retriever) -> None:
        self._retrievers = retrievers
        self._have_found: set[int] = set()
        """Places of the retrievers that found passages."""

    async def retrieve(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        for at, retriever in enumerate(self._retrievers):
            async with aclosing(retriever.retrieve(engine, model)) as findings:
                async for finding in findings:
                    if isinstance(finding, SourceFound):
                        self._have_found.add(at)
                    yield finding

    async def lead(self, model: Model) -> Lead:
        """Return the first lead that doesn't refuse; else a refusal, if no other's passages are left to the model."""
        refusal, is_open = NO_LEAD, False
        for at, retriever in enumerate(self._retrievers):
            lead = await retriever.lead(model)
            if lead.texts and not lead.refuses:
                return lead
            if lead.refuses:
                refusal = refusal if refusal.refuses else lead
            else:
                is_open = is_open or at in self._have_found
        return NO_LEAD if is_open else refusal

    async def closest_quotes(self, model: Model) -> ClosestQuotes:
        """Return the quotes of the first that has any."""
        for retriever in self._retrievers:
            if found := await retriever.closest_quotes(model):
                return found
        return ()

    def checker(self, passages: Sequence[Passage]) -> CitationChecker:
        return self._retrievers[0].checker(passages)


class SharedRetriever:
    """Retrieves once for several answers to the same question."""

    def __init__(self, retriever: Retriever) -> None:
        self._retriever = retriever
        self._lock = asyncio.Lock()
        self._findings: list[Finding] | None = None
        self._lead: Lead | None = None
        self._closest_quotes: ClosestQuotes | None = None

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

    async def closest_quotes(self, model: Model) -> ClosestQuotes:
        async with self._lock:
            if self._closest_quotes is None:
                self._closest_quotes = await self._retriever.closest_quotes(model)
        return self._closest_quotes

    def checker(self, passages: Sequence[Passage]) -> CitationChecker:
        return self._retriever.checker(passages)


def combine(*retrievers: Retriever | None) -> Retriever | None:
    """Combine the given retrievers into one; None if there are none."""
    given = [retriever for retriever in retrievers if retriever is not None]
    return given[0] if len(given) == 1 else CompositeRetriever(*given) if given else None


class QuoteMarkFilter:
    """Removes `>` at the start of lines from a model's words, which are not quotes."""

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
