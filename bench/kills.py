"""`kill -9` at random points of calls that write: between asked, decided, begun and ended; what was lost or repeated.

The scripted engine calls a tool that adds a line to a file. The bench allows the call, kills the server at a random
moment, starts another on the same folder, and compares the file with what the log says: a call is lost that counts as
done without its line, or whose line is there without its beginning; it is repeated with more than one line.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from harness import ROOT, Goals, options, run, table

sys.path.append(str(ROOT))

from tests.support import Process

from eclair.tools.scripted_tools import EFFECTS_FILE

KILLS = 500
QUICK_KILLS = 5
LATEST_KILL_S = 0.12
"""After the question or the decision; by then the call has ended."""
SETTLING_S = 60


class Tally:
    """Kills by the moment they fell in, and the calls they lost or repeated."""

    def __init__(self) -> None:
        self.points = Counter[str]()
        self.lost: list[str] = []
        self.repeated: list[str] = []

    def add(self, text: str, call: dict[str, Any] | None, lines: int) -> None:
        """Compare one call, as its log has it, with its lines in the file."""
        has_begun = call is not None and call["has_begun"]
        outcome = call["outcome"] if call is not None else "not asked"
        self.points[outcome] += 1
        if lines > 1:
            self.repeated.append(text)
        if (lines and not has_begun) or (outcome == "done" and not lines):
            self.lost.append(text)


async def decide(server: Process, run_id: str, call: str) -> None:
    with contextlib.suppress(aiohttp.ClientError):
        await server.post(f"/api/runs/{run_id}/calls/{call}", {"decision": "once"})


async def kill_once(server: Process, folder: Path, http: aiohttp.ClientSession, number: int, tally: Tally) -> Process:
    """Ask for a call, allow it, and kill the server somewhere on the way; the next server comes back."""
    text = f"kill{number}"
    arguments = orjson.dumps({"text": text, "wait": 0.01, "linger": 0.01}).decode()
    begun = await server.ask(await server.begin(), f"script: tool=scripted_write{arguments}")
    if random.random() < 0.8:  # else before it was asked or decided
        message = await server.message(begun["run"])
        async with asyncio.timeout(SETTLING_S):
            while message["status"] == "running":
                await asyncio.sleep(0.005)
                message = await server.message(begun["run"])
        deciding = asyncio.create_task(decide(server, begun["run"], message["calls"][0]["call"]))
        await asyncio.sleep(random.uniform(0, LATEST_KILL_S))
        await server.kill()
        await deciding
    else:
        await asyncio.sleep(random.uniform(0, LATEST_KILL_S / 4))
        await server.kill()
    server = await Process.start(folder, http)
    async with asyncio.timeout(SETTLING_S):
        while (message := await server.message(begun["run"]))["status"] in ("running", "waiting"):
            if message["status"] == "waiting" and message["calls"][0]["decision"] is None:
                await decide(server, begun["run"], message["calls"][0]["call"])
            await asyncio.sleep(0.02)
    written = (folder / EFFECTS_FILE).read_text().splitlines() if (folder / EFFECTS_FILE).exists() else []
    calls = message["calls"]
    tally.add(text, calls[0] if calls else None, sum(line.endswith(f" {text}") for line in written))
    return server


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--kills", type=int, default=KILLS, metavar="N", help=f"{KILLS} by default")
    arguments = parser.parse_args()
    count = QUICK_KILLS if arguments.quick else arguments.kills
    tally, goals = Tally(), Goals()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        async with aiohttp.ClientSession() as http:
            server = await Process.start(folder, http)
            try:
                for number in range(count):
                    server = await kill_once(server, folder, http, number, tally)
            finally:
                await server.close()
    table(("call", "times"), [(outcome, str(times)) for outcome, times in tally.points.most_common()])
    goals.at_most(f"calls lost by {count} kills", len(tally.lost), 0)
    goals.at_most("calls repeated", len(tally.repeated), 0)
    goals.print()


if __name__ == "__main__":
    run(main())
