"""What an answer can rest on: the port between the assistant and its sources. It finds nothing itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from eclair.citations.checker import Checker
from eclair.llm.base import Engine
from eclair.schema.events import Remarked, SourceFound, StepFinished, StepStarted
from eclair.schema.messages import Citation, Message, Passage
from eclair.schema.models import Model

Finding = StepStarted | StepFinished | SourceFound | Remarked


@dataclass(frozen=True, slots=True)
class Quoted:
    """Words with which an answer begins: `text`, of which `citation` is where they stand; its place is in `text`."""

    text: str
    citation: Citation


class OwnWords:
    """The words of a model below quotes, as they come: what begins a line like a quote is none, so the sign is left
    out."""

    def __init__(self) -> None:
        self._begins = True
        self._signed = False

    def of(self, text: str) -> str:
        kept: list[str] = []
        for char in text:
            if char == "\n":
                self._begins, self._signed = True, False
            elif self._begins and char == ">":
                self._signed = True
                continue
            elif self._begins and char == " " and self._signed:
                continue
            elif char != " ":
                self._begins = False
            kept.append(char)
        return "".join(kept)


class Grounds(Protocol):
    """What an answer can rest on: its sources, found and checked against."""

    def gather(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        """Find the passages, as many as the model does well with, which may be asked for notes. Raises EclairError
        where nothing can be found out."""
        ...

    def notes(self) -> Sequence[str]:
        """Notes on what was too long to be shown, each with the numbers of the passages that say so."""
        ...

    async def lead(self, model: Model) -> Sequence[Quoted | str]:
        """What stands before the model's words: quotes, or a sentence of our own that nothing answers. Nothing for a
        model that reads well enough by itself."""
        ...

    def suffice(self) -> bool:
        """Whether what is quoted is the answer, so that the model is not asked."""
        ...

    def checker(self, passages: Sequence[Passage]) -> Checker: ...


class Numbering:
    """The numbers of passages: each keeps the one that it had in the conversation, a new one has the next."""

    def __init__(self, history: Sequence[Message]) -> None:
        passages = [passage for message in history for passage in message.passages]
        self._known = {(old.file, old.start, old.end): old.number for old in passages}

    def numbered(self, passages: Sequence[Passage]) -> list[Passage]:
        numbered: list[Passage] = []
        for passage in passages:
            place = (passage.file, passage.start, passage.end)
            if place not in self._known:
                self._known[place] = max(self._known.values(), default=0) + 1
            numbered.append(replace(passage, number=self._known[place]))
        return numbered


class Joined:
    """The grounds of several sources, one after the other; what the first one leads with is what is quoted, and that
    nothing answers is said only where none has a quote."""

    def __init__(self, *sources: Grounds) -> None:
        self._sources = sources
        self._leading: Grounds = sources[0]

    async def gather(self, engine: Engine, model: Model) -> AsyncGenerator[Finding, None]:
        for source in self._sources:
            async with aclosing(source.gather(engine, model)) as findings:
                async for finding in findings:
                    yield finding

    def notes(self) -> Sequence[str]:
        return [note for source in self._sources for note in source.notes()]

    async def lead(self, model: Model) -> Sequence[Quoted | str]:
        own: Sequence[Quoted | str] = ()
        for source in self._sources:
            lead = await source.lead(model)
            if lead and not (own and isinstance(lead[0], str)):
                self._leading = source
                if not isinstance(lead[0], str):
                    return lead
                own = lead
        return own

    def suffice(self) -> bool:
        return self._leading.suffice()

    def checker(self, passages: Sequence[Passage]) -> Checker:
        return self._sources[0].checker(passages)


def joined(*sources: Grounds | None) -> Grounds | None:
    """Those that are there, as one; None where none is."""
    there = [source for source in sources if source is not None]
    return there[0] if len(there) == 1 else Joined(*there) if there else None
