"""Resolves host names, with a short-lived cache; `ssrf` judges addresses."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Protocol

from eclair.util.lru import LruCache

MAX_CONCURRENT_LOOKUPS = 16
"""Each lookup blocks a thread, so that a slow name server holds up nothing else."""

CACHE_TTL_S = 60.0
MAX_CACHED_NAMES = 500


class Resolver(Protocol):
    """Resolves a name to addresses, each with its port. Raises OSError for an unknown name."""

    async def __call__(self, host: str, port: int) -> Sequence[tuple[str, int]]: ...


class DnsCache:
    """Resolves names by `resolver`, by default the system's, and caches the answers. `clock` is in seconds."""

    def __init__(self, resolver: Resolver | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._threads: ThreadPoolExecutor | None = None
        self._resolver = resolver or self._by_system
        self._known = LruCache[tuple[str, int], tuple[float, Sequence[tuple[str, int]]]](MAX_CACHED_NAMES)

    async def resolve(self, host: str, port: int) -> Sequence[tuple[str, int]]:
        """Return the addresses of a name; an address is its own. Raises OSError."""
        if _is_address(host):
            return [(host, port)]
        moment, found = self._known.get((host, port)) or (0.0, ())
        if not found or self._clock() - moment > CACHE_TTL_S:
            found = await self._resolver(host, port)
            self._known.put((host, port), (self._clock(), found))
        return found

    def close(self) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    async def _by_system(self, host: str, port: int) -> Sequence[tuple[str, int]]:
        if self._threads is None:
            self._threads = ThreadPoolExecutor(MAX_CONCURRENT_LOOKUPS, thread_name_prefix="eclair-dns")
        ask = partial(socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        rows = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return [(str(place[0]), int(place[1])) for _, _, _, _, place in rows]


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
