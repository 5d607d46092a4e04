"""The queue of a server, as its metrics count it in Prometheus' format."""

from __future__ import annotations

import asyncio
import re
import time

from eclair.network.client import BrokenReply, HttpClient, ReplyTooLarge, TimedOut, Unreachable

READING_TTL_S = 1.0
READ_TIMEOUT_S = 1.0
MAX_METRICS_BYTES = 4 << 20


class QueueDepth:
    """The number of requests that wait at a server. A reading holds for a second, for all who ask."""

    def __init__(self, http: HttpClient, url: str) -> None:
        self._http = http
        self._url = url
        self._reading: int | None = None
        self._read_at = -READING_TTL_S
        self._lock = asyncio.Lock()

    async def get(self, metric: str) -> int | None:
        """Return the sum of a gauge; None if the server doesn't say."""
        async with self._lock:
            if time.monotonic() - self._read_at >= READING_TTL_S:
                self._reading = await self._read(metric)
                self._read_at = time.monotonic()
            return self._reading

    async def _read(self, metric: str) -> int | None:
        try:
            async with self._http.get(self._url, idle_timeout_s=READ_TIMEOUT_S) as reply:
                text = (await reply.body(MAX_METRICS_BYTES)).decode(errors="replace")
                return sum_gauge(text, metric) if reply.status == 200 else None
        except (Unreachable, TimedOut, BrokenReply, ReplyTooLarge):
            return None


def sum_gauge(text: str, name: str) -> int | None:
    """Return the sum of a gauge over all its labels; None if it isn't there."""
    found = re.findall(rf"^{re.escape(name)}(?:\{{[^}}\n]*\}})? ([0-9.e+]+)$", text, re.MULTILINE)
    return round(sum(map(float, found))) if found else None
