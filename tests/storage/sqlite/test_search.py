from __future__ import annotations

import asyncio
import threading

import apsw
import pytest

from eclair.storage.sqlite.database import MAX_READERS, MAX_SEARCHERS, SQLiteDatabase

ENDLESS = "WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number) SELECT count(*) FROM number"


class EndlessSearch:
    """A search that says when it has begun, and how it ended."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self.ended = threading.Event()
        self.error: BaseException | None = None

    def __call__(self, db: apsw.Connection) -> None:
        self.begun.set()
        try:
            list(db.execute(ENDLESS))
        except apsw.InterruptError as error:
            self.error = error
            raise
        finally:
            self.ended.set()


def answer(db: apsw.Connection) -> int:
    return next(iter(db.execute("SELECT 42")))[0]


async def test_nothing_waits_for_searches(database: SQLiteDatabase) -> None:
    searches = [EndlessSearch() for _ in range(2 * MAX_SEARCHERS)]
    tasks = [asyncio.create_task(database.search(each)) for each in searches]
    for each in searches[:MAX_SEARCHERS]:
        await asyncio.to_thread(each.begun.wait)
    reads = (database.read(answer) for _ in range(2 * MAX_READERS))
    assert await asyncio.gather(*reads, database.write(answer)) == [42] * (2 * MAX_READERS + 1)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def test_a_search_that_nobody_waits_for_ends(database: SQLiteDatabase) -> None:
    running = [EndlessSearch() for _ in range(MAX_SEARCHERS)]
    tasks = [asyncio.create_task(database.search(each)) for each in running]
    for each in running:
        await asyncio.to_thread(each.begun.wait)
    waiting = EndlessSearch()
    tasks.append(asyncio.create_task(database.search(waiting)))
    await asyncio.sleep(0)  # it is in the queue now
    for task in tasks:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    for each in running:
        await asyncio.to_thread(each.ended.wait)
        assert isinstance(each.error, apsw.InterruptError)
    assert await database.search(answer) == 42, "the next one has the connection to itself"
    assert not waiting.begun.is_set()
