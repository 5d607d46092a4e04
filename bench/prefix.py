"""What was read once is not read again, and reading holds nobody up: the embedded engine with long histories.

Everything goes through Éclair, greedy. A "cold" question follows a history that the engine has never seen. Each
conversation has words of its own, so that none profits from another's.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import re
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from client import DELTA, SSE, Exchange, begin, call, native_message
from harness import Goals, Process, eclair, link_models, options, run, shown, table

WORDS = (  # noqa: SIM905
    "river stone winter bread music glass market letter garden window summer paper copper island harbour candle forest "
    "mirror saddle ladder violin orchard pepper thunder village blanket compass feather hammer kettle lantern needle"
).split()
ENDED = re.compile(rb'"type":"run\.(?:finished|stopped|failed)"')
WRITING = 30.0
"""Seconds that a person writes at a question before it is sent."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Seconds to the first word, and how many of the prompt's tokens the engine had already."""

    seconds: float
    prompt: int
    cached: int


@dataclass(slots=True)
class Chat:
    server: Process
    id: str

    async def begin(self, text: str, count: int) -> Exchange:
        body = {"text": text, "max_tokens": count, "temperature": 0}
        path = f"/api/conversations/{self.id}/turns"
        return await begin(self.server.port, "POST", path, body, accept=SSE, first=DELTA)

    async def ask(self, text: str) -> Asked:
        reply = await (await self.begin(text, 2)).reply()
        usage = native_message(reply.body).usage
        if usage is None:
            raise SystemExit(f"No answer came: {reply.body[:300]!r}")
        return Asked((reply.first or reply.ended) - reply.began, usage.prompt_tokens or 0, usage.cached_tokens or 0)

    async def prefill(self) -> None:
        await call(self.server.port, "POST", "/api/prefill", {"conversation": self.id})


class Rows:
    """What is printed, row by row."""

    def __init__(self) -> None:
        self._rows: list[list[str]] = []

    def add(self, what: str, asked: Asked) -> Asked:
        self._rows.append([what, str(asked.prompt), str(asked.cached), f"{asked.seconds * 1000:,.0f}"])
        return asked

    def print(self) -> None:
        table(("question", "tokens", "cached", "first word, ms"), self._rows)


def text(words: int, seed: int) -> str:
    return " ".join(random.Random(seed).choices(WORDS, k=words))


async def chat(server: Process) -> Chat:
    return Chat(server, (await call(server.port, "POST", "/api/conversations", {}))["id"])


async def ready(server: Process) -> None:
    while (await (await begin(server.port, "GET", "/api/health")).reply()).status != 200:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.sleep(3)  # the system prompt is being read


async def growing(server: Process, words: int, rows: Rows, goals: Goals) -> Chat:
    """One conversation's second turn, then three that are talked to by turns; the first comes back."""
    chats = [await chat(server) for _ in range(3)]
    cold = [rows.add("a long first one", await each.ask(text(words, seed))) for seed, each in enumerate(chats)]
    second = rows.add("the second of one", await chats[-1].ask("And what of the last?"))
    turns = [
        rows.add("back in another", await each.ask(f"And what of round {turn}?")) for turn in range(2) for each in chats
    ]
    goals.at_most("second turn's first word, of a cold one's", second.seconds / cold[-1].seconds, 0.25)
    worst = max(turn.seconds / cold[at % 3].seconds for at, turn in enumerate(turns))
    goals.at_most("the same by turns in three conversations, the worst", worst, 0.25)
    return chats[0]


async def beside(server: Process, words: int, goals: Goals) -> None:
    """The longest pause of an answer while somebody else's long message is read."""
    stream = await (await chat(server)).begin("Tell me a very long story about a fox.", 2000)
    while not DELTA.search(stream.came):  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    reading = asyncio.ensure_future((await chat(server)).ask(text(words, 7)))
    moments, seen = [time.perf_counter()], len(stream.came)
    while not reading.done() and not ENDED.search(stream.came):
        await asyncio.sleep(0.005)
        if len(stream.came) != seen:
            moments.append(time.perf_counter())
            seen = len(stream.came)
    if not ENDED.search(stream.came):
        moments.append(time.perf_counter())
    assert len(moments) > 2, "the answer ended before the other message was read"
    pause = max(after - before for before, after in itertools.pairwise(moments))
    read = await reading
    stream.abort()
    print(f"Reading {read.prompt} tokens takes {shown(read.seconds)} s; an answer beside it pauses {shown(pause)} s.")
    goals.at_most(
        "an answer's longest pause while another's message is read, of that reading", pause / read.seconds, 0.2
    )


async def main() -> None:
    quick: bool = options(__doc__ or "").parse_args().quick
    words = 400 if quick else 3700
    rows, goals = Rows(), Goals()
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        link_models(data)
        async with eclair(data, ECLAIR_EMBEDDED="true") as server:
            await ready(server)
            await beside(server, 400 if quick else 1500, goals)
            kept = await growing(server, words, rows, goals)
        async with eclair(data, ECLAIR_EMBEDDED="true") as server:
            await ready(server)
            again = Chat(server, kept.id)
            await again.prefill()
            await asyncio.sleep(5 if quick else WRITING)
            ahead = rows.add("after a restart, read while it was written", await again.ask("And what of it?"))
        async with eclair(data, ECLAIR_EMBEDDED="true") as server:
            await ready(server)
            cold = rows.add("after a restart, all at once", await Chat(server, kept.id).ask("And what of that?"))
    rows.print()
    goals.at_most("after a restart, read ahead: first word, of one that was not", ahead.seconds / cold.seconds, 0.25)
    goals.print()


if __name__ == "__main__":
    run(main())
