"""A full or a read-only disk, real ones that the test mounts, opens the house for reading."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest

from eclair.settings import Settings
from tests.support import Door, environment, serving

MOUNTING = """
set -e
mount -t tmpfs -o size=16m tmpfs "$1"
cp -r "$2"/. "$1"
%s
exec "$3" -m eclair.cli serve
"""
FULL = 'head -c 40m /dev/zero >"$1/filling" 2>/dev/null || true'
READ_ONLY = 'mount -o remount,ro "$1"'


@pytest.fixture(params=[FULL, READ_ONLY], ids=["full", "read-only"])
async def door(request: pytest.FixtureRequest, tmp_path: Path, http: aiohttp.ClientSession) -> AsyncGenerator[Door]:
    whole, mounted = tmp_path / "whole", tmp_path / "mounted"
    mounted.mkdir()
    settings = Settings(data_dir=whole, embedded=False, scripted=True, port=0, embedder="off")
    async with serving(settings) as server:
        await server.say(await server.begin(), "How do bees dance?")
        library = (await server.post("/api/libraries", {"name": "Bees"})).body["id"]
        await server.call("POST", f"/api/files?name=bees.txt&library={library}", data=b"In eights.")
    process = await asyncio.create_subprocess_exec(
        *("unshare", "-rm", "sh", "-c", MOUNTING % request.param, "sh", mounted, whole, sys.executable),
        env={**os.environ, **environment(mounted), "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        yield Door("http://" + line.partition("http://")[2].strip(), http)
    finally:
        process.terminate()
        await process.wait()
    assert not list(tmp_path.glob("eclair-reading-*"))  # noqa: ASYNC240 (nothing else runs any more)


async def test_what_is_there_can_be_read_and_nothing_is_stored(door: Door) -> None:
    (kept,) = (await door.get("/api/conversations")).body["conversations"]
    assert (await door.tree(kept["id"]))["messages"][0]["parts"][0]["text"] == "How do bees dance?"
    assert len((await door.get("/api/search?q=dance")).body["hits"]) == 1
    (file,) = (await door.get("/api/files")).body["files"]
    assert (await door.get(f"/api/files/{file['id']}/content")).raw == b"In eights."
    assert (await door.get("/api/export")).raw.startswith(b"PK")
    for method, path, body in (
        ("POST", "/api/conversations", {"turn": {"text": "And now?"}}),
        ("DELETE", f"/api/conversations/{kept['id']}?forever=true", None),
        ("PATCH", f"/api/conversations/{kept['id']}", {"title": "Bees"}),
        ("DELETE", f"/api/files/{file['id']}", None),
    ):
        refused = await door.call(method, path, body)
        assert (refused.status, refused.error["code"]) == (503, "store")
        assert "free some space" in refused.error["message"]
    assert (await door.get("/api/storage")).body["state"] == "read_only"
    ready = await door.get("/api/health/ready")
    assert ready.status == 503
    assert "only shows what is there" in ready.body["message"]
