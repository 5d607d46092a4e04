"""How long an engine has read ahead is told to whoever asked for it."""

from __future__ import annotations

import asyncio
import math

import pytest

from eclair.chat.prefill import Prefill, PrefillRequest
from eclair.llm.base import Request
from eclair.llm.scripted import ScriptedEngine
from eclair.util.background import IdleScheduler


class ReadingEngine(ScriptedEngine):
    """Reads for so many seconds of a clock, and then on until it may finish."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds, self.now = seconds, 100.0
        self.has_begun, self.may_finish = asyncio.Event(), asyncio.Event()

    async def prefill(self, request: Request) -> None:
        self.now += self.seconds
        self.has_begun.set()
        await self.may_finish.wait()


async def test_somebody_who_speaks_meanwhile_interrupts_no_reading() -> None:
    engine, idle = ReadingEngine(7.0), IdleScheduler()
    prefill = Prefill(idle)
    has_worked = asyncio.Event()

    async def build() -> PrefillRequest:
        return PrefillRequest(engine, Request("scripted"), seconds.put_nowait)

    async def work() -> None:
        has_worked.set()

    seconds = asyncio.Queue[float]()
    async with asyncio.timeout(30):
        with idle.conversing():
            working = asyncio.create_task(idle.run(work))
            prefill.begin(("person", "conv_1"), build)
            await engine.has_begun.wait()
            with idle.conversing():
                engine.may_finish.set()
                assert await seconds.get() == math.inf
            assert not has_worked.is_set()
        await has_worked.wait()
        await working
    await prefill.close()


async def test_what_an_answer_interrupts_is_begun_again_after_it() -> None:
    engine, noted, idle = ReadingEngine(7.0), asyncio.Queue[float](), IdleScheduler()
    prefill = Prefill(idle, lambda: engine.now)

    async def build() -> PrefillRequest:
        return PrefillRequest(engine, Request("scripted"), noted.put_nowait)

    prefill.begin(("person", "conv_1"), build)
    async with asyncio.timeout(30):
        await engine.has_begun.wait()
        with idle.answering():
            assert await noted.get() == 7.0
            engine.may_finish.set()
        assert await noted.get() == math.inf
        await prefill.until_read()
    await prefill.close()


async def test_no_answer_interrupts_the_wait_for_files() -> None:
    engine, noted, idle = ReadingEngine(7.0), asyncio.Queue[float](), IdleScheduler()
    prefill, waits, is_there = Prefill(idle), asyncio.Queue[None](), asyncio.Event()
    engine.may_finish.set()

    async def wait() -> None:
        waits.put_nowait(None)
        await is_there.wait()

    async def build() -> PrefillRequest:
        assert is_there.is_set()
        return PrefillRequest(engine, Request("scripted"), noted.put_nowait)

    prefill.begin(("person", "conv_1"), build, wait)
    async with asyncio.timeout(30):
        await waits.get()
        with idle.answering():
            await asyncio.sleep(0)
        is_there.set()
        assert await noted.get() == math.inf
    assert waits.empty()
    await prefill.close()


async def test_a_question_is_asked_only_for_those_who_write_it() -> None:
    prefill = Prefill(IdleScheduler())
    with prefill.expect(("person", "")) as first, prefill.expect(("other", "")) as second:
        prefill.drop(("person", "conv_1"), ("person", ""))
    with prefill.expect(("person", "")) as third:
        pass
    assert [each.is_asked for each in (first, second, third)] == [True, False, False]


@pytest.mark.parametrize("is_interrupted", [True, False])
async def test_the_seconds_of_a_reading_are_noted(is_interrupted: bool) -> None:
    engine, noted, idle = ReadingEngine(7.0), asyncio.Queue[float](), IdleScheduler()
    prefill = Prefill(idle, lambda: engine.now)

    async def build() -> PrefillRequest:
        return PrefillRequest(engine, Request("scripted"), noted.put_nowait)

    prefill.begin(("person", "conv_1"), build)
    async with asyncio.timeout(30):
        await engine.has_begun.wait()
        if is_interrupted:
            with idle.answering():
                assert await noted.get() == 7.0
        else:
            engine.may_finish.set()
            assert await noted.get() == math.inf
    await prefill.close()
