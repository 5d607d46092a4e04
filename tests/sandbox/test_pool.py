"""Guests answer one order each, whatever becomes of the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import psutil
import pytest

from eclair.sandbox import pool
from eclair.sandbox.pool import Guests
from tests.answering import LONG

MODULE = "tests.answering"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(pool, "GRACE", 1)


@pytest.fixture
async def staying() -> AsyncGenerator[Guests]:
    found = Guests(MODULE, stay=True)
    yield found
    await found.close()
    assert hosts() == []


def hosts() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if MODULE in each.cmdline()]


async def emptied(host: psutil.Process) -> None:
    async with asyncio.timeout(5):
        while host.children():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_many_at_once_are_answered_each_for_itself_by_one_host(staying: Guests) -> None:
    orders = [bytes([number]) * 300_000 for number in range(20)]
    assert await asyncio.gather(*(staying.ask(b"echo\n" + order, 20) for order in orders)) == orders
    (host,) = hosts()
    await emptied(host)


async def test_what_is_not_read_cuts_no_answer_off(staying: Guests) -> None:
    assert await staying.ask(b"deaf\n" + bytes(3_000_000), 20) == LONG


@pytest.mark.parametrize(("order", "answer"), [("die", b""), ("spin", b""), ("half", b"half"), ("unknown", b"")])
async def test_one_that_dies_harms_no_other(staying: Guests, order: str, answer: bytes) -> None:
    other = asyncio.create_task(staying.ask(b"echo\nother", 20))
    assert await staying.ask(f"{order}\n".encode() + bytes(3_000_000), 20) == answer
    assert await other == b"other"
    (host,) = hosts()
    assert await staying.ask(b"echo\nnext", 20) == b"next"
    assert hosts() == [host]


async def test_one_that_takes_too_long_or_that_nobody_waits_for_is_ended(staying: Guests) -> None:
    with pytest.raises(TimeoutError):
        await staying.ask(b"sleep\n", 0)
    asking = asyncio.create_task(staying.ask(b"sleep\n", 50))
    (host,) = hosts()
    async with asyncio.timeout(5):
        while not host.children():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.wait([asking])
    await emptied(host)
    assert await staying.ask(b"echo\nnext", 20) == b"next"


async def test_it_calls_nobody_and_writes_no_file(staying: Guests, tmp_path: Path) -> None:
    assert await staying.ask(b"call\n", 20) == b""
    path = tmp_path / "file"
    assert await staying.ask(b"write\n" + str(path).encode(), 20) == b""
    assert not path.exists() or path.stat().st_size == 0


async def test_a_host_that_is_killed_has_a_successor(staying: Guests) -> None:
    assert await staying.ask(b"echo\nfirst", 20) == b"first"
    (host,) = hosts()
    host.kill()
    assert await staying.ask(b"echo\nsecond", 20) == b"second"
    assert hosts() != [host]


async def test_the_host_leaves_with_the_last_or_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await Guests(MODULE).ask(b"echo\nfirst", 20) == b"first"
    assert hosts() == []
    monkeypatch.setattr(pool, "SPARE", 0.2)
    staying = Guests(MODULE, stay=True)
    assert await staying.ask(b"echo\nsecond", 20) == b"second"
    assert len(hosts()) == 1
    async with asyncio.timeout(10):
        while hosts():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await staying.ask(b"echo\nthird", 20) == b"third"
    before = hosts()
    with pytest.raises(TimeoutError):
        await staying.ask(b"sleep\n", 0)  # longer than the host may wait for an order
    assert hosts() == before
    await staying.close()
