"""Faults of a PostgreSQL server, on a real one: it restarts, is gone, cut off, slow, or takes no writes."""

from __future__ import annotations

import asyncio
import math
import re
import threading
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
import pytest

from eclair.errors import StoreError
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.postgres import database, processes
from eclair.storage.postgres.bridge import wait_for
from eclair.storage.postgres.database import PostgresDatabase
from eclair.storage.postgres.open import open_postgres
from eclair.storage.sql.connection import Connection
from tests.postgres import TestDatabases
from tests.support import conversation


@pytest.fixture
def url(databases: TestDatabases) -> Iterator[str]:
    with databases.lend() as url:
        yield url


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


class Network:
    """The network between Éclair and the server. While it is cut, it drops everything without telling either side."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._whole = asyncio.Event()
        self._whole.set()
        self._tasks = set[asyncio.Task[None]]()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    @asynccontextmanager
    async def lead_to(self, url: str) -> AsyncGenerator[str]:
        """Yield the address of the server at `url` by way of this network."""
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        try:
            yield urlsplit(url)._replace(netloc=f"postgres@127.0.0.1:{port}", query="").geturl()
        finally:
            server.close()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_unix_connection(self._socket)
        for source, sink in ((reader, there[1]), (there[0], writer)):
            task = asyncio.create_task(self._pass_on(source, sink))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                await self._whole.wait()
                sink.write(data)
                await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()


@pytest.fixture
def network(url: str) -> Network:
    folder = parse_qs(urlsplit(url).query)["host"][0]
    return Network(f"{folder}/.s.PGSQL.5432")


async def test_a_network_that_is_cut_keeps_nobody_waiting(
    network: Network, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "ANSWER_TIMEOUT_S", 2)
    monkeypatch.setattr(database, "CONNECT_TIMEOUT_S", 2)
    monkeypatch.setattr(database, "RECONNECT_S", 0.3)
    async with network.lead_to(url) as address:
        storage = await asyncio.to_thread(open_postgres, address, time.time)  # the network is on this loop
        try:
            ids = [f"conv_{number}" for number in range(4)]
            await asyncio.gather(*(conversation(storage, id) for id in ids))  # on as many connections
            network.cut()
            lost = r"cannot be reached|was lost while a change was being stored"
            async with asyncio.timeout(30):
                answers = await asyncio.gather(
                    conversation(storage, "conv_lost"),
                    storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL),
                    return_exceptions=True,
                )
            for answer in answers:
                assert isinstance(answer, StoreError)
                assert re.search(lost, answer.message)
            network.mend()
            await conversation(storage, "conv_after")
            found = await storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL)
            assert {*ids, "conv_after"} <= set(found)
        finally:
            await storage.close()


async def test_who_is_cut_off_is_dead_to_others_until_heard_of_again(
    storage: Storage, network: Network, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "ANSWER_TIMEOUT_S", 2)
    monkeypatch.setattr(database, "CONNECT_TIMEOUT_S", 2)
    async with network.lead_to(url) as address:
        cut_off = await asyncio.to_thread(open_postgres, address, time.time)
        try:
            name = cut_off.processes.current
            assert not await storage.processes.list_dead([name])
            network.cut()
            async with asyncio.timeout(30):
                while not await storage.processes.list_dead([name]):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            network.mend()
            async with asyncio.timeout(30):
                while await storage.processes.list_dead([name]):  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
        finally:
            await cut_off.close()


async def test_a_lease_that_ran_out_is_believed_until_its_process_could_renew_it(
    url: str, databases: TestDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that has just started or reconnected gives others the time to renew their leases."""
    monkeypatch.setattr(processes, "LEASE_S", 1)
    async with another(url) as connection:
        await connection.execute("INSERT INTO eclair.process VALUES ('process_late', now() - interval '1 second')")
    storage = open_postgres(url, time.time)

    async def is_dead_in_time() -> None:
        async with asyncio.timeout(20):
            while not await storage.processes.list_dead(["process_late"]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    try:
        assert not await storage.processes.list_dead(["process_late"])
        assert await storage.processes.list_dead(["process_that_ended"])
        await is_dead_in_time()
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'eclair'"
        await asyncio.to_thread(databases.run, cut)
        async with asyncio.timeout(20):
            while await storage.processes.list_dead(["process_late"]):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await is_dead_in_time()
    finally:
        await storage.close()


async def test_a_process_that_renews_late_waits_to_judge_others(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that stood still for a while has kept everybody from renewing, on connections that survive."""
    monkeypatch.setattr(processes, "LEASE_S", 0.3)
    monkeypatch.setattr(processes, "RENEWAL_S", 0.3)
    monkeypatch.setattr(processes, "MAX_GAP_S", 0.2)
    async with another(url) as connection:
        await connection.execute("INSERT INTO eclair.process VALUES ('process_late', now() - interval '1 second')")
    storage = open_postgres(url, time.time)  # each of its renewals is late
    try:
        renewals, age_s = 0, math.inf
        async with asyncio.timeout(20):
            while renewals < 4:
                assert not await storage.processes.list_dead(["process_late"])
                before, age_s = age_s, storage.processes.lease.age_s or 0.0
                renewals += age_s < before
                await asyncio.sleep(0.01)
    finally:
        await storage.close()


@asynccontextmanager
async def holding_a_row(network: Network, url: str, *, cuts: bool) -> AsyncGenerator[None]:
    """Have a process hold conv_a in a transaction; with `cuts`, the network is cut meanwhile."""
    begun, held, here = asyncio.Event(), threading.Event(), asyncio.get_running_loop()

    def hold(db: Connection) -> None:
        db.execute("UPDATE conversation SET title = 'never' WHERE id = ?", ("conv_a",))
        if cuts and not begun.is_set():
            here.call_soon_threadsafe(network.cut)
        here.call_soon_threadsafe(begun.set)
        wait_for(asyncio.to_thread(held.wait))
        db.execute("UPDATE conversation SET title = 'never' WHERE id = ?", ("conv_a",))
        raise StoreError("It changed its mind.")

    async with network.lead_to(url) as address:
        holder = await asyncio.to_thread(PostgresDatabase.open, address)
        holding = asyncio.create_task(holder.write(hold, is_concurrent=True))
        try:
            await begun.wait()
            yield
        finally:
            held.set()
            network.mend()
            with pytest.raises(StoreError):
                await holding
            await holder.close()


async def test_a_row_that_a_process_held_when_it_was_cut_off_is_free_soon(
    storage: Storage, network: Network, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "IDLE_TRANSACTION_S", 1)
    await conversation(storage)
    async with holding_a_row(network, url, cuts=True), asyncio.timeout(20):
        await storage.conversations.set_generated_title(LOCAL_PRINCIPAL, "conv_a", "Bees")
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")).title == "Bees"


async def test_a_row_that_stays_locked_is_said_to_be(
    network: Network, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "LOCK_TIMEOUT_S", 0.5)
    storage = open_postgres(url, time.time)
    try:
        await conversation(storage)
        async with holding_a_row(network, url, cuts=False):
            with pytest.raises(StoreError, match="keeps a row locked that has to be changed; try again in a minute"):
                await storage.conversations.set_generated_title(LOCAL_PRINCIPAL, "conv_a", "Bees")
        await storage.conversations.set_generated_title(LOCAL_PRINCIPAL, "conv_a", "Bees")
    finally:
        await storage.close()


async def test_no_clock_but_that_of_the_database_counts(storage: Storage, url: str) -> None:
    ahead = open_postgres(url, lambda: time.time() + 86_400)
    try:
        for one, other in ((storage, ahead), (ahead, storage)):
            assert not await one.processes.list_dead([other.processes.current])
        async with asyncio.timeout(20):
            while ahead.processes.lease.clock_offset_s is None:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert ahead.processes.lease.clock_offset_s == pytest.approx(86_400, abs=5)
        assert storage.processes.lease.clock_offset_s == pytest.approx(0, abs=5)
        assert ahead.processes.clock() == pytest.approx(storage.processes.clock(), abs=2)
    finally:
        await ahead.close()
    assert await storage.processes.list_dead([ahead.processes.current])


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
        await asyncio.gather(*(conversation(storage, f"conv_{number}") for number in range(8)))
    finally:
        await storage.close()


async def test_a_server_without_a_connection_left_is_said_to_have_none(url: str, databases: TestDatabases) -> None:
    databases.run("DROP ROLE IF EXISTS crowded")
    databases.run("CREATE ROLE crowded LOGIN CONNECTION LIMIT 0")
    parts = urlsplit(url)
    crowded = parts._replace(netloc=f"crowded@{parts.netloc.rpartition('@')[2]}").geturl()
    with pytest.raises(StoreError, match=r"has no connection left; raise max_connections, or run fewer processes"):
        await asyncio.to_thread(open_postgres, crowded, time.time)


async def test_a_connection_is_waited_for(url: str, databases: TestDatabases) -> None:
    databases.run("DROP ROLE IF EXISTS waiting")
    databases.run("CREATE ROLE waiting LOGIN IN ROLE postgres")
    parts = urlsplit(url)
    address = parts._replace(netloc=f"waiting@{parts.netloc.rpartition('@')[2]}").geturl()
    storage = await asyncio.to_thread(open_postgres, address, time.time)
    try:
        databases.run("ALTER ROLE waiting CONNECTION LIMIT 0")
        databases.run("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'waiting'")
        writing = asyncio.create_task(conversation(storage))
        await asyncio.sleep(0.5)
        assert not writing.done()
        databases.run("ALTER ROLE waiting CONNECTION LIMIT -1")
        await writing
    finally:
        await storage.close()


async def test_a_time_limit_of_the_user_ends_no_statement(url: str, databases: TestDatabases) -> None:
    databases.run("DROP ROLE IF EXISTS hasty")
    databases.run("CREATE ROLE hasty LOGIN SUPERUSER")
    databases.run("ALTER ROLE hasty SET statement_timeout = '50ms'")
    parts = urlsplit(url)
    address = parts._replace(netloc=f"hasty@{parts.netloc.rpartition('@')[2]}").geturl()
    storage = await asyncio.to_thread(open_postgres, address, time.time)
    try:
        async with another(url) as connection:
            lock = connection.transaction()
            await lock.start()
            await connection.execute("LOCK TABLE eclair.conversation IN ACCESS EXCLUSIVE MODE")
            writing = asyncio.create_task(conversation(storage))
            await asyncio.sleep(0.3)
            await lock.rollback()
        await writing
    finally:
        await storage.close()
        databases.run("DROP ROLE hasty")


async def test_a_lease_outlives_a_fault_that_nobody_foresaw(storage: Storage, url: str) -> None:
    """As where an administrator cancels its renewal, or the server has no memory left for it."""
    cancel = (
        "SELECT pid, pg_cancel_backend(pid) FROM pg_locks WHERE NOT granted"
        " AND relation IN ('eclair.process'::regclass, 'eclair.conversation'::regclass)"
    )
    async with another(url) as connection, asyncio.timeout(30):
        lock = connection.transaction()
        await lock.start()
        await connection.execute("LOCK TABLE eclair.process, eclair.conversation IN ACCESS EXCLUSIVE MODE")
        writing = asyncio.create_task(conversation(storage))
        cancelled = set[int]()
        while len(cancelled) < 2:
            await asyncio.sleep(0.05)
            cancelled |= {pid for pid, _ in await connection.fetch(cancel)}
        with pytest.raises(StoreError, match=r"failed \(canceling statement due to user request\); look into the log"):
            await writing
        before = await connection.fetchval("SELECT clock_timestamp() + interval '5 seconds'")
        await lock.rollback()
        renewed = "SELECT until > $2 FROM eclair.process WHERE id = $1"
        while not await connection.fetchval(renewed, storage.processes.current, before):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await conversation(storage)


async def test_a_process_has_no_more_connections_than_it_may(url: str, databases: TestDatabases) -> None:
    storage = open_postgres(url, time.time, max_connections=5)
    try:
        await asyncio.gather(*(conversation(storage, f"conv_{number}") for number in range(40)))
        async with another(url) as connection:
            held = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = $1"
            assert await connection.fetchval(held, "eclair") <= 5
    finally:
        await storage.close()


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
