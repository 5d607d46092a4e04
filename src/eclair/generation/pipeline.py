"""The only place where an answer is made.

It retrieves, builds the prompt, asks, calls tools, checks citations and counts. An `AnswerRequest` goes in, an
`AnswerStream` yields events. Callers render those: runs store them, the foreign APIs translate them, the terminal
prints them.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AbstractContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol, assert_never

from eclair.errors import EngineBroken, TooLarge, UpstreamError
from eclair.generation.citation_review import can_review, review_doubts
from eclair.generation.fallback import FALLBACK_ERRORS
from eclair.generation.first_delta import FirstDelta
from eclair.generation.live_citations import StreamingCitationChecker
from eclair.generation.meter import Meter
from eclair.generation.parts import Parts
from eclair.generation.prompt import PreparedTurn, PromptBuilder
from eclair.generation.route import Route
from eclair.generation.sources import NO_LEAD, Lead, Note, Quote, QuoteMarkFilter, Retriever
from eclair.generation.statistics import AnswerStatistics, Outcome
from eclair.generation.usage import CallState, UsageLedger, ask_uncounted
from eclair.llm.base import (
    JSON,
    Delta,
    Engine,
    Finish,
    PromptMessage,
    PromptProgress,
    Reasoning,
    Request,
    Text,
    TokenUsage,
    ToolCall,
)
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
    UsageCounted,
)
from eclair.schema.messages import Message, Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.util.background import IdleScheduler
from eclair.util.tracing import CURRENT_SPAN, NO_SPAN, ending

MAX_TOOL_CALLS = 4


class Tool(Protocol):
    """Something a model may call while it answers; the result becomes part of the answer."""

    name: str

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return its definition in OpenAI's format; None if this model may not call it now."""
        ...

    def call(self, arguments: str, parts: Parts) -> AsyncGenerator[Event, None]:
        """Carry out one call. Raises EngineBroken for invalid arguments."""
        ...


@dataclass(frozen=True, slots=True)
class AnswerRequest:
    """Everything an answer is made from.

    `accepted` is when the question arrived, on `time.perf_counter`. `resumes` is an unfinished answer to continue,
    without retrieving again. With `reviews_doubts` the model itself looks again at what no passage supports by its
    words, if it can. It is made for `principal`, to whom the usage counts; with `is_carried` something else, such as
    the stored message, carries it. Without `allows_lead` the answer begins with the model's own words, in whatever
    format the request demands. Without `shows_steps` no loading step is reported. A `meter` measures several answers
    as one.
    """

    route: Route
    prompt: PromptBuilder
    accepted: float
    principal: Principal
    retriever: Retriever | None = None
    tools: tuple[Tool, ...] = ()
    resumes: Message | None = None
    is_carried: bool = False
    allows_lead: bool = True
    shows_steps: bool = True
    reviews_doubts: bool = False
    meter: Meter | None = None


class AnswerPipeline:
    """Makes answers. Without a `ledger` no usage is stored; `idle` work waits meanwhile."""

    def __init__(self, ledger: UsageLedger | None = None, idle: IdleScheduler | None = None) -> None:
        self.statistics = AnswerStatistics()
        self._ledger = ledger
        self._idle = idle or IdleScheduler()

    def busy(self) -> AbstractContextManager[None]:
        """Pause background work for an answer that is about to be made."""
        return self._idle.answering()

    def run(self, request: AnswerRequest) -> AnswerStream:
        """Prepare an answer: iterate over its `events`, then take its `closing_events`."""
        return AnswerStream(request, self._ledger, self._idle, self.statistics)


@dataclass(slots=True)
class _Call:
    """A model's call of one of our tools."""

    tool: Tool
    arguments: list[str] = field(default_factory=list[str])


class AnswerStream:
    """One answer being made, and what its events leave out.

    `turn` is the prompt and its model, final once the first part starts. `finish` and `token_usage` are the engine's
    last deltas, None until they come.
    """

    def __init__(
        self, request: AnswerRequest, ledger: UsageLedger | None, idle: IdleScheduler, statistics: AnswerStatistics
    ) -> None:
        self._statistics = statistics
        self.turn: PreparedTurn | None = None
        self.finish: Finish | None = None
        self.token_usage: TokenUsage | None = None
        self._request = request
        self._ledger = ledger
        self._idle = idle
        self._call = CallState()
        self._engine, self._model = request.route.engine, request.route.model
        self._fallback = request.route.fallback.copy()
        self._meter = request.meter or Meter(request.accepted)
        self._parts = Parts()
        self._found: tuple[Passage, ...] = ()
        self._notes: tuple[Note, ...] = ()
        self._passages: tuple[Passage, ...] = ()
        self._checker: StreamingCitationChecker | None = None
        self._filter: QuoteMarkFilter | None = None
        self._tools: dict[str, Tool] = {}
        self._calls: dict[int, _Call] = {}
        self._has_begun = False
        self._span = self._engine_span = NO_SPAN

    async def events(self) -> AsyncGenerator[Event, None]:
        """Make the answer. Closing the generator stops the engine.

        Raises an EclairError that keeps the answer from being made.
        """
        outcome: Outcome = "stopped"
        self._statistics.begin(self, self._model.id)
        self._span = CURRENT_SPAN.get().child("answer")
        try:
            with self._idle.answering():
                async with aclosing(self._prepare()) as events:
                    async for event in events:
                        yield event
                while not self._has_ended:
                    try:
                        async with self._asking() as deltas:
                            async with aclosing(self._first_events(deltas)) as events:
                                async for event in events:
                                    yield event
                            async for delta in deltas:
                                for event in self._convert(delta):
                                    yield event
                                for verdict in self._checker.ready() if self._checker is not None else ():
                                    yield verdict
                        if not self._has_ended:
                            raise EngineBroken("The engine broke off before the end of its answer; try again.")
                    except _TooSlow as too_slow:
                        self._ask_next(too_slow.next)
                    except FALLBACK_ERRORS as error:
                        await self._switch_model(error)
                for verdict in await self._finish_checks():
                    yield verdict
                async with aclosing(self._call_tools()) as events:
                    async for event in events:
                        yield event
            outcome = "finished"
        except Exception as error:
            outcome = "failed"
            self._span.set("error.type", type(error).__name__)
            raise
        finally:
            self._statistics.end(self)
            self._span.set("eclair.outcome", outcome)
            self._span.end()
            if self._request.meter is None:  # several answers share one
                self._statistics.add(outcome, self._meter.usage())
            if self._checker is not None:
                await self._checker.close()
            if self._ledger is not None and not self._request.is_carried:
                await self._ledger.add(self._request.principal, self._model.id, self._meter.usage())

    def closing_events(self, end: Event | None = None) -> list[Event]:
        """Return the last events: close the open part, state the usage, end the run.

        If the answer failed before its first word, notices that may help come first.
        """
        usage = self._meter.usage()
        notices = self.turn.notices if self.turn is not None else ()
        return [
            *(notices if isinstance(end, RunFailed) and not self._has_begun else ()),
            *self._parts.finish(),
            *([UsageCounted(usage)] if usage is not None else []),
            end or RunFinished(self.finish.reason if self.finish is not None else "stop"),
        ]

    @asynccontextmanager
    async def _asking(self) -> AsyncGenerator[AsyncGenerator[Delta, None]]:
        """Ask the engine, in a span of its own; yield its deltas."""
        with ending(self._span.child("chat")) as span:
            self._engine_span = span
            span.set("gen_ai.operation.name", "chat")
            span.set("gen_ai.request.model", self._model.id)
            span.set("eclair.location", self._model.location)
            try:
                async with aclosing(self._stream(self._engine_request())) as deltas:
                    yield deltas
            finally:
                counted = self.token_usage
                span.set("gen_ai.usage.input_tokens", counted and counted.prompt_tokens)
                span.set("gen_ai.usage.output_tokens", counted and counted.completion_tokens)

    def _stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Ask the engine through the ledger, if there is one."""
        if self._ledger is None:
            return self._engine.stream(request)
        self._call = CallState()
        return self._ledger.stream(self._request.principal, self._engine, self._model, request, self._call)

    def _count_ahead(self) -> int:
        """Count the answers before this one: those in the engine's queue, or else those that the model makes."""
        ahead = self._call.ahead()
        return self._statistics.count_ahead(self) if ahead is None else ahead

    @property
    def _has_ended(self) -> bool:
        return self.finish is not None

    async def _prepare(self) -> AsyncGenerator[Event, None]:
        """Resume the answer so far, or retrieve; then build the prompt."""
        request, lead = self._request, NO_LEAD
        if request.resumes is not None:
            for event in self._resume(request.resumes):
                yield event
        elif request.retriever is not None:
            with ending(self._span.child("retrieve")) as span:
                async with aclosing(request.retriever.retrieve(self._engine, self._model)) as findings:
                    async for finding in findings:
                        if isinstance(finding, Note):
                            self._notes = (*self._notes, finding)
                            continue
                        if isinstance(finding, SourceFound):
                            self._found = (*self._found, finding.passage)
                        yield finding
                span.set("eclair.passages", len(self._found))
            self._check_against(self._found)
            lead = await request.retriever.lead(self._model) if request.allows_lead else NO_LEAD
        self.turn = await self._build(self._engine, self._model)
        for event in self._lead_events(lead):
            yield event
        if lead.is_complete:
            self.finish, self.token_usage, self._checker = Finish("stop"), TokenUsage(0, 0), None
            for event in self._opening_notices():
                yield event

    def _check_against(self, passages: tuple[Passage, ...]) -> None:
        """Have the answer checked against these passages."""
        self._passages = passages
        if self._request.retriever is not None and passages:
            holds_open = self._request.reviews_doubts and can_review(self._model)
            self._checker = StreamingCitationChecker(self._request.retriever.checker(passages), holds_open=holds_open)

    async def _finish_checks(self) -> list[Cited | Doubted]:
        """Return the last verdicts; the model may look again at open doubts while nobody else waits for an answer."""
        if self._checker is None:
            return []
        verdicts = await self._checker.finish()
        doubts = self._checker.open_doubts
        if not doubts:
            return verdicts
        left = [each.doubt for each in doubts]
        if can_review(self._model) and self._statistics.running == 1:
            ask = ask_uncounted if self._ledger is None else self._ledger.ask
            asked = partial(ask, self._request.principal, self._engine, self._model)
            left = await review_doubts(doubts, asked, self._model, self._idle.next_answer)
        return [*verdicts, *map(Doubted, left)]

    def _resume(self, answer: Message) -> list[Event]:
        """Replay an unfinished answer; its last text stays open for more."""
        self._check_against(answer.passages)
        events: list[Event] = [SourceFound(passage) for passage in self._passages]
        for index, part in enumerate(answer.parts):
            events += self._parts.start(part.kind, part.id, part.name)
            events.append(PartDelta(index, part.text))
            if self._checker is not None and part.kind == "text":
                self._checker.skip(index, part.text)
        return [*events, *map(Cited, answer.citations), *map(Doubted, answer.doubts)]

    def _lead_events(self, lead: Lead) -> list[Event]:
        """Start the answer with quotes, which don't count toward the model's speed."""
        events: list[Event] = []
        lead_text = ""
        for item in lead.texts:
            self._meter.count_quote()
            text = item.text if isinstance(item, Quote) else item
            events += self._parts.add(Text(text))
            if isinstance(item, Quote):
                citation, offset = item.citation, len(lead_text)
                events.append(Cited(replace(citation, start=citation.start + offset, end=citation.end + offset)))
                self._filter = QuoteMarkFilter()
            lead_text += text
        if self._checker is not None and lead_text:
            self._checker.skip(0, lead_text)
        return events

    async def _build(self, engine: Engine, model: Model) -> PreparedTurn:
        return await self._request.prompt.build(engine, model, self._found, self._notes)

    def _engine_request(self) -> Request:
        """Return the prepared request, with the tools that this model may call."""
        assert self.turn is not None
        turn = self.turn
        self._meter.rates = turn.rates
        offered = offer_tools(self._request.tools, turn, self._passages)
        self._tools = {tool.name: tool for tool, _ in offered}
        tools = (*turn.request.tools, *(definition for _, definition in offered))
        return replace(
            turn.request, tools=tools, energy=self._meter.energy, watermarks=not self._passages and self._filter is None
        )

    async def _switch_model(self, error: UpstreamError) -> None:
        """Switch to the next model after an error. Raises the error if none is left."""
        prepared = None if self._has_begun else await self._next(error)
        if prepared is None:
            raise (error if self._has_begun else self._fallback.explain(error)) from error
        self._ask_next(prepared)

    def _ask_next(self, turn: PreparedTurn) -> None:
        self.turn, self._engine, self._model = turn, turn.engine, turn.model

    async def _next(self, error: UpstreamError) -> PreparedTurn | None:
        """Build the prompt for the next model that is available and can read it."""
        failed, why = self._model.id, error.message
        while (found := await self._fallback.next(failed, why)) is not None:
            try:
                return await self._build(*found)
            except TooLarge as too_large:
                failed, why = found[1].id, too_large.message
        return None

    async def _first_events(self, deltas: AsyncGenerator[Delta, None]) -> AsyncGenerator[Event, None]:
        """Wait for the first delta, reporting what the engine is busy with. Raises _TooSlow."""
        first = FirstDelta(deltas, self._engine, self._model, self._count_ahead)
        try:
            waiting = first.wait(self._fallback.timeout_s, shows_steps=self._request.shows_steps)
            async with aclosing(waiting) as steps:
                async for step in steps:
                    yield step
            if not first.has_come:
                turn = await self._next(self._fallback.timed_out(self._model))
                if turn is not None:
                    raise _TooSlow(turn)
            delta = await first.get()
        finally:
            await first.close()
        if delta is not None:
            self._has_begun = True
            self._engine_span.mark("first_token")
            for event in (*self._opening_notices(), *self._convert(delta)):
                yield event

    def _opening_notices(self) -> list[ModelChanged | Notice]:
        """Return the notices to show once it is certain which model answers."""
        assert self.turn is not None
        turn, model = self.turn, self.turn.model
        replaced = self._fallback.notice(model)
        return [
            *([ModelChanged(model.id)] if model.id != self._request.route.model.id else []),
            *([replaced] if replaced is not None else []),
            *([_trimmed(turn)] if turn.dropped else []),
            *(Notice("budget_low", sentence) for sentence in self._call.warnings),
            *turn.notices,
        ]

    def _convert(self, delta: Delta) -> Sequence[Event]:
        """Turn a delta of the engine into events."""
        match delta:
            case Text(text=text):
                self._meter.count_text(text)
                if self._filter is not None:
                    delta = replace(delta, text=self._filter.filter(text))
                events = self._parts.add(delta)
                if self._checker is not None:
                    self._checker.add(self._parts.current, delta.text)
                return events
            case ToolCall(index=index) if index in self._calls or delta.name in self._tools:
                if index not in self._calls:
                    self._calls[index] = _Call(self._tools[delta.name or ""])
                self._calls[index].arguments.append(delta.arguments)
                return ()
            case Reasoning() | ToolCall():
                return self._parts.add(delta)
            case PromptProgress():
                return ()
            case TokenUsage():
                self.token_usage = delta
                self._meter.add_token_usage(delta)
                return ()
            case Finish():
                self.finish = delta
                return ()
            case _:
                assert_never(delta)

    async def _call_tools(self) -> AsyncGenerator[Event, None]:
        """Carry out the calls of our tools. Their results end the answer."""
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
    """The first word is late, and the prompt `next` is ready for another model."""

    def __init__(self, next: PreparedTurn) -> None:
        super().__init__(next.model.id)
        self.next = next


def offer_tools(tools: Sequence[Tool], turn: PreparedTurn, passages: Sequence[Passage]) -> list[tuple[Tool, JSON]]:
    """Return the tools that the turn's model may call, each with its definition."""
    defined = ((tool, tool.definition(turn.model, turn.request.messages, passages)) for tool in tools)
    return [(tool, definition) for tool, definition in defined if definition is not None]


def _trimmed(turn: PreparedTurn) -> Notice:
    return Notice(
        "history_trimmed",
        f"The conversation is longer than {turn.model.name} can read at once; "
        f"its oldest {turn.dropped} messages were left out.",
    )
