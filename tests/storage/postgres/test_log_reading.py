"""New events are found by the index, however many logs are kept."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Iterator
from typing import Any, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
import pytest

from eclair.storage.base import Storage
from eclair.storage.postgres.connection import number_parameters
from eclair.storage.postgres.database import SEARCH_PATH
from eclair.storage.postgres.open import open_postgres
from eclair.storage.runs import EventChunk, LogPlace
from eclair.storage.sql.runs import NEW_EVENTS
from tests.postgres import TestDatabases
from tests.support import Ids, conversation, new_turn

KEPT = """
INSERT INTO eclair.message (id, conversation, text, body)
    SELECT 'msg_old_' || number, 'conv_a', '', '' FROM generate_series(1, 1000) AS number;
INSERT INTO eclair.run (id, conversation, message, process, status)
    SELECT 'run_old_' || number, 'conv_a', 'msg_old_' || number, '', 'finished' FROM generate_series(1, 1000) AS number;
INSERT INTO eclair.chunk (run, last, lines)
    SELECT 'run_old_' || number, last, repeat('x', 100)
    FROM generate_series(1, 1000) AS number, generate_series(1, 60) AS last;
"""


@pytest.fixture
def url(databases: TestDatabases) -> Iterator[str]:
    with databases.lend() as url:
        yield url


@pytest.fixture
async def storage(url: str) -> AsyncGenerator[Storage]:
    storage = open_postgres(url, time.time)
    yield storage
    await storage.close()


@pytest.mark.parametrize("count", [1, 64])
async def test_new_events_are_found_by_the_index(storage: Storage, url: str, count: int) -> None:
    await conversation(storage)
    run = await storage.runs.open_turn(new_turn(storage, Ids())[0])
    await storage.runs.append_events([EventChunk(run.id, 1, b"x")])
    places = [LogPlace(run.id, 0), *(LogPlace(f"run_old_{number}", 58) for number in range(1, count))]
    values = [json.dumps([place.run for place in places]), json.dumps([place.after for place in places])]
    other = cast(Any, await asyncpg.connect(url, server_settings={"search_path": SEARCH_PATH}))
    try:
        await other.execute(KEPT)
        await other.execute("ANALYZE")
        explain = f"EXPLAIN {number_parameters(NEW_EVENTS)}"
        rows = cast("list[tuple[str]]", await other.fetch(explain, *values))
    finally:
        await other.close()
    plan = "\n".join(str(row[0]) for row in rows)
    assert "Index Cond: ((run = run.id) AND (last > " in plan
    assert "Seq Scan on chunk" not in plan
    found = await storage.runs.list_new_events(places)
    assert [new.chunks[-1].last for new in found] == [1, *[60] * (count - 1)]
