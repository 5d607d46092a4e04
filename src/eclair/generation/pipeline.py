"""The only place where an answer is made: retrieve, build the prompt, ask, call tools, check citations, count.

An `AnswerRequest` says what is asked; the `Answer` yields events. Whoever runs one renders its events: runs store
them, the foreign APIs translate them, the terminal prints them.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager, aclosing
from dataclasses import dataclass, field, replace
from typing import Protocol, assert_never

from eclair.errors import EngineBroken, TooLarge, UpstreamError
from eclair.generation.fallback import FALLBACK_ERRORS, stopped
from eclair.generation.live_citations import StreamingCitationChecker
from eclair.generation.meter import Meter
from eclair.generation.parts import Parts
from eclair.generation.prompt import PreparedTurn, PromptBuilder
from eclair.generation.route import Route
from eclair.generation.sources import NO_LEAD, Lead, Note, Quote, QuoteMarkFilter, Retriever
from eclair.generation.usage import UsageLedger
from eclair.llm.base import JSON, Delta, Engine, Finish, PromptMessage, Reasoning, Request, Text, TokenUsage, ToolCall
from eclair.schema.events import (
    Cited,
    Doubted,
    Event,
    ModelChanged,
    Notice,
    PartDelta,
    RunFailed,
    RunFinished,
    SourceFound,
    StepFinished,
    StepStarted,
    UsageCounted,
)
from eclair.schema.messages import Message, Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.util.background import IdleScheduler

LOADING_NOTICE_AFTER_S = 0.4
"""Without a word for so long, the person is told what is waited for."""

MAX_TOOL_CALLS = 4


class Tool(Protocol):
    """Something a model may call in its answer; what comes of it becomes part of the answer."""

    name: str

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Describe it to the model, in OpenAI's format; None where this model may not call it now."""
        ...

    def call(self, arguments: str, parts: Parts) -> AsyncGenerator[Event, None]:
        """Carry out one call. Raises EngineBroken for arguments that make no sense."""
        ...


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """Everything an answer is made from.

    `accepted` is when the person asked, on the clock of `time.perf_counter`. `resumes` is an unfinished answer to be
    continued; it is not retrieved for again. The usage counts to `principal`; None where the stored message carries it.
    Without `leads` the answer begins with the model's own words, in whatever format the request demands.
    Without `shows_steps` nobody is told what the engine is busy with. A `meter` measures several answers as one.
    """

    route: Route
    prompt: PromptBuilder
    accepted: float
    retriever: Retriever | None = None
    tools: tuple[Tool, ...] = ()
    resumes: Message | None = None
    principal: Principal | None = None
    leads: bool = True
    shows_steps: bool = True
    meter: Meter | None = None


class AnswerPipeline:
    """Makes answers. Without a `ledger` no usage is kept; during an answer, `idle` work waits."""

    def __init__(self, ledger: UsageLedger | None = None, idle: IdleScheduler | None = None) -> None:
        self._ledger = ledger
        self._idle = idle or IdleScheduler()

    def busy(self) -> AbstractContextManager[None]:
        """Keep background work waiting for an answer that is about to be made."""
        return self._idle.answering()

    def run(self, request: AnswerRequest) -> Answer:
        """Begin an answer: iterate over its `events`, then take its `closing` ones."""
        return Answer(request, self._ledger, self._idle)


@dataclass(slots=True)
class _Call:
    """A model's call of one of our tools."""

    tool: Tool
    arguments: list[str] = field(default_factory=list[str])


class Answer:
    """One answer in the making, and what the events leave out.

    `turn` is what was asked of whom, certain once the first part starts. `ended` and `counted` are the engine's last
    words, None until they come.
    """

    def __init__(self, request: AnswerRequest, ledger: UsageLedger | None, idle: IdleScheduler) -> None:
        self.turn: PreparedTurn | None = None
        self.finish: Finish | None = None
        self.token_usage: TokenUsage | None = None
        self._request = request
        self._ledger = ledger
        self._idle = idle
        self._engine, self._model = request.route.engine, request.route.model
        self._fallback = request.route.fallback.copy()
        self._meter = request.meter or Meter(request.accepted)
        self._parts = Parts()
        self._found: tuple[Passage, ...] = ()
        self._notes: tuple[str, ...] = ()
        self._passages: tuple[Passage, ...] = ()
        self._checker: StreamingCitationChecker | None = None
        self._filter: QuoteMarkFilter | None = None
        self._tools: dict[str, Tool] = {}
        self._calls: dict[int, _Call] = {}
        self._has_begun = False

    async def events(self) -> AsyncGenerator[Event, None]:
        """Make the answer. Closing the generator stops the engine. Raises what keeps the answer from being made."""
        try:
            with self._idle.answering():
                async with aclosing(self._before_asking()) as events:
                    async for event in events:
                        yield event
                while not self._has_ended:
                    try:
                        async with aclosing(self._engine.stream(self._engine_request())) as deltas:
                            async with aclosing(self._first(deltas)) as events:
                                async for event in events:
                                    yield event
                            async for delta in deltas:
                                for event in self._take(delta):
                                    yield event
                                for verdict in self._checker.ready() if self._checker is not None else ():
                                    yield verdict
                        if not self._has_ended:
                            raise EngineBroken("The engine broke off before the end of its answer; try again.")
                    except _TooSlow as slow:
                        self._ask_next(slow.next)
                    except FALLBACK_ERRORS as error:
                        await self._move_on(error)
                for verdict in await self._checker.finish() if self._checker is not None else ():
                    yield verdict
                async with aclosing(self._call_tools()) as events:
                    async for event in events:
                        yield event
        finally:
            if self._checker is not None:
                await self._checker.close()
            if self._ledger is not None and self._request.principal is not None:
                await self._ledger.add(self._request.principal, self._model.id, self._meter.usage())

    def closing(self, end: Event | None = None) -> list[Event]:
        """Return the last events, however `events` ended: close the open part, state the usage, end the run.

        An answer that failed before its first word says what might help.
        """
        usage = self._meter.usage()
        notices = self.turn.notices if self.turn is not None else ()
        return [
            *(notices if isinstance(end, RunFailed) and not self._has_begun else ()),
            *self._parts.finish(),
            *([UsageCounted(usage)] if usage is not None else []),
            end or RunFinished(self.finish.reason if self.finish is not None else "stop"),
        ]

    @property
    def _has_ended(self) -> bool:
        return self.finish is not None

    async def _before_asking(self) -> AsyncGenerator[Event, None]:
        """Resume what there is of the answer, or retrieve what it can rest on; then build the prompt."""
        request, lead = self._request, NO_LEAD
        if request.resumes is not None:
            for event in self._resume(request.resumes):
                yield event
        elif request.retriever is not None:
            async with aclosing(request.retriever.retrieve(self._engine, self._model)) as findings:
                async for finding in findings:
                    if isinstance(finding, Note):
                        self._notes = (*self._notes, finding.text)
                        continue
                    if isinstance(finding, SourceFound):
                        self._found = (*self._found, finding.passage)
                    yield finding
            self._rest_on(self._found)
            lead = await request.retriever.lead(self._model) if request.leads else NO_LEAD
        self.turn = await self._build(self._engine, self._model)
        for event in self._begin_with(lead):
            yield event
        if lead.is_complete:
            self.finish, self.token_usage, self._checker = Finish("stop"), TokenUsage(0, 0), None
            for event in self._announce():
                yield event

    def _rest_on(self, passages: tuple[Passage, ...]) -> None:
        """Have the answer checked against these passages."""
        self._passages = passages
        if self._request.retriever is not None and passages:
            self._checker = StreamingCitationChecker(self._request.retriever.checker(passages))

    def _resume(self, answer: Message) -> list[Event]:
        """Say again what there is of an answer; its last text stays open for more."""
        self._rest_on(answer.passages)
        events: list[Event] = [SourceFound(passage) for passage in self._passages]
        for index, part in enumerate(answer.parts):
            events += self._parts.start(part.kind, part.id, part.name)
            events.append(PartDelta(index, part.text))
            if self._checker is not None and part.kind == "text":
                self._checker.skip(index, part.text)
        return [*events, *map(Cited, answer.citations), *map(Doubted, answer.doubts)]

    def _begin_with(self, lead: Lead) -> list[Event]:
        """Begin the answer with quotes. They are not the model's words, so its speed is measured without them."""
        events: list[Event] = []
        said = ""
        for each in lead.texts:
            self._meter.quoted()
            text = each.text if isinstance(each, Quote) else each
            events += self._parts.take(Text(text))
            if isinstance(each, Quote):
                at = each.citation
                events.append(Cited(replace(at, start=at.start + len(said), end=at.end + len(said))))
                self._filter = QuoteMarkFilter()
            said += text
        if self._checker is not None and said:
            self._checker.skip(0, said)
        return events

    async def _build(self, engine: Engine, model: Model) -> PreparedTurn:
        return await self._request.prompt.build(engine, model, self._found, self._notes)

    def _engine_request(self) -> Request:
        """The prepared request, with the tools that this model may call."""
        assert self.turn is not None
        turn = self.turn
        self._meter.rates = turn.rates
        offered = offer(self._request.tools, turn, self._passages)
        self._tools = {tool.name: tool for tool, _ in offered}
        tools = (*turn.request.tools, *(definition for _, definition in offered))
        return replace(turn.request, tools=tools, energy=self._meter.tab)

    async def _move_on(self, error: UpstreamError) -> None:
        """Have the next model asked in place of the one that failed. Raises the error where none is left."""
        found = None if self._has_begun else await self._next(error)
        if found is None:
            raise (error if self._has_begun else self._fallback.explain(error)) from error
        self._ask_next(found)

    def _ask_next(self, turn: PreparedTurn) -> None:
        self.turn, self._engine, self._model = turn, turn.engine, turn.model

    async def _next(self, error: UpstreamError) -> PreparedTurn | None:
        """Build the prompt for the next model that is there and can read it."""
        failed, why = self._model.id, error.message
        while (found := await self._fallback.next(failed, why)) is not None:
            try:
                return await self._build(*found)
            except TooLarge as too_large:
                failed, why = found[1].id, too_large.message
        return None

    async def _first(self, deltas: AsyncGenerator[Delta, None]) -> AsyncGenerator[Event, None]:
        """Wait for the first delta, and say meanwhile what the engine is busy with. Raises _TooSlow."""
        first = asyncio.ensure_future(anext(deltas, None))
        try:
            async with aclosing(self._wait(first, self._fallback.timeout_s)) as steps:
                async for step in steps:
                    yield step
            if not first.done():
                turn = await self._next(self._fallback.timed_out(self._model))
                if turn is not None:
                    raise _TooSlow(turn)
            delta = await first
        finally:
            await stopped(first)
        if delta is not None:
            self._has_begun = True
            for event in (*self._announce(), *self._take(delta)):
                yield event

    async def _wait(
        self, first: asyncio.Future[Delta | None], timeout_s: float | None
    ) -> AsyncGenerator[StepStarted | StepFinished, None]:
        """Wait for the first delta, until the timeout at most; loading the model is a step."""
        deadline = math.inf if timeout_s is None else time.perf_counter() + timeout_s

        def left(most: float = math.inf) -> float | None:
            """Seconds that may still be waited, None without an end."""
            seconds = min(most, max(0.0, deadline - time.perf_counter()))
            return None if seconds == math.inf else seconds

        if self._request.shows_steps:
            await asyncio.wait([first], timeout=left(LOADING_NOTICE_AFTER_S))
            if await self._is_loading(first, left()):
                since = time.perf_counter()
                yield StepStarted("load", "load", f"Loading {self._model.name}")
                while await self._is_loading(first, left()):
                    await asyncio.wait([first], timeout=left(0.1))
                yield StepFinished("load", round((time.perf_counter() - since) * 1000, 1))
        await asyncio.wait([first], timeout=left())

    async def _is_loading(self, first: asyncio.Future[Delta | None], timeout_s: float | None) -> bool:
        """Whether the first delta is missing because the model is being loaded, as far as can be told so soon."""
        health = asyncio.ensure_future(self._engine.health(self._model.id))
        try:
            await asyncio.wait([first, health], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
            return not first.done() and health.done() and health.result().state == "loading"
        finally:
            await stopped(health)

    def _announce(self) -> list[ModelChanged | Notice]:
        """What the person should know, now that it is certain who answers."""
        assert self.turn is not None
        turn, model = self.turn, self.turn.model
        replaced = self._fallback.notice(model)
        return [
            *([ModelChanged(model.id)] if model.id != self._request.route.model.id else []),
            *([replaced] if replaced is not None else []),
            *([_trimmed(turn)] if turn.dropped else []),
            *turn.notices,
        ]

    def _take(self, delta: Delta) -> Sequence[Event]:
        """Turn a delta of the engine into events."""
        match delta:
            case Text(text=text):
                self._meter.text(text)
                if self._filter is not None:
                    delta = replace(delta, text=self._filter.filter(text))
                events = self._parts.take(delta)
                if self._checker is not None:
                    self._checker.add(self._parts.current, delta.text)
                return events
            case ToolCall(index=index) if index in self._calls or delta.name in self._tools:
                if index not in self._calls:
                    self._calls[index] = _Call(self._tools[delta.name or ""])
                self._calls[index].arguments.append(delta.arguments)
                return ()
            case Reasoning() | ToolCall():
                return self._parts.take(delta)
            case TokenUsage():
                self.token_usage = delta
                self._meter.counted(delta)
                return ()
            case Finish():
                self.finish = delta
                return ()
            case _:
                assert_never(delta)

    async def _call_tools(self) -> AsyncGenerator[Event, None]:
        """Carry out the calls of our tools. The answer ends with what comes of them."""
        if not self._calls:
            return
        self.finish = Finish("stop")
        for event in self._parts.finish():
            yield event
        for call in [*self._calls.values()][:MAX_TOOL_CALLS]:
            async with aclosing(call.tool.call("".join(call.arguments), self._parts)) as events:
                async for event in events:
                    yield event


class _TooSlow(Exception):
    """The first word is long in coming, and `next` is ready to be asked."""

    def __init__(self, next: PreparedTurn) -> None:
        super().__init__(next.model.id)
        self.next = next


def offer(tools: Sequence[Tool], turn: PreparedTurn, passages: Sequence[Passage]) -> list[tuple[Tool, JSON]]:
    """The tools that the model of a turn may call, each with its definition."""
    defined = ((tool, tool.definition(turn.model, turn.request.messages, passages)) for tool in tools)
    return [(tool, definition) for tool, definition in defined if definition is not None]


def _trimmed(turn: PreparedTurn) -> Notice:
    return Notice(
        "history_trimmed",
        f"The conversation is longer than {turn.model.name} can read at once; "
        f"its oldest {turn.dropped} messages were left out.",
    )
