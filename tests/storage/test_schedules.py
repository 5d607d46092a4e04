"""Schedules in the storage: seen by their owner alone, each due time taken once, ends stored once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from eclair.errors import Conflict, HeldBack, NotFound
from eclair.schema.messages import Conversation
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.schedules import MAX_SCHEDULES, Occurrence, Schedule, ScheduledQuestion
from eclair.storage.audit import ActFilter
from eclair.storage.base import Storage
from eclair.storage.retention import LegalHold
from tests.storage.helpers import SOMEONE, edit

NEWS = Schedule(
    id="sched_a",
    owner="local",
    name="News",
    asks=ScheduledQuestion(text="What is new?", web="on", feeds=("feed_a",)),
    cron="0 7 * * *",
    zone="Europe/Berlin",
    created=1,
    changed=1,
    next_due=1000,
)
FIRST = Occurrence(
    id="occ_a", schedule="sched_a", due=1000, status="due", conversation="conv_a", question="msg_a", began=1001
)


async def test_schedules_are_kept_changed_and_erased(storage: Storage) -> None:
    assert await storage.schedules.add_schedule(LOCAL_PRINCIPAL, NEWS) == NEWS
    with pytest.raises(Conflict, match="taken"):
        await storage.schedules.add_schedule(LOCAL_PRINCIPAL, NEWS)
    await storage.schedules.add_schedule(LOCAL_PRINCIPAL, replace(NEWS, id="sched_b", name="a letter"))
    assert [each.name for each in await storage.schedules.list_schedules(LOCAL_PRINCIPAL)] == ["a letter", "News"]
    changed = replace(NEWS, name="Old", cron="0 8 * * *", state="off", next_due=None, changed=2, keeps="same")
    assert await storage.schedules.edit_schedule(LOCAL_PRINCIPAL, changed) == changed
    assert await storage.schedules.get_schedule(LOCAL_PRINCIPAL, "sched_a") == changed
    await storage.schedules.delete_schedule(LOCAL_PRINCIPAL, "sched_a")
    with pytest.raises(NotFound):
        await storage.schedules.delete_schedule(LOCAL_PRINCIPAL, "sched_a")
    acts = {each.action for each in await storage.audit.list_acts(ActFilter(action="schedule"), 10)}
    assert acts == {"schedule.added", "schedule.changed", "schedule.removed"}


async def test_nobody_sees_or_changes_anothers_schedules(storage: Storage) -> None:
    await storage.schedules.add_schedule(LOCAL_PRINCIPAL, NEWS)
    assert await storage.schedules.list_schedules(SOMEONE) == []
    for attempt in (
        storage.schedules.get_schedule(SOMEONE, "sched_a"),
        storage.schedules.edit_schedule(SOMEONE, replace(NEWS, name="mine")),
        storage.schedules.delete_schedule(SOMEONE, "sched_a"),
        storage.schedules.list_occurrences(SOMEONE, "sched_a"),
        storage.schedules.begin_now(SOMEONE, FIRST),
    ):
        with pytest.raises(NotFound):
            await attempt
    assert (await storage.schedules.get_schedule(LOCAL_PRINCIPAL, "sched_a")).name == "News"


async def test_a_due_time_is_taken_once_by_whoever_is_first(storage: Storage) -> None:
    await storage.schedules.add_schedule(LOCAL_PRINCIPAL, NEWS)
    assert await storage.schedules.list_due(999) == []
    assert await storage.schedules.get_next_due(999) == 1000
    assert await storage.schedules.get_next_due(1000) is None
    (due,) = await storage.schedules.list_due(1000)
    claims = [storage.schedules.claim_due(due, 2000, replace(FIRST, id=f"occ_{at}")) for at in range(8)]
    taken = [each for each in await asyncio.gather(*claims) if each is not None]
    assert [each.status for each in taken] == ["due"]
    assert await storage.schedules.get_next_due(1000) == 2000
    (later,) = await storage.schedules.list_due(2000)
    skipped = await storage.schedules.claim_due(later, 3000, replace(FIRST, id="occ_later", due=2000))
    assert skipped is not None
    assert (skipped.status, skipped.ended) == ("skipped", 1001)
    assert (await storage.schedules.get_schedule(LOCAL_PRINCIPAL, "sched_a")).last == taken[0]


async def test_a_clock_that_is_set_back_repeats_no_due_time(storage: Storage) -> None:
    await storage.schedules.add_schedule(LOCAL_PRINCIPAL, NEWS)
    assert await storage.schedules.claim_due(NEWS, 2000, FIRST) is not None
    await storage.schedules.edit_schedule(LOCAL_PRINCIPAL, NEWS)
    assert await storage.schedules.claim_due(NEWS, 2000, replace(FIRST, id="occ_b")) is None
    assert await storage.schedules.get_next_due(1000) == 2000


async def test_an_occurrence_is_taken_over_noted_and_ended_once(storage: Storage) -> None:
    await storage.conversations.add_conversation(LOCAL_PRINCIPAL, Conversation("conv_a", "local", "", 1, 1))
    kept = replace(NEWS, keeps="same")
    await storage.schedules.add_schedule(LOCAL_PRINCIPAL, kept)
    await storage.schedules.begin_now(LOCAL_PRINCIPAL, FIRST)
    with pytest.raises(Conflict, match="right now"):
        await storage.schedules.begin_now(LOCAL_PRINCIPAL, replace(FIRST, id="occ_b", due=1001))
    assert await storage.schedules.take_over(FIRST, "another")
    assert not await storage.schedules.take_over(FIRST, "a third")
    running = replace(FIRST, status="running", run="run_a", process="another")
    assert not await storage.schedules.note_run(replace(running, process=FIRST.process))
    assert not await storage.schedules.end_occurrence(replace(FIRST, status="failed", ended=1400), kept)
    assert await storage.schedules.note_run(running)
    assert await storage.schedules.list_open() == [(replace(kept, conversation="conv_a"), running)]
    ended = replace(running, status="failed", ended=1500, fault="It broke.")
    paused = replace(kept, state="paused", reason="failures", failures=3)
    assert await storage.schedules.end_occurrence(ended, paused)
    assert not await storage.schedules.end_occurrence(ended, paused)
    assert not await storage.schedules.note_run(running)
    assert await storage.schedules.list_open() == []
    assert await storage.schedules.list_occurrences(LOCAL_PRINCIPAL, "sched_a") == [ended]
    found = await storage.schedules.get_schedule(LOCAL_PRINCIPAL, "sched_a")
    assert (found.state, found.reason, found.failures, found.next_due) == ("paused", "failures", 3, None)
    assert not await storage.schedules.pause_schedule("sched_a", "account")
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")).unread


async def test_damaged_schedules_hold_up_no_other(storage: Storage) -> None:
    for id, due in (("sched_a", 500), ("sched_b", 1000)):
        await storage.schedules.add_schedule(LOCAL_PRINCIPAL, replace(NEWS, id=id, next_due=due))
        begun = replace(FIRST, id=f"occ_{id}", schedule=id, began=due)
        await storage.schedules.begin_now(LOCAL_PRINCIPAL, begun)
    await edit(storage, "UPDATE schedule SET asks = '{' WHERE id = ?", "sched_a")
    sound = replace(NEWS, id="sched_b")
    assert await storage.schedules.list_due(1000) == [sound]
    ((schedule, occurrence),) = await storage.schedules.list_open()
    assert (schedule, occurrence.id) == (sound, "occ_sched_b")
    assert await storage.schedules.get_next_due(500) == 1000
    assert storage.integrity.damage is not None


async def test_only_the_last_occurrences_are_kept(storage: Storage) -> None:
    await storage.schedules.add_schedule(LOCAL_PRINCIPAL, NEWS)
    for at in range(30):
        begun = replace(FIRST, id=f"occ_{at}", due=at, began=at)
        await storage.schedules.begin_now(LOCAL_PRINCIPAL, begun)
        await storage.schedules.end_occurrence(replace(begun, status="done", ended=at), NEWS)
    listed = await storage.schedules.list_occurrences(LOCAL_PRINCIPAL, "sched_a")
    assert [each.due for each in listed] == list(range(29, 9, -1))


async def test_there_is_a_limit(storage: Storage) -> None:
    for at in range(MAX_SCHEDULES):
        await storage.schedules.add_schedule(SOMEONE, replace(NEWS, id=f"sched_{at}"))
    with pytest.raises(Conflict, match="50"):
        await storage.schedules.add_schedule(SOMEONE, replace(NEWS, id="sched_x"))


async def test_a_legal_hold_keeps_schedules(storage: Storage) -> None:
    await storage.schedules.add_schedule(LOCAL_PRINCIPAL, NEWS)
    hold = LegalHold(scope="person", subject="local", reason="a case", placed=1)
    await storage.retention.place_hold(LOCAL_PRINCIPAL, hold)
    with pytest.raises(HeldBack):
        await storage.schedules.delete_schedule(LOCAL_PRINCIPAL, "sched_a")
