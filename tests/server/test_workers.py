"""Workers: processes that read for servers, are killed, drained and cut off, and leave nothing undone or done twice."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import threading
from collections.abc import AsyncGenerator
from dataclasses import replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Self, cast
from unittest.mock import AsyncMock

import aiohttp
import asyncpg  # pyright: ignore[reportMissingTypeStubs]
import pytest

from eclair.documents import background_reading, ingest
from eclair.errors import StoreError
from eclair.settings import Settings
from eclair.storage import jobs
from tests import forked
from tests.postgres import TestDatabases, databases
from tests.server.test_documents import add
from tests.support import Door, Process, Server, environment, read_out, serving

__all__ = ["databases"]

LATE_PAGES = """
CREATE FUNCTION eclair.wait_late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF (NEW.id & x'ffffff'::bigint) > {page} THEN PERFORM pg_advisory_xact_lock(4711); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER wait_late BEFORE INSERT ON eclair.page FOR EACH ROW EXECUTE FUNCTION eclair.wait_late();
"""
"""A page above this number is stored once nobody holds the lock 4711."""

COUNT_READINGS = """
CREATE TABLE eclair.readings (document bigint);
CREATE FUNCTION eclair.count_reading() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO eclair.readings VALUES (NEW.number);
    RETURN NEW;
END $$;
CREATE TRIGGER count_reading AFTER UPDATE OF fault ON eclair.document FOR EACH ROW WHEN (NEW.state = 'reading')
    EXECUTE FUNCTION eclair.count_reading();
"""
"""Each reading that begins leaves a row."""

LINES = "".join(f"A line that says it is number {number}.\n" for number in range(45_000))


class Worker:
    """`eclair worker` in a process of its own."""

    def __init__(self, process: BaseProcess, folder: Path) -> None:
        self.process = process
        self._folder = folder

    @classmethod
    async def start(cls, folder: Path, *arguments: str, **environ: str) -> Self:
        env = {**os.environ, **environment(folder), **environ}

        def begin() -> BaseProcess:
            folder.mkdir(parents=True, exist_ok=True)
            hearing, saying = os.pipe()
            with (
                open(os.devnull, "rb") as nothing,
                (folder / "worker.log").open("ab") as log,
                open(saying, "wb") as out,
            ):
                process = forked.start(("worker", *arguments), env, nothing, out, log)
            said = open(hearing, encoding="utf-8")  # noqa: SIM115 (the thread closes it)
            line = said.readline()
            threading.Thread(target=read_out, args=(said,), daemon=True).start()
            assert "This worker does:" in line, (folder / "worker.log").read_text()
            return process

        return cls(await asyncio.to_thread(begin), folder)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int | None:
        """Send a signal unless it has ended, and wait; return its exit code."""
        if self.process.exitcode is None and self.process.pid is not None:
            os.kill(self.process.pid, number)
            await asyncio.to_thread(self.process.join)
        return self.process.exitcode


@contextlib.asynccontextmanager
async def working(settings: Settings, *arguments: str, **environ: str) -> AsyncGenerator[Worker]:
    """Have a worker on the data folder of the settings within the block."""
    worker = await Worker.start(settings.data_dir, *arguments, **environ)
    try:
        yield worker
    finally:
        await worker.end(signal.SIGKILL)


class Database:
    """A database on the server for tests, with what watches and delays its writers."""

    def __init__(self, url: str, connection: Any) -> None:
        self.url = url
        self.environ = {"ECLAIR_DATABASE_URL": url, "ECLAIR_BACKGROUND_WORK": "workers"}
        self.connection = connection

    @classmethod
    @contextlib.asynccontextmanager
    async def create(cls, databases: TestDatabases) -> AsyncGenerator[Self]:
        with databases.lend() as url:
            connection = await cast(Any, asyncpg).connect(url)
            try:
                yield cls(url, connection)
            finally:
                await connection.close()

    async def hold_pages_above(self, page: int) -> None:
        await self.connection.execute(LATE_PAGES.format(page=page))
        await self.connection.execute("SELECT pg_advisory_lock(4711)")

    async def let_pages_in(self) -> None:
        await self.connection.execute("SELECT pg_advisory_unlock(4711)")

    async def is_held(self) -> bool:
        """Tell whether a writer waits to store a late page."""
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711 AND NOT granted"
        return bool(await self.connection.fetchval(waiting))


async def until(condition: Any, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 (no event tells)
            await asyncio.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def state_of(server: Door, id: str) -> dict[str, Any]:
    return dict((await server.get(f"/api/files/{id}")).body)


async def is_ready(server: Door, id: str) -> bool:
    state = await state_of(server, id)
    assert state["state"] != "failed", state
    return bool(state["state"] == "ready")


@pytest.fixture
async def database(databases: TestDatabases) -> AsyncGenerator[Database]:
    async with Database.create(databases) as database:
        yield database


@pytest.fixture
async def server(settings: Settings, database: Database) -> AsyncGenerator[Server]:
    """A server on PostgreSQL that leaves its background work to others."""
    async with serving(replace(settings, database_url=database.url, background_work="workers")) as server:
        yield server


async def test_a_worker_reads_for_a_server_and_is_shown_while_it_does(settings: Settings) -> None:
    async with serving(replace(settings, background_work="workers")) as server:
        file = await add(server, b"The tower is 330 metres high.", "tower.txt")
        metrics = (await server.get("/metrics")).raw.decode()
        assert 'eclair_queue_length{queue="documents"} 1.0' in metrics
        assert 'eclair_workers{kind="read"} 0.0' in metrics
        port = str(free_port())
        async with working(
            *(settings, "--kinds", "read,erase", "--metrics-port", port), ECLAIR_BACKGROUND_WORK="workers"
        ) as worker:
            own = Door(f"http://127.0.0.1:{port}", server.http)
            assert (await own.get("/api/health/live")).body == {"status": "live"}
            assert 'eclair_workers{kind="erase"} 1.0' in (await own.get("/metrics")).raw.decode()
            assert (await own.get("/api/files")).status == 404
            await until(lambda: is_ready(server, file["id"]))
            metrics = (await server.get("/metrics")).raw.decode()
            assert 'eclair_queue_length{queue="documents"} 0.0' in metrics
            assert 'eclair_workers{kind="read"} 1.0' in metrics
            assert 'eclair_workers{kind="embed"} 0.0' in metrics
            shown = (await server.get("/api/jobs")).body
            assert shown["queues"][0] == {"kind": "read", "waiting": 0, "running": 0, "oldest_s": None}
            assert [each["kinds"] for each in shown["workers"]] == [["read", "erase"]]
            assert await worker.end() == 0
        assert 'eclair_workers{kind="read"} 0.0' in (await server.get("/metrics")).raw.decode()


async def test_a_worker_that_others_took_for_dead_is_shown_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LISTING_INTERVAL_S", 0.05)
    async with serving(settings) as server:
        (before,) = (await server.get("/api/jobs")).body["workers"]
        await server.app.storage.jobs.release_dead(server.app.storage.processes.current, 5)  # as another process does

        async def is_shown() -> bool:
            return bool((await server.get("/api/jobs")).body["workers"] == [before])

        await until(is_shown)
        assert 'eclair_workers{kind="read"} 1.0' in (await server.get("/metrics")).raw.decode()


async def test_a_reader_that_nobody_wakes_looks_by_itself(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where the look for work of other processes fails at a damaged row each time."""
    monkeypatch.setattr(background_reading, "MAX_IDLE_S", 0.1)
    monkeypatch.setattr(ingest, "free_dead_claims", AsyncMock(side_effect=StoreError("A row is damaged.")))
    async with serving(replace(settings, background_work="workers")) as server, serving(settings):
        file = await add(server, b"The tower is 330 metres high.", "tower.txt")
        await until(lambda: is_ready(server, file["id"]))


async def test_what_a_killed_worker_was_reading_is_read_on_by_another(
    settings: Settings, server: Server, database: Database
) -> None:
    await database.connection.execute(COUNT_READINGS)
    async with working(settings, "--kinds", "read", **database.environ) as worker:
        first = await add(server, LINES.encode(), "lines.txt")
        await until(lambda: is_ready(server, first["id"]))
        pages = int((await state_of(server, first["id"]))["pages"])
        assert pages > 128  # two times what is stored at once
        await database.hold_pages_above(pages * 9 // 10)
        second = await add(server, LINES.encode() + b"The end.\n", "more lines.txt")
        await until(database.is_held)
        before = (await state_of(server, second["id"]))["pages_read"]
        assert pages // 2 < before <= pages * 9 // 10
        await worker.end(signal.SIGKILL)
    await database.let_pages_in()
    async with serving(replace(settings, database_url=database.url)):  # which does its share itself
        await until(lambda: is_ready(server, second["id"]))
    state = await state_of(server, second["id"])
    assert state["pages"] == state["pages_read"] == pages
    kept = "SELECT count(*) FROM eclair.page WHERE id >> 24 = (SELECT max(number) FROM eclair.document)"
    assert await database.connection.fetchval(kept) == pages
    counts = await database.connection.fetch("SELECT count(*) FROM eclair.readings GROUP BY document ORDER BY 1")
    assert [row[0] for row in counts] == [1, 2]


async def test_a_file_that_ends_its_workers_is_given_up_and_can_be_tried_again(
    settings: Settings, server: Server, database: Database
) -> None:
    await database.hold_pages_above(0)
    poison = await add(server, b"This file ends whoever reads it.", "poison.txt")
    async with working(settings, "--kinds", "read", **database.environ) as worker:
        await until(database.is_held)
        attempts = "SELECT attempts FROM eclair.job WHERE kind = 'read' AND process IS NOT NULL"
        assert await database.connection.fetchval(attempts) == 1
        await database.connection.execute("UPDATE eclair.job SET attempts = 3")  # as after two that died
        await worker.end(signal.SIGKILL)
    async with serving(replace(settings, database_url=database.url)):

        async def is_given_up() -> bool:
            return bool((await state_of(server, poison["id"]))["state"] == "failed")

        await until(is_given_up)
        assert (await state_of(server, poison["id"]))["fault"]["message"] == (
            "poison.txt cannot be read: 3 attempts ended before a further page was read. "
            "Try again, or save it again from the program that made it."
        )
        await database.let_pages_in()
        assert (await server.post(f"/api/files/{poison['id']}/retry")).status == 200
        await until(lambda: is_ready(server, poison["id"]))


async def test_a_worker_that_is_to_end_finishes_its_document(
    settings: Settings, server: Server, database: Database
) -> None:
    environ = {**database.environ, "ECLAIR_DRAIN_SECONDS": "60"}
    async with working(settings, "--kinds", "read", **environ) as worker:
        await database.hold_pages_above(0)
        first = await add(server, b"The tower is 330 metres high.", "first.txt")
        await until(database.is_held)
        ending = asyncio.create_task(worker.end())
        await database.let_pages_in()
        assert await ending == 0
    assert await is_ready(server, first["id"])
    assert await database.connection.fetchval("SELECT count(*) FROM eclair.job WHERE process IS NOT NULL") == 0


async def test_a_job_outlives_a_restart_of_the_database(settings: Settings, databases: TestDatabases) -> None:
    url = databases.create()
    async with (
        serving(replace(settings, database_url=url, background_work="workers")) as server,
        working(settings, "--kinds", "read", ECLAIR_DATABASE_URL=url),
    ):
        connection = await cast(Any, asyncpg).connect(url)
        try:
            database = Database(url, connection)
            await database.hold_pages_above(0)
            file = await add(server, b"The tower is 330 metres high.", "tower.txt")
            await until(database.is_held)
            await asyncio.to_thread(databases.stop)  # in the middle of a write; the lock is gone with it
        finally:
            connection.terminate()
        await asyncio.to_thread(databases.start)
        await until(lambda: is_ready(server, file["id"]))


async def test_two_servers_and_two_workers_read_each_file_once(
    settings: Settings, http: aiohttp.ClientSession, database: Database
) -> None:
    await database.connection.execute(COUNT_READINGS)
    async with (
        contextlib.AsyncExitStack() as stack,
        serving(replace(settings, database_url=database.url)) as first,
        working(settings, "--at-once", "2", **database.environ),
        working(settings, "--kinds", "read", **database.environ),
    ):
        second = await Process.start(settings.data_dir, http, ECLAIR_DATABASE_URL=database.url)
        stack.push_async_callback(second.close)
        texts = [f"File {number} says that the tower is {number} metres high." for number in range(40)]
        files = await asyncio.gather(
            *(add((first, second)[number % 2], text, f"{number}.txt") for number, text in enumerate(texts))
        )
        for file in files:
            await until(lambda id=file["id"]: is_ready(first, id))
        counts = await database.connection.fetch("SELECT count(*) FROM eclair.readings GROUP BY document")
        assert [row[0] for row in counts] == [1] * 40
        assert await database.connection.fetchval("SELECT count(*) FROM eclair.job WHERE kind = 'read'") == 0


async def test_work_that_is_left_to_workers_is_not_done_here(settings: Settings) -> None:
    async with serving(replace(settings, background_work="workers")) as server:
        assert server.app.work == frozenset()
        file = await add(server, b"The tower is 330 metres high.", "tower.txt")
        assert (await state_of(server, file["id"]))["state"] == "queued"
        assert await server.app.storage.jobs.list_workers() == []
    async with serving(settings) as server:
        (worker,) = await server.app.storage.jobs.list_workers()
        assert worker.process == server.app.storage.processes.current
        await until(lambda: is_ready(server, file["id"]))


async def test_an_unknown_kind_is_refused_by_name(settings: Settings) -> None:
    with pytest.raises(AssertionError, match="There is no work called 'write'"):
        await Worker.start(settings.data_dir, "--kinds", "read,write")
