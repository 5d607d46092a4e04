"""The one loop: gather what the answer can rest on, ask the engine, pass on what it says, check it, count.

An `Answer` is the work of one run. It says events and keeps nothing; `runs` numbers and stores them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import assert_never

from eclair.errors import EngineBroken, TooLarge, UpstreamError
from eclair.generation.fallback import MOVES_ON, Fallback, stopped
from eclair.generation.live_citations import Checks
from eclair.generation.meter import Meter
from eclair.generation.parts import Parts
from eclair.generation.prompt import PreparedTurn
from eclair.generation.sources import Grounds, OwnWords, Quoted
from eclair.images.tool import MOST, NAME, Artist, offered
from eclair.llm.base import JSON, Counted, Ended, Engine, Piece, Reasoning, Request, Text, ToolCall
from eclair.schema.events import (
    Cited,
    Doubted,
    Event,
    ModelChanged,
    PartDelta,
    Remarked,
    RunFailed,
    RunFinished,
    SourceFound,
    StepFinished,
    StepStarted,
    UsageCounted,
)
from eclair.schema.messages import FinishReason, Message, Passage
from eclair.schema.models import Model

PATIENCE = 0.4
"""Seconds without a word after which the person is told what is waited for."""


Again = Callable[[Engine, Model, Sequence[Passage], Sequence[str]], Awaitable[PreparedTurn]]
"""The same question, laid out for a model, with the passages that may answer it and notes."""


class Answer:
    """The work of one run, as `runs.Work` has it.

    Where the model fails or is slow before its first piece, `fallback` has the next one, and `again` lays the turn out
    for it. With `grounds` it rests on what they find, and `again` is needed too. With an `artist` a model that calls
    tools may have pictures drawn.
    """

    def __init__(
        self,
        turn: PreparedTurn,
        fallback: Fallback | None = None,
        again: Again | None = None,
        grounds: Grounds | None = None,
        artist: Artist | None = None,
    ) -> None:
        self._turn = turn
        self._artist = artist
        self._offered = False
        self._calls: dict[int, list[str]] = {}
        self._named = turn.model.id
        self._fallback = fallback
        self._again = again
        self._grounds = grounds
        self._passages: tuple[Passage, ...] = ()
        self._notes: Sequence[str] = ()
        self._checks: Checks | None = None
        self._own: OwnWords | None = None
        self._meter = Meter(turn.accepted)
        self._parts = Parts()
        self._begun = False
        self._reason: FinishReason | None = None

    async def events(self) -> AsyncGenerator[Event, None]:
        """Ask, and pass on what comes."""
        try:
            async with aclosing(self._prepare()) as events:
                async for event in events:
                    yield event
            if self._reason is None:
                async with aclosing(self._ask_in_turn()) as events:
                    async for event in events:
                        yield event
                        for mark in self._checks.ready() if self._checks is not None else ():
                            yield mark
            for mark in await self._checks.rest() if self._checks is not None else ():
                yield mark
            async with aclosing(self._drawings()) as events:
                async for event in events:
                    yield event
        finally:
            if self._checks is not None:
                await self._checks.close()

    async def _drawings(self) -> AsyncGenerator[Event, None]:
        """The pictures that the model called for."""
        if self._artist is None or not self._calls:
            return
        self._reason = "stop"
        for event in self._parts.finish():
            yield event
        for arguments in [*self._calls.values()][:MOST]:
            async with aclosing(self._artist.draw("".join(arguments), self._parts)) as events:
                async for event in events:
                    yield event

    async def _ask_in_turn(self) -> AsyncGenerator[Event, None]:
        """Ask the model, or others in its place."""
        other: PreparedTurn | None = self._turn
        while other is not None:
            self._turn, other = other, None
            try:
                async with aclosing(self._ask()) as events:
                    async for event in events:
                        yield event
            except _Slow as slow:
                other = slow.other
            except MOVES_ON as error:
                other = None if self._begun else await self._other(error)
                if other is None:
                    raise (error if self._begun or self._fallback is None else self._fallback.fault(error)) from error

    def who(self) -> tuple[Engine, Model]:
        """Who answers, as far as that is certain."""
        return self._turn.engine, self._turn.model

    def closing(self, end: Event | None) -> list[Event]:
        """Close the open part, state the usage, end the run. One that failed unbegun says what might help."""
        usage = self._meter.usage()
        return [
            *(self._turn.remarks if isinstance(end, RunFailed) and not self._begun else ()),
            *self._parts.finish(),
            *([UsageCounted(usage)] if usage is not None else []),
            end or RunFinished(self._reason or "stop"),
        ]

    async def _prepare(self) -> AsyncGenerator[Event, None]:
        """What comes before the engine's words: the answer that is continued, or what this one rests on."""
        if self._turn.continues is not None:
            for event in self._take_up(self._turn.continues):
                yield event
        elif self._grounds is not None and self._again is not None:
            async with aclosing(self._grounds.gather(self._turn.engine, self._turn.model)) as findings:
                async for event in findings:
                    if isinstance(event, SourceFound):
                        self._passages = (*self._passages, event.passage)
                    yield event
            if self._passages:
                self._checks = Checks(self._grounds.checker(self._passages))
            self._notes = self._grounds.notes()
            self._turn = await self._again(self._turn.engine, self._turn.model, self._passages, self._notes)
            for event in self._quote(await self._grounds.lead(self._turn.model)):
                yield event
            if self._grounds.suffice():
                self._reason, self._checks = "stop", None
                for event in self._remarks():
                    yield event

    def _take_up(self, answer: Message) -> list[Event]:
        """What there is of the answer that is continued; its last text stays open for more."""
        self._passages = answer.passages
        if self._grounds is not None and self._passages:
            self._checks = Checks(self._grounds.checker(self._passages))
        events: list[Event] = [SourceFound(passage) for passage in self._passages]
        for index, part in enumerate(answer.parts):
            events += self._parts.start(part.kind, part.id, part.name)
            events.append(PartDelta(index, part.text))
            if self._checks is not None and part.kind == "text":
                self._checks.known(index, part.text)
        return [*events, *map(Cited, answer.citations), *map(Doubted, answer.doubts)]

    def _quote(self, lead: Sequence[Quoted | str]) -> list[Event]:
        """Begin the answer with quotes. They are no words of the model, so that its speed is told without them."""
        events: list[Event] = []
        said = ""
        for each in lead:
            self._meter.quoted()
            text = each if isinstance(each, str) else each.text
            events += self._parts.take(Text(text))
            if not isinstance(each, str):
                at = each.citation
                events.append(Cited(replace(at, start=at.start + len(said), end=at.end + len(said))))
                self._own = OwnWords()
            said += text
        if self._checks is not None and said:
            self._checks.known(0, said)
        return events

    async def _ask(self) -> AsyncGenerator[Event, None]:
        """Ask the model whose turn it is. Raises _Slow where another is to be asked in its place."""
        turn = self._turn
        self._meter.rates = turn.rates
        extra: JSON = {} if turn.effort is None else {"reasoning_effort": turn.effort}
        tab = self._meter.tab
        tools = offered(turn.model, turn.laid.messages, self._passages) if self._artist is not None else ()
        self._offered = bool(tools)
        request = Request(
            turn.model.id, turn.laid.messages, sampling=turn.sampling, tools=tools, extra=extra, energy=tab
        )
        async with aclosing(turn.engine.stream(request)) as pieces:
            async with aclosing(self._await_first(pieces)) as beginning:
                async for event in beginning:
                    yield event
            async for piece in pieces:
                for event in self._say(piece):
                    yield event
        if self._reason is None:
            raise EngineBroken("The engine broke off before the end of its answer; try again.")

    async def _other(self, error: UpstreamError) -> PreparedTurn | None:
        """The turn of the next model that is there and can read it."""
        model, why = self._turn.model.id, error.message
        while self._fallback is not None and self._again is not None:
            found = await self._fallback.next(model, why)
            if found is None:
                break
            try:
                return await self._again(*found, self._passages, self._notes)
            except TooLarge as too_large:
                model, why = found[1].id, too_large.message
        return None

    async def _await_first(self, pieces: AsyncGenerator[Piece, None]) -> AsyncGenerator[Event, None]:
        """The first piece; while it is long in coming, say what the engine is busy with."""
        first = asyncio.ensure_future(anext(pieces, None))
        patience = self._fallback.patience if self._fallback is not None else None
        try:
            async with aclosing(self._loading(first, patience)) as events:
                async for event in events:
                    yield event
            if not first.done() and self._fallback is not None:
                other = await self._other(self._fallback.slow(self._turn.model))
                if other is not None:
                    raise _Slow(other)
            piece = await first
        finally:
            await stopped(first)
        if piece is not None:
            self._begun = True
            for event in (*self._remarks(), *self._say(piece)):
                yield event

    async def _loading(
        self, first: asyncio.Future[Piece | None], patience: float | None
    ) -> AsyncGenerator[StepStarted | StepFinished, None]:
        """Wait for the first piece, `patience` seconds at most; what the engine is busy with is a step."""
        deadline = math.inf if patience is None else time.perf_counter() + patience

        def left(most: float = math.inf) -> float | None:
            """Seconds that may still be waited, None without an end."""
            seconds = min(most, max(0.0, deadline - time.perf_counter()))
            return None if seconds == math.inf else seconds

        await asyncio.wait([first], timeout=left(PATIENCE))
        if await self._loads(first, left()):
            since = time.perf_counter()
            yield StepStarted("load", "load", f"Loading {self._turn.model.name}")
            while await self._loads(first, left()):
                await asyncio.wait([first], timeout=left(0.1))
            yield StepFinished("load", round((time.perf_counter() - since) * 1000, 1))
        await asyncio.wait([first], timeout=left())

    async def _loads(self, first: asyncio.Future[Piece | None], within: float | None) -> bool:
        """Whether the first piece is not there because the model is being loaded, as far as can be told so soon."""
        health = asyncio.ensure_future(self._turn.engine.health(self._turn.model.id))
        try:
            await asyncio.wait([first, health], timeout=within, return_when=asyncio.FIRST_COMPLETED)
            return not first.done() and health.done() and health.result().state == "loading"
        finally:
            await stopped(health)

    def _remarks(self) -> list[ModelChanged | Remarked]:
        """What is to be known about this answer, now that it is certain whose it is."""
        turn, remarks = self._turn, list[ModelChanged | Remarked]()
        if turn.model.id != self._named:
            remarks.append(ModelChanged(turn.model.id))
        if self._fallback is not None and self._fallback.in_place(turn.model):
            remarks.append(Remarked("answered_by", self._fallback.remark(turn.model)))
        if turn.laid.dropped:
            remarks.append(_trimmed(turn))
        return [*remarks, *turn.remarks]

    def _say(self, piece: Piece) -> Sequence[Event]:
        match piece:
            case ToolCall(index=index) if self._offered and (piece.name == NAME or index in self._calls):
                self._calls.setdefault(index, []).append(piece.arguments)
            case Text() | Reasoning() | ToolCall():
                if isinstance(piece, Text):
                    self._meter.text(piece.text)
                    piece = replace(piece, text=self._own.of(piece.text)) if self._own is not None else piece
                events = self._parts.take(piece)
                if isinstance(piece, Text) and self._checks is not None:
                    self._checks.text(self._parts.current, piece.text)
                return events
            case Counted():
                self._meter.counted(piece)
            case Ended(reason=reason):
                self._reason = reason
            case _:
                assert_never(piece)
        return []


class _Slow(Exception):
    """The first word is long in coming, and `other` is there to be asked."""

    def __init__(self, other: PreparedTurn) -> None:
        super().__init__(other.model.id)
        self.other = other


def _trimmed(turn: PreparedTurn) -> Remarked:
    return Remarked(
        "history_trimmed",
        f"The conversation is longer than {turn.model.name} can read at once; "
        f"its oldest {turn.laid.dropped} messages were left out.",
    )
