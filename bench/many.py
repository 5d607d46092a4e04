"""Many people at once on the embedded engine: how much of its own batch speed arrives, who waits, who gives way.

Each person asks a question and, when it is answered, another; every fourth gives a page to read with it. `direct` asks
the engine's own port the same. All rounds are greedy and go by turns.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from client import CONTENT, DELTA, SSE, Reply, begin, call, native_message
from harness import Goals, Others, Process, eclair, link_models, median, options, quantile, run, shown, table
from prefix import Chat, chat, ready, text

from eclair.llm.local.endpoint_file import endpoint_path
from eclair.models import catalog
from eclair.settings import SYSTEM_PROMPT

PAGE = 300
"""Words of what every fourth person gives to read."""
COUNTED = re.compile(rb'"completion_tokens":(\d+)')
TOPICS = ("bread", "rivers", "music", "glass", "winter", "markets", "letters", "gardens")


@dataclass(slots=True)
class Person:
    """What one person got: tokens, seconds, and the seconds to each first word."""

    tokens: int = 0
    seconds: float = 0.0
    firsts: list[float] = field(default_factory=list[float])

    @property
    def rate(self) -> float:
        return self.tokens / self.seconds


Ask = Callable[[str, int], Awaitable[tuple[Reply, int]]]
"""A question and the longest answer in tokens to what came back, and how many tokens it has."""


def direct(data: Path) -> Ask:
    """The engine's own door."""
    shared = json.loads(endpoint_path(data, catalog.STARTER_MODEL).read_text())
    port = int(shared["url"].rsplit(":", 1)[1])
    headers = f"Authorization: Bearer {shared['key']}\r\n"

    async def ask(question: str, count: int) -> tuple[Reply, int]:
        body = {
            "model": shared["model"],
            "messages": [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": question}],
            "temperature": 0,
            "max_tokens": count,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        path = "/v1/chat/completions"
        reply = await (await begin(port, "POST", path, body, accept=SSE, first=CONTENT, headers=headers)).reply()
        return reply, int(COUNTED.findall(reply.body)[-1])

    return ask


def through(server: Process) -> Ask:
    """Éclair's door: a conversation of its own for each question."""

    async def ask(question: str, count: int) -> tuple[Reply, int]:
        body = {"turn": {"text": question, "max_tokens": count, "temperature": 0}}
        reply = await (await begin(server.port, "POST", "/api/conversations", body, accept=SSE, first=DELTA)).reply()
        usage = native_message(reply.body).usage
        return reply, (usage and usage.completion_tokens) or 0

    return ask


def question(turn: int, person: int, asked: int) -> str:
    """A question that nobody else asks; every fourth person's has a page before it."""
    own = f"Tell me a long story about {TOPICS[person % len(TOPICS)]} and the number {turn * 100 + person * 2 + asked}."
    return f"{text(PAGE, turn * 1000 + person * 10 + asked)}\n\n{own}" if person % 4 == 3 else own


async def round_of(ask: Ask, people: int, turn: int, count: int) -> tuple[float, list[Person]]:
    """Tokens per second of all together, and what each got."""

    async def person(number: int) -> Person:
        got = Person()
        began = time.perf_counter()
        for asked in range(2):
            reply, tokens = await ask(question(turn, number, asked), count)
            got.tokens += tokens
            got.firsts.append((reply.first or reply.ended) - reply.began)
        got.seconds = time.perf_counter() - began
        return got

    began = time.perf_counter()
    found = await asyncio.gather(*(person(number) for number in range(people)))
    return sum(got.tokens for got in found) / (time.perf_counter() - began), list(found)


async def giving_way(server: Process, words: int, goals: Goals) -> None:
    """The first word of a question asked while the engine reads ahead for somebody else, against one asked in peace."""
    kept = await chat(server)
    await kept.ask(text(words, 1))
    others = [Chat(server, (await chat(server)).id) for _ in range(6)]
    peace = [(await other.ask(f"What of {at} in peace?")).seconds for at, other in enumerate(others[:3])]
    hurried: list[float] = []
    for at, other in enumerate(others[3:]):
        fresh = text(words, at + 50)
        await call(server.port, "POST", "/api/prefill", {"text": fresh})
        await asyncio.sleep(1)
        hurried.append((await other.ask(f"What of {at} in haste?")).seconds)
    print(
        f"First word in peace {shown(median(peace))} s, while somebody's text is read ahead {shown(median(hurried))} s."
    )
    goals.at_most("first word later while the engine reads ahead for another", median(hurried) - median(peace), 1, " s")


@dataclass(slots=True)
class Measured:
    """Rounds of one route with so many people."""

    rates: list[float] = field(default_factory=list[float])
    people: list[list[Person]] = field(default_factory=list[list[Person]])

    def firsts(self) -> list[float]:
        return [first for people in self.people for person in people for first in person.firsts]

    def slowest(self) -> float:
        """Tokens per second of the slowest without a page to read, of their mean; of all rounds the worst."""
        rates = [[person.rate for at, person in enumerate(people) if at % 4 != 3] for people in self.people]
        return min(min(each) * len(each) / sum(each) for each in rates)


async def by_turns(routes: dict[str, Ask], people: int, times: int, count: int) -> dict[str, Measured]:
    """Rounds of each route in turn, whose order is turned round each time."""
    measured = {name: Measured() for name in routes}
    for turn in range(times):
        for at, name in enumerate(routes if turn % 2 == 0 else reversed(routes)):
            rate, found = await round_of(routes[name], people, people * 10 + turn * 2 + at, count)
            measured[name].rates.append(rate)
            measured[name].people.append(found)
    return measured


def row(people: int, name: str, measured: Measured, noise: float) -> list[str]:
    firsts = measured.firsts()
    waits = " / ".join(shown(quantile(firsts, share) * 1000) for share in (0.5, 0.95))
    return [str(people), name, shown(median(measured.rates)), waits, f"{measured.slowest():.2f}", f"{noise:.2f}"]


async def main() -> None:
    quick: bool = options(__doc__ or "").parse_args().quick
    rounds = {1: 1, 4: 1} if quick else {1: 3, 4: 2, 8: 2, 16: 2, 32: 1}
    rows: list[list[str]] = []
    goals = Goals()
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        link_models(data)
        model = catalog.STARTER_MODEL
        async with eclair(data, ECLAIR_EMBEDDED="true", ECLAIR_TITLES="false", ECLAIR_MODEL=model) as server:
            await ready(server)
            routes = {"direct": direct(data), "éclair": through(server)}
            for people, times in rounds.items():
                others = Others()
                measured = await by_turns(routes, people, times, 8 if quick else 64)
                noise = others.cores()
                rows += [row(people, name, measured[name], noise) for name in routes]
                ratios = zip(measured["éclair"].rates, measured["direct"].rates, strict=True)
                ratio = median([ours / engines for ours, engines in ratios])
                goals.at_least(f"{people} at once: tokens/s together, of the engine's own", ratio, 0.95)
                if people > 1:
                    slowest = measured["éclair"].slowest()
                    goals.at_least(f"{people} at once: the slowest person's tokens/s, of the mean", slowest, 0.5)
            await giving_way(server, 200 if quick else 1500, goals)
    print()
    table(("people", "route", "tokens/s", "first word p50 / p95, ms", "slowest / mean", "others' cores"), rows)
    goals.print()


if __name__ == "__main__":
    run(main())
