"""Two servers on one data folder: either stops and deletes what the other writes, and outlives it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest

from tests.support import Process


@pytest.fixture
async def first(tmp_path: Path, http: aiohttp.ClientSession) -> AsyncGenerator[Process]:
    server = await Process.start(tmp_path, http)
    yield server
    await server.close()


@pytest.fixture
async def second(first: Process, tmp_path: Path, http: aiohttp.ClientSession) -> AsyncGenerator[Process]:
    server = await Process.start(tmp_path, http)
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


async def test_what_one_leaves_the_other_ends(first: Process, second: Process) -> None:
    conversation = await first.begin()
    begun = await first.ask(conversation, "script: words=100000 rate=200")
    await first.kill()
    assert (await second.get(f"/api/runs/{begun['run']}")).body["status"] == "interrupted"
    assert (await second.tree(conversation))["running"] is None
