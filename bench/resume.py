"""Nothing is lost: followers that come back at random points, and servers that are killed at random moments.

First, answers grow while followers connect with `Last-Event-ID` or `after` at random points, some to leave again,
some to stay to the end, some to come once all is over: each must get the very bytes that a follower from the
beginning got. Then a server is killed with -9 in mid-answer again and again. What the upstream had said at that
moment is compared with what the next server finds; the age of the oldest lost word is the loss. A follower that
comes back must end with the text that is kept.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from client import DELTA, SSE, Exchange, begin, call, native_events, native_message
from fast_upstream import words
from harness import SERVE, Goals, Process, eclair, launch, median, options, quantile, run, settings, table, upstream

from eclair.schema.ids import new_id

RATE = 200
MODEL = f"paced-{RATE}"
RUNS = 10
"""Answers that grow at once while followers come and go."""
TOGETHER = 4
"""Answers at work when a server is killed."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A turn that was begun, and the exchange that follows it from its first event."""

    question: str
    conversation: str
    exchange: Exchange

    @property
    def run(self) -> str:
        """The run's id, from its first event."""
        return native_message(b"\n\n".join([self.exchange.came.split(b"\n\n")[0], b""])).run or ""


async def ask(port: int, question: str, count: int) -> Asked:
    conversation = new_id("conv")
    body = {"id": conversation, "turn": {"text": question, "model": MODEL, "max_tokens": count}}
    exchange = await begin(port, "POST", "/api/conversations", body, accept=SSE, first=DELTA)
    return Asked(question, conversation, exchange)


async def reconnects(engine: Process, wanted: int, count: int, chance: random.Random) -> tuple[int, int, int]:
    """How many replies were compared, how many differed, and how many bytes they had."""
    async with eclair(engine=engine) as server:
        asked = await asyncio.gather(*(ask(server.port, f"Question {number}.", count) for number in range(RUNS)))
        await asyncio.sleep(0.3)
        lasting = count / RATE
        coming = [
            _come_back(server.port, one, chance.uniform(0, lasting * 1.1), chance)
            for one in asked
            for _ in range(wanted // RUNS)
        ]
        replies = await asyncio.gather(*coming)
        whole = {one.run: (await one.exchange.reply()).body for one in asked}
    wrong = 0
    for body in whole.values():
        if native_message(body).text != words(count):
            raise SystemExit("An answer is not what the upstream said.")
    for id, after, body, stayed in replies:
        events = whole[id].split(b"\n\n")[after:]
        expected = b"\n\n".join(events)
        if not (body == expected if stayed else expected.startswith(body)):
            wrong += 1
    return len(replies), wrong, sum(len(body) for _, _, body, _ in replies)


async def _come_back(port: int, asked: Asked, wait: float, chance: random.Random) -> tuple[str, int, bytes, bool]:
    """The run, the point from which it was followed, what came, and whether that is all to its end."""
    await asyncio.sleep(wait)
    events = native_events(asked.exchange.came)
    after = chance.randint(0, len(events))
    stays = chance.random() < 0.5
    query, header = ("", f"Last-Event-ID: {after}\r\n") if chance.random() < 0.5 else (f"?after={after}", "")
    exchange = await begin(port, "GET", f"/api/runs/{asked.run}/events{query}", accept=SSE, headers=header)
    if stays:
        return asked.run, after, (await exchange.reply()).body, True
    await asyncio.sleep(chance.uniform(0.02, 1.0))
    exchange.abort()
    return asked.run, after, exchange.came, False


@dataclass(slots=True)
class Losses:
    """What the kills cost: milliseconds of text for each answer, and what was not as it must be."""

    milliseconds: list[float]
    words: int
    restarts: list[float]
    resets: int
    wrong: list[str]


async def kills(engine: Process, wanted: int, chance: random.Random) -> Losses:
    losses = Losses([], 0, [], 0, [])
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        before: list[Asked] = []
        killed = 0.0
        for number in range(wanted + 1):
            server = await launch(SERVE, data, **settings(data, engine=engine))
            try:
                if before:
                    losses.restarts.append(time.perf_counter() - server.started)
                    await _compare(server, engine, before, killed, losses)
                if number < wanted:
                    before = [await ask(server.port, f"Question {number}.{one}.", 4000) for one in range(TOGETHER)]
                    await asyncio.sleep(chance.uniform(0.1, 1.2))
                    killed = time.monotonic()
            finally:
                server.kill()
    return losses


async def _compare(server: Process, engine: Process, before: list[Asked], killed: float, losses: Losses) -> None:
    emitted: dict[str, list[float]] = await call(engine.port, "GET", "/v1/emitted")
    for asked in before:
        said = [when for when in emitted.get(asked.question, []) if when < killed]
        tree: Any = await call(server.port, "GET", f"/api/conversations/{asked.conversation}")
        message = tree["messages"][-1]
        text = "".join(part["text"] for part in message["parts"])
        kept = len(text.split())
        if text != words(kept) or message["status"] != "interrupted":
            losses.wrong.append(f"{asked.question} is {message['status']} with {text[-40:]!r}")
        losses.words += len(said)
        losses.milliseconds.append(max(0.0, killed - said[kept]) * 1000 if kept < len(said) else 0.0)
        await _catch_up(server, asked, text, losses)


async def _catch_up(server: Process, asked: Asked, text: str, losses: Losses) -> None:
    """The follower that the server's death cut off comes back: it must end with the text that is kept."""
    seen = asked.exchange.came
    seen = seen[: seen.rfind(b"\n\n") + 2] if b"\n\n" in seen else b""
    if not seen:
        return
    header = f"Last-Event-ID: {len(native_events(seen))}\r\n"
    path = f"/api/runs/{asked.run}/events"
    body = (await (await begin(server.port, "GET", path, accept=SSE, headers=header)).reply()).body
    if body.startswith(b"event: reset"):
        losses.resets += 1
        seen, body = b"", body.partition(b"\n\n")[2]
    try:
        message = native_message(seen + body)
    except ValueError as error:
        losses.wrong.append(f"{asked.question}: {error}")
        return
    if message.text != text or message.status != "interrupted":
        losses.wrong.append(f"{asked.question}: the follower has {message.text[-40:]!r}, kept is {text[-40:]!r}")


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    chance = random.Random(given.seed)
    quick: bool = given.quick
    goals = Goals()
    async with upstream() as engine:
        compared, differing, size = await reconnects(engine, 200 if quick else 1000, 600 if quick else 2000, chance)
        print(f"{compared} reconnects to {RUNS} growing answers brought {size / 1e6:.1f} MB; {differing} differ.")
        losses = await kills(engine, 4 if quick else 50, chance)
    table(
        ("kills", "answers", "words said", "lost ms p50", "p95", "most", "sent back to the start", "restart s"),
        [
            (
                str(len(losses.restarts)),
                str(len(losses.milliseconds)),
                f"{losses.words:,}",
                f"{median(losses.milliseconds):.0f}",
                f"{quantile(losses.milliseconds, 0.95):.0f}",
                f"{max(losses.milliseconds):.0f}",
                str(losses.resets),
                f"{median(losses.restarts):.2f}",
            )
        ],
    )
    for wrong in losses.wrong[:5]:
        print(f"  wrong: {wrong}")
    goals.at_least("reconnects compared", compared, 200 if quick else 1000)
    goals.at_most("reconnects that differ by a byte", differing, 0)
    goals.at_least("kills", len(losses.restarts), 4 if quick else 50)
    goals.at_most("text lost in a kill, most", max(losses.milliseconds), 250, " ms")
    goals.at_most("answers or followers not as they must be", len(losses.wrong), 0)
    goals.print()


if __name__ == "__main__":
    run(main())
