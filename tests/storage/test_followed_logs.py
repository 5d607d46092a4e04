"""Logs of another process's runs, followed by many: all that is new is read at once; faults reach whom they concern."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from eclair.chat import followed_logs
from eclair.chat.followed_logs import FollowedLogs, LogAddition
from eclair.errors import DataDamaged, StoreError
from eclair.storage.base import Storage
from eclair.storage.postgres.processes import PostgresProcessStore
from eclair.storage.runs import EventChunk, LogPlace, NewEvents, RunRecord
from tests.storage.conftest import Opener
from tests.support import Ids, conversation, messages_of, new_turn

TIMEOUT_S = 30


async def open_runs(storage: Storage, count: int) -> list[RunRecord]:
    """Begin runs of one event each, in conversations of their own."""
    ids, runs = Ids(), list[RunRecord]()
    for number in range(count):
        name = f"conv_{number}"
        await conversation(storage, name)
        added, started = new_turn(storage, ids, name)
        runs.append(await storage.runs.open_turn(replace(added, first=EventChunk(started.run, 1, b"1"))))
    return runs


def spied(storage: Storage, monkeypatch: pytest.MonkeyPatch, before: Callable[[Sequence[LogPlace]], None]) -> list[int]:
    """Have `before` called before each read; return the numbers of places that were read."""
    reads, read = list[int](), storage.runs.list_new_events

    async def spy(places: Sequence[LogPlace]) -> list[NewEvents]:
        reads.append(len(places))
        before(places)
        return await read(places)

    monkeypatch.setattr(storage.runs, "list_new_events", spy)
    return reads


def followed_logs_of(storage: Storage) -> FollowedLogs:
    async def reap(conversation: str) -> bool:
        raise AssertionError(f"{conversation} is written by a process that lives")

    return FollowedLogs(storage, lambda _: False, reap)


def waiting_behind(logs: FollowedLogs, number: int) -> int:
    """Return behind how many logs' event of that number somebody waits."""
    return sum(place.after == number for place in logs.places)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0)


async def test_many_followers_of_many_runs_take_a_few_reads(
    storage: Storage, other: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = await open_runs(other, 20)
    reads = spied(storage, monkeypatch, lambda _: None)
    logs = followed_logs_of(storage)

    async def follow(run: RunRecord) -> list[int]:
        after, seen = 0, list[int]()
        with logs.followed(run.id):
            while True:
                added = await logs.next(LogPlace(run.id, after))
                seen += [chunk.last for chunk in added.chunks]
                after = seen[-1]
                if added.has_ended:
                    return seen

    async with asyncio.timeout(TIMEOUT_S), asyncio.TaskGroup() as tasks:
        following = [tasks.create_task(follow(run)) for run in runs for _ in range(3)]
        await until(lambda: waiting_behind(logs, 1) == len(runs))
        before = len(reads)
        await other.runs.append_events([EventChunk(run.id, 2, b"2") for run in runs])
        await until(lambda: waiting_behind(logs, 2) == len(runs))
        assert len(reads) - before < 20
        for number, run in enumerate(runs):
            answer = (await messages_of(other, f"conv_{number}"))[-1]
            await other.runs.finish_run(run, replace(answer, status="finished"), EventChunk(run.id, 3, b"3"))
    assert [task.result() for task in following] == [[1, 2, 3]] * 60


async def test_a_damaged_log_fails_its_own_followers_only(
    storage: Storage, other: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = await open_runs(other, 2)

    def refuse(places: Sequence[LogPlace]) -> None:
        if bad.id in {place.run for place in places}:
            raise DataDamaged("It is damaged.")

    spied(storage, monkeypatch, refuse)
    logs = followed_logs_of(storage)
    async with asyncio.timeout(TIMEOUT_S):
        with logs.followed(good.id):
            found = await asyncio.gather(
                logs.next(LogPlace(bad.id, 0)), logs.next(LogPlace(good.id, 0)), return_exceptions=True
            )
    assert isinstance(found[0], DataDamaged)
    assert found[1] == LogAddition(False, [EventChunk(good.id, 1, b"1")])


async def test_reading_goes_on_after_a_fault(storage: Storage, other: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    (run,) = await open_runs(other, 1)
    faults = [StoreError("The database is gone.")]

    def fail(_: Sequence[LogPlace]) -> None:
        if faults:
            raise faults.pop()

    spied(storage, monkeypatch, fail)
    logs = followed_logs_of(storage)
    async with asyncio.timeout(TIMEOUT_S):
        with logs.followed(run.id):
            with pytest.raises(StoreError, match="is gone"):
                await logs.next(LogPlace(run.id, 0))
            assert [chunk.last for chunk in (await logs.next(LogPlace(run.id, 0))).chunks] == [1]


async def test_a_follower_who_leaves_takes_nobody_along(storage: Storage, other: Storage) -> None:
    (run,) = await open_runs(other, 1)
    logs, place = followed_logs_of(storage), LogPlace(run.id, 1)
    async with asyncio.timeout(TIMEOUT_S):
        with logs.followed(run.id):
            leaving, staying = (asyncio.create_task(logs.next(place)) for _ in range(2))
            await until(lambda: place in logs.places)
            leaving.cancel()
            await asyncio.wait([leaving])
            await other.runs.append_events([EventChunk(run.id, 2, b"2")])
            assert [chunk.last for chunk in (await staying).chunks] == [2]
            assert logs.places == frozenset()


async def test_a_place_that_was_left_is_read_at_once_when_somebody_comes_back(
    storage: Storage, other: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, kept = await open_runs(other, 2)
    monkeypatch.setattr(followed_logs, "POLL_INTERVAL_S", 2.0 * TIMEOUT_S)
    logs = followed_logs_of(storage)
    async with asyncio.timeout(TIMEOUT_S):
        with logs.followed(kept.id):
            staying = asyncio.create_task(logs.next(LogPlace(kept.id, 1)))
            with logs.followed(run.id):
                assert [chunk.last for chunk in (await logs.next(LogPlace(run.id, 0))).chunks] == [1]
            await other.runs.append_events([EventChunk(run.id, 2, b"2"), EventChunk(kept.id, 2, b"2")])
            if isinstance(storage.processes, PostgresProcessStore):  # else nobody tells
                await staying
            with logs.followed(run.id):
                assert [chunk.last for chunk in (await logs.next(LogPlace(run.id, 1))).chunks] == [2]
            staying.cancel()


async def test_a_run_that_cannot_be_reaped_fails_its_own_followers_only(storage: Storage, opener: Opener) -> None:
    dying = opener()
    bad, good = await open_runs(dying, 2)
    await dying.close()

    async def reap(conversation: str) -> bool:
        if conversation == bad.conversation:
            raise RuntimeError("That one never ends.")
        answer = (await messages_of(storage, conversation))[-1]
        await storage.runs.finish_run(good, replace(answer, status="interrupted"), EventChunk(good.id, 2, b"2"))
        return True

    logs = FollowedLogs(storage, lambda _: False, reap)
    async with asyncio.timeout(TIMEOUT_S):
        with logs.followed(bad.id), logs.followed(good.id):
            found = await asyncio.gather(
                logs.next(LogPlace(bad.id, 1)), logs.next(LogPlace(good.id, 1)), return_exceptions=True
            )
    assert isinstance(found[0], RuntimeError)
    assert found[1] == LogAddition(True, [EventChunk(good.id, 2, b"2")])


async def test_the_run_of_a_dead_process_is_reaped(storage: Storage, opener: Opener) -> None:
    dying = opener()
    (run,) = await open_runs(dying, 1)
    await dying.close()
    reaped = asyncio.Queue[str]()

    async def reap(conversation: str) -> bool:
        reaped.put_nowait(conversation)
        return True

    logs = FollowedLogs(storage, lambda _: False, reap)
    async with asyncio.timeout(TIMEOUT_S):
        with logs.followed(run.id):
            following = asyncio.create_task(logs.next(LogPlace(run.id, 1)))
            assert await reaped.get() == run.conversation
            following.cancel()
            await asyncio.wait([following])
