"""SIGTERM with `drain_seconds`: answers end, no new ones begin, and what isn't done in time can be continued."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest

from tests.images.support import SMALL, events
from tests.support import Process, parse, text_of


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def terminate(server: Process) -> None:
    assert server.process.pid is not None
    os.kill(server.process.pid, signal.SIGTERM)


async def unready(server: Process) -> dict[str, object]:
    """Wait until the server isn't ready; return why."""
    while (reply := await server.get("/api/health/ready")).status == 200:  # noqa: ASYNC110 (no event tells)
        await asyncio.sleep(0.05)
    return dict(reply.body["checks"]["draining"])


async def test_answers_end_and_none_begins(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    server = await Process.start(tmp_path, http, ECLAIR_DRAIN_SECONDS="60")
    try:
        other = await server.begin()
        begun = await server.ask(await server.begin(), "script: words=400 rate=100")
        following = asyncio.create_task(server.stream(begun["run"]))
        terminate(server)
        assert await unready(server) == {
            "ok": False,
            "detail": "Éclair is about to end, and begins no further answers.",
        }
        assert (await server.get("/api/health/live")).status == 200
        assert (await server.get("/api/health/ready?engines=false")).status == 503
        refused = await server.post(f"/api/conversations/{other}/turns", {"text": "Hello?"})
        assert (refused.status, refused.error["code"]) == (503, "draining")
        assert "ask again in a moment" in refused.error["message"]
        asked = {"model": "scripted", "messages": [{"role": "user", "content": "Hello?"}]}
        for path, body in (
            ("/v1/chat/completions", asked),
            ("/v1/messages", {**asked, "max_tokens": 9}),
            ("/api/answers", {"text": "Hello?"}),
        ):
            refused = await server.post(path, body)
            assert (refused.status, refused.headers["Retry-After"]) == (503, "5"), path
            assert "ask again in a moment" in refused.error["message"]
        assert (await server.get("/v1/models")).status == 200
        assert (await server.post("/v1/messages/count_tokens", asked)).status == 200
        assert (await server.post(f"/api/conversations/{other}/shares", {})).status == 400, "there is nothing to share"
        assert (await server.post("/v1/responses/resp_none/cancel", {})).status == 404
        events = [event for _, event in parse(await following)]
        assert type(events[-1]).__name__ == "RunFinished"
        await asyncio.to_thread(server.process.join)
        assert server.process.exitcode == 0
    finally:
        await server.close()


async def test_images_are_finished(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    server = await Process.start(tmp_path, http, ECLAIR_DRAIN_SECONDS="60")
    try:
        drawing = events(server, "script: pause=0.4")
        await anext(drawing)
        terminate(server)
        await unready(server)
        assert (await server.post("/api/pictures", {"prompt": "a red apple", **SMALL})).status == 503
        assert [name async for name, _ in drawing][-1] == "picture"
        await asyncio.to_thread(server.process.join)
        assert server.process.exitcode == 0
    finally:
        await server.close()


async def test_what_does_not_end_in_time_can_be_continued(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    server = await Process.start(tmp_path, http, ECLAIR_DRAIN_SECONDS="1")
    try:
        begun = await server.ask(await server.begin(), "script: words=100000 rate=100")
        following = asyncio.create_task(server.stream(begun["run"]))
        terminate(server)
        events = [event for _, event in parse(await following)]
        assert type(events[-1]).__name__ == "RunInterrupted"
        await asyncio.to_thread(server.process.join)
    finally:
        await server.close()
    again = await Process.start(tmp_path, http)
    try:
        message = await again.message(begun["run"])
        assert (message["status"], bool(text_of(message))) == ("interrupted", True)
    finally:
        await again.close()
