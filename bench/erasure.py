"""100,000 conversations are erased for good at once: how fast, how long others wait meanwhile, and what is left.

A list and a new question are timed before and during the erasure. Afterwards the words of the first and the last
conversation are looked for in every file of the data folder, and the size of the database is compared.
"""

# ruff: noqa: ASYNC110 (what is waited for here happens in another process)

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import time
from pathlib import Path

import apsw
import conversations
from client import call
from harness import Goals, Process, eclair, options, quantile, run, table
from search import Times, list_and_ask, row

from eclair.storage.sqlite.open import DATABASE_FILE

POLL_S = 0.1
SETTLE_TIMEOUT_S = 600.0
"""Limits the wait for the file to shrink and for the log to be emptied."""
MARKED = "zqerasedword"


def mark(folder: Path) -> None:
    """Write a word that nothing else has into the first and the last conversation."""
    with contextlib.closing(apsw.Connection(str(folder / DATABASE_FILE))) as db:
        db.execute(
            'UPDATE message SET text = text || ?1, body = replace(body, \'"text":"\', \'"text":"\' || ?1)'
            " WHERE number IN ((SELECT min(number) FROM message), (SELECT max(number) FROM message))",
            (f" {MARKED} ",),
        )
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def holding(folder: Path) -> list[str]:
    """The files that hold the marked word."""
    found: list[str] = []
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            if path.is_file() and _has(path, MARKED.encode()):
                found.append(path.name)
    return found


def _has(path: Path, word: bytes) -> bool:
    tail = b""
    with path.open("rb") as file:
        while block := file.read(1 << 24):
            if word in tail + block:
                return True
            tail = block[-len(word) :]
    return False


async def erase(server: Process, times: Times) -> tuple[int, float, float]:
    """Erase everything; return how many there were, and the seconds of the request and of the whole."""
    began = time.perf_counter()
    gone = await call(server.port, "DELETE", "/api/conversations?confirm=all&forever=true")
    replied = time.perf_counter() - began
    others = asyncio.create_task(list_and_ask(server, times, SETTLE_TIMEOUT_S))
    while (await call(server.port, "GET", "/api/erasure"))["running"]:
        await asyncio.sleep(POLL_S)
    took = time.perf_counter() - began
    if others.done():
        others.result()
    others.cancel()
    await asyncio.wait([others])
    return gone["count"], replied, took


async def settle(folder: Path, size: int) -> float:
    """Wait until the database is a tenth of its former size; return the seconds that took."""
    began = time.perf_counter()
    while (folder / DATABASE_FILE).stat().st_size > size / 10 and time.perf_counter() - began < SETTLE_TIMEOUT_S:
        await asyncio.sleep(POLL_S)
    return time.perf_counter() - began


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--data", type=Path, help="a folder that conversations.py has filled; it is copied")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as name:
        folder = Path(name)
        if given.data is not None:
            shutil.copy(given.data / DATABASE_FILE, folder)
        else:
            await conversations.fill(folder, 5_000 if given.quick else conversations.COUNT)
        mark(folder)
        size = (folder / DATABASE_FILE).stat().st_size
        async with eclair(folder, scripted=True, ECLAIR_TITLES="false") as server:
            alone, busy = Times(), Times()
            await list_and_ask(server, Times(), 2)
            await list_and_ask(server, alone, 3 if given.quick else 15)
            count, replied, took = await erase(server, busy)
            left = await asyncio.to_thread(holding, folder)
            shrinking = await settle(folder, size)
            kept = (folder / DATABASE_FILE).stat().st_size
    rows = [
        row("list, before", alone.lists),
        row("list, while everything is erased", busy.lists),
        row("first word, before", alone.first_words),
        row("first word, while everything is erased", busy.first_words),
    ]
    table(("what", "times", "p50, ms", "p95, ms", "most, ms"), rows)
    print(f"\n{count:,} conversations were erased in {took:.1f} s; the request took {replied:.2f} s.")
    print(f"The database shrank from {size / 1e6:,.0f} to {kept / 1e6:,.0f} MB, {shrinking:.1f} s later.")
    goals = Goals()
    goals.at_least("conversations erased a second", count / took, 1000)
    goals.at_most("files that hold an erased word", len(left), 0)
    goals.at_most("the database afterwards, of its former size", kept / size, 0.1)
    goals.at_most("a list meanwhile, p95", quantile(busy.lists, 0.95), 100, " ms")
    goals.at_most("a new question's first word meanwhile, p95", quantile(busy.first_words, 0.95), 150, " ms")
    goals.print()


if __name__ == "__main__":
    run(main())
