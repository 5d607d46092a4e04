"""Calls that are made once for all who ask at the same time."""

from __future__ import annotations

import asyncio

import pytest

from eclair.util.shared_calls import SharedCalls


class Counter:
    """Counts calls, which end when they are told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.cancelled = 0
        self.end = asyncio.Event()

    async def call(self) -> int:
        self.begun += 1
        number = self.begun
        try:
            await self.end.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return number


async def begin(calls: SharedCalls, counter: Counter, *keys: str) -> list[asyncio.Task[int]]:
    tasks = [asyncio.create_task(calls.share(key, counter.call)) for key in keys]
    await asyncio.sleep(0.01)
    return tasks


async def test_those_who_ask_for_the_same_share_a_call() -> None:
    calls, counter = SharedCalls(), Counter()
    tasks = await begin(calls, counter, "a", "a", "b", "a")
    counter.end.set()
    assert await asyncio.gather(*tasks) == [1, 1, 2, 1]


async def test_whoever_asks_once_a_call_has_ended_makes_another() -> None:
    calls, counter = SharedCalls(), Counter()
    counter.end.set()

    async def ask_twice() -> list[int]:
        return [await calls.share("a", counter.call), await calls.share("a", counter.call)]

    found = await asyncio.gather(*(ask_twice() for _ in range(20)))
    assert {first for first, _ in found} == {1}
    assert {second for _, second in found} == {2}


async def test_a_call_goes_on_as_long_as_somebody_waits() -> None:
    calls, counter = SharedCalls(), Counter()
    first, second, third = await begin(calls, counter, "a", "a", "a")
    first.cancel()
    second.cancel()
    await asyncio.wait([first, second])
    assert counter.cancelled == 0
    third.cancel()
    (fourth,) = await begin(calls, counter, "a")
    assert (third.cancelled(), counter.cancelled) == (True, 1)
    counter.end.set()
    assert await fourth == 2


async def test_a_failure_is_everybodys() -> None:
    calls = SharedCalls()

    async def fail() -> None:
        await asyncio.sleep(0)
        raise OSError("gone")

    results = await asyncio.gather(*(calls.share("a", fail) for _ in range(3)), return_exceptions=True)
    assert [type(result) for result in results] == [OSError] * 3
    with pytest.raises(OSError, match="gone"):
        await calls.share("a", fail)
