"""Two servers on one database: either stops, deletes and follows what the other writes, and outlives it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.postgres import TestDatabases, databases
from tests.support import Process

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
