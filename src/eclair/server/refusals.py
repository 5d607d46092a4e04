"""Refusals: the log of them, and a wait for whoever has sent wrong keys before their next key is looked at."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from eclair.errors import TooBusy
from eclair.server.client_address import client_network
from eclair.util.lru import LruCache

FREE_REFUSALS = 5
"""A page that was left open with an old key sends about as many at once."""
FIRST_DELAY_S = 0.25
MAX_DELAY_S = 4.0
MAX_WAITING = 8
"""Requests of one address that wait; further ones are refused unseen."""
MAX_ADDRESSES = 4096
FORGET_AFTER_S = 600.0

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Record:
    wrong: int = 0
    missing: int = 0
    waiting: int = 0
    until: float = 0.0
    latest: float = 0.0


class Refusals:
    """Counts refusals by address. Few addresses are remembered, those that were refused last."""

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Coroutine[Any, Any, None]] = asyncio.sleep,
    ) -> None:
        self._clock = clock
        self._sleep = sleep
        self._records: LruCache[str, _Record] = LruCache(MAX_ADDRESSES)

    async def wait(self, address: str) -> None:
        """Wait until a key from this address may be looked at. Raises TooBusy where too many wait already."""
        record = self._find(client_network(address))
        if record is None or record.until <= self._clock():
            return
        if record.waiting >= MAX_WAITING:
            raise TooBusy(
                "Too many wrong keys came from this address; wait some seconds before the next.",
                retry_after=MAX_DELAY_S,
            )
        record.waiting += 1
        try:
            while (left := record.until - self._clock()) > 0:
                await self._sleep(left)
        finally:
            record.waiting -= 1

    def note(self, address: str, *, had_key: bool) -> None:
        """Log a refusal, each doubling of their number once; a wrong key makes the address wait for the next."""
        network = client_network(address)
        record = self._find(network) or _Record()
        now = record.latest = self._clock()
        if had_key:
            record.wrong += 1
            count, level, what = record.wrong, logging.WARNING, "a wrong key"
            if record.wrong > FREE_REFUSALS:
                delay = FIRST_DELAY_S * 2 ** min(record.wrong - FREE_REFUSALS - 1, 16)
                record.until = now + min(delay, MAX_DELAY_S)
        else:
            record.missing += 1
            count, level, what = record.missing, logging.INFO, "a request without a key"
        self._records.put(network, record)
        if count & (count - 1) == 0:
            log.log(level, "Refused %s from %s (%d so far).", what, network, count)

    def _find(self, network: str) -> _Record | None:
        record = self._records.get(network)
        if record is not None and self._clock() - record.latest > FORGET_AFTER_S and not record.waiting:
            self._records.remove(network)
            return None
        return record
