"""Looks after a running engine: tells whether it responds and answers anyone, and kills one that hangs.

llama.cpp's web server replies to `/health` from a thread of its own, however long the model computes. One that is
silent is stopped or stuck.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Callable

from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.network.client import BrokenReply, HttpClient, TimedOut, Unreachable

CHECK_INTERVAL_S = 2.0
REPLY_TIMEOUT_S = 3.0
SILENT_AFTER_S = 5.0
"""A silence that counts: a busy machine may be late once."""

LOAD_METRICS = (b"llamacpp:requests_processing", b"llamacpp:requests_deferred")
"""llama.cpp's metrics of requests being answered and waiting."""

log = logging.getLogger(__name__)


class Watchdog:
    """Asks the engine at `url` for its health, and calls `kill` once it has been silent for `limit_s` seconds."""

    def __init__(self, url: str, kill: Callable[[], None], limit_s: float) -> None:
        self._http = HttpClient(url, idle_timeout_s=REPLY_TIMEOUT_S)
        self._kill = kill
        self._limit_s = limit_s
        self._replied = time.monotonic()
        self._is_late = False

    @property
    def silence_s(self) -> float:
        """Seconds for which the engine has been silent; 0 while it responds."""
        silence = time.monotonic() - self._replied
        return silence if self._is_late and silence > SILENT_AFTER_S else 0.0

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncGenerator[None]:
        """Watch within the block."""
        self._replied = time.monotonic()
        task = asyncio.create_task(self._watch(), name="watch the embedded engine")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])
            await self._http.close()

    async def _watch(self) -> None:
        while True:
            if await self._responds():
                self._replied, self._is_late = time.monotonic(), False
            else:
                self._is_late = True
                if time.monotonic() - self._replied > self._limit_s:
                    log.error("The embedded engine has been silent for %.0f s; it is killed.", self._limit_s)
                    self._kill()
                    return
            await asyncio.sleep(CHECK_INTERVAL_S)

    async def _responds(self) -> bool:
        try:
            async with self._http.get(f"{self._http.url}/health") as reply:
                await reply.body(1 << 16)
        except (BrokenReply, TimedOut, Unreachable):
            return False
        return True


async def is_answering(client: OpenAIEngine) -> bool:
    """Return whether the engine is answering anyone, also for another Éclair."""
    try:
        async with client.http.get(f"{client.root}/metrics", idle_timeout_s=5.0) as reply:
            metrics = await reply.body(1 << 20)
    except (BrokenReply, TimedOut, Unreachable):
        return False  # it has died meanwhile
    counts = [line.split()[-1] for line in metrics.splitlines() if line.startswith(LOAD_METRICS)]
    return any(float(count) > 0 for count in counts)
