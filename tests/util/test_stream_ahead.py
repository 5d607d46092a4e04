from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from eclair.util.stream_ahead import read_ahead


class Source:
    """Yields numbers, and notes how far it was read and whether it is closed."""

    def __init__(self, count: int, fault: Exception | None = None) -> None:
        self.count = count
        self.fault = fault
        self.read = 0
        self.is_closed = False

    async def numbers(self) -> AsyncGenerator[int, None]:
        try:
            for number in range(self.count):
                self.read += 1
                yield number
            if self.fault is not None:
                raise self.fault
        finally:
            self.is_closed = True


async def test_a_source_is_let_go_before_a_slow_reader_has_taken_all() -> None:
    source = Source(5)
    async with aclosing(read_ahead(source.numbers(), lambda _: 1, 10)) as numbers:
        assert await anext(numbers) == 0
        await asyncio.sleep(0.01)
        assert source.is_closed
        assert [number async for number in numbers] == [1, 2, 3, 4]


async def test_no_more_is_held_than_is_allowed() -> None:
    source = Source(100)
    async with aclosing(read_ahead(source.numbers(), lambda _: 10, 50)) as numbers:
        assert await anext(numbers) == 0
        await asyncio.sleep(0.01)
        assert source.read == 6
        assert [number async for number in numbers] == list(range(1, 100))


async def test_a_fault_comes_after_what_was_read_before_it() -> None:
    source = Source(2, ValueError("broken"))
    numbers = read_ahead(source.numbers(), lambda _: 1, 10)
    assert [await anext(numbers), await anext(numbers)] == [0, 1]
    with pytest.raises(ValueError, match="broken"):
        await anext(numbers)


async def test_who_leaves_closes_the_source() -> None:
    source = Source(1000)
    async with aclosing(read_ahead(source.numbers(), lambda _: 1, 1)) as numbers:
        assert await anext(numbers) == 0
    assert source.is_closed
    assert source.read < 5
