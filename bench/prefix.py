"""Whether what was read once is read again: the wait for a first word with a long history behind it.

Everything goes through Éclair to the embedded engine, greedy. "Cold" is a history that the engine has never seen, "warm"
its next question. Each history has its own words, so that none profits from another's.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from client import DELTA, SSE, begin, call, native_message
from harness import Goals, Process, eclair, link_models, median, options, run, shown, table

from eclair.messages import Usage

WORDS = (
    "river stone winter bread music glass market letter garden window summer paper copper island harbour candle forest "
    "mirror saddle ladder violin orchard pepper thunder village blanket compass feather hammer kettle lantern needle"
).split()
TURN = 1_000
"""Words of one message of the history, about 1,100 tokens."""


class Chat:
    """A conversation with a long history, and how long its questions wait for their first word."""

    def __init__(self, server: Process, id: str, seed: int) -> None:
        self._server = server
        self.id = id
        self._words = random.Random(seed)

    async def grow(self, messages: int) -> None:
        """Read so many long messages, one after the other."""
        for _ in range(messages):
            await self.ask(" ".join(self._words.choices(WORDS, k=TURN)), 1)

    async def ask(self, text: str, count: int = 2) -> tuple[float, Usage]:
        """Milliseconds to the first word, and the engine's count."""
        body = {"text": text, "max_tokens": count, "temperature": 0}
        path = f"/api/conversations/{self.id}/turns"
        exchange = await begin(self._server.port, "POST", path, body, accept=SSE, first=DELTA)
        reply = await exchange.reply()
        usage = native_message(reply.body).usage
        if usage is None:
            raise SystemExit(f"no answer came: {reply.body[:300]!r}")
        return ((reply.first or reply.ended) - reply.began) * 1000, usage


async def chat(server: Process, seed: int) -> Chat:
    return Chat(server, (await call(server.port, "POST", "/api/conversations", {}))["id"], seed)


async def ready(server: Process) -> None:
    while (await (await begin(server.port, "GET", "/api/health")).reply()).status != 200:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    await asyncio.sleep(3)  # the system prompt is being read


def cells(name: str, measured: tuple[float, Usage]) -> list[str]:
    milliseconds, usage = measured
    return [name, f"{usage.prompt_tokens}", f"{usage.cached_tokens}", shown(milliseconds)]


async def main() -> None:
    options(__doc__ or "").parse_args()
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        link_models(data)
        async with eclair(data, ECLAIR_EMBEDDED="true") as server:
            await ready(server)
            one = await chat(server, 1)
            rows.append(cells("cold", await one.ask(" ".join(one._words.choices(WORDS, k=3600)))))
        for wait in (0, 6, 25):
            async with eclair(data, ECLAIR_EMBEDDED="true") as server:
                await ready(server)
                again = Chat(server, one.id, 5)
                if wait:
                    print(await call(server.port, "POST", "/api/prefill", {"conversation": one.id}))
                    await asyncio.sleep(wait)
                rows.append(cells(f"after restart, {wait} s", await again.ask("And what of it?")))
    table(("q", "prompt", "cached", "ms"), rows)

if __name__ == "__main__":
    run(main())
