"""20 people search 100,000 conversations at once: how long a list and a new question take meanwhile.

They type words letter by letter: what was asked for one letter is given up for the next, as the page does. A fifth of
the words are in most messages. The same list and question are timed first while nobody searches.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import conversations
from client import DELTA, SSE, Exchange, begin
from harness import Goals, Process, eclair, options, quantile, run, shown, table

PEOPLE = 20
TYPING_S = 0.15
"""Between two letters."""
READING_S = 1.0
"""After a word, until the next is typed."""


@dataclass(slots=True)
class Times:
    """Milliseconds of each request of a kind."""

    lists: list[float] = field(default_factory=list[float])
    first_words: list[float] = field(default_factory=list[float])
    searches: list[float] = field(default_factory=list[float])


async def type_words(server: Process, person: int, times: Times) -> None:
    """Search for one word after the other, without end."""
    chosen = random.Random(person)
    vocabulary = conversations.words()
    while True:
        common = chosen.random() < 0.2
        word = chosen.choice(vocabulary[:20] if common else vocabulary[:20_000])
        asked: Exchange | None = None
        for length in range(1, len(word) + 1):
            if asked is not None:
                asked.abort()
            asked = await begin(server.port, "GET", f"/api/search?q={word[:length]}&limit=20")
            if length < len(word):
                await asyncio.sleep(TYPING_S)
        assert asked is not None
        reply = await asked.reply()
        assert reply.status == 200, reply
        times.searches.append((reply.ended - reply.began) * 1000)
        await asyncio.sleep(READING_S)


async def list_and_ask(server: Process, times: Times, seconds: float) -> None:
    """List the conversations and ask a question, by turns, for so long."""
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        listed = await (await begin(server.port, "GET", "/api/conversations?limit=50")).reply()
        assert listed.status == 200, listed
        times.lists.append((listed.ended - listed.began) * 1000)
        body = {"turn": {"text": "Hello", "max_tokens": 8}}
        asked = await (await begin(server.port, "POST", "/api/conversations", body, accept=SSE, first=DELTA)).reply()
        assert asked.first is not None, asked
        times.first_words.append((asked.first - asked.began) * 1000)
        await asyncio.sleep(0.05)


def row(name: str, values: list[float]) -> list[str]:
    return [name, str(len(values)), *(shown(quantile(values, share)) for share in (0.5, 0.95, 1))]


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--data", type=Path, help="a folder that conversations.py has filled")
    given = parser.parse_args()
    seconds = 5 if given.quick else 60
    with contextlib.ExitStack() as stack:
        folder: Path | None = given.data
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eclair-bench-")))
            await conversations.fill(folder, 10_000 if given.quick else conversations.COUNT)
        async with eclair(folder, scripted=True, ECLAIR_TITLES="false") as server:
            await list_and_ask(server, Times(), 2)
            alone, busy = Times(), Times()
            await list_and_ask(server, alone, seconds / 4)
            people = [asyncio.create_task(type_words(server, person, busy)) for person in range(PEOPLE)]
            await asyncio.sleep(1)
            await list_and_ask(server, busy, seconds)
            failed = [str(task.exception()) for task in people if task.done()]
            for task in people:
                task.cancel()
            await asyncio.gather(*people, return_exceptions=True)
            assert not failed, failed
    rows = [
        row("list, nobody searches", alone.lists),
        row("list, all search", busy.lists),
        row("first word, nobody searches", alone.first_words),
        row("first word, all search", busy.first_words),
        row("search, whole word", busy.searches),
    ]
    table(("what", "times", "p50, ms", "p95, ms", "most, ms"), rows)
    goals = Goals()
    goals.at_most("a list while 20 people search, p95", quantile(busy.lists, 0.95), 100, " ms")
    goals.at_most(
        "a new question's first word while 20 people search, p95", quantile(busy.first_words, 0.95), 150, " ms"
    )
    goals.print()


if __name__ == "__main__":
    run(main())
