"""Files as large and as many as are taken, sent to a server of its own: it stays small, answers soon, and forgets."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from tests.support import Process

JSON = dict[str, Any]
OFF = {"ECLAIR_EMBEDDER": "off"}
MEGABYTE = 1 << 20
ROOM = 400 * MEGABYTE
"""What a server may take of memory while it takes in a file of half that size."""


@pytest.fixture
async def server(tmp_path: Path, http: aiohttp.ClientSession) -> AsyncGenerator[Process]:
    process = await Process.start(tmp_path, http, **OFF)
    yield process
    await process.close()


async def rows(size: int) -> AsyncGenerator[bytes]:
    """A sheet of so many bytes, its first row unlike the others."""
    yield b"Boat;Captain;Fee\nAnna;Lacroix;1234.50\n"
    block = b"".join(b"Boat %06d;Nobody in particular;%d\n" % (row, row % 97) for row in range(30_000))
    for sent in range(0, size, len(block)):
        yield block[: size - sent]


async def told(server: Process, id: str, *, whole: bool) -> JSON:
    """How far the file is, once something of it, or all of it, is read."""
    async with asyncio.timeout(120):
        while True:
            state = dict((await server.get(f"/api/files/{id}")).body)
            assert state["fault"] is None
            if state["state"] == "ready" or (state["pages_read"] and not whole):
                return state
            await asyncio.sleep(0.05)


async def test_a_sheet_of_200_mb_is_answered_from_while_it_is_read_and_goes_at_once(server: Process) -> None:
    size = 200 * 1_000_000 - 100
    reply = await server.post("/api/files?name=boats.csv", data=rows(size), headers={"Content-Type": "text/csv"})
    assert reply.status == 201, reply
    id = reply.body["id"]
    state = await told(server, id, whole=False)
    assert state["state"] == "reading"
    answer = await server.say(await server.begin(), "What is the fee of Captain Lacroix?", files=[id], max_tokens=12)
    assert any("Captain: Lacroix; Fee: 1234.50" in passage["text"] for passage in answer["passages"])
    assert "partly_read" in [remark["code"] for remark in answer["remarks"]]
    assert psutil.Process(server.process.pid).memory_info().rss < ROOM
    assert (await server.call("DELETE", f"/api/files/{id}")).status == 204
    assert (await server.get(f"/api/files/{id}")).status == 404
    assert (await server.get("/api/health")).status == 200


async def test_of_10_000_small_files_the_right_one_is_cited(server: Process) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for number in range(10_000):
            archive.writestr(f"{number // 100}/{number}.txt", f"The fee of boat {number} is {number % 97} euros.\n")
    reply = await server.post("/api/files?name=fees.zip", data=packed.getvalue())
    assert reply.status == 201, reply
    state = await told(server, reply.body["id"], whole=True)
    assert (state["pages"], state["chunks"], state["remarks"]) == (10_000, 10_000, [])
    answer = await server.say(await server.begin(), "What is the fee of boat 8642?", files=[state["id"]], max_tokens=12)
    assert (answer["passages"][0]["member"], answer["passages"][0]["page"]) == ("86/8642.txt", 8643)
    assert psutil.Process(server.process.pid).memory_info().rss < ROOM
