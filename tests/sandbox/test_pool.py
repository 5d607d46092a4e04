"""Sandboxes answer their requests, whatever becomes of others, and reach nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import warnings
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest

from eclair.sandbox import pool
from eclair.sandbox.host_process import HostProcess
from eclair.sandbox.pool import SandboxPool, SandboxWorker
from eclair.sandbox.protocol import Rejected, SandboxError
from tests import giving_up as stoppable
from tests.answering import PROTOCOL, Deed, Do, Result
from tests.giving_up import Step, Work

Pool = SandboxPool[Do, Result]
GivingUp = SandboxPool[Work, Step]


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


@pytest.fixture
async def staying() -> AsyncGenerator[Pool]:
    found = SandboxPool(PROTOCOL, linger=True)
    yield found
    await found.close()
    assert hosts() == []


@pytest.fixture
async def giving_up() -> AsyncGenerator[GivingUp]:
    found = SandboxPool(stoppable.PROTOCOL, linger=True)
    yield found
    await found.close()


@pytest.fixture
async def writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Pool]:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = SandboxPool(PROTOCOL, linger=True, scratch=True)
    yield found
    await found.close()
    assert os.listdir(tmp_path) == []


def hosts() -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for each in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended meanwhile
            if PROTOCOL.module in each.cmdline():
                found.append(each)
    return found


def files(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file()]


async def emptied(host: psutil.Process) -> None:
    async with asyncio.timeout(5):
        while host.children():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def echoed(pool: Pool, data: bytes) -> bytes:
    return (await pool.run_once(Do("echo", data), timeout_s=20)).data


async def asked(worker: SandboxWorker[Do, Result], do: Do) -> list[Result]:
    return [result async for result in worker.ask(do)]


async def test_many_at_once_are_answered_each_for_itself_by_one_host(staying: Pool) -> None:
    orders = [bytes([number]) * 300_000 for number in range(20)]
    assert await asyncio.gather(*(echoed(staying, order) for order in orders)) == orders
    (host,) = hosts()
    await emptied(host)


async def test_no_more_than_are_allowed_work_at_once() -> None:
    bounded = SandboxPool(PROTOCOL, linger=True, max_processes=2)
    try:
        assert await echoed(bounded, b"first") == b"first"
        (host,) = hosts()
        await emptied(host)
        sleeping = [asyncio.create_task(bounded.run_once(Do("sleep"), timeout_s=50)) for _ in range(4)]
        async with asyncio.timeout(5):
            while len(host.children()) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.3)
        assert len(host.children()) == 2
        for task in sleeping:
            task.cancel()
        await asyncio.wait(sleeping)
    finally:
        await bounded.close()


@pytest.mark.parametrize(
    ("deed", "fault"),
    [
        ("die", "death"),
        ("spin", "timeout"),
        ("half", None),
        ("nothing", "crash"),
        ("call", "crash"),
        ("run", "crash"),
        ("eat", "memory"),
        ("garbage", "death"),
        ("big", "death"),
    ],
)
async def test_one_that_fails_harms_no_other(staying: Pool, deed: Deed, fault: str | None) -> None:
    other = asyncio.create_task(echoed(staying, b"other"))
    failing = staying.run_once(Do(deed, bytes(3_000_000)), timeout_s=20)
    if fault is None:
        assert (await failing).data == b"half"
    else:
        with pytest.raises(SandboxError) as raised:
            await failing
        assert raised.value.fault == fault
    assert await other == b"other"
    (host,) = hosts()
    assert await echoed(staying, b"next") == b"next"
    assert hosts() == [host]


async def test_what_is_rejected_says_why(staying: Pool) -> None:
    with pytest.raises(Rejected) as raised:
        await staying.run_once(Do("reject", "is no Käse".encode()), timeout_s=20)
    assert (raised.value.message, raised.value.kind) == ("is no Käse", "missing")


async def test_one_that_takes_too_long_or_that_nobody_waits_for_is_ended(staying: Pool) -> None:
    with pytest.raises(SandboxError, match="timeout"):
        await staying.run_once(Do("sleep"), timeout_s=1)
    asking = asyncio.create_task(staying.run_once(Do("sleep"), timeout_s=50))
    async with asyncio.timeout(5):
        while not hosts() or not hosts()[0].children():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.wait([asking])
    await emptied(hosts()[0])
    assert await echoed(staying, b"next") == b"next"


async def test_it_writes_no_file(staying: Pool, tmp_path: Path) -> None:
    path = tmp_path / "file"
    with pytest.raises(SandboxError):
        await staying.run_once(Do("write", str(path).encode()), timeout_s=20)
    assert not path.exists() or path.stat().st_size == 0


async def test_a_host_that_is_killed_has_a_successor(staying: Pool) -> None:
    assert await echoed(staying, b"first") == b"first"
    (host,) = hosts()
    host.kill()
    assert await echoed(staying, b"second") == b"second"
    assert hosts() != [host]


async def test_the_host_leaves_with_the_last_or_after_a_while() -> None:
    assert await echoed(SandboxPool(PROTOCOL), b"first") == b"first"
    assert hosts() == []
    staying = SandboxPool(PROTOCOL, linger=True, host_idle_s=0.2)
    assert await echoed(staying, b"second") == b"second"
    assert len(hosts()) == 1
    async with asyncio.timeout(10):
        while hosts():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await echoed(staying, b"third") == b"third"
    before = hosts()
    with pytest.raises(SandboxError, match="timeout"):
        await staying.run_once(Do("sleep"), timeout_s=1)  # longer than the host may wait for a request
    assert hosts() == before
    await staying.close()


async def test_a_worker_answers_many_requests_with_many_results(staying: Pool) -> None:
    async with staying.worker() as worker:
        assert [result.number for result in await asked(worker, Do("count", times=1000))] == list(range(1000))
        assert await asked(worker, Do("nothing")) == []
        with pytest.raises(Rejected):
            await asked(worker, Do("reject"))
        with pytest.raises(SandboxError, match="crash"):
            await asked(worker, Do("half"))
    (kept,) = hosts()[0].children()
    async with staying.worker() as worker:
        assert await asked(worker, Do("echo", b"again")) == [Result(b"again")]
        assert hosts()[0].children() == [kept]


@pytest.mark.parametrize("deed", ["die", "spin", "eat", "garbage", "big", "sleep"])
async def test_a_worker_that_cannot_go_on_is_replaced(staying: Pool, deed: Deed) -> None:
    with pytest.raises(SandboxError):
        async with staying.worker() as worker:
            _ = [result async for result in worker.ask(Do(deed), result_timeout_s=3)]
    (host,) = hosts()
    assert host.children() == []
    async with staying.worker() as worker:
        assert await asked(worker, Do("echo", b"next")) == [Result(b"next")]
    assert hosts() == [host]


async def test_a_worker_that_nobody_listens_to_is_ended(staying: Pool) -> None:
    async with staying.worker() as worker, aclosing(worker.ask(Do("count", bytes(100_000), times=100_000))) as results:
        assert (await anext(results)).number == 0
    (host,) = hosts()
    assert host.children() == []


@pytest.mark.parametrize("seconds", [0.0, 0.3])
async def test_a_worker_that_gives_up_what_nobody_wants_is_kept(giving_up: GivingUp, seconds: float) -> None:
    for number in range(1, 4):
        async with giving_up.worker() as worker, aclosing(worker.ask(Work(60))) as results:
            assert await anext(results) == Step(number), "the same process"
            reading = asyncio.ensure_future(anext(results))
            await asyncio.sleep(seconds)  # it has begun, or is about to
            reading.cancel()
            await asyncio.wait([reading])
    async with giving_up.worker() as worker:
        assert [step async for step in worker.ask(Work())] == [Step(4), Step(-4)]


async def test_a_worker_that_gives_up_too_late_is_replaced(
    giving_up: GivingUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "STOP_TIMEOUT_S", 0.2)
    async with giving_up.worker() as worker, aclosing(worker.ask(Work(60, stubborn=60))) as results:
        assert await anext(results) == Step(1)
    async with giving_up.worker() as worker:
        assert [step async for step in worker.ask(Work())] == [Step(1), Step(-1)]


async def test_a_worker_that_found_its_request_too_large_is_replaced_at_once(
    giving_up: GivingUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "STOP_TIMEOUT_S", 3600.0)
    async with asyncio.timeout(60):
        with pytest.raises(Rejected, match="too long"):
            async with giving_up.worker() as worker:
                _ = [step async for step in worker.ask(Work(too_large=True))]
        async with giving_up.worker() as worker:
            assert [step async for step in worker.ask(Work())] == [Step(1), Step(-1)]


async def test_a_worker_is_ended_after_a_while(staying: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "WORKER_IDLE_S", 0.2)
    async with staying.worker() as worker:
        assert await asked(worker, Do("nothing")) == []
    async with asyncio.timeout(5):
        while hosts():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_worker_is_replaced_after_many_requests_as_soon_as_it_rests(
    staying: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "OLD_WORKER_REQUESTS", 2)
    monkeypatch.setattr(pool, "MAX_REQUESTS_PER_WORKER", 5)
    monkeypatch.setattr(pool, "REST_S", 60.0)
    pids: list[int] = []
    for number in range(7):
        if number == 6:
            monkeypatch.setattr(pool, "REST_S", 0.1)
        async with staying.worker() as worker:
            assert await asked(worker, Do("nothing")) == []
            (process,) = hosts()[0].children()
            pids.append(process.pid)
    assert (len(set(pids[:5])), len(set(pids[5:])), len(set(pids))) == (1, 1, 2), "the fifth request was the last"
    async with asyncio.timeout(20):
        while hosts():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def test_a_host_that_is_killed_takes_its_workers_along(staying: Pool) -> None:
    async with staying.worker() as worker:
        assert await asked(worker, Do("nothing", renewed=True)) == []
        asking = asyncio.create_task(asked(worker, Do("sleep")))
        await asyncio.sleep(0.1)
        (host,) = hosts()
        (sleeping,) = host.children()
        host.kill()
        with pytest.raises(SandboxError, match="death"):
            await asking
    async with asyncio.timeout(5):
        while sleeping.is_running() and sleeping.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    async with staying.worker() as worker:
        assert await asked(worker, Do("echo", b"next")) == [Result(b"next")]


async def test_the_seconds_of_a_worker_count_anew_after_each_result(staying: Pool) -> None:
    async with staying.worker() as worker:
        assert len(await asked(worker, Do("count", bytes(500_000), 800, cpu_s=0.1, renewed=True))) == 800


async def test_a_start_that_is_cancelled_leaves_no_socket_open() -> None:
    host = await HostProcess.start(PROTOCOL.module, niceness=0, scratch=False)
    try:
        with warnings.catch_warnings(record=True) as unclosed:
            warnings.simplefilter("always", ResourceWarning)
            outcomes = [await start_for(host, turns) for turns in range(6)]
            gc.collect()
    finally:
        await host.end()
    assert {"cancelled", "started"} <= set(outcomes)
    assert [str(warning.message) for warning in unclosed] == []


async def start_for(host: HostProcess, turns: int) -> str:
    """Start a process, and cancel that after so many turns of the loop."""
    starting = asyncio.create_task(host.fork())
    for _ in range(turns):
        await asyncio.sleep(0)
    starting.cancel()
    try:
        channel = await starting
    except asyncio.CancelledError:
        return "cancelled"
    await channel.end()
    return "started"


async def test_temporary_files_go_with_their_process(writing: Pool, tmp_path: Path) -> None:
    async with writing.worker() as worker:
        (result,) = await asked(worker, Do("write", renewed=True))
        assert files(tmp_path) == [result.data.decode()]
        worker.is_reusable = False
    assert files(tmp_path) == []
