"""What an answer says to its run, on an engine that says what the test tells it to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

import pytest

from eclair.errors import EngineBroken, EngineUnavailable
from eclair.generation import first_delta
from eclair.generation.answer_request import AnswerRequest
from eclair.generation.fallback import Fallback
from eclair.generation.first_delta import FirstDelta
from eclair.generation.pipeline import AnswerPipeline, AnswerStream
from eclair.generation.prompt import PreparedTurn
from eclair.generation.route import Route
from eclair.generation.sources import Note
from eclair.generation.statistics import AnswerStatistics
from eclair.llm.base import (
    Delta,
    Embeddings,
    Engine,
    Finish,
    Health,
    PromptMessage,
    PromptProgress,
    Reasoning,
    Request,
    Text,
    TokenUsage,
    ToolCall,
)
from eclair.llm.registry import Registry
from eclair.schema.events import (
    Event,
    Notice,
    PartDelta,
    PartFinished,
    PartStarted,
    RunFailed,
    RunFinished,
    StepFinished,
    StepProgressed,
    StepStarted,
    UsageCounted,
)
from eclair.schema.messages import Message, Part, Passage, Sampling
from eclair.schema.models import Model
from eclair.schema.principal import LOCAL_PRINCIPAL

MODEL = Model("m", "Muse", "fake", context=1000)


class Fake:
    """Says the pieces that it is given; waits for events among them, and at None until `go`."""

    name = "fake"

    def __init__(self, *pieces: Delta | Exception | asyncio.Event | None) -> None:
        self.pieces = pieces
        self.asked: list[Request] = []
        self.go = asyncio.Event()
        self.begun = asyncio.Event()
        self.closed = False
        self.state: Health = Health("ready", "")

    async def stream(self, request: Request) -> AsyncGenerator[Delta, None]:
        self.asked.append(request)
        self.begun.set()
        try:
            for piece in self.pieces:
                if piece is None or isinstance(piece, asyncio.Event):
                    await (piece or self.go).wait()
                elif isinstance(piece, Exception):
                    raise piece
                else:
                    yield piece
        finally:
            self.closed = True

    async def models(self) -> list[Model]:
        return [MODEL]

    async def count(self, model: str, text: str) -> int:
        return len(text)

    async def rerank(self, model: str, query: str, texts: Sequence[str]) -> list[float]:
        raise AssertionError("nobody asks it to rerank")

    async def embed(self, model: str, texts: Sequence[str], dimensions: int | None) -> Embeddings:
        raise AssertionError("nobody asks it for vectors")

    async def health(self, model: str | None = None) -> Health:
        return self.state

    async def prefill(self, request: Request) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True)
class Prompts:
    """Builds the same prompt whatever is found."""

    dropped: int

    async def build(
        self, engine: Engine, model: Model, passages: Sequence[Passage] = (), notes: Sequence[Note] = ()
    ) -> PreparedTurn:
        request = Request(model.id, (PromptMessage("user", "Hello"),), sampling=Sampling(max_tokens=9))
        return PreparedTurn(engine, model, request, self.dropped)


def answer(engine: Fake, *, dropped: int = 0, resumes: Message | None = None) -> AnswerStream:
    route = Route(engine, MODEL, Fallback(Registry([])))
    return AnswerPipeline().run(
        AnswerRequest(route, Prompts(dropped), time.perf_counter(), LOCAL_PRINCIPAL, resumes=resumes)
    )


async def heard(work: AnswerStream) -> list[Event]:
    async with aclosing(work.events()) as events:
        found = [event async for event in events]
    return [*found, *work.closing_events()]


def without_usage(events: list[Event]) -> list[Event]:
    return [event for event in events if not isinstance(event, UsageCounted)]


async def test_text_is_one_part() -> None:
    engine = Fake(Text("Hi"), Text(" there"), TokenUsage(3, 2, 1), Finish("stop"))
    events = await heard(answer(engine))
    assert without_usage(events) == [
        PartStarted(0, "text"),
        PartDelta(0, "Hi"),
        PartDelta(0, " there"),
        PartFinished(0),
        RunFinished("stop"),
    ]
    usage = next(event.usage for event in events if isinstance(event, UsageCounted))
    assert (usage.prompt_tokens, usage.completion_tokens, usage.cached_tokens, usage.words) == (3, 2, 1, 2)
    assert usage.first_word_ms is not None
    assert usage.first_word_ms >= 0
    (request,) = engine.asked
    assert request == Request(
        "m", (PromptMessage("user", "Hello"),), sampling=Sampling(max_tokens=9), watermarks=request.watermarks
    )
    assert engine.closed


async def test_thought_words_and_calls_are_parts_in_a_row() -> None:
    engine = Fake(
        Reasoning("Hm"),
        Text("So"),
        ToolCall(0, "a", "f", ""),
        ToolCall(0, None, None, "{}"),
        ToolCall(1, "b", "g", "[]"),
        Finish("tool_calls"),
    )
    assert without_usage(await heard(answer(engine))) == [
        PartStarted(0, "reasoning"),
        PartDelta(0, "Hm"),
        PartFinished(0),
        PartStarted(1, "text"),
        PartDelta(1, "So"),
        PartFinished(1),
        PartStarted(2, "tool_call", "a", "f"),
        PartDelta(2, ""),
        PartDelta(2, "{}"),
        PartFinished(2),
        PartStarted(3, "tool_call", "b", "g"),
        PartDelta(3, "[]"),
        PartFinished(3),
        RunFinished("tool_calls"),
    ]


async def test_reading_a_long_prompt_is_a_step_with_progress() -> None:
    seen = [asyncio.Event(), asyncio.Event()]
    engine = Fake(PromptProgress(0, 900), seen[0], PromptProgress(512, 900), seen[1], Text("Hi"), Finish("stop"))
    work = answer(engine)
    events: list[Event] = []
    async with aclosing(work.events()) as stream:
        async for event in stream:
            events.append(event)
            if isinstance(event, StepProgressed):
                seen[event.done > 0].set()
    steps = [event for event in events if isinstance(event, StepStarted | StepProgressed | StepFinished)]
    assert isinstance(steps[0], StepStarted)
    assert (steps[0].kind, steps[0].title) == ("prompt", "Reading the text")
    assert [(event.done, event.of) for event in steps if isinstance(event, StepProgressed)] == [(0, 900), (512, 900)]
    assert isinstance(steps[-1], StepFinished)
    assert events.index(steps[-1]) < events.index(PartStarted(0, "text"))


async def test_the_time_left_is_told_once_reading_was_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_delta, "MIN_MEASURED_S", 0.0)
    seen = [asyncio.Event(), asyncio.Event()]
    engine = Fake(PromptProgress(0, 900), seen[0], PromptProgress(600, 900), seen[1], Text("Hi"), Finish("stop"))
    left: list[float | None] = []
    async with aclosing(answer(engine).events()) as stream:
        async for event in stream:
            if isinstance(event, StepProgressed):
                left.append(event.seconds_left)
                seen[event.done > 0].set()
    assert left[0] is None
    assert left[1] is not None


async def test_an_answer_that_waits_tells_how_many_are_made_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_delta, "WAITING_NOTICE_AFTER_S", 0.01)
    monkeypatch.setattr(first_delta, "QUEUE_INTERVAL_S", 0.01)
    statistics = AnswerStatistics()
    for each in ("first", "second"):
        statistics.begin(each, "muse")
    statistics.begin("of another model", "other")
    statistics.begin("this", "muse")
    go_on = asyncio.Event()
    engine = Fake(go_on, Text("Hi"), Finish("stop"))
    first = FirstDelta(engine.stream(Request("m", ())), engine, MODEL, lambda: statistics.count_ahead("this"))
    told: list[tuple[int, int]] = []
    async with aclosing(first.wait(None, shows_steps=True)) as steps:
        async for step in steps:
            if isinstance(step, StepProgressed):
                told.append((step.done, step.of))
                if step.done == 0:
                    statistics.end("first")
                else:
                    go_on.set()
    await first.close()
    assert told == [(0, 2), (1, 2)]


async def test_reading_a_short_prompt_is_no_step() -> None:
    events = await heard(answer(Fake(PromptProgress(0, 90), PromptProgress(90, 90), Text("Hi"), Finish("stop"))))
    assert not [event for event in events if isinstance(event, StepStarted)]


async def test_an_answer_without_words_has_no_parts() -> None:
    assert await heard(answer(Fake(Finish("stop")))) == [RunFinished("stop")]


async def test_the_person_hears_that_old_turns_were_left_out() -> None:
    events = await heard(answer(Fake(Finish("stop")), dropped=4))
    assert isinstance(events[0], Notice)
    assert events[0].code == "history_trimmed"
    assert "4 messages" in events[0].message


async def test_an_answer_is_taken_up_where_it_ended() -> None:
    half = Message("x", "c", "p", "assistant", (Part("reasoning", "Hm"), Part("text", "Half")), 1, "stopped")
    events = without_usage(await heard(answer(Fake(Text(" done"), Finish("stop")), resumes=half)))
    assert events == [
        PartStarted(0, "reasoning"),
        PartDelta(0, "Hm"),
        PartFinished(0),
        PartStarted(1, "text"),
        PartDelta(1, "Half"),
        PartDelta(1, " done"),
        PartFinished(1),
        RunFinished("stop"),
    ]


async def test_a_call_that_was_cut_off_is_left_out_of_an_answer_that_goes_on() -> None:
    cut = Part("tool_call", '{"canvas": "canv_1", "chang', id="c", name="edit_canvas")
    half = Message("x", "c", "p", "assistant", (Part("text", "Half"), cut), 1, "stopped")
    events = without_usage(await heard(answer(Fake(Text(" done"), Finish("stop")), resumes=half)))
    assert events == [
        PartStarted(0, "text"),
        PartDelta(0, "Half"),
        PartDelta(0, " done"),
        PartFinished(0),
        RunFinished("stop"),
    ]


async def test_a_stream_without_an_end_has_broken_off() -> None:
    work = answer(Fake(Text("Hi")))
    with pytest.raises(EngineBroken):
        await heard(work)
    closing = without_usage(work.closing_events(RunFailed("c", "m")))
    assert closing == [PartFinished(0), RunFailed("c", "m")]


async def test_an_engine_that_fails_at_once_is_heard() -> None:
    with pytest.raises(EngineUnavailable):
        await heard(answer(Fake(EngineUnavailable("No."))))


async def test_what_is_waited_for_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_delta, "LOADING_NOTICE_AFTER_S", 0.01)
    engine = Fake(None, Text("Hi"), Finish("stop"))
    engine.state = Health("loading", "It loads.")
    async with aclosing(answer(engine).events()) as events:
        first = await anext(events)
        assert isinstance(first, StepStarted)
        assert first.title == "Loading Muse"
        engine.go.set()
        second = await anext(events)
        assert isinstance(second, StepFinished)
        assert [event async for event in events] == [PartStarted(0, "text"), PartDelta(0, "Hi")]


async def test_closing_it_while_the_engine_is_silent_closes_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_delta, "LOADING_NOTICE_AFTER_S", 0.01)
    engine = Fake(None)
    engine.state = Health("loading", "It loads.")
    events = answer(engine).events()
    await anext(events)
    await events.aclose()
    assert engine.closed


@pytest.mark.parametrize("pieces", [(None,), (Text("a"), None)])
async def test_cancelling_it_closes_the_engine(pieces: tuple[Delta | None, ...]) -> None:
    engine = Fake(*pieces)
    task = asyncio.create_task(heard(answer(engine)))
    await engine.begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert engine.closed
