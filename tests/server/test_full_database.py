"""A PostgreSQL server whose disk is full, a real one: what is there is read, and nothing is lost."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from eclair.settings import Settings
from tests.fillable_postgres import FillablePostgres
from tests.support import JSON, Door, Process, check_log, parse, serving, text_of

NO_SPACE = re.compile(
    r"The database postgres on this machine has no space left; free some on its server and try again\.$"
)

LONG = "script: words=100000 rate=400"
TIMEOUT_S = 60


@pytest.fixture
async def postgres() -> AsyncGenerator[FillablePostgres]:
    async with FillablePostgres.running() as server:
        yield server


async def until_said(door: Door, run: str) -> JSON:
    """Wait until the run's message has a few words."""
    async with asyncio.timeout(TIMEOUT_S):
        while len(text_of(message := await door.message(run)).split()) < 20:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return message


async def until_told(door: Door, run: str, *, unsaved: bool) -> JSON:
    """Wait until the run's message says that it isn't saved, or no longer says so."""
    async with asyncio.timeout(TIMEOUT_S):
        while bool((message := await door.message(run))["remarks"]) != unsaved:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    return message


@pytest.mark.timeout(300)
async def test_nothing_is_lost_while_the_database_is_full_and_everything_goes_on_by_itself(
    settings: Settings,
    tmp_path: Path,
    http: aiohttp.ClientSession,
    postgres: FillablePostgres,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("eclair.chat.runs.END_TIMEOUT_S", 0.5)
    async with serving(replace(settings, database_url=postgres.url)) as server:
        other = await Process.start(tmp_path, http, ECLAIR_DATABASE_URL=postgres.url)
        try:
            earlier, endless, ending = [await server.begin() for _ in range(3)]
            said = await server.say(earlier, "How do bees dance?")
            endless_run = (await server.ask(endless, LONG))["run"]
            ending_run = (await server.ask(ending, LONG))["run"]
            orphan = (await other.ask(await other.begin(), LONG))["run"]
            stored = len(text_of(await until_said(server, orphan)))
            await until_said(server, endless_run)
            await until_said(server, ending_run)
            await postgres.fill()

            (remark,) = (await until_told(server, endless_run, unsaved=True))["remarks"]
            assert NO_SPACE.search(remark["message"])
            for door in (server, other):
                assert (await door.tree(earlier))["messages"][-1]["id"] == said["id"]
                assert len((await door.get("/api/search?q=dance")).body["hits"]) == 1
                question = {"turn": {"text": secrets.token_hex(20_000)}}  # more than the pages have room for
                refused = await door.post("/api/conversations", question)
                assert (refused.status, refused.error["code"]) == (503, "store")
                assert NO_SPACE.search(refused.error["message"])
                assert (await door.get("/api/health/ready?engines=false")).status == 200
            await server.post(f"/api/runs/{ending_run}/stop")
            assert (await server.message(ending_run))["status"] == "running", "its end is not stored"
            await other.kill()

            await postgres.free()
            for run in (ending_run, endless_run):
                await until_told(server, run, unsaved=False)
            await server.post(f"/api/runs/{endless_run}/stop")
            for run, conversation in ((ending_run, ending), (endless_run, endless)):
                check_log([event for _, event in parse(await server.stream(run))])
                stopped = await server.message(run)
                assert (stopped["status"], stopped["remarks"]) == ("stopped", [])
                assert (await server.tree(conversation))["messages"][-1]["parts"] == stopped["parts"]
            async with asyncio.timeout(TIMEOUT_S):
                while (left := await server.message(orphan))["status"] == "running":  # noqa: ASYNC110
                    await asyncio.sleep(0.1)
            assert left["status"] == "interrupted"
            assert len(text_of(left)) >= stored
            assert (await server.say(earlier, "And now?"))["status"] == "finished"
        finally:
            await other.close()
