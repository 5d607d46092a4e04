"""Two servers on one database: either stops, deletes and follows what the other writes, and outlives it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import load
from eclair.storage.open import open_storage
from tests.postgres import TestDatabases, databases
from tests.support import JSON, Process, environment, text_of

__all__ = ["databases"]


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """The environment that names a database for both servers."""
    if request.param == "sqlite":
        yield {}
        return
    databases: TestDatabases = request.getfixturevalue("databases")
    with databases.lend() as url:
        yield {"ECLAIR_DATABASE_URL": url}


@pytest.fixture
async def first(tmp_path: Path, http: aiohttp.ClientSession, database: dict[str, str]) -> AsyncGenerator[Process]:
    server = await Process.start(tmp_path, http, **database)
    yield server
    await server.close()


@pytest.fixture
async def second(
    first: Process, tmp_path: Path, http: aiohttp.ClientSession, database: dict[str, str]
) -> AsyncGenerator[Process]:
    server = await Process.start(tmp_path, http, **database)
    yield server
    await server.close()


class Page:
    """An open page at a server: what it is told of changes."""

    def __init__(self) -> None:
        self.told: list[JSON] = []

    @classmethod
    @asynccontextmanager
    async def open(cls, server: Process) -> AsyncGenerator[Page]:
        """Open a page that knows everything by now."""
        page = cls()
        async with server.open("/api/changes") as stream:
            listening = asyncio.create_task(page._listen(stream))
            try:
                await page.until_told({"conversation": None, "kind": "changed"})
                await asyncio.sleep(1)  # the end of what was written before
                page.told.clear()
                yield page
            finally:
                listening.cancel()
                await asyncio.wait([listening])

    async def until_told(self, change: JSON) -> None:
        async with asyncio.timeout(10):
            while change not in self.told:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def _listen(self, stream: aiohttp.ClientResponse) -> None:
        async for line in stream.content:
            if line.startswith(b"data:"):
                self.told.append(json.loads(line.removeprefix(b"data:")))


async def test_one_stops_and_deletes_what_the_other_writes(first: Process, second: Process) -> None:
    conversation = await first.begin()
    begun = await first.ask(conversation, "script: words=100000 rate=200")
    stopped = await second.post(f"/api/runs/{begun['run']}/stop")
    assert (stopped.status, stopped.body["status"]) == (202, "stopped")
    assert (await first.message(begun["run"]))["status"] == "stopped"
    await first.ask(conversation, "script: words=100000 rate=200")
    assert (await second.call("DELETE", f"/api/conversations/{conversation}")).status == 204
    assert (await first.get(f"/api/conversations/{conversation}")).status == 404


async def test_what_one_writes_is_followed_at_the_other_to_the_byte(first: Process, second: Process) -> None:
    begun = await first.ask(await first.begin(), "script: words=300 rate=200")
    here, there = await asyncio.gather(first.stream(begun["run"]), second.stream(begun["run"]))
    assert here == there


async def test_what_one_leaves_the_other_ends(first: Process, second: Process) -> None:
    conversation = await first.begin()
    begun = await first.ask(conversation, "script: words=100000 rate=200")
    await first.kill()
    async with asyncio.timeout(30):  # on PostgreSQL a lease lasts five seconds
        ended = "running"
        while ended == "running":
            await asyncio.sleep(0.2)
            ended = (await second.get(f"/api/runs/{begun['run']}")).body["status"]
    assert ended == "interrupted"
    assert (await second.tree(conversation))["running"] is None


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_who_comes_back_after_its_answer_was_ended_leaves_that_as_it_is(first: Process, second: Process) -> None:
    """Two believe to have the answer: the one that was given up, and the one that ended it."""
    conversation = await first.begin()
    begun = await first.ask(conversation, "script: words=300 rate=100")
    async with asyncio.timeout(20):
        while not text_of(await second.message(begun["run"])):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert first.process.pid is not None
    os.kill(first.process.pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(60):  # it may have stopped in a transaction, and hold the answer for ten seconds
            while (await second.message(begun["run"]))["status"] == "running":  # noqa: ASYNC110
                await asyncio.sleep(0.1)
        ended = await second.message(begun["run"])
        assert ended["status"] == "interrupted"
    finally:
        os.kill(first.process.pid, signal.SIGCONT)
    await first.stream(begun["run"])  # until the first one has ended it, too
    assert await second.message(begun["run"]) == ended
    assert await second.stream(begun["run"]) == await first.stream(begun["run"])
    assert (await first.say(conversation, "script: words=3"))["status"] == "finished"


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_a_page_is_told_what_was_changed_at_the_other_server(first: Process, second: Process) -> None:
    conversation = await first.begin()
    async with Page.open(second) as page:
        renamed = await first.call("PATCH", f"/api/conversations/{conversation}", {"title": "Bees"})
        assert renamed.status == 200
        await page.until_told({"conversation": conversation, "kind": "changed"})
        await first.say(conversation, "script: words=100 rate=100")
        await page.until_told({"conversation": conversation, "kind": "finished"})
        assert {told["conversation"] for told in page.told} == {conversation}, "all of it is named"


@pytest.mark.parametrize("database", ["postgres"], indirect=True)
async def test_a_page_hears_nothing_of_servers_that_are_only_asked_whether_they_are_ready(
    first: Process, second: Process
) -> None:
    async with Page.open(first) as here, Page.open(second) as there:
        for _ in range(3):
            for server in (first, second):
                assert (await server.get("/api/health/ready?engines=false")).status == 200
            await asyncio.sleep(1.1)  # a result holds for a second
        assert (here.told, there.told) == ([], [])


async def test_a_page_is_told_that_another_process_wrote(
    first: Process, tmp_path: Path, database: dict[str, str]
) -> None:
    conversation = await first.begin()
    async with Page.open(first) as page:
        environ = {**environment(tmp_path), **database}
        storage = await asyncio.to_thread(open_storage, load(environ).settings)
        try:
            await storage.conversations.set_generated_title(LOCAL_PRINCIPAL, conversation, "Bees")
        finally:
            await storage.close()
        await page.until_told({"conversation": None, "kind": "changed"})
