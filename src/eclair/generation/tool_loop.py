"""The loop in which a model calls tools: reads its calls, makes them, several at once, and keeps its limits.

It doesn't ask the engine; `AnswerStream` does, and shows the model the results of a round.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from pydantic import ValidationError

from eclair.errors import EclairError
from eclair.generation.call_permissions import CallRuling
from eclair.generation.call_rounds import is_object
from eclair.generation.parts import Parts
from eclair.generation.pending_call import PendingCall, fault_of_arguments
from eclair.generation.tools import MAX_RESULT_BYTES, Tool, ToolContext, ToolResult, failed_result, result_limit
from eclair.network.gate import SENT_BYTES, SentBytes
from eclair.schema.elicitations import CallInput
from eclair.schema.events import (
    CallAnswered,
    CallBegan,
    CallDecided,
    CallElicited,
    CallEnded,
    Event,
    Notice,
    PartDelta,
    SourceFound,
)
from eclair.schema.messages import CallDecision, CallOutcome, Fault, Message, Part
from eclair.settings import Settings
from eclair.util.paused_timeout import PausedTimeout

MAX_ROUNDS = 8
MAX_LOOP_SECONDS = 600.0
MAX_CONCURRENT_CALLS = 4
MAX_CALLS_PER_ROUND = 16
MAX_FAULTS = 2
"""After so many malformed or repeated calls, the model has to answer without further ones."""

MAX_WINDOW_SHARE = 0.6
"""Of the model's window, a loop with a limit of tokens fills so much before it has to answer."""

HEAD_SHARE = 2 / 3
"""Of a result that is cut, so much is its beginning; the rest is its end."""

DECLINED_RESULT = (
    "The person declined this call. Don't try to reach the same in another way; answer without it, or ask them."
)
ASKING_RESULT = "This call waits for an answer of the person."
UNASKED_RESULT = ToolResult(
    "This call needs the permission of a person, and nobody can be asked here; answer without it.",
    fault=Fault("nobody_asked", "This needs a person's permission, and nobody can be asked here."),
)
CLOSED_RESULT = failed_result("This call isn't allowed here.", "call_closed", "This tool isn't allowed here.")
LIMIT_FAULT = "The model had to answer by then, so this call was not made."
REPEATED = Fault("repeated", "The same call was made before; it was not made again.")

LoopLimit = Literal["rounds", "time", "tokens", "repeated"]
"""Limits at which a model has to answer: `tokens` is that of money, too, `repeated` that of malformed and repeated
calls."""

LIMIT_NOTICES: Mapping[LoopLimit, Notice] = {
    "rounds": Notice("steps_limited", "The model had to answer here, after as many rounds of calls as it may make."),
    "time": Notice("time_limited", "The model had to answer here, as its calls had taken as long as they may."),
    "tokens": Notice(
        "cost_limited", "The model had to answer here, before the answer took more tokens, or cost more, than it may."
    ),
    "repeated": Notice(
        "calls_repeated",
        "The model had to answer here, as it made the same call, or one that can't be made, again and again.",
    ),
}


@dataclass(frozen=True, slots=True)
class LoopBudget:
    """Limits of a loop: rounds of the model, seconds, and tokens that it reads and writes; None for any number.

    `micros` is what the answer may cost, in millionths of the currency of its model's price.
    """

    rounds: int = MAX_ROUNDS
    seconds: float = MAX_LOOP_SECONDS
    tokens: int | None = None
    micros: int | None = None


USUAL_BUDGET = LoopBudget()


def loop_budget(settings: Settings) -> LoopBudget:
    """Return the limits of an answer with these settings."""
    most = settings.answer_cost
    return USUAL_BUDGET if most is None else LoopBudget(micros=round(most * 1_000_000))


@dataclass(slots=True)
class _Emitted:
    """An event of a call, and what to set once it has been taken."""

    event: Event
    taken: asyncio.Event = field(default_factory=asyncio.Event)


class ToolLoop:
    """The calls of one answer. `context` makes that of a call by its id; `judge` says if it is made.

    Unless it `can_wait`, calls that a person would have to be asked about are declined.
    """

    def __init__(
        self,
        parts: Parts,
        context: Callable[[str], ToolContext],
        judge: Callable[[Tool, Any], Awaitable[CallRuling]],
        *,
        can_wait: bool = False,
        budget: LoopBudget = USUAL_BUDGET,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._budget = budget
        self._tokens = self._micros = 0
        self._is_filled = False
        self._parts = parts
        self._context = context
        self._judge = judge
        self._can_wait = can_wait
        self._clock = clock
        self._began = clock()
        self._paused = 0.0
        """Seconds in which the person was asked something."""
        self._faults = 0
        self._earlier: dict[tuple[str | None, bytes], asyncio.Future[ToolResult]] = {}
        self._ids = set[str]()
        self._tools: dict[str, Tool] = {}
        self.is_waiting = False
        """True while calls of the last round wait for a person."""

    @property
    def must_answer(self) -> bool:
        """True once the model may not call any more, and has to answer."""
        return self.limit is not None

    @property
    def limit(self) -> LoopLimit | None:
        """The limit that was reached, at which the model has to answer."""
        if self._parts.round >= self._budget.rounds - 1:
            return "rounds"
        if self._clock() - self._began - self._paused >= self._budget.seconds:
            return "time"
        if self._is_filled:
            return "tokens"
        return "repeated" if self._faults > MAX_FAULTS else None

    def count_round(self, tokens: int, window: int | None, micros: int = 0, earlier_micros: int = 0) -> None:
        """Count the last round, and see if another one fits, which takes as much or more.

        `window` is the model's, in tokens. `micros` is what all rounds have cost by now, and `earlier_micros` what the
        answer had cost before it waited for a person.
        """
        self._tokens += tokens
        if self._budget.tokens is not None:
            is_large = window is not None and tokens >= MAX_WINDOW_SHARE * window
            self._is_filled |= is_large or self._tokens + tokens >= self._budget.tokens
        if self._budget.micros is not None:
            last = micros - self._micros
            # another round has to leave enough for the answer after it
            self._is_filled |= earlier_micros + micros + 2 * last > self._budget.micros
        self._micros = micros

    def offer(self, tools: Sequence[Tool]) -> None:
        """Take the tools that the model may call now."""
        self._tools = {tool.name: tool for tool in tools}

    @property
    def is_offered(self) -> bool:
        return bool(self._tools)

    def remember(self, answer: Message) -> None:
        """Take up an answer that had calls: their ids are taken, and their results needn't be found again."""
        results = {part.id: part.text for part in answer.parts if part.kind == "tool_result"}
        for part in answer.parts:
            if part.kind != "tool_call" or part.id is None:
                continue
            self._ids.add(part.id)
            if (text := results.get(part.id)) is not None and is_object(part.text):
                made = asyncio.get_running_loop().create_future()
                made.set_result(ToolResult(text))
                self._earlier[PendingCall(part, None).key] = made

    def unique_id(self, id: str | None) -> str:
        """Return the engine's id of a new call, or one of our own where it gave none or the same again."""
        if not id or id in self._ids:
            id = f"call_{self._parts.round}_{len(self._ids)}"
        self._ids.add(id)
        return id

    async def make(self, parts: Sequence[Part]) -> AsyncGenerator[Event, None]:
        """Make the calls of a round, given as parts; their results become parts, too.

        Those that a person has to decide on are asked for, and not made; then it `is_waiting`.
        """
        calls = [self._read(part, number) for number, part in enumerate(parts)]
        for call in calls:
            if call.tool is not None and call.fault is None and not self._is_repeated(call):
                call.verdict = await self._judge(call.tool, call.arguments)
            if call.verdict.verdict == "deny":
                call.decision = call.verdict.decision
                call.fault = None if call.decision is not None else CLOSED_RESULT
            yield call.asked()
            if call.verdict.decision is not None:
                yield CallDecided(call.id, call.verdict.decision, self._context(call.id).principal.id)
            if call.is_waiting and not self._can_wait:
                call.decision = "declined"
                yield CallDecided(call.id, "declined", None)
        async with aclosing(self._go_on(calls)) as events:
            async for event in events:
                yield event

    async def make_decided(
        self,
        parts: Sequence[Part],
        decisions: Mapping[str, CallDecision],
        asking: Collection[str],
        inputs: Mapping[str, CallInput],
    ) -> AsyncGenerator[Event, None]:
        """Make those calls of a round that waited and are decided on; the others wait on.

        Those that were `asking` something, given by their ids, go on with their `inputs`.
        """
        calls = [self._read(part, number) for number, part in enumerate(parts)]
        for call in calls:
            call.input = inputs.get(call.id)
            if call.id in asking:
                call.is_asking = call.input is None
                continue
            call.verdict, call.decision = CallRuling("ask"), decisions.get(call.id)
            if call.decision is not None:
                yield CallDecided(call.id, call.decision, self._context(call.id).principal.id)
        async with aclosing(self._go_on(calls)) as events:
            async for event in events:
                yield event

    async def _go_on(self, calls: Sequence[PendingCall]) -> AsyncGenerator[Event, None]:
        async with aclosing(self._make_at_once([call for call in calls if not call.is_waiting])) as events:
            async for event in events:
                yield event
        self.is_waiting = any(call.is_waiting for call in calls)

    def _is_repeated(self, call: PendingCall) -> bool:
        return call.key in self._earlier

    def _read(self, part: Part, number: int) -> PendingCall:
        """Parse a call; one that can't be made counts as a fault of the model."""
        call = PendingCall(part, self._tools.get(part.name or ""))
        if self.must_answer:
            told = "No further calls can be made now; answer from what you know."
            call.fault = failed_result(told, "call_limit", LIMIT_FAULT)
        elif number >= MAX_CALLS_PER_ROUND:
            told = f"At most {MAX_CALLS_PER_ROUND} calls can be made at once; this one was not made."
            call.fault = failed_result(told, "call_limit", LIMIT_FAULT)
        elif call.tool is None:
            names = ", ".join(sorted(self._tools))
            told = f"There is no tool of this name. There are: {names}."
            call.fault = failed_result(told, "unknown_tool", "There is no such tool here.")
            self._faults += 1
        else:
            try:
                call.arguments = call.tool.arguments.model_validate_json(part.text or "{}")
            except ValidationError as error:
                call.fault = fault_of_arguments(error)
                self._faults += 1
        return call

    async def _make_at_once(self, calls: Sequence[PendingCall]) -> AsyncGenerator[Event, None]:
        """Make calls, as many at once as may be, those that change something one by one."""
        queue = asyncio.Queue[_Emitted | None]()
        slots, writing = asyncio.Semaphore(MAX_CONCURRENT_CALLS), asyncio.Lock()
        tasks = [asyncio.create_task(self._run(call, queue, slots, writing), name=call.id) for call in calls]
        for task in tasks:
            task.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            ended = 0
            while ended < len(tasks):
                emitted = await queue.get()
                if emitted is None:
                    ended += 1
                    continue
                yield emitted.event
                emitted.taken.set()
            for task in tasks:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(
        self,
        call: PendingCall,
        queue: asyncio.Queue[_Emitted | None],
        slots: asyncio.Semaphore,
        writing: asyncio.Lock,
    ) -> None:
        """Make one call, and put its events in the queue."""
        if call.fault is not None:
            self._end(call, queue, "failed", 0.0, call.fault)
            return
        assert call.tool is not None  # a call of an unknown tool has a fault
        if call.decision in ("declined", "never"):
            was_asked = self._can_wait or call.decision == "never"
            self._end(call, queue, "declined", 0.0, ToolResult(DECLINED_RESULT) if was_asked else UNASKED_RESULT)
            return
        if (earlier := self._earlier.get(call.key)) is not None:
            self._faults += 1
            result = await asyncio.shield(earlier)
            text = f"You made this call before, with the same arguments. Its result was:\n{result.text}"
            outcome = "failed" if result.has_failed else "done"
            self._end(call, queue, outcome, 0.0, ToolResult(text, fault=REPEATED))
            return
        self._earlier[call.key] = made = asyncio.get_running_loop().create_future()
        async with AsyncExitStack() as stack:
            stack.callback(made.cancel)  # nobody waits for the result of a call that broke
            if call.tool.access == "write":
                await stack.enter_async_context(writing)
            await stack.enter_async_context(slots)
            if call.input is None:
                began = _Emitted(CallBegan(call.id))
                queue.put_nowait(began)
                await began.taken.wait()
            since, paused = time.perf_counter(), self._paused
            outcome, result = await self._result(call.tool, call, queue)
            if outcome is None:
                call.is_asking = True
                del self._earlier[call.key]
            else:
                seconds = time.perf_counter() - since - (self._paused - paused)
                self._end(call, queue, outcome, round(max(seconds, 0) * 1000, 1), result)
            made.set_result(result)

    async def _result(
        self, tool: Tool, call: PendingCall, queue: asyncio.Queue[_Emitted | None]
    ) -> tuple[CallOutcome | None, ToolResult]:
        """Run the tool, within its time, and count what it sends. There is no outcome while it asks the person."""
        result: ToolResult | None = None
        sent = SentBytes()
        SENT_BYTES.set(sent)
        context = replace(self._context(call.id), input=call.input)
        try:
            async with (
                PausedTimeout(tool.timeout_s) as timeout,
                aclosing(tool.run(call.arguments, context)) as found,
            ):
                async for each in found:
                    if isinstance(each, ToolResult):
                        result = each
                        continue
                    queue.put_nowait(_Emitted(each))
                    if isinstance(each, CallElicited):
                        timeout.pause()
                    elif isinstance(each, CallAnswered):
                        self._paused += timeout.resume()
        except TimeoutError:
            told = f"The call took longer than {tool.timeout_s:g} seconds and was stopped."
            return "late", replace(failed_result(told, "late", told), sent_bytes=sent.count)
        except EclairError as error:
            fault = Fault(error.code, error.message)
            return "failed", ToolResult(f"Error: {error.message}", has_failed=True, sent_bytes=sent.count, fault=fault)
        if result is None and timeout.is_paused:
            return None, ToolResult(ASKING_RESULT)
        if result is None:
            fault = Fault("error", "The tool gave no result.")
            return "failed", ToolResult(f"Error: {fault.message}", has_failed=True, sent_bytes=sent.count, fault=fault)
        result = replace(result, sent_bytes=max(result.sent_bytes, sent.count))
        return "failed" if result.has_failed else "done", result

    def _end(
        self,
        call: PendingCall,
        queue: asyncio.Queue[_Emitted | None],
        outcome: CallOutcome,
        milliseconds: float,
        result: ToolResult,
    ) -> None:
        """Put the result in the queue: passages, pictures, and the text that the model is shown."""
        limit = result_limit(self._context(call.id).model)
        numbers = tuple(passage.number for passage in result.passages)
        events: list[Event] = [SourceFound(passage) for passage in result.passages]
        for picture in result.pictures:
            events += self._whole(picture.kind, picture.id, picture.name, picture.text)
        events.append(CallEnded(call.id, outcome, milliseconds, result.sent_bytes, numbers, result.fault))
        text = cut_result(result.text, limit)
        events += self._whole("tool_result", call.id, call.part.name, text)
        for event in events:
            queue.put_nowait(_Emitted(event))

    def _whole(self, kind: Any, id: str | None, name: str | None, text: str) -> list[Event]:
        """Return the events of a part that comes in one piece."""
        started = self._parts.start(kind, id, name)
        return [*started, PartDelta(self._parts.current, text), *self._parts.finish()]


def cut_result(text: str, limit: int = MAX_RESULT_BYTES) -> str:
    """Cut a result to `limit` bytes: its beginning, how much is left out, and its end."""
    data = text.encode()
    if len(data) <= limit:
        return text
    head = data[: int(limit * HEAD_SHARE)].decode(errors="ignore")
    tail = data[len(data) - limit + int(limit * HEAD_SHARE) :].decode(errors="ignore")
    return f"{head}\n[… {len(text) - len(head) - len(tail):,} characters are left out here …]\n{tail}"
