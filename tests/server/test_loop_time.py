"""No step of the event loop computes for long, whatever a file, an export or a question holds."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from eclair.settings import Settings
from tests.support import Server, serving

MAX_STEP_S = 0.01
"""CPU time of one step, which takes under 3 ms; twice the 5 ms that are allowed, as caches may be cold."""

BINARY = {"Content-Type": "application/octet-stream"}
FILES = {
    "comments.md": b"<!---->" * 4000 + b"\n# Report\nThe river is long.",
    "dates.txt": b"12. Mai " * 40_000,
    "letters.txt": b"Sure: " + b"a" * 200_000,
    "details.html": b"<details>" * 8000,
}
QUESTION = f"What does the report say? Sure: {'a' * 3000} 1 {'1' * 3000}"
EXPORT = b'[{"a": "' + b"<details type='a'>" * 8000 + b'"}]'


@contextmanager
def timed_steps() -> Generator[dict[str, float]]:
    """Measure the CPU time of each step of the loop; yields the longest step of each task."""
    longest: dict[str, float] = {}
    handles: Any = asyncio.Handle
    run = handles._run

    def timed(self: Any) -> None:
        before = time.thread_time()
        run(self)
        spent = time.thread_time() - before
        owner: Any = getattr(self._callback, "__self__", None)
        step: Any = owner.get_coro() if hasattr(owner, "get_coro") else self._callback
        name = getattr(step, "__qualname__", type(step).__qualname__)
        longest[name] = max(longest.get(name, 0), spent)

    handles._run = timed
    gc.disable()  # the garbage of a thousand tests is no fault
    try:
        yield longest
    finally:
        gc.enable()
        handles._run = run


async def attack(server: Server) -> None:
    """Send files, ask about them, and import, as an attacker would have a person do."""
    conversation, files = await server.begin(), list[str]()
    for name, data in FILES.items():
        reply = await server.call("POST", f"/api/files?name={name}", data=data, headers=BINARY)
        files.append(reply.body["id"])
    for given in (files, []):
        await server.say(conversation, QUESTION, files=given)
    await server.post("/api/prefill", {"conversation": conversation, "parent": None})
    await server.call("POST", "/api/imports?name=export.json", data=EXPORT, headers=BINARY)


async def test_hostile_input_keeps_nobody_waiting(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, embedded=False, scripted=True, port=0, embedder="off")
    async with serving(settings) as server:
        await attack(server)  # imports what is needed
        with timed_steps() as longest:
            await attack(server)
    assert {name: seconds for name, seconds in longest.items() if seconds > MAX_STEP_S} == {}
