"""What Éclair costs on its embedded engine: the same questions to both, greedy, by turns in one run.

`direct` asks the engine's own port what Éclair would ask it. `native` asks in a conversation that exists, with log
and database; `/v1` is chat completions. Every question was asked once before, so that all three find the engine's
cache alike.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from client import CONTENT, DELTA, SSE, Reply, begin, call, native_message, openai_text, quiet
from harness import Goals, Others, Process, eclair, link_models, median, options, quantile, run, shown, table

from eclair.llm.local.endpoint_file import endpoint_path
from eclair.models import catalog
from eclair.settings import SYSTEM_PROMPT

ROUTES = ("direct", "native", "/v1")
QUESTIONS = (
    "Why is the sky blue?",
    "How does bread rise?",
    "What is a river delta?",
    "Why do leaves fall in autumn?",
    "How does a bicycle stay upright?",
    "What makes music sad?",
    "Why is the sea salty?",
    "How do bees find flowers?",
    "What is a market?",
    "Why do cats purr?",
    "How are mountains made?",
    "What is glass made of?",
    "Why do we dream?",
    "How does a lock work?",
    "What is a treaty?",
    "Why does ice float?",
)


OPENINGS = ("Bread", "Rivers", "Music", "Glass", "Winter")


@dataclass(slots=True)
class Bench:
    """Éclair and its engine at work."""

    server: Process
    engine: str
    key: str
    model: str

    async def ask(self, route: str, question: str, count: int, conversation: str = "") -> Reply:
        if route == "native":
            body = {"text": question, "max_tokens": count, "temperature": 0}
            path = f"/api/conversations/{conversation}/turns"
            return await (await begin(self.server.port, "POST", path, body, accept=SSE, first=DELTA)).reply()
        asked: dict[str, Any] = {
            "model": self.model,
            "messages": [{"role": "system", "content": SYSTEM_PROMPT}, {"role": "user", "content": question}],
            "temperature": 0,
            "max_tokens": count,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        port = self.server.port if route == "/v1" else int(self.engine.rsplit(":", 1)[1])
        headers = "" if route == "/v1" else f"Authorization: Bearer {self.key}\r\n"
        path = "/v1/chat/completions"
        return await (await begin(port, "POST", path, asked, accept=SSE, first=CONTENT, headers=headers)).reply()

    async def conversation(self) -> str:
        return (await call(self.server.port, "POST", "/api/conversations", {}))["id"]


@dataclass(slots=True)
class Measured:
    """Rounds of one route with so many at once."""

    rates: list[float] = field(default_factory=list[float])
    firsts: list[float] = field(default_factory=list[float])


def _text(route: str, reply: Reply) -> str:
    if reply.status not in (200, 202):
        raise SystemExit(f"{route} answers {reply.status}: {reply.body[:300]!r}")
    return native_message(reply.body).text if route == "native" else openai_text(reply.body)


async def round_of(bench: Bench, route: str, questions: Sequence[str], count: int, measured: Measured) -> None:
    """Ask all questions at once."""
    conversations = [await bench.conversation() if route == "native" else "" for _ in questions]
    began = time.perf_counter()
    replies = await asyncio.gather(
        *(bench.ask(route, question, count, where) for question, where in zip(questions, conversations, strict=True))
    )
    said = sum(len(_text(route, reply).split()) for reply in replies)
    measured.rates.append(said / (max(reply.ended for reply in replies) - began))
    measured.firsts += [(reply.first or reply.ended) - reply.began for reply in replies]


async def by_turns(bench: Bench, together: int, count: int, rounds: int) -> dict[str, Measured]:
    """Rounds of each route in turn, whose order is turned round each time."""
    measured = {route: Measured() for route in ROUTES}
    for turn in range(rounds):
        start = turn * together
        questions = [QUESTIONS[(start + number) % len(QUESTIONS)] for number in range(together)]
        await round_of(bench, "direct", questions, 1, Measured())
        for route in ROUTES if turn % 2 == 0 else ROUTES[::-1]:
            await round_of(bench, route, questions, count, measured[route])
    return measured


async def growing(bench: Bench, chats: int) -> list[list[float]]:
    """Times to the first word of the five turns of some chats, in seconds, which are printed with what was cached."""
    times: list[list[float]] = []
    for chat in range(chats):
        conversation = await bench.conversation()
        turns: list[float] = []
        cached: list[str] = []
        for turn in range(5):
            # No two begin alike: what is cached of a first question is the system message, no more.
            question = f"{OPENINGS[chat]}, and the number {chat * 5 + turn + 11}: tell me one more thing about them."
            reply = await bench.ask("native", question, 48, conversation)
            usage = native_message(reply.body).usage
            turns.append((reply.first or reply.ended) - reply.began)
            if usage is not None:
                cached.append(f"{usage.cached_tokens}/{usage.prompt_tokens}")
        times.append(turns)
        print(f"  chat {chat + 1}: {', '.join(f'{turn * 1000:.0f}' for turn in turns)} ms; cached {', '.join(cached)}")
    return times


async def main() -> None:
    quick: bool = options(__doc__ or "").parse_args().quick
    rounds = {1: 2, 8: 1} if quick else {1: 8, 4: 4, 8: 3, 16: 3}
    count = 16 if quick else 128
    goals = Goals()
    rows: list[list[str]] = []
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        link_models(data)
        async with eclair(data, ECLAIR_EMBEDDED="true") as server:
            bench = await _ready(server, data)
            await _first_question(bench, goals)
            alone = 0.0
            for together in rounds:
                others = Others()
                measured = await by_turns(bench, together, count, rounds[together])
                noise = others.cores()
                rows += [_row(route, together, measured, noise) for route in ROUTES]
                alone = alone or median(measured["native"].rates)
                _judge(goals, together, measured, alone)
            firsts = await by_turns(bench, 1, 2, 5 if quick else 60)
            rows += [_row(route, 1, firsts, 0.0, "first word only, 1") for route in ROUTES]
            _judge_firsts(goals, firsts)
            _judge_growth(goals, await growing(bench, 1 if quick else 5))
    print()
    table(("at once", "route", "words/s", "of direct", "first p50 ms", "p95", "others' cores"), rows)
    goals.print()


async def _ready(server: Process, data: Path) -> Bench:
    while (await (await begin(server.port, "GET", "/api/health")).reply()).status != 200:  # noqa: ASYNC110
        await asyncio.sleep(0.05)
    shared = json.loads(endpoint_path(data, catalog.STARTER_MODEL).read_text())
    bench = Bench(server, shared["url"], shared["key"], shared["model"])
    await quiet(bench.engine, bench.key)
    return bench


async def _first_question(bench: Bench, goals: Goals) -> None:
    headers = f"Authorization: Bearer {bench.key}\r\n"
    port = int(bench.engine.rsplit(":", 1)[1])
    body = {"content": SYSTEM_PROMPT}
    tokens = (await (await begin(port, "POST", "/tokenize", body, headers=headers)).reply()).json()["tokens"]
    reply = await bench.ask("native", "What is the first question?", 8, await bench.conversation())
    usage = native_message(reply.body).usage
    assert usage is not None
    print(
        f"The first question after the start: {usage.cached_tokens} of {usage.prompt_tokens} tokens cached, "
        f"first word after {usage.first_word_ms} ms."
    )
    goals.at_least("first question: cached tokens, of the system message's", usage.cached_tokens or 0, len(tokens))


def _row(route: str, together: int, measured: dict[str, Measured], noise: float, name: str = "") -> list[str]:
    own = measured[route]
    return [
        name or str(together),
        route,
        "" if name else shown(median(own.rates)),
        "" if name or route == "direct" else f"{_ratio(measured, route):.3f}",
        shown(median(own.firsts) * 1000),
        shown(quantile(own.firsts, 0.95) * 1000),
        "" if name else f"{noise:.2f}",
    ]


def _ratio(measured: dict[str, Measured], route: str) -> float:
    """The median of the rounds' ratios: neighbors in time suffer the same neighbors in space."""
    pairs = zip(measured[route].rates, measured["direct"].rates, strict=True)
    return median([ours / direct for ours, direct in pairs])


def _judge(goals: Goals, together: int, measured: dict[str, Measured], alone: float) -> None:
    if together in (1, 16):
        for route in ROUTES[1:]:
            goals.at_least(
                f"{together} × {route}: words/s, of direct", _ratio(measured, route), 0.98 - 0.03 * (together > 1)
            )
    if together == 8:
        goals.at_least("8 × native: words/s together, of one", median(measured["native"].rates) / alone, 1.8)


def _judge_firsts(goals: Goals, firsts: dict[str, Measured]) -> None:
    for route in ROUTES[1:]:
        for name, share, goal in (("median", 0.5, 5), ("p95", 0.95, 10)):
            later = quantile(firsts[route].firsts, share) - quantile(firsts["direct"].firsts, share)
            goals.at_most(f"{route}: first word later, {name}", later * 1000, goal, " ms")


def _judge_growth(goals: Goals, chats: Sequence[Sequence[float]]) -> None:
    turns = [median([chat[turn] for chat in chats]) * 1000 for turn in range(5)]
    print("First word in turns 1 to 5: " + ", ".join(f"{turn:.0f}" for turn in turns) + " ms.")
    goals.at_most("turn five's first word, of turn one's", median([chat[4] / chat[0] for chat in chats]), 1.8)


if __name__ == "__main__":
    run(main())
