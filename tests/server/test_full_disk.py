"""A disk that fills up, a real one that the test mounts, while sandboxed Python writes."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import pytest

from tests.python.test_tool import call, part
from tests.support import Door, environment

MOUNTING = """
set -e
mount -t tmpfs -o size=24m tmpfs "$1"
exec "$2" -m eclair.cli serve
"""


@pytest.fixture
async def door(tmp_path: Path, http: aiohttp.ClientSession) -> AsyncGenerator[Door]:
    """Éclair with its data on a disk of 24 MB."""
    mounted = tmp_path / "mounted"
    mounted.mkdir()
    process = await asyncio.create_subprocess_exec(
        *("unshare", "-rm", "sh", "-c", MOUNTING, "sh", mounted, sys.executable),
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


async def run(door: Door, conversation: str, code: str) -> tuple[str, str, str]:
    """Have a model run code; return how the answer and the call ended, and the call's result."""
    answer = await door.say(conversation, call(code))
    return answer["status"], answer["calls"][0]["outcome"], part(answer, "tool_result")["text"]


async def test_what_python_writes_on_a_full_disk_is_said_and_nothing_is_lost(door: Door) -> None:
    id = await door.begin()
    status, outcome, result = await run(door, id, "kept = 7\nopen('small.csv', 'w').write('a,b\\n')")
    assert (status, outcome) == ("finished", "done"), result
    for name in ("small.csv", "large.txt"):
        status, outcome, result = await run(door, id, f"kept = 8\nopen({name!r}, 'w').write('x' * 30_000_000)")
        assert (status, outcome) == ("finished", "failed"), result
        assert result.endswith("is full; free some space and try again."), result
        assert result.count("\n") == 0
    files = (await door.get(f"/api/conversations/{id}/workspace")).body["files"]
    assert [(file["name"], file["version"]) for file in files] == [("small.csv", 1)]
    assert (await door.get(f"/api/conversations/{id}/workspace/small.csv")).raw == b"a,b\n"
    status, outcome, result = await run(
        door, id, "print(open('small.csv').read(), kept)\nopen('next.csv', 'w').write('c')"
    )
    assert (status, outcome, "a,b\n 7" in result) == ("finished", "done", True), result
    assert len((await door.tree(id))["messages"]) == 8
    assert (await door.get("/api/storage")).body["state"] == "ok"
