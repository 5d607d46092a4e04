"""The loop of tools, on an engine that calls what the test tells it to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from eclair.errors import UpstreamError
from eclair.generation import tool_loop
from eclair.generation.answer_request import AnswerRequest
from eclair.generation.call_permissions import ALLOWED, CallQuestion, CallRuling
from eclair.generation.cost import Rates
from eclair.generation.fallback import Fallback
from eclair.generation.pipeline import AnswerPipeline
from eclair.generation.prompt import PreparedTurn, build_prompt
from eclair.generation.route import Route
from eclair.generation.sources import Note
from eclair.generation.tool_loop import MAX_RESULT_BYTES, MAX_ROUNDS, USUAL_BUDGET, LoopBudget, cut_result
from eclair.generation.tools import ToolContext, ToolResult, define_function
from eclair.llm.base import (
    JSON,
    Delta,
    Embeddings,
    Engine,
    Finish,
    Health,
    PromptMessage,
    Request,
    Text,
    TokenUsage,
    ToolCall,
)
from eclair.llm.registry import Registry
from eclair.schema.events import CallBegan, CallEnded, Event, RunStarted, SourceFound, fold
from eclair.schema.messages import AnswerNotice, CallAccess, Cost, Message, Part, Passage
from eclair.schema.models import Model
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.settings import Price

MODEL = Model("m", "Muse", "fake", context=100_000, can_call_tools=True)
RATES = Rates(Price("EUR", Decimal(2), Decimal(6)))
QUESTION = Message("q", "c", None, "user", (Part("text", "What is it?"),), 1)


class EchoArguments(BaseModel):
    say: str
    wait: float = 0


@dataclass
class Echo:
    """A tool that says what it is told to."""

    name: str = "echo"
    access: CallAccess = "compute"
    arguments: type[BaseModel] = EchoArguments
    timeout_s: float = 5.0
    fails: bool = False
    breaks: bool = False
    passage: Passage | None = None
    made: list[str] = field(default_factory=list[str])
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0
    most: int = 0

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        return define_function(self.name, "Says it.", EchoArguments)

    def summary(self, arguments: EchoArguments) -> str:
        return f"Say {arguments.say}"

    def scope(self, arguments: EchoArguments) -> str:
        return ""

    def sends(self, arguments: EchoArguments) -> str:
        return arguments.say

    def asks_if_tainted(self, arguments: EchoArguments) -> bool:
        return False

    async def run(self, arguments: EchoArguments, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        self.made.append(arguments.say)
        self.begun.set()
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await asyncio.sleep(arguments.wait)
            if self.breaks:
                raise ZeroDivisionError
            if self.fails:
                raise UpstreamError("The echo is gone; try another place.")
            yield ToolResult(arguments.say, passages=(self.passage,) if self.passage else ())
        finally:
            self.running -= 1


@dataclass
class Rounds:
    """An engine that makes these calls, round by round, and then answers; with `none` it answers at once."""

    rounds: Sequence[Sequence[tuple[str, str]]]
    obeys: bool = True
    usage: TokenUsage | None = None
    name: str = "fake"
    asked: list[Request] = field(default_factory=list[Request])

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        self.asked.append(request)
        round = len(self.asked) - 1
        if self.usage is not None:
            yield self.usage
        if round < len(self.rounds) and not (self.obeys and request.tool_choice == "none"):
            yield Text(f"Round {round}. ")
            for index, (tool, arguments) in enumerate(self.rounds[round]):
                yield ToolCall(index, "same", tool, "")
                yield ToolCall(index, None, None, arguments)
            yield Finish("tool_calls")
            return
        yield Text("So it is.")
        yield Finish("stop")

    async def models(self) -> list[Model]:
        return [MODEL]

    async def count(self, model: str, text: str) -> int:
        return len(text)

    async def rerank(self, model: str, query: str, texts: Sequence[str]) -> list[float]:
        raise AssertionError("nobody asks it to rerank")

    async def embed(self, model: str, texts: Sequence[str], dimensions: int | None) -> Embeddings:
        raise AssertionError("nobody asks it for vectors")

    async def health(self, model: str | None = None) -> Health:
        return Health("ready", "")

    async def prefill(self, request: Request) -> None: ...

    async def close(self) -> None: ...


async def prompt_of(history: Sequence[Message]) -> tuple[PromptMessage, ...]:
    async def count(text: str) -> int:
        return len(text)

    prompt = await build_prompt("Be brief.", history, window=100_000, reserve=1000, count=count, shows_calls=True)
    return prompt.messages


@dataclass(frozen=True)
class Prompts:
    async def build(
        self, engine: Engine, model: Model, passages: Sequence[Passage] = (), notes: Sequence[Note] = ()
    ) -> PreparedTurn:
        return PreparedTurn(engine, model, Request(model.id, await prompt_of([QUESTION])), rates=RATES)


class Allowing:
    """Allows every call."""

    async def judge(self, principal: Principal, question: CallQuestion) -> CallRuling:
        return ALLOWED


async def answered(engine: Rounds, *tools: Echo, budget: LoopBudget = USUAL_BUDGET) -> tuple[Message, list[Event]]:
    """Run the answer; its message and its events."""
    route = Route(engine, MODEL, Fallback(Registry([])))
    work = AnswerPipeline().run(
        AnswerRequest(
            *(route, Prompts(), time.perf_counter(), LOCAL_PRINCIPAL),
            tools=tuple[Any, ...](tools),
            permissions=Allowing(),
            budget=budget,
        )
    )
    events: list[Event] = [RunStarted("r", "a", "c", "q", "m", 2)]
    async with aclosing(work.events()) as stream:
        events += [event async for event in stream]
    events += work.closing_events()
    return fold(events), events


def echo(say: str, wait: float = 0) -> tuple[str, str]:
    return "echo", orjson.dumps({"say": say, "wait": wait}).decode()


def faults(message: Message) -> list[tuple[str, str]]:
    """Return why calls failed, as people are told."""
    return [(call.fault.code, call.fault.message) for call in message.calls if call.fault is not None]


def results(message: Message) -> list[str]:
    return [part.text for part in message.parts if part.kind == "tool_result"]


async def test_calls_are_made_and_their_results_go_back() -> None:
    engine = Rounds([[echo("one"), echo("two")], [echo("three")]])
    message, _ = await answered(engine, Echo())
    assert [(part.kind, part.round) for part in message.parts] == [
        ("text", 0),
        ("tool_call", 0),
        ("tool_call", 0),
        ("tool_result", 0),
        ("tool_result", 0),
        ("text", 1),
        ("tool_call", 1),
        ("tool_result", 1),
        ("text", 2),
    ]
    assert (message.status, message.finish_reason) == ("finished", "stop")
    assert len({call.call for call in message.calls}) == 3, "the engine gave all of them one id"
    assert [(call.outcome, call.has_begun, call.summary) for call in message.calls] == [
        ("done", True, f"Say {each}") for each in ("one", "two", "three")
    ]
    assert [message.role for message in engine.asked[-1].messages] == [
        *("system", "user", "assistant", "tool", "tool", "assistant", "tool"),
    ]


async def test_a_later_prompt_begins_with_the_last_one_to_the_byte() -> None:
    engine = Rounds([[echo("one"), echo("two")], [echo("three")]])
    message, _ = await answered(engine, Echo())
    later = await prompt_of([QUESTION, message, replace(QUESTION, id="q2", parent="a")])
    last = engine.asked[-1].messages
    assert later[: len(last)] == last
    assert later[len(last)] == PromptMessage("assistant", "So it is.")
    for before, after in zip(engine.asked, engine.asked[1:], strict=False):
        assert after.messages[: len(before.messages)] == before.messages
        assert after.tools == before.tools


async def test_calls_of_a_round_are_made_at_once_but_four() -> None:
    tool = Echo()
    message, _ = await answered(Rounds([[echo(str(number), 0.05) for number in range(6)]]), tool)
    assert results(message) == [str(number) for number in range(6)]
    assert tool.most == tool_loop.MAX_CONCURRENT_CALLS


async def test_calls_that_write_are_made_one_by_one() -> None:
    tool = Echo(access="write")
    await answered(Rounds([[echo(str(number), 0.01) for number in range(3)]]), tool)
    assert (tool.made, tool.most) == (["0", "1", "2"], 1)


async def test_the_last_round_keeps_the_tools_and_forbids_calls() -> None:
    engine = Rounds([[echo(str(number))] for number in range(20)])
    message, _ = await answered(engine, Echo())
    assert [request.tool_choice for request in engine.asked] == [None] * (MAX_ROUNDS - 1) + ["none"]
    assert all(request.tools == engine.asked[0].tools for request in engine.asked)
    assert message.text.endswith("So it is.")
    (remark,) = message.remarks
    assert remark == AnswerNotice(
        "steps_limited", "The model had to answer here, after as many rounds of calls as it may make."
    )


@pytest.mark.parametrize(
    ("budget", "code", "reason"),
    [
        (LoopBudget(rounds=2), "steps_limited", "as many rounds"),
        (LoopBudget(seconds=0), "time_limited", "as long as"),
        (LoopBudget(micros=1), "cost_limited", "cost more"),
        (LoopBudget(tokens=1), "cost_limited", "more tokens"),
        (USUAL_BUDGET, "calls_repeated", "again and again"),
    ],
)
async def test_an_answer_says_at_which_limit_it_had_to_end(budget: LoopBudget, code: str, reason: str) -> None:
    message, _ = await answered(Rounds([[echo("one")]] * 20, usage=TokenUsage(100, 10)), Echo(), budget=budget)
    (remark,) = message.remarks
    assert remark.code == code
    assert reason in remark.message


@pytest.mark.parametrize(("micros", "asked"), [(1, 2), (779, 2), (780, 3), (1039, 3), (1040, 4), (None, MAX_ROUNDS)])
async def test_an_answer_costs_no_more_than_it_may(micros: int | None, asked: int) -> None:
    """Each round costs 260 millionths. A first call is made whatever the answer costs then."""
    engine = Rounds([[echo(str(number))] for number in range(20)], usage=TokenUsage(100, 10))
    message, _ = await answered(engine, Echo(), budget=LoopBudget(micros=micros))
    assert [request.tool_choice for request in engine.asked] == [None] * (asked - 1) + ["none"]
    assert message.usage is not None
    assert message.usage.cost == Cost(asked * 260, "EUR")


async def test_a_model_that_calls_on_all_the_same_is_stopped() -> None:
    engine, tool = Rounds([[echo(str(number))] for number in range(20)], obeys=False), Echo()
    message, _ = await answered(engine, tool)
    assert len(engine.asked) == MAX_ROUNDS
    assert len(tool.made) == MAX_ROUNDS - 1
    assert (message.status, message.calls[-1].outcome) == ("finished", "failed")
    said = "The model had to answer by then, so this call was not made."
    assert faults(message) == [("call_limit", said)]


async def test_the_same_call_again_gets_the_earlier_result() -> None:
    tool = Echo()
    again = ("echo", '{"wait": 0.0, "say": "one"}')
    engine = Rounds([[("echo", '{"say": "one", "wait": 0.0}'), again], *[[again]] * 9])
    message, _ = await answered(engine, tool)
    assert tool.made == ["one"]
    assert all(text.endswith("Its result was:\none") for text in results(message)[1:])
    assert engine.asked[-1].tool_choice == "none"
    assert len(engine.asked) == 2 + tool_loop.MAX_FAULTS
    said = "The same call was made before; it was not made again."
    assert faults(message) == [("repeated", said)] * (len(message.calls) - 1)


async def test_broken_arguments_and_unknown_tools_are_told_to_the_model_a_few_times() -> None:
    tool = Echo()
    engine = Rounds([[("echo", '{"say": ')], [("echo", '{"wait": "long"}')], [("shout", "{}")], [echo("late")]])
    message, _ = await answered(engine, tool)
    assert tool.made == []
    broken, invalid, unknown = results(message)
    assert broken.startswith("Error: The arguments are not right.")
    assert "say: Field required" in invalid
    assert unknown == "Error: There is no tool of this name. There are: echo."
    codes, said = zip(*faults(message), strict=True)
    assert codes == ("bad_arguments", "bad_arguments", "unknown_tool")
    assert said[1] == (
        "The model filled in the tool's input wrongly: say: Field required; wait: Input should be a valid number, "
        "unable to parse string as a number."
    )
    assert engine.asked[-1].tool_choice == "none"
    sent = engine.asked[-1].messages[2].tool_calls[0]["function"]["arguments"]
    assert sent == "{}", "engines refuse arguments that are no JSON"


async def test_a_tool_that_fails_or_hangs_gives_a_result() -> None:
    message, _ = await answered(Rounds([[echo("x")]]), Echo(fails=True))
    assert results(message) == ["Error: The echo is gone; try another place."]
    assert message.calls[0].outcome == "failed"
    assert faults(message) == [("upstream", "The echo is gone; try another place.")]
    message, _ = await answered(Rounds([[echo("x", 9)]]), Echo(timeout_s=0.02))
    assert "took longer than 0.02 seconds" in results(message)[0]
    assert message.calls[0].outcome == "late"
    assert faults(message) == [("late", "The call took longer than 0.02 seconds and was stopped.")]


async def test_a_tool_that_breaks_ends_the_answer_though_it_was_called_twice() -> None:
    async with asyncio.timeout(10):
        with pytest.raises(ZeroDivisionError):
            await answered(Rounds([[echo("x"), echo("x")]]), Echo(breaks=True))


async def test_a_flood_of_calls_is_cut() -> None:
    tool = Echo()
    message, _ = await answered(Rounds([[echo(str(number)) for number in range(40)]]), tool)
    assert len(tool.made) == tool_loop.MAX_CALLS_PER_ROUND
    assert len(results(message)) == 40


async def test_stopping_stops_the_calls() -> None:
    tool = Echo()
    route = Route(Rounds([[echo("x", 60)]]), MODEL, Fallback(Registry([])))
    tools: tuple[Any, ...] = (tool,)
    work = AnswerPipeline().run(AnswerRequest(route, Prompts(), time.perf_counter(), LOCAL_PRINCIPAL, tools=tools))

    async def run() -> None:
        async with aclosing(work.events()) as stream:
            async for _ in stream:
                pass

    running = asyncio.create_task(run())
    async with asyncio.timeout(10):
        await tool.begun.wait()
    running.cancel()
    await asyncio.wait([running])
    assert (tool.made, tool.running) == (["x"], 0)


async def test_an_effect_comes_after_its_event_was_taken() -> None:
    tool = Echo()
    route = Route(Rounds([[echo("x")]]), MODEL, Fallback(Registry([])))
    tools: tuple[Any, ...] = (tool,)
    work = AnswerPipeline().run(AnswerRequest(route, Prompts(), time.perf_counter(), LOCAL_PRINCIPAL, tools=tools))
    async with aclosing(work.events()) as stream:
        async for event in stream:
            if isinstance(event, CallBegan):
                await asyncio.sleep(0.02)
                assert tool.made == []
            if isinstance(event, CallEnded):
                assert tool.made == ["x"]


async def test_what_a_call_found_is_a_source_and_stands_in_its_result_alone() -> None:
    passage = Passage(3, "f", "tower.txt", 1, None, (), 0, 9, "330 metres")
    message, events = await answered(Rounds([[echo("[3] 330 metres")]]), Echo(passage=passage))
    assert SourceFound(passage) in events
    assert message.calls[0].passages == (3,)
    later = await prompt_of([QUESTION, message, replace(QUESTION, id="q2", parent="a")])
    assert sum("330 metres" in str(each.content) for each in later) == 1


def test_a_long_result_keeps_its_beginning_and_its_end() -> None:
    assert cut_result("ä" * 12_000) == "ä" * 12_000
    cut = cut_result("ä" * 20_000 + "ö" * 20_000)
    assert cut.startswith("ä" * 7_900)
    assert cut.endswith("ö" * 3_900)
    assert len(cut.encode()) < MAX_RESULT_BYTES + 100
    assert "28,000 characters are left out here" in cut
