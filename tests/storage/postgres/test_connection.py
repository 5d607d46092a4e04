"""Connections to PostgreSQL, as the stores use them."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import cast

import numpy as np

from eclair.schema.ids import new_id
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.chunks import SearchScope
from eclair.storage.postgres.database import PostgresDatabase, connect
from eclair.storage.postgres.open import open_postgres
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore
from tests.postgres import TestDatabases
from tests.support import conversation

RUNS = 8
"""More than the five for which PostgreSQL plans a prepared statement each time, to see whether one plan will do."""


async def test_a_statement_is_parsed_once_and_then_run_by_one_plan(databases: TestDatabases) -> None:
    database = PostgresDatabase.open(databases.create())
    statement = "SELECT owner FROM conversation WHERE id = ?"

    def plans(db: Connection) -> list[int]:
        for number in range(RUNS):
            list(db.execute(statement, (f"conv_{number}",)))
        found = "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE ?"
        return [*next(iter(db.execute(found, ("SELECT owner FROM conversation%",))))]

    try:
        assert await database.read(plans) == [RUNS - 5, 5]
    finally:
        await database.close()


async def test_what_is_sought_is_planned_each_time(databases: TestDatabases) -> None:
    storage = open_postgres(databases.create(), time.time)
    scope, vector = SearchScope(LOCAL_PRINCIPAL, libraries=("lib_a",)), np.full(384, 384**-0.5, np.float32)
    sought = "SELECT statement, generic_plans FROM pg_prepared_statements WHERE cardinality(parameter_types) > 0"
    try:
        database = cast(SQLStore, storage.chunks).database
        for _ in range(RUNS):
            await storage.conversations.search_messages(LOCAL_PRINCIPAL, "lamp", 5)
            await storage.chunks.search_words(scope, "lamp", 5)
            await storage.chunks.search_vectors(scope, "e5", vector, 5)
        plans = dict(await database.read(lambda db: list(db.execute(sought))))
        assert {"tsquery", "<#>"} <= {word for sql in plans for word in ("tsquery", "<#>") if word in sql}
        assert set(plans.values()) == {0}
    finally:
        await storage.close()


async def test_a_write_is_made_before_the_database_closes_though_its_caller_left(databases: TestDatabases) -> None:
    url = databases.create()
    storage = open_postgres(url, time.time)
    writing = asyncio.create_task(conversation(storage))
    await asyncio.sleep(0)
    writing.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await writing
    closing = asyncio.create_task(storage.close())
    await asyncio.sleep(0)
    closing.cancel()  # as by a second signal
    with contextlib.suppress(asyncio.CancelledError):
        await closing
    await storage.close()
    again = open_postgres(url, time.time)
    try:
        assert await again.conversations.count_conversations(Principal("local")) == 1
    finally:
        await again.close()


async def test_what_is_synced_is_on_disk_once_it_is_stored(databases: TestDatabases) -> None:
    url = databases.create()
    database = PostgresDatabase.open(url)
    raw = await connect(url)

    async def is_on_disk(*, is_synced: bool) -> bool:
        statement = "INSERT INTO process (id, until) VALUES (?, now())"
        await database.write(lambda db: db.execute(statement, (new_id("process"),)), is_synced=is_synced)
        return await raw.fetchval("SELECT pg_current_wal_flush_lsn() >= pg_current_wal_insert_lsn()")

    try:
        assert [await is_on_disk(is_synced=True) for _ in range(10)] == [True] * 10
        assert not all([await is_on_disk(is_synced=False) for _ in range(10)]), "the others wait for no disk"
    finally:
        await raw.close()
        await database.close()
