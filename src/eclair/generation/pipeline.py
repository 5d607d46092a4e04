"""The only place where an answer is made.

It retrieves, builds the prompt, asks, has the loop call tools and asks again, checks citations and counts. An
`AnswerRequest` goes in, an `AnswerStream` yields events. Callers render those: runs store them, the foreign APIs
translate them, the terminal prints them.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, aclosing, asynccontextmanager
from dataclasses import replace
from typing import Any, assert_never

from eclair.errors import EngineBroken, TooLarge, UpstreamError
from eclair.generation.answer_checks import AnswerChecks, begins_unsupported
from eclair.generation.answer_request import AnswerRequest, TakenUpAnswer
from eclair.generation.call_permissions import CallQuestion, CallRuling
from eclair.generation.call_rounds import call_messages, end_calls, last_call_round, without_unmade_calls
from eclair.generation.demanded_calls import ToolDemand
from eclair.generation.fallback import FALLBACK_ERRORS
from eclair.generation.first_delta import FirstDelta
from eclair.generation.live_citations import CitationEvent
from eclair.generation.meter import Meter, add_usage
from eclair.generation.parts import Parts
from eclair.generation.prompt import PreparedTurn
from eclair.generation.sources import NO_LEAD, Lead, Note, PassageNumbers, Quote, QuoteMarkFilter, Retriever
from eclair.generation.statistics import AnswerStatistics, Outcome
from eclair.generation.tool_loop import LIMIT_NOTICES, LoopLimit, ToolLoop
from eclair.generation.tools import Tool, ToolContext, offer_tools
from eclair.generation.usage import CallState, UsageLedger, ask_uncounted
from eclair.llm.base import (
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
    control_tokens,
)
from eclair.schema.events import (
    END,
    Cited,
    Doubted,
    Event,
    FigureComputed,
    Folding,
    MemoriesUsed,
    MemoryKept,
    ModelChanged,
    Notice,
    PartDelta,
    PartFinished,
    PartStarted,
    RunFailed,
    RunFinished,
    RunStarted,
    RunWaiting,
    SourceFound,
    StepFinished,
    StepStarted,
    UsageCounted,
    replay,
    unfold_call,
)
from eclair.schema.mcp_servers import MCP_NAME_SEPARATOR
from eclair.schema.messages import Message, Part, Passage, Usage
from eclair.schema.models import Model
from eclair.util.background import IdleScheduler
from eclair.util.tracing import CURRENT_SPAN, NO_SPAN, ending

log = logging.getLogger(__name__)


class AnswerPipeline:
    """Makes answers. Without a `ledger` no usage is stored; `idle` work waits meanwhile.

    `note_answer` is told of each model that has answered.
    """

    def __init__(
        self,
        ledger: UsageLedger | None = None,
        idle: IdleScheduler | None = None,
        note_answer: Callable[[Engine, Model], None] | None = None,
    ) -> None:
        self._note_answer = note_answer
        self.statistics = AnswerStatistics()
        self._ledger = ledger
        self._idle = idle or IdleScheduler()

    def busy(self) -> AbstractContextManager[None]:
        """Pause background work for an answer that is about to be made."""
        return self._idle.answering()

    def run(self, request: AnswerRequest) -> AnswerStream:
        """Prepare an answer: iterate over its `events`, then take its `closing_events`."""
        return AnswerStream(request, self._ledger, self._idle, self.statistics, self._note_answer)


class AnswerStream:
    """One answer being made, and what its events leave out.

    `turn` is the prompt and its model, final once the first part starts. `finish` is the engine's last one, and
    `token_usage` the sum of all rounds; both are None until they come. `limit` is the one at which the model had to
    answer, if it reached any.
    """

    def __init__(
        self,
        request: AnswerRequest,
        ledger: UsageLedger | None,
        idle: IdleScheduler,
        statistics: AnswerStatistics,
        note_answer: Callable[[Engine, Model], None] | None = None,
    ) -> None:
        self._note_answer = note_answer
        self._statistics = statistics
        self.turn: PreparedTurn | None = None
        self.finish: Finish | None = None
        self.token_usage: TokenUsage | None = None
        self._round_usage: TokenUsage | None = None
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
        self._retrieved_for: Model | None = None
        make = request.retriever.checker if request.retriever is not None else request.checker
        self._checks = AnswerChecks(make, request.asked_words, reviews_doubts=request.reviews_doubts)
        self._filter: QuoteMarkFilter | None = None
        self._numbers = request.numbers or PassageNumbers(())
        self._loop = ToolLoop(
            self._parts, self._call_context, self._judge, can_wait=request.can_wait, budget=request.budget
        )
        self.limit: LoopLimit | None = None
        self._folding = Folding()
        self._folding.add(RunStarted("", "", "", None, self._model.id, 0))
        self._demanded: ToolDemand | None = None
        """The call that the engine is asked for now."""
        self._earlier_usage: Usage | None = None
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
                for stage in self._stages():
                    async with aclosing(stage) as events:
                        async for event in events:
                            self._folding.add(event)
                            yield event
            outcome = "finished"
            if self._note_answer is not None:
                self._note_answer(self._engine, self._model)
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
            await self._checks.close()
            if self._ledger is not None and not self._request.is_carried:
                await self._ledger.add(self._request.principal, self._model.id, self._meter.usage())

    def closing_events(self, end: Event | None = None) -> list[Event]:
        """Return the last events: close the open part, state the usage, end the run.

        If the answer failed before its first word, notices that may help come first.
        """
        usage = add_usage(self._earlier_usage, self._meter.usage())
        end = end or (RunWaiting() if self._loop.is_waiting else None)
        notices = self.turn.notices if self.turn is not None else ()
        return [
            *(notices if isinstance(end, RunFailed) and not self._has_begun else ()),
            *self._parts.finish(),
            *(end_calls(self._folding.message().calls, end) if isinstance(end, END) else ()),
            *([UsageCounted(usage)] if usage is not None else []),
            end or RunFinished(self.finish.reason if self.finish is not None else "stop"),
        ]

    def _stages(self) -> Iterator[AsyncGenerator[Event, None]]:
        """Yield what makes the answer, one after another: ask, make the calls and ask again, until there is none."""
        yield self._prepare()
        while not self._has_ended and not self._loop.is_waiting:
            self.limit = self._loop.limit
            is_last = self.limit is not None
            if self.limit is not None:
                yield self._say_limit(self.limit)
            yield self._ask(is_last=is_last)
            if not (calls := self._own_calls()):
                break
            yield self._make_calls(self._loop.make(calls))
            self.finish = Finish("stop") if is_last else None
        if not self._loop.is_waiting:
            yield self._finish_checks()
            yield self._quote_closest()

    async def _say_limit(self, limit: LoopLimit) -> AsyncGenerator[Event, None]:
        yield LIMIT_NOTICES[limit]

    async def _ask(self, *, is_last: bool) -> AsyncGenerator[Event, None]:
        """Ask the engine until one answer is complete; another model may take over before the first word."""
        while not self._has_ended:
            try:
                async with self._asking(await self._engine_request(is_last=is_last)) as deltas:
                    async with aclosing(self._first_events(deltas)) as events:
                        async for event in events:
                            yield event
                    async for delta in deltas:
                        for event in self._convert(delta):
                            yield event
                        for verdict in self._checks.ready():
                            yield verdict
                if not self._has_ended:
                    raise EngineBroken("The engine broke off before the end of its answer; try again.")
            except _TooSlow as too_slow:
                self._ask_next(too_slow.next)
            except FALLBACK_ERRORS as error:
                await self._switch_model(error)
            if not self._has_ended:
                async with aclosing(self._retrieve_again()) as events:
                    async for event in events:
                        yield event

    def _own_calls(self) -> list[Part]:
        """Return the calls of this round; none if a client's tool was called, whose result it has to send."""
        assert self.turn is not None
        clients = {tool.get("function", {}).get("name") for tool in self.turn.request.tools}
        parts = self._folding.message().parts if self._loop.is_offered else ()
        calls = [part for part in parts if part.kind == "tool_call" and part.round == self._parts.round]
        return [] if any(call.name in clients for call in calls) else calls

    async def _make_calls(self, made: AsyncGenerator[Event, None]) -> AsyncGenerator[Event, None]:
        """Have calls of a round made; the answer may rest on what they found."""
        for event in self._parts.finish():
            yield event
        found: list[Passage] = []
        async with aclosing(made) as events:
            async for event in events:
                if isinstance(event, SourceFound):
                    found.append(event.passage)
                yield event
        if not self._loop.is_waiting:
            self._parts.next_round()
        self._checks.add_results(self._folding.message())
        if found:
            for verdict in await self._checks.add_passages(found, self._model):
                yield verdict

    async def _judge(self, tool: Tool, arguments: Any) -> CallRuling:
        """Judge a call. What foreign text may have led to is judged for itself."""
        asks = tool.asks_if_tainted(arguments)
        sent = self._words_sent(tool, arguments) if tool.access == "outbound" and not asks else None
        is_tainted = self._is_tainted(sent)
        access = "write" if is_tainted and asks else tool.access
        question = CallQuestion(tool.name, access, tool.scope(arguments), is_tainted)
        return await self._request.permissions.judge(self._request.principal, question)

    def _words_sent(self, tool: Tool, arguments: Any) -> str:
        """Return the words by which a call could carry something out: all, once an MCP server has told something here.

        Of what it told, the tool can't know which words are private.
        """
        told = any(
            MCP_NAME_SEPARATOR in call.tool and call.outcome is not None for call in self._folding.message().calls
        )
        given = arguments.model_dump(exclude_unset=True).values() if told else ()
        return tool.sends(arguments) or "\n".join(value for value in given if isinstance(value, str))

    def _is_tainted(self, sent: str | None) -> bool:
        """Return whether foreign text is in the context. What a call only `sent` may be the person's or a source's."""
        said = self._folding.message()
        read = any(call.access != "compute" and call.outcome is not None for call in said.calls)
        if not (self._request.is_tainted or self._checks.passages or read):
            return False
        is_known = sent in self._request.asked_words if sent is not None else False
        return not is_known and not any(sent == each.url for each in self._checks.passages if each.url is not None)

    def _call_context(self, call: str) -> ToolContext:
        request = self._request
        return ToolContext(
            call, request.principal, self._engine, self._model, self._numbers, may_elicit=request.can_wait
        )

    @asynccontextmanager
    async def _asking(self, request: Request) -> AsyncGenerator[AsyncGenerator[Delta, None]]:
        """Ask the engine, in a span of its own; yield its deltas."""
        with ending(self._span.child("chat")) as span:
            self._engine_span = span
            span.set("gen_ai.operation.name", "chat")
            span.set("gen_ai.request.model", self._model.id)
            span.set("eclair.location", self._model.location)
            self._round_usage = None
            try:
                async with aclosing(self._stream(request)) as deltas:
                    yield deltas
            finally:
                counted = self._round_usage
                span.set("gen_ai.usage.input_tokens", counted and counted.prompt_tokens)
                span.set("gen_ai.usage.output_tokens", counted and counted.completion_tokens)

    def _stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        """Ask the engine through the ledger, if there is one."""
        if self._ledger is None:
            deltas = self._engine.stream(request)
        else:
            self._call = CallState()
            deltas = self._ledger.stream(self._request.principal, self._engine, self._model, request, self._call)
        return deltas if self._demanded is None else self._demanded.read(deltas)

    def _count_ahead(self) -> int:
        """Count the answers before this one: those in the engine's queue, or else those that the model makes."""
        ahead = self._call.ahead()
        return self._statistics.count_ahead(self) if ahead is None else ahead

    @property
    def _has_ended(self) -> bool:
        return self.finish is not None

    async def _prepare(self) -> AsyncGenerator[Event, None]:
        """Resume the answer so far, or retrieve; then build the prompt."""
        request = self._request
        if request.takes_up is not None:
            async with aclosing(self._take_up(request.takes_up)) as events:
                async for event in events:
                    yield event
            return
        if request.memories:
            yield MemoriesUsed(request.memories)
        if request.skill is not None and request.resumes is None:
            yield StepStarted("skill", "skill", f"Reading {request.skill}")
            yield StepFinished("skill", 0.0, "done")
        if request.resumes is not None:
            for event in self._resume(without_unmade_calls(request.resumes)):
                yield event
        elif request.retriever is not None:
            async with aclosing(self._retrieve(request.retriever)) as events:
                async for event in events:
                    yield event
            return
        self.turn = await self._build(self._engine, self._model)

    async def _retrieve(self, retriever: Retriever) -> AsyncGenerator[Event, None]:
        """Retrieve for the model that is to answer, build the prompt, and begin the answer with quotes."""
        self._retrieved_for = self._model
        with ending(self._span.child("retrieve")) as span:
            async with aclosing(retriever.retrieve(self._engine, self._model)) as findings:
                async for finding in findings:
                    if isinstance(finding, Note):
                        self._notes = (*self._notes, finding)
                        continue
                    if isinstance(finding, SourceFound):
                        self._found = (*self._found, finding.passage)
                    yield finding
            span.set("eclair.passages", len(self._found))
        self._checks.begin(self._found, self._model)
        lead = await retriever.lead(self._model) if self._request.allows_lead else NO_LEAD
        self.turn = await self._build(self._engine, self._model)
        for event in self._lead_events(lead):
            yield event
        if lead.is_complete:
            self.finish = Finish("stop")
            self.token_usage = TokenUsage(0, 0)
            self._checks.drop()
            for event in self._opening_notices():
                yield event

    async def _retrieve_again(self) -> AsyncGenerator[Event, None]:
        """Retrieve for a model that can't look up, in place of one that would have done so by itself."""
        retriever, before = self._request.retriever, self._retrieved_for
        if retriever is None or before is None or self._found or self._has_begun:
            return
        if before.can_look_up and not self._model.can_look_up:
            async with aclosing(self._retrieve(retriever)) as events:
                async for event in events:
                    yield event

    def _finish_checks(self) -> AsyncGenerator[CitationEvent, None]:
        """Yield the last verdicts; the model may look again at open doubts while nobody else waits for an answer."""
        ask = ask_uncounted if self._ledger is None else self._ledger.ask
        return self._checks.finish(
            self._request.principal,
            self._engine,
            self._model,
            ask,
            self._idle,
            may_review=self._statistics.running == 1,
        )

    async def _quote_closest(self) -> AsyncGenerator[Event, None]:
        """Quote what is closest to the question below an answer whose first sentence no source supports."""
        retriever, answer = self._request.retriever, self._folding.message()
        if retriever is None or not self._request.allows_lead or not self._checks.is_checking or answer.calls:
            return
        if self.finish is None or self.finish.reason != "stop" or not begins_unsupported(answer):
            return
        try:
            quotes = await retriever.closest_quotes(self._model)
        except UpstreamError as error:
            log.warning("what is closest to a question is not quoted: %s", error.message)
            return
        for event in self._quote_events(quotes):
            yield event

    async def _take_up(self, answer: TakenUpAnswer) -> AsyncGenerator[Event, None]:
        """Go on with an answer that waited: its log stays, and the calls that are decided on are made."""
        message = answer.message
        self._earlier_usage = message.usage
        for event in replay(message):
            self._folding.add(event)
        self._resume(message)
        self._parts.finish()
        self._parts.round = max(part.round for part in message.parts)
        self._has_begun = True
        brought = {number for call in message.calls for number in call.passages}
        self._found = tuple(passage for passage in message.passages if passage.number not in brought)
        self.turn = await self._build(self._engine, self._model)
        offered = offer_tools(self._request.tools, self.turn, self._checks.passages)
        self._offer([tool for tool, _ in offered])
        open_calls = {call.call for call in message.calls if call.outcome is None}
        parts = [part for part in message.parts if part.kind == "tool_call" and part.id in open_calls]
        asking = {call.call for call in message.calls if call.is_asking}
        made = self._loop.make_decided(parts, answer.decisions, asking, answer.inputs)
        async with aclosing(self._make_calls(made)) as events:
            async for event in events:
                yield event

    def _resume(self, answer: Message) -> list[Event]:
        """Replay an unfinished answer; its last text stays open for more."""
        self._numbers.keep(answer.passages)
        self._checks.begin(answer.passages, self._model)
        self._checks.add_results(answer)
        self._loop.remember(answer)
        events: list[Event] = [SourceFound(passage) for passage in answer.passages]
        for index, part in enumerate(answer.parts):
            while self._parts.round < part.round:
                self._parts.next_round()
            events += self._parts.start(part.kind, part.id, part.name)
            events.append(PartDelta(index, part.text))
            if part.kind == "text":
                self._checks.skip(index, part.text)
        for call in answer.calls:
            events += unfold_call(call)
        if self._parts.round == last_call_round(answer.parts, answer.calls):
            self._parts.next_round()
        kept = map(MemoryKept, answer.kept_memories)
        figures = map(FigureComputed, answer.computed_figures)
        return [*events, *map(Cited, answer.citations), *map(Doubted, answer.doubts), *figures, *kept]

    def _lead_events(self, lead: Lead) -> list[Event]:
        """Start the answer with quotes, which don't count toward the model's speed."""
        events = self._quote_events(lead.texts)
        if lead.texts:
            self._meter.count_quote()
            self._checks.skip(0, "".join(each.text if isinstance(each, Quote) else each for each in lead.texts))
        if any(isinstance(each, Quote) for each in lead.texts):
            self._filter = QuoteMarkFilter()
        return events

    def _quote_events(self, items: Sequence[Quote | str]) -> list[Event]:
        """Add quotes, and sentences between them, to the answer's text."""
        events: list[Event] = []
        parts = self._folding.message().parts
        before = len(parts[-1].text) if parts and parts[-1].kind == "text" else 0
        for item in items:
            text = item.text if isinstance(item, Quote) else item
            added = self._parts.add(Text(text))
            if isinstance(added[0], PartStarted | PartFinished):
                before = 0
            events += added
            if isinstance(item, Quote):
                found = item.citation
                start, end = found.start + before, found.end + before
                events.append(Cited(replace(found, index=self._parts.current, start=start, end=end)))
            before += len(text)
        return events

    async def _build(self, engine: Engine, model: Model) -> PreparedTurn:
        return await self._request.prompt.build(engine, model, self._found, self._notes)

    async def _engine_request(self, *, is_last: bool) -> Request:
        """Return the prepared request, with the tools that this model may call, and the rounds so far.

        In the last round the tools stay, since the prompt's head must not change, and may not be called.
        """
        assert self.turn is not None
        turn = self.turn
        self._meter.rates = turn.rates
        offered = offer_tools(self._request.tools, turn, self._checks.passages)
        self._offer([tool for tool, _ in offered])
        tools = (*turn.request.tools, *(definition for _, definition in offered))
        watermarks = not self._checks.passages and self._filter is None
        request = replace(turn.request, tools=tools, energy=self._meter.energy, watermarks=watermarks)
        if offered and is_last:
            request = replace(request, tool_choice="none")
        elif self._parts.round > 0 and request.tool_choice == "required":  # it was met by an earlier round
            request = replace(request, tool_choice="auto")
        demand, said = self._demand(), self._folding.message()
        self._demanded = demand if demand is not None and demand.is_open(said) and not is_last else None
        if demand is None:
            return replace(request, messages=await self._messages(turn))
        tokens = await control_tokens(self._engine, self._model)
        request = replace(request, messages=demand.messages(turn.request.messages, said, tokens))
        return request if self._demanded is None else demand.request(request, said)

    def _demand(self) -> ToolDemand | None:
        """Return what the model has to call; None if it is free, or has what the demand gives way to."""
        demand = self._request.demand if self._model.calls_on_demand else None
        gives_way = demand is not None and demand.gives_way_to != "nothing" and bool(self._found)
        return None if gives_way else demand

    def _offer(self, offered: Sequence[Tool]) -> None:
        """Have calls of these tools made, and those of the tool that is demanded."""
        demand = self._demand()
        self._loop.offer(offered if demand is None else [*offered, demand.tool])

    async def _messages(self, turn: PreparedTurn) -> tuple[PromptMessage, ...]:
        """Return the prompt, with the rounds that this answer had so far."""
        if self._parts.round == 0 or not self._has_begun:
            return turn.request.messages
        said = self._folding.message()
        rounds = call_messages(said.parts, said.calls, await control_tokens(self._engine, self._model))
        before = turn.request.messages
        if self._request.resumes is not None or self._request.takes_up is not None:  # they end with what is shown here
            question = max(number for number, each in enumerate(before) if each.role == "user")
            before = before[: question + 1]
        return (*before, *rounds)

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
            timeout_s = None if self._has_begun else self._fallback.timeout_s
            async with aclosing(first.wait(timeout_s, shows_steps=self._request.shows_steps)) as steps:
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
            notices = [] if self._has_begun else self._opening_notices()
            self._has_begun = True
            self._engine_span.mark("first_token")
            for event in (*notices, *self._convert(delta)):
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
                self._checks.add(self._parts.current, delta.text)
                return events
            case ToolCall(index=index) if self._loop.is_offered and not self._parts.has_call(index):
                return self._parts.add(replace(delta, id=self._loop.unique_id(delta.id)))
            case Reasoning() | ToolCall():
                return self._parts.add(delta)
            case PromptProgress():
                return ()
            case TokenUsage():
                self._round_usage = delta
                self.token_usage = delta if self.token_usage is None else self.token_usage.plus(delta)
                self._meter.add_token_usage(delta)
                tokens = delta.prompt_tokens + delta.completion_tokens
                spent = _micros(self._meter.usage())
                self._loop.count_round(tokens, self._model.context, spent, _micros(self._earlier_usage))
                return ()
            case Finish():
                self.finish = delta
                return ()
            case _:
                assert_never(delta)


def _micros(usage: Usage | None) -> int:
    """Return the cost of an answer in millionths; 0 where none is known."""
    return usage.cost.micros if usage is not None and usage.cost is not None else 0


class _TooSlow(Exception):
    """The first word is late, and the prompt `next` is ready for another model."""

    def __init__(self, next: PreparedTurn) -> None:
        super().__init__(next.model.id)
        self.next = next


def _trimmed(turn: PreparedTurn) -> Notice:
    return Notice(
        "history_trimmed",
        f"The conversation is longer than {turn.model.name} can read at once; "
        f"its oldest {turn.dropped} messages were left out.",
    )
