"""The run log: on a real store with work that the test tells what to say, and through the door."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eclair.chat import live_run
from eclair.chat import runs as runs_module
from eclair.chat.live_run import FRAME_S, Batch
from eclair.chat.runs import FLUSH_INTERVAL_S, Runs
from eclair.errors import Conflict, StoreError
from eclair.schema.events import (
    Event,
    Notice,
    PartDelta,
    PartFinished,
    PartStarted,
    RunFailed,
    RunFinished,
    RunInterrupted,
    RunStopped,
    RunWaiting,
    decode,
    encode,
    fold,
)
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.open import open_storage
from eclair.storage.runs import EventChunk, LogPlace, NewEvents, RunRecord, RunRequest
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.runs import SQLRunStore
from tests.support import Ids, Server, Told, check_log, conversation, messages_of, new_turn, parse, text_of

FOLLOWERS = 10_000
MAX_TURNS = 20
"""Of the event loop, in which whatever is ready runs once each."""


@pytest.fixture
async def runs(storage: Storage) -> AsyncGenerator[Runs]:
    await conversation(storage)
    runs = Runs(storage)
    await runs.start()
    yield runs
    await runs.close()
    assert not runs._live  # pyright: ignore[reportPrivateUsage]


async def opened(
    runs: Runs, storage: Storage, work: Told | None = None, ids: Ids | None = None
) -> tuple[RunRecord, Told]:
    work = work or Told()
    turn, started = new_turn(storage, ids or Ids())
    return await runs.open(turn, started, work), work


async def lines(runs: Runs, run: RunRecord, after: int = 0) -> list[bytes]:
    async with aclosing(runs.follow(run, after)) as batches:
        return [line async for batch in batches for line in batch.lines]


async def batches(runs: Runs, run: RunRecord, after: int = 0) -> list[Batch]:
    async with aclosing(runs.follow(run, after)) as found:
        return [batch async for batch in found]


async def kept(storage: Storage, run: RunRecord) -> list[Event]:
    return [decode(line) for chunk in await storage.runs.list_events(run.id, 0) for line in chunk.lines.split(b"\n")]


async def kept_text(storage: Storage, run: RunRecord) -> str:
    return fold(await kept(storage, run)).text


class Faulty:
    """Makes a method of the store fail until `mend`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, storage: Storage, *names: str) -> None:
        self.broken = True
        self.failed = asyncio.Event()
        for name in names:
            monkeypatch.setattr(storage.runs, name, self._wrapped(getattr(storage.runs, name)))

    def mend(self) -> None:
        self.broken = False

    def _wrapped(self, method: Any) -> Any:
        async def call(*args: Any) -> Any:
            if self.broken:
                self.failed.set()
                raise StoreError("The disk is full; free some space and try again.")
            return await method(*args)

        return call


async def test_what_is_followed_live_is_what_is_kept_and_replayed(runs: Runs, storage: Storage) -> None:
    run, work = await opened(runs, storage)
    live = asyncio.create_task(lines(runs, run))
    work.say(PartStarted(0, "text"), PartDelta(0, "Hel"), PartDelta(0, "lo"), PartFinished(0), None)
    seen = await live
    assert [encode(event) for event in await kept(storage, run)] == seen
    check_log([decode(line) for line in seen])
    run = await storage.runs.get_run(LOCAL_PRINCIPAL, run.id)
    for after in range(len(seen)):
        assert await lines(runs, run, after) == seen[after:]
    message, seq = await runs.fold(run)
    assert (message.text, message.status, seq) == ("Hello", "finished", len(seen))
    assert (await messages_of(storage, "conv_a"))[-1] == message


async def test_deltas_within_a_frame_are_one_event(runs: Runs, storage: Storage) -> None:
    run, work = await opened(runs, storage)
    work.say(PartStarted(0, "text"), *[PartDelta(0, f"{number} ") for number in range(1000)], None)
    events = [decode(line) for line in await lines(runs, run)]
    deltas = [event for event in events if isinstance(event, PartDelta)]
    assert "".join(delta.text for delta in deltas) == "".join(f"{number} " for number in range(1000))
    assert len(deltas) < 50


async def test_a_delta_waits_no_longer_than_a_frame(runs: Runs, storage: Storage) -> None:
    run, work = await opened(runs, storage)
    work.say(PartStarted(0, "text"), PartDelta(0, "a"), PartDelta(0, "b"))
    async with aclosing(runs.follow(run, 0)) as followed:
        text = ""
        async with asyncio.timeout(FRAME_S + 2):
            while text != "ab":
                batch = await anext(followed)
                text += "".join(event.text for event in map(decode, batch.lines) if isinstance(event, PartDelta))
    work.say(None)
    await lines(runs, run)


async def test_where_many_follow_events_are_fewer_and_longer(
    runs: Runs, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_run, "FOLLOWER_S", 20.0)
    run, work = await opened(runs, storage)
    async with aclosing(runs.follow(run, 0)) as followed:
        await anext(followed)
        work.say(PartStarted(0, "text"), PartDelta(0, "one "))
        while not any(isinstance(decode(line), PartDelta) for line in (await anext(followed)).lines):
            pass
        for word in ("two ", "three"):
            work.say(PartDelta(0, word))
            await asyncio.sleep(2 * FRAME_S)
        work.say(PartFinished(0), None)
        rest = [decode(line) async for batch in followed for line in batch.lines]
    assert [event.text for event in rest if isinstance(event, PartDelta)] == ["two three"]


async def test_deltas_of_two_parts_are_never_one(runs: Runs, storage: Storage) -> None:
    run, work = await opened(runs, storage)
    work.say(PartStarted(0, "text"), PartDelta(0, "a"), PartDelta(0, "b"), PartFinished(0))
    work.say(PartStarted(1, "reasoning"), PartDelta(1, "c"), PartDelta(1, "d"), PartFinished(1), None)
    events = [decode(line) for line in await lines(runs, run)]
    check_log(events)
    assert [part.text for part in fold(events).parts] == ["ab", "cd"]


@pytest.mark.parametrize("wait", [0.0, FLUSH_INTERVAL_S - FRAME_S / 2, FLUSH_INTERVAL_S - FRAME_S / 4])
async def test_what_was_said_is_kept_soon_even_if_nothing_follows(runs: Runs, storage: Storage, wait: float) -> None:
    run, work = await opened(runs, storage)
    work.say(PartStarted(0, "text"), PartDelta(0, "a"))
    await asyncio.sleep(wait)
    work.say(PartDelta(0, "b"), PartDelta(0, "c"))
    async with asyncio.timeout(1.5):  # 250 ms on a machine that does nothing else
        while await kept_text(storage, run) != "abc":
            await asyncio.sleep(0.01)
    assert (await storage.runs.get_run(LOCAL_PRINCIPAL, run.id)).status == "running"
    work.say(None)
    await lines(runs, run)


async def test_followers_who_do_not_read_delay_no_one(runs: Runs, storage: Storage) -> None:
    run, work = await opened(runs, storage)
    idle = [runs.follow(run, 0) for _ in range(20)]
    for follower in idle:
        await anext(follower)
    eager = [asyncio.create_task(lines(runs, run, after)) for after in (0, 0, 0, 1)]
    work.say(PartStarted(0, "text"), *[PartDelta(0, "word ") for _ in range(500)], None)
    results = await asyncio.gather(*eager)
    assert results[0] == results[1] == results[2] == [encode(event) for event in await kept(storage, run)]
    assert results[3] == results[0][1:]
    for follower in idle:
        late = [line async for batch in follower for line in batch.lines]
        assert late == results[0][1:]


async def test_ten_thousand_follow_one_run_and_the_slow_half_holds_up_nobody(runs: Runs, storage: Storage) -> None:
    run, work = await opened(runs, storage)
    slow = [runs.follow(run, 0) for _ in range(FOLLOWERS // 2)]
    for follower in slow:
        await anext(follower)
    seen: list[list[bytes]] = [[] for _ in range(FOLLOWERS // 2)]

    async def follow(lines: list[bytes]) -> None:
        async with aclosing(runs.follow(run, 0)) as found:
            async for batch in found:
                lines += batch.lines

    quick = [asyncio.create_task(follow(each)) for each in seen]
    await asyncio.wait_for(work.begun.wait(), 30)
    for count, event in enumerate((PartStarted(0, "text"), PartDelta(0, "Hello"), PartFinished(0)), 2):
        work.say(event)
        for _ in range(MAX_TURNS):
            await asyncio.sleep(0)
        assert {len(each) for each in seen} == {count}, "each event has reached them within a few turns of the loop"
    work.say(None)
    await asyncio.gather(*quick)
    written = seen[0]
    assert written == [encode(event) for event in await kept(storage, run)]
    late = [[batch async for batch in follower] for follower in slow]
    assert {len(each) for each in late} == {1}, "what a slow one missed comes at once"
    held = {id(line) for each in seen for line in each} | {id(line) for (batch,) in late for line in batch.lines}
    assert held == {id(line) for line in written}, "nobody has a copy"


async def test_a_follower_may_leave_at_any_moment(runs: Runs, storage: Storage) -> None:
    run, work = await opened(runs, storage)
    left: list[asyncio.Task[list[bytes]]] = []
    for _ in range(50):
        left.append(asyncio.create_task(lines(runs, run)))
        await asyncio.sleep(0)
        left[-1].cancel()
    await asyncio.wait(left)
    assert not runs._live[run.id]._waiting  # pyright: ignore[reportPrivateUsage]
    work.say(PartStarted(0, "text"), PartDelta(0, "still here"), PartFinished(0), None)
    assert fold(map(decode, await lines(runs, run))).text == "still here"


async def test_after_the_end_of_the_log_everything_follows_anew(runs: Runs, storage: Storage) -> None:
    run, work = await opened(runs, storage)
    live = asyncio.create_task(batches(runs, run, 99))
    await asyncio.sleep(0)
    work.say(None)
    found = await live
    assert [batch.reset for batch in found] == [True, *[False] * (len(found) - 1)]
    assert found[0].first == 1
    again = await batches(runs, await storage.runs.get_run(LOCAL_PRINCIPAL, run.id), 99)
    assert again[0].reset
    assert again[0].first == 1
    assert [line for batch in again for line in batch.lines] == [line for batch in found for line in batch.lines]


async def test_stop_closes_the_work_and_keeps_what_was_said(runs: Runs, storage: Storage) -> None:
    run, work = await opened(runs, storage)
    work.say(PartStarted(0, "text"), PartDelta(0, "a"), PartDelta(0, "b"))
    await work.begun.wait()
    while not work.queue.empty():
        await asyncio.sleep(0)
    await runs.stop(run)
    assert work.closed.is_set()
    events = await kept(storage, run)
    assert isinstance(events[-1], RunStopped)
    assert fold(events).text == "ab"
    assert (await storage.runs.get_run(LOCAL_PRINCIPAL, run.id)).status == "stopped"
    await runs.stop(await storage.runs.get_run(LOCAL_PRINCIPAL, run.id))
    await runs.stop(run)  # with the record as it was while the run was at work


async def test_stop_before_the_work_has_begun(runs: Runs, storage: Storage) -> None:
    run, work = await opened(runs, storage)
    await runs.stop(run)
    assert work.closed.is_set() == work.begun.is_set()
    assert isinstance((await kept(storage, run))[-1], RunStopped)
    assert (await storage.runs.get_run(LOCAL_PRINCIPAL, run.id)).status == "stopped"


async def test_many_stops_at_once(runs: Runs, storage: Storage) -> None:
    run, work = await opened(runs, storage)
    await work.begun.wait()
    await asyncio.gather(*(runs.stop(run) for _ in range(10)))
    events = await kept(storage, run)
    check_log(events)
    assert isinstance(events[-1], RunStopped)


async def test_stop_while_it_ends_changes_nothing(runs: Runs, storage: Storage) -> None:
    for number in range(20):
        run, work = await opened(runs, storage, ids=_From(number))
        work.say(PartStarted(0, "text"), PartDelta(0, "x"), PartFinished(0), None)
        followed = asyncio.create_task(lines(runs, run))
        for _ in range(number):
            await asyncio.sleep(0)
        await runs.stop(run)
        events = [decode(line) for line in await followed]
        check_log(events)
        assert [encode(event) for event in await kept(storage, run)] == await followed
        assert isinstance(events[-1], (RunStopped, RunFinished))


class _From(Ids):
    """Identifiers that no other of these has made."""

    def __init__(self, series: int) -> None:
        super().__init__()
        self._count = series * 100


async def test_closing_interrupts_what_is_at_work(storage: Storage) -> None:
    await conversation(storage)
    runs = Runs(storage)
    await runs.start()
    run, work = await opened(runs, storage)
    work.say(PartStarted(0, "text"), PartDelta(0, "half"))
    await work.begun.wait()
    followed = asyncio.create_task(lines(runs, run))
    while not work.queue.empty():
        await asyncio.sleep(0)
    await runs.close()
    await runs.close()
    events = [decode(line) for line in await followed]
    assert isinstance(events[-1], RunInterrupted)
    assert await kept(storage, run) == events
    assert fold(events).text == "half"


async def test_closing_before_the_work_has_begun(storage: Storage) -> None:
    await conversation(storage)
    runs = Runs(storage)
    await runs.start()
    run, _ = await opened(runs, storage)
    await runs.close()
    assert isinstance((await kept(storage, run))[-1], RunInterrupted)


@pytest.mark.parametrize(("error", "code"), [(StoreError("No."), "store"), (ValueError("a bug"), "internal")])
async def test_every_failure_ends_the_run(
    runs: Runs, storage: Storage, error: Any, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    run, work = await opened(runs, storage)
    work.say(PartStarted(0, "text"), PartDelta(0, "fine"), error, None)
    async with asyncio.timeout(5):
        events = [decode(line) for line in await lines(runs, run)]
    assert isinstance(events[-1], RunFailed)
    assert events[-1].code == code
    assert fold(events).text.startswith("fine")
    assert (await storage.runs.get_run(LOCAL_PRINCIPAL, run.id)).status == "failed"


async def test_a_store_that_fails_for_a_while_loses_nothing(
    runs: Runs, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_module, "RETRY_INTERVAL_S", 0.05)
    run, work = await opened(runs, storage)
    fault = Faulty(monkeypatch, storage, "append_events", "finish_run")
    followed = asyncio.create_task(lines(runs, run))
    work.say(PartStarted(0, "text"), PartDelta(0, "one "))
    await asyncio.wait_for(fault.failed.wait(), 5)
    fault.failed.clear()
    work.say(PartDelta(0, "two"), PartFinished(0), None)
    await asyncio.wait_for(fault.failed.wait(), 5)
    await asyncio.sleep(0.15)
    assert not followed.done(), "who sees the end may rely on it"
    fault.mend()
    events = [decode(line) for line in await followed]
    check_log(events)
    remarks = [event for event in events if isinstance(event, Notice)]
    assert [remark.code for remark in remarks] == ["not_saved"]
    assert "The disk is full" in remarks[0].message
    assert fold(events[:-1]).remarks
    assert fold(events).remarks == (await messages_of(storage, "conv_a"))[-1].remarks == ()
    assert fold(events).text == "one two"
    assert await kept(storage, run) == events


async def test_a_flush_that_fails_is_tried_again(runs: Runs, storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs_module, "RETRY_INTERVAL_S", 0.05)
    run, work = await opened(runs, storage)
    fault = Faulty(monkeypatch, storage, "append_events")
    work.say(PartStarted(0, "text"), PartDelta(0, "kept"))
    await asyncio.wait_for(fault.failed.wait(), 5)
    fault.mend()
    async with asyncio.timeout(5):
        while await kept_text(storage, run) != "kept":
            await asyncio.sleep(0.01)
    assert (await runs.fold(run))[0].remarks == ()
    work.say(None)
    events = [decode(line) for line in await lines(runs, run)]
    assert [event.code for event in events if isinstance(event, Notice)] == ["not_saved", "saved"]


async def test_what_was_stored_without_an_answer_is_not_doubled(
    runs: Runs, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_module, "RETRY_INTERVAL_S", 0.05)
    append = storage.runs.append_events
    failed = asyncio.Event()

    async def lose_answer(chunks: list[EventChunk]) -> None:
        await append(chunks)
        if not failed.is_set():
            failed.set()
            raise StoreError("The database was lost while a change was being stored.")

    monkeypatch.setattr(storage.runs, "append_events", lose_answer)
    run, work = await opened(runs, storage)
    work.say(PartStarted(0, "text"), PartDelta(0, "one "))
    await asyncio.wait_for(failed.wait(), 5)
    work.say(PartDelta(0, "two"))
    async with asyncio.timeout(5):
        while (await storage.runs.list_events(run.id, 0))[-1].last < 4:
            await asyncio.sleep(0.01)
    work.say(PartFinished(0), None)
    seen = [decode(line) for line in await lines(runs, run)]
    run = await storage.runs.get_run(LOCAL_PRINCIPAL, run.id)
    message, number = await runs.fold(run)
    assert (message.text, number) == ("one two", len(seen))
    assert [decode(line) for line in await lines(runs, run)] == seen


async def test_what_the_database_lost_is_stored_again_also_of_an_answer_that_says_nothing(
    runs: Runs, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs_module, "RETRY_INTERVAL_S", 0.05)
    await conversation(storage, "conv_b")
    ids = Ids()
    turns = [new_turn(storage, ids, id) for id in ("conv_a", "conv_b")]
    works = [Told(), Told()]
    silent, talking = [await runs.open(*turn, work) for turn, work in zip(turns, works, strict=True)]
    works[0].say(PartStarted(0, "text"), PartDelta(0, "kept"))
    async with asyncio.timeout(5):
        while await kept_text(storage, silent) != "kept":
            await asyncio.sleep(0.01)

    def lose(db: Connection) -> None:
        db.execute("DELETE FROM chunk WHERE run = ? AND last > 1", (silent.id,))

    assert isinstance(storage.runs, SQLRunStore)
    await storage.runs.database.write(lose)
    fault = Faulty(monkeypatch, storage, "list_last_events")
    monkeypatch.setattr(type(storage.processes), "losses", 1)
    works[1].say(PartStarted(0, "text"))
    await asyncio.wait_for(fault.failed.wait(), 5)
    fault.mend()
    async with asyncio.timeout(5):
        while await kept_text(storage, silent) != "kept":
            await asyncio.sleep(0.01)
    for work, run in zip(works, (silent, talking), strict=True):
        work.say(PartFinished(0), None)
        check_log([decode(line) for line in await lines(runs, run)])
        assert [encode(event) for event in await kept(storage, run)] == await lines(runs, run)


async def test_what_cannot_be_saved_at_the_end_is_logged_without_its_words(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(runs_module, "RETRY_INTERVAL_S", 0.05)
    monkeypatch.setattr(runs_module, "END_TIMEOUT_S", 0.3)
    await conversation(storage)
    runs = Runs(storage)
    await runs.start()
    run, work = await opened(runs, storage)
    Faulty(monkeypatch, storage, "append_events", "finish_run")
    work.say(PartStarted(0, "text"), PartDelta(0, "secret words"))
    await asyncio.wait_for(work.begun.wait(), 5)
    await asyncio.sleep(0.1)
    await runs.close()
    loss = f"The answer of {run.id} in conv_a ends without its last 12 characters: they cannot be saved."
    assert loss in caplog.messages
    assert "secret" not in caplog.text


async def test_a_flush_under_way_at_the_end_doubles_nothing(
    runs: Runs, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = storage.runs.append_events
    begun = asyncio.Event()
    go = asyncio.Event()

    async def slow(chunks: list[EventChunk]) -> None:
        begun.set()
        await go.wait()
        await append(chunks)

    monkeypatch.setattr(storage.runs, "append_events", slow)
    run, work = await opened(runs, storage)
    followed = asyncio.create_task(lines(runs, run))
    work.say(PartStarted(0, "text"), PartDelta(0, "a"))
    await begun.wait()
    work.say(PartDelta(0, "b"), None)
    await asyncio.sleep(0.05)
    go.set()
    assert [encode(event) for event in await kept_at_end(storage, run, followed)] == await followed


async def kept_at_end(storage: Storage, run: RunRecord, followed: asyncio.Task[list[bytes]]) -> list[Event]:
    await followed
    return await kept(storage, run)


async def test_a_client_that_gives_up_while_its_turn_is_stored_leaves_a_run_that_ends(
    runs: Runs, storage: Storage
) -> None:
    turn, started = new_turn(storage, Ids())
    work = Told()
    work.say(None)
    opening = asyncio.create_task(runs.open(turn, started, work))
    await asyncio.sleep(0)
    opening.cancel()
    await asyncio.wait([opening])
    async with asyncio.timeout(5):
        while [run for run in await storage.runs.list_running() if run.id == started.run]:
            await asyncio.sleep(0.01)


async def test_a_refused_turn_leaves_nothing(runs: Runs, storage: Storage) -> None:
    run, work = await opened(runs, storage)
    with pytest.raises(Conflict) as caught:
        await opened(runs, storage, ids=_From(1))
    assert caught.value.run == run.id
    assert len(await messages_of(storage, "conv_a")) == 2
    work.say(None)
    await lines(runs, run)


async def test_the_same_question_again_is_the_same_run(runs: Runs, storage: Storage) -> None:
    work = Told()
    first, _ = await opened(runs, storage, work, Ids())
    turn, started = new_turn(storage, _From(1))
    question = (await messages_of(storage, "conv_a"))[0]
    turn = replace(turn, question=question)
    again = await runs.open(turn, started, Told())
    assert again.id == first.id
    work.say(None)
    await lines(runs, first)
    assert (await runs.open(turn, started, Told())).id == first.id


# Two processes on one data folder: two stores, each with a lease of its own.


@pytest.fixture
async def other(tmp_path: Path) -> AsyncGenerator[Storage]:
    storage = open_storage(tmp_path / "store")
    yield storage
    await storage.close()


async def test_a_second_process_leaves_the_first_ones_run_alone_and_follows_it(
    runs: Runs, storage: Storage, other: Storage
) -> None:
    run, work = await opened(runs, storage)
    second = Runs(other)
    await second.start()
    try:
        seen = await other.runs.get_run(LOCAL_PRINCIPAL, run.id)
        assert seen.status == "running"
        followed = asyncio.create_task(lines(second, seen))
        work.say(PartStarted(0, "text"), PartDelta(0, "Hello"))
        async with asyncio.timeout(5):
            while (await second.fold(seen))[0].text != "Hello":
                await asyncio.sleep(0.01)
        work.say(PartFinished(0), None)
        assert await followed == await lines(runs, run)
    finally:
        await second.close()


async def test_however_many_follow_elsewhere_the_log_is_read_once_for_all(
    runs: Runs, storage: Storage, other: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads = 0
    list_new_events = other.runs.list_new_events

    async def count(places: Sequence[LogPlace]) -> list[NewEvents]:
        nonlocal reads
        reads += 1
        return await list_new_events(places)

    monkeypatch.setattr(other.runs, "list_new_events", count)
    run, work = await opened(runs, storage)
    second = Runs(other)
    seen = await other.runs.get_run(LOCAL_PRINCIPAL, run.id)
    followers = [asyncio.create_task(lines(second, seen)) for _ in range(FOLLOWERS)]
    for word in ("How ", "do ", "you ", "do?"):
        work.say(*([PartStarted(0, "text")] if word == "How " else []), PartDelta(0, word))
        await asyncio.sleep(2 * FRAME_S)
    work.say(PartFinished(0), None)
    written = await lines(runs, run)
    assert all(follower == written for follower in await asyncio.gather(*followers))
    assert 0 < reads < 100


async def test_a_second_process_stops_the_first_ones_run(runs: Runs, storage: Storage, other: Storage) -> None:
    run, work = await opened(runs, storage)
    second = Runs(other)
    work.say(PartStarted(0, "text"), PartDelta(0, "Hello"))
    await second.stop(await other.runs.get_run(LOCAL_PRINCIPAL, run.id))
    message, _ = await second.fold(await other.runs.get_run(LOCAL_PRINCIPAL, run.id))
    assert (message.status, message.text) == ("stopped", "Hello")
    assert work.closed.is_set(), "the engine was stopped"
    assert await other.runs.take_requests() == await storage.runs.take_requests() == []


async def test_who_does_not_stop_a_run_is_named(
    storage: Storage, other: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eclair.chat.runs.END_TIMEOUT_S", 0.5)
    await conversation(storage)
    run, _ = await _half(storage)
    with pytest.raises(Conflict, match="does not stop"):
        await Runs(other).stop(await other.runs.get_run(LOCAL_PRINCIPAL, run.id))
    assert await storage.runs.take_requests() == [RunRequest(run.id, is_stop=True)]
    assert await other.runs.take_requests() == []


async def test_a_run_of_a_process_that_died_ends_without_anybody_looking(
    tmp_path: Path, other: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eclair.chat.runs.REAP_INTERVAL_S", 0.05)
    dying = open_storage(tmp_path / "store")
    await conversation(dying)
    run, _ = await _half(dying)
    second = Runs(other)
    await second.start()
    await dying.close()
    async with asyncio.timeout(10):
        while (await other.runs.get_run(LOCAL_PRINCIPAL, run.id)).status == "running":
            await asyncio.sleep(0.01)
    await second.close()


async def test_a_run_of_a_process_that_died_is_not_called_running(tmp_path: Path, other: Storage) -> None:
    dying = open_storage(tmp_path / "store")
    await conversation(dying)
    run, _ = await _half(dying)
    await dying.close()
    message, _ = await Runs(other).fold(await other.runs.get_run(LOCAL_PRINCIPAL, run.id))
    assert (message.status, message.text) == ("interrupted", "half")


async def test_a_run_of_a_process_that_died_is_read_while_nothing_can_be_stored(
    tmp_path: Path, other: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eclair.chat.followed_logs.POLL_INTERVAL_S", 0.02)
    dying = open_storage(tmp_path / "store")
    await conversation(dying)
    run, _ = await _half(dying)
    await dying.close()
    fault = Faulty(monkeypatch, other, "finish_run")
    second = Runs(other)
    await second.start()
    try:
        seen = await other.runs.get_run(LOCAL_PRINCIPAL, run.id)
        assert (await second.fold(seen))[0].text == "half"
        fault.failed.clear()
        following = asyncio.create_task(lines(second, seen))
        await asyncio.wait_for(fault.failed.wait(), 5)
        fault.mend()
        assert isinstance(decode((await following)[-1]), RunInterrupted)
    finally:
        await second.close()


async def test_followers_of_a_process_that_dies_see_the_run_interrupted(tmp_path: Path, other: Storage) -> None:
    dying = open_storage(tmp_path / "store")
    await conversation(dying)
    run, work = await _half(dying)
    second = Runs(other)
    await second.start()
    seen = await other.runs.get_run(LOCAL_PRINCIPAL, run.id)
    followers = [asyncio.create_task(batches(second, seen, after)) for after in (0, 0, 0, 1, 2)]
    late = asyncio.create_task(batches(second, seen, 50))
    await asyncio.sleep(0.05)
    await dying.close()
    async with asyncio.timeout(10):
        found = await asyncio.gather(*followers)
        reset = await late
    for follower in found:
        assert isinstance(decode(follower[-1].lines[-1]), RunInterrupted)
    assert reset[0].reset
    assert reset[0].first == 1
    check_log(await kept(other, run))
    assert (await other.runs.get_run(LOCAL_PRINCIPAL, run.id)).status == "interrupted"
    await second.close()
    del work


async def test_what_a_dead_process_left_keeps_no_one_from_asking(tmp_path: Path, other: Storage) -> None:
    second = Runs(other)
    await second.start()
    dying = open_storage(tmp_path / "store")
    await conversation(dying)
    run, _ = await _half(dying)
    await dying.close()
    work = Told()
    fresh, _ = await opened(second, other, work, _From(100))
    work.say(None)
    check_log([decode(line) for line in await lines(second, fresh)])
    assert isinstance((await kept(other, run))[-1], RunInterrupted)
    await second.close()


async def test_a_damaged_log_of_a_dead_process_is_kept_up_to_the_damage(tmp_path: Path, other: Storage) -> None:
    dying = open_storage(tmp_path / "store")
    await conversation(dying)
    run, _ = await _half(dying)
    whole = await kept(dying, run)
    await dying.runs.append_events([EventChunk(run.id, len(whole) + 1, b'{"type": "part_del')])
    await dying.close()
    second = Runs(other)
    await second.start()
    assert (await other.runs.get_run(LOCAL_PRINCIPAL, run.id)).status == "interrupted"
    assert (await messages_of(other, run.conversation))[-1].text == fold(whole).text != ""
    work = Told()
    fresh, _ = await opened(second, other, work, _From(100))
    work.say(None)
    check_log([decode(line) for line in await lines(second, fresh)])
    await second.close()


async def test_a_run_that_was_taken_up_but_cannot_go_on_is_interrupted(
    runs: Runs, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = _Waiting()
    run, _ = await opened(runs, storage, work)
    work.say(PartStarted(0, "text"), PartDelta(0, "Shall I?"), PartFinished(0), None)
    async with asyncio.timeout(5):
        while (await storage.runs.get_run(LOCAL_PRINCIPAL, run.id)).status != "waiting":
            await asyncio.sleep(0.01)
    taken = await storage.runs.take_up_run(run.id)
    assert taken is not None
    fault = Faulty(monkeypatch, storage, "list_events")
    with pytest.raises(StoreError):
        await runs.reopen(taken, Told())
    fault.mend()
    assert await runs.reap()
    assert not await runs.reap()
    events = await kept(storage, run)
    check_log(events)
    assert isinstance(events[-1], RunInterrupted)
    assert fold(events).text == "Shall I?"


async def test_two_that_start_at_once_after_a_death_both_start(tmp_path: Path) -> None:
    dying = open_storage(tmp_path / "store")
    await conversation(dying)
    run, _ = await _half(dying)
    await dying.close()
    storages = [open_storage(tmp_path / "store") for _ in range(4)]
    starting = [Runs(storage) for storage in storages]
    await asyncio.gather(*(runs.start() for runs in starting))
    events = await kept(storages[0], run)
    check_log(events)
    assert isinstance(events[-1], RunInterrupted)
    for runs in starting:
        await runs.close()
    for storage in storages:
        await storage.close()


async def test_who_saw_a_word_that_was_lost_gets_everything_anew(tmp_path: Path, other: Storage) -> None:
    dying = open_storage(tmp_path / "store")
    await conversation(dying)
    run, _ = await _half(dying)
    lost = len(await kept(dying, run)) + 1
    await dying.close()
    second = Runs(other)
    await second.start()
    found = await batches(second, await other.runs.get_run(LOCAL_PRINCIPAL, run.id), lost)
    assert found, "the number that the lost word had is now the interruption's"
    assert found[0].reset
    assert isinstance(decode(found[-1].lines[-1]), RunInterrupted)
    await second.close()


class _Waiting(Told):
    """Work that waits for a decision at its end."""

    def closing_events(self, end: Event | None) -> list[Event]:
        return [end or RunWaiting()]


async def _half(storage: Storage) -> tuple[RunRecord, list[Event]]:
    """A run with half an answer, whose process never ends it."""
    turn, started = new_turn(storage, Ids())
    events: list[Event] = [replace(started, seq=1), PartStarted(0, "text", seq=2), PartDelta(0, "half", seq=3)]
    first = EventChunk(started.run, 3, b"\n".join(map(encode, events)))
    return await storage.runs.open_turn(replace(turn, first=first)), events


# Through the door.


async def test_live_is_replay_from_every_number(server: Server) -> None:
    run = (await server.ask(await server.begin(), "script: words=400 rate=2000 reasoning=20"))["run"]
    live = await asyncio.gather(*(server.stream(run) for _ in range(5)))
    replay = await server.stream(run)
    assert set(live) == {replay}
    events = parse(replay)
    check_log([event for _, event in events])
    blocks = [block + b"\n\n" for block in replay.split(b"\n\n")[:-1]]
    for after in range(len(blocks)):
        assert await server.stream(run, after) == b"".join(blocks[after:])
    assert await server.stream(run, headers={"Last-Event-ID": "3"}) == b"".join(blocks[3:])


async def test_a_connection_that_does_not_read_delays_no_one(server: Server) -> None:
    run = (await server.ask(await server.begin(), "script: words=60000 rate=40000"))["run"]
    stuck = [await server.http.get(f"{server.address}/api/runs/{run}/events") for _ in range(5)]
    began = time.monotonic()
    whole = await server.stream(run)
    assert time.monotonic() - began < 20
    assert (await server.message(run))["status"] == "finished"
    assert await stuck[0].read() == whole
    for response in stuck[1:]:
        response.close()


async def test_stop_reaches_the_engine(server: Server) -> None:
    conversation = await server.begin()
    run = (await server.ask(conversation, "script: words=100000 rate=1000"))["run"]
    while server.engine.made < 100:
        await asyncio.sleep(0.005)
    began = time.monotonic()
    reply = await server.post(f"/api/runs/{run}/stop")
    taken = time.monotonic() - began
    made = server.engine.made
    assert reply.status == 202
    assert reply.body["status"] == "stopped"
    assert taken < 1, "200 ms on a machine that does nothing else"
    await asyncio.sleep(0.1)
    assert server.engine.made == made, "the engine went on"
    message = await server.message(run)
    assert len(text_of(message).split()) == made, "what the engine made is kept, all of it"
    assert (await server.tree(conversation))["running"] is None


async def test_a_client_that_leaves_does_not_stop_its_run(server: Server) -> None:
    conversation = await server.begin()
    async with server.http.post(
        f"{server.address}/api/conversations/{conversation}/turns",
        json={"text": "script: words=300 rate=1000"},
        headers={"Accept": "text/event-stream"},
    ) as response:
        await response.content.readuntil(b"part.delta")
        response.close()
    run = (await server.tree(conversation))["running"]
    assert len(text_of(await server.answered(run)).split()) == 300


async def test_a_conversation_that_answers_refuses_another_turn(server: Server) -> None:
    conversation = await server.begin()
    begun = await server.ask(conversation, "script: words=100000 rate=100")
    refused = await server.post(f"/api/conversations/{conversation}/turns", {"text": "And?"})
    assert refused.status == 409
    assert refused.error["code"] == "conflict"
    assert refused.error["run"] == begun["run"]
    assert len((await server.tree(conversation))["messages"]) == 2
    await server.post(f"/api/runs/{begun['run']}/stop")
    assert (await server.say(conversation, "script: words=3"))["status"] == "finished"


async def test_turns_at_once_are_one_turn_and_refusals(server: Server) -> None:
    conversation = await server.begin()
    body = {"text": "script: words=50 rate=500"}
    replies = await asyncio.gather(*(server.post(f"/api/conversations/{conversation}/turns", body) for _ in range(10)))
    assert sorted(reply.status for reply in replies) == [202] + [409] * 9
    run = next(reply.body["run"] for reply in replies if reply.status == 202)
    assert {reply.error["run"] for reply in replies if reply.status == 409} == {run}
    await server.answered(run)
    assert len((await server.tree(conversation))["messages"]) == 2


async def test_deleting_a_conversation_ends_its_run(server: Server) -> None:
    conversation = await server.begin()
    run = (await server.ask(conversation, "script: words=100000 rate=1000"))["run"]
    followed = asyncio.create_task(server.stream(run))
    while server.engine.made < 50:
        await asyncio.sleep(0.005)
    assert (await server.call("DELETE", f"/api/conversations/{conversation}")).status == 204
    made = server.engine.made
    assert isinstance(parse(await followed)[-1][1], RunStopped)
    assert (await server.get(f"/api/runs/{run}")).status == 404
    assert (await server.get(f"/api/conversations/{conversation}")).status == 404
    await asyncio.sleep(0.05)
    assert server.engine.made == made


async def test_two_hundred_runs_leave_nothing_behind(server: Server) -> None:
    conversations = await asyncio.gather(*(server.begin() for _ in range(20)))
    before = len(asyncio.all_tasks())

    async def talk(conversation: str) -> None:
        for number in range(10):
            begun = await server.ask(conversation, "script: words=20 rate=5000")
            if number % 3 == 2:
                await server.post(f"/api/runs/{begun['run']}/stop")
            assert (await server.answered(begun["run"]))["status"] in ("finished", "stopped")

    await asyncio.gather(*(talk(conversation) for conversation in conversations))
    assert not server.app.runs._live  # pyright: ignore[reportPrivateUsage]
    async with asyncio.timeout(5):
        while len(asyncio.all_tasks()) > before:  # connections that are kept open have no task
            await asyncio.sleep(0.01)
