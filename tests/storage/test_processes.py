from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest

from eclair.schema.ids import new_id
from eclair.schema.messages import Change
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.processes import UNNAMED, ChangeNotice
from tests.storage.conftest import Opener
from tests.support import conversation


async def test_only_what_another_process_writes_is_a_new_version(storage: Storage, other: Storage) -> None:
    async with asyncio.timeout(10):
        before = 0
        while not before:  # until it listens
            await asyncio.sleep(0.01)
            before = await storage.processes.get_foreign_version()
    await conversation(storage)
    await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")
    assert await storage.processes.get_foreign_version() == before
    await conversation(other, "conv_b")
    async with asyncio.timeout(10):
        now = before
        while now == before:
            await asyncio.sleep(0.01)
            now = await storage.processes.get_foreign_version()


async def test_a_lease_is_renewed_where_it_has_to_be_and_notices_are_timed(storage: Storage) -> None:
    before = storage.processes.lease
    assert before.failed_renewals == 0
    if before.age_s is None:  # it is a lock, and others look for writes themselves
        return
    async with asyncio.timeout(30):
        while storage.processes.lease.notice_s.buckets()[-1][1] == 0:
            await conversation(storage, new_id("conv"))
            await asyncio.sleep(0.05)
        first = age_s = storage.processes.lease.age_s
        while first is not None and age_s is not None and age_s >= first:  # until it is renewed
            await asyncio.sleep(0.01)
            age_s, first = storage.processes.lease.age_s, age_s
    assert storage.processes.lease.notice_s.sum < 30


async def test_all_processes_go_by_one_clock(storage: Storage, opener: Opener) -> None:
    ahead = opener(clock=lambda: time.time() + 86_400)
    try:
        assert ahead.processes.clock() == pytest.approx(storage.processes.clock(), abs=2)
        before = ahead.processes.clock()
        await asyncio.sleep(0.05)
        assert 0.04 < ahead.processes.clock() - before < 10
    finally:
        await ahead.close()


async def test_what_one_tells_the_other_hears(storage: Storage, other: Storage) -> None:
    storage.processes.name_changes()
    notice = ChangeNotice(LOCAL_PRINCIPAL.id, Change("conv_a", "changed"))
    heard: list[ChangeNotice] = []
    async with aclosing(other.processes.follow_notices()) as followed, asyncio.timeout(30):
        following = asyncio.ensure_future(anext(followed))
        while not following.done():  # it may not listen yet
            await conversation(storage, new_id("conv"))
            storage.processes.tell(notice)
            await asyncio.sleep(0.05)
        heard += following.result()
    assert set(heard) <= {notice, UNNAMED}
    assert heard
    assert storage.processes.losses == 0


async def test_a_row_that_was_written_is_read_back(storage: Storage, other: Storage) -> None:
    await storage.processes.check()
    await other.processes.check()
    await storage.processes.check()
    await asyncio.gather(*(each.processes.check() for _ in range(30) for each in (storage, other)))


async def test_a_process_is_alive_as_long_as_it_is_open(storage: Storage, opener: Opener) -> None:
    other = opener()
    here, there = storage.processes.current, other.processes.current
    for each in (storage, other):
        assert await each.processes.list_dead([here, "process_none", there, "process_never"]) == {
            "process_none",
            "process_never",
        }
        assert await each.processes.list_dead([]) == set()
    await other.close()
    assert await storage.processes.list_dead([here, there, there]) == {there}


async def test_a_wait_for_a_write_ends_by_itself(storage: Storage) -> None:
    async with asyncio.timeout(10):
        await storage.processes.wait_for_write(0.01)
