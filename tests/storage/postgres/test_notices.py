"""Notices between processes on PostgreSQL: a write of one wakes those who wait at another."""

from __future__ import annotations

import asyncio
import time

from eclair.storage.postgres.open import open_postgres
from eclair.storage.runs import EventChunk
from tests.postgres import TestDatabases
from tests.support import Ids, conversation, new_turn

LONG_S = 60.0


async def test_a_write_wakes_who_waits_elsewhere(databases: TestDatabases) -> None:
    url = databases.create()
    one, other = open_postgres(url, time.time), open_postgres(url, time.time)
    number = 0
    try:
        async with asyncio.timeout(30):
            for _ in range(2):  # the first may be woken by its own connection
                waiting = asyncio.create_task(one.processes.wait_for_write(LONG_S))
                while not waiting.done():
                    number += 1
                    await conversation(other, f"conv_{number}")
                    await asyncio.sleep(0.01)
    finally:
        await one.close()
        await other.close()


async def test_events_of_an_answer_wake_who_follows_elsewhere(databases: TestDatabases) -> None:
    url = databases.create()
    one, other = open_postgres(url, time.time), open_postgres(url, time.time)
    try:
        await conversation(other)
        run = await other.runs.open_turn(new_turn(other, Ids())[0])
        async with asyncio.timeout(30):
            while await one.processes.get_foreign_version() == 0:  # that of the turn
                await one.processes.wait_for_write(0.1)
            for number in range(1, 4):  # the first may be woken by a notice of what came before
                before = await one.processes.get_foreign_version()
                await other.runs.append_events([EventChunk(run.id, number, b"x")])
                await one.processes.wait_for_write(LONG_S, before)
    finally:
        await one.close()
        await other.close()
