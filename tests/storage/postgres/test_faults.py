"""Faults of a PostgreSQL server, on a real one: it restarts, is gone or slow, takes no writes or connections."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
import pytest

from eclair.errors import StoreError
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.postgres import database
from eclair.storage.postgres.open import open_postgres
from tests.postgres import TestDatabases
from tests.support import conversation


@pytest.fixture
def url(databases: TestDatabases) -> str:
    return databases.create()


@asynccontextmanager
async def another(url: str) -> AsyncGenerator[Any]:
    """A connection that isn't Éclair's."""
    connection: Any = await cast(Any, asyncpg).connect(url)
    try:
        yield connection
    finally:
        await connection.close()


@pytest.fixture
async def storage(url: str) -> AsyncGenerator[Storage]:
    storage = open_postgres(url, time.time)
    yield storage
    await storage.close()


async def test_what_is_written_while_the_server_restarts_is_there_afterwards(
    storage: Storage, databases: TestDatabases
) -> None:
    ids = [f"conv_{number}" for number in range(20)]
    await conversation(storage, "conv_before")
    await asyncio.to_thread(databases.stop)
    writing = [asyncio.create_task(conversation(storage, id)) for id in ids]
    await asyncio.to_thread(databases.start)
    await asyncio.gather(*writing)
    found = await storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL)
    assert sorted(found) == sorted(["conv_before", *ids])


async def test_others_are_heard_of_again_after_a_restart(storage: Storage, url: str, databases: TestDatabases) -> None:
    await asyncio.to_thread(databases.stop)
    await asyncio.to_thread(databases.start)
    other = open_postgres(url, time.time)
    try:
        seen = await storage.processes.get_foreign_version()
        async with asyncio.timeout(20):
            number = 0
            while await storage.processes.get_foreign_version() == seen:
                number += 1
                await conversation(other, f"conv_{number}")
                await asyncio.sleep(0.1)
    finally:
        await other.close()


async def test_a_server_that_is_gone_is_said_to_be(
    storage: Storage, databases: TestDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "RECONNECT_S", 0.3)
    await asyncio.to_thread(databases.stop)
    try:
        with pytest.raises(StoreError, match=r"^The database test_\d+ on this machine cannot be reached .* it runs\.$"):
            await conversation(storage)
        with pytest.raises(StoreError, match="cannot be reached"):
            await storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL)
    finally:
        await asyncio.to_thread(databases.start)
    await conversation(storage)


async def test_connections_that_are_cut_are_made_anew(storage: Storage, databases: TestDatabases) -> None:
    await asyncio.gather(*(conversation(storage, f"conv_{number}") for number in range(8)))
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'eclair'"
    await asyncio.to_thread(databases.run, cut)
    assert len(await storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL)) == 8


async def test_a_database_that_takes_no_writes_is_read_on(
    url: str, databases: TestDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_postgres(url, time.time)
    try:
        await conversation(storage)
        monkeypatch.setattr(database, "RECONNECT_S", 0.3)
        name = urlsplit(url).path.lstrip("/")
        databases.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'eclair'"
        databases.run(cut)
        with pytest.raises(StoreError, match=r"takes no writes, as while a standby takes over; try again"):
            await conversation(storage, "conv_b")
        assert await storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL) == ["conv_a"]
        databases.run(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        databases.run(cut)
    finally:
        await storage.close()


async def test_a_server_without_a_connection_left_is_said_to_have_none(url: str, databases: TestDatabases) -> None:
    databases.run("DROP ROLE IF EXISTS crowded")
    databases.run("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    parts = urlsplit(url)
    crowded = parts._replace(netloc=f"crowded@{parts.netloc.rpartition('@')[2]}").geturl()
    with pytest.raises(StoreError, match=r"has no connection left; raise max_connections, or run fewer processes"):
        await asyncio.to_thread(open_postgres, crowded, time.time)


async def test_a_slow_server_is_waited_for(storage: Storage, url: str) -> None:
    """Everything waits for a lock, as for a disk that doesn't keep up, and is done once that is free."""
    async with another(url) as connection:
        lock = connection.transaction()
        await lock.start()
        await connection.execute("LOCK TABLE eclair.conversation IN ACCESS EXCLUSIVE MODE")
        writing = [asyncio.create_task(conversation(storage, f"conv_{number}")) for number in range(3)]
        reading = asyncio.create_task(storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL))
        # not pg_stat_activity, which stays as it was first read in a transaction
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'eclair.conversation'::regclass"
        async with asyncio.timeout(20):
            while await connection.fetchval(waiting) < 2:  # noqa: ASYNC110  # the first writer, and the reader
                await asyncio.sleep(0.05)
        assert not any(task.done() for task in (*writing, reading))
        await lock.rollback()
    await asyncio.gather(*writing)
    await reading
    assert len(await storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL)) == 3


async def test_writes_at_the_same_moment_do_not_undo_each_other(storage: Storage, url: str) -> None:
    other = open_postgres(url, time.time)
    try:
        await asyncio.gather(
            *(each.literacy.count_literacy("read") for each in (storage, other) for _ in range(20)),
        )
        assert (await storage.literacy.get_literacy_counts()).read == 40
    finally:
        await other.close()


async def test_a_caller_who_leaves_takes_no_write_along(storage: Storage) -> None:
    writing = asyncio.create_task(conversation(storage))
    await asyncio.sleep(0)
    writing.cancel()
    await asyncio.wait([writing])
    async with asyncio.timeout(10):
        found: list[str] = []
        while not found:
            await asyncio.sleep(0.01)
            found = await storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL)
    assert found == ["conv_a"]


async def test_a_text_with_a_nul_is_kept_without_it(storage: Storage) -> None:
    await conversation(storage)
    await storage.conversations.set_generated_title(LOCAL_PRINCIPAL, "conv_a", "a\0b")
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")).title == "a\ufffdb"
