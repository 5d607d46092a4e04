"""A PostgreSQL server that dies in mid-answer, and a standby that takes over: two real ones, under two servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest

from tests.postgres_pair import PostgresPair
from tests.support import Process, check_log, parse, text_of

DOWN_S = 2.0


@pytest.fixture
async def pair() -> AsyncGenerator[PostgresPair]:
    async with PostgresPair.running() as pair:
        yield pair


@pytest.mark.timeout(300)
async def test_answers_go_on_after_a_standby_took_over(
    pair: PostgresPair, tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    servers = [await Process.start(tmp_path / name, http, ECLAIR_DATABASE_URL=pair.url) for name in ("a", "b")]
    here, there = servers
    try:
        earlier = await here.begin()
        said = await here.say(earlier, "script: words=20")
        conversation = await here.begin()
        begun = await here.ask(conversation, "script: words=900 rate=60")
        following = asyncio.create_task(there.stream(begun["run"]))
        async with asyncio.timeout(60):
            while len(text_of(await there.message(begun["run"])).split()) < 20:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await pair.kill_first()
        await asyncio.sleep(DOWN_S)
        await pair.promote_second()
        async with asyncio.timeout(60):
            while (await there.message(begun["run"]))["status"] == "running":  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        ended = await there.message(begun["run"])
        assert ended["status"] == "finished"
        assert len(text_of(ended).split()) == 900
        events = [event for _, event in parse(await following)]
        check_log(events)
        assert await here.stream(begun["run"]) == await there.stream(begun["run"])
        for server in servers:
            assert (await server.tree(earlier))["messages"][-1] == said
            assert (await server.say(await server.begin(), "script: words=5"))["status"] == "finished"
    finally:
        for server in servers:
            await server.close()
