"""A limit on an engine's silence before its first word, which one that shows that it is at work may exceed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable

from eclair.network.client import BrokenReply, HttpClient, TimedOut, Unreachable

FIRST_WORD_TIMEOUT_S = 60.0
HEALTH_TIMEOUT_S = 10.0

ShowsLife = Callable[[], Awaitable[bool]]


@contextlib.asynccontextmanager
async def limit_silence(limit_s: float, shows_life: ShowsLife | None = None) -> AsyncGenerator[None]:
    """Bound the block to `limit_s` seconds, again and again as long as `shows_life` says so. Raises TimeoutError."""
    async with asyncio.timeout(None) as block:
        watch = asyncio.create_task(_watch(block, limit_s, shows_life), name="limit an engine's silence")
        try:
            yield
        finally:
            watch.cancel()


async def _watch(block: asyncio.Timeout, limit_s: float, shows_life: ShowsLife | None) -> None:
    while True:
        await asyncio.sleep(limit_s)
        if shows_life is None or not await shows_life():
            block.reschedule(asyncio.get_running_loop().time())
            return


async def llama_server_shows_life(http: HttpClient, root: str, idle_timeout_s: float) -> bool:
    """Ask llama.cpp's server at `root` whether it is alive, and wait for a sign of its loop.

    A thread of its own replies to `/health`, so that this takes no time. The loop replies to `/slots` between two
    batches of a prompt, which may take long on a slow processor.
    """
    for path, timeout_s in (("/health", HEALTH_TIMEOUT_S), ("/slots", idle_timeout_s)):
        try:
            async with http.get(root + path, idle_timeout_s=timeout_s):
                pass
        except (BrokenReply, TimedOut, Unreachable):
            return False
    return True
