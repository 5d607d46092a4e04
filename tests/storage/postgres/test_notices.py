"""Notices between processes on PostgreSQL: a write of one wakes those who wait at another."""

from __future__ import annotations

import asyncio
import time

from eclair.storage.postgres.open import open_postgres
from tests.postgres import TestDatabases
from tests.support import conversation

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
