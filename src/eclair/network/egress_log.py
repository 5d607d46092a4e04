"""The egress log: a call is stored before it is made, and completed in batches.

While the database can't be written, records wait in memory.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from dataclasses import replace

from eclair.errors import StoreError
from eclair.network.gate import OutboundGate
from eclair.network.policy import OutboundPolicy
from eclair.schema.ids import Clock
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.egress import CallRecord, EgressStore

WRITE_DELAY_S = 0.2
"""The time that the first record of a batch waits for others."""

RETRY_DELAY_S = 30.0
BATCH_ROWS = 500
MAX_WAITING_ROWS = 50_000
"""Records kept in memory while the database can't be written; the oldest are dropped first."""

ERASE_INTERVAL_S = 3600.0
DAY_MS = 86_400_000

log = logging.getLogger(__name__)


class EgressLog:
    """Implements `CallRecorder`. After `start`, records older than `days` are erased (0 keeps all).

    `close` writes what is still queued.
    """

    def __init__(self, calls: EgressStore, days: int = 0, clock: Clock = time.time) -> None:
        self._calls = calls
        self._days = days
        self._clock = clock
        self._waiting: list[tuple[CallRecord, Awaitable[int] | None]] = []
        self._served = True
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None
        self._eraser: asyncio.Task[None] | None = None

    async def start(self) -> None:
        self._eraser = asyncio.create_task(self._tidy_for_ever(), name="tidy the egress log")

    async def begin(self, call: CallRecord) -> int:
        if not self._served:
            return 0
        try:
            return await self._calls.begin_call(call)
        except StoreError as error:
            self._served = False
            log.error("a call isn't in the egress log yet: %s", error.message)
            return 0

    def record(self, call: CallRecord, begun: Awaitable[int] | None = None) -> None:
        self._waiting.append((call, begun))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_soon(), name="write the egress log")

    async def settle(self) -> None:
        """Write everything that is queued, and mark what dead processes left under way."""
        await self.flush()
        await self._calls.mark_interrupted()

    async def flush(self) -> None:
        """Write everything that is queued."""
        async with self._writing:
            while self._waiting:
                batch = self._waiting[:BATCH_ROWS]
                calls = [replace(call, id=await begun) if begun is not None else call for call, begun in batch]
                try:
                    await asyncio.shield(self._calls.add_calls(calls))
                except StoreError as error:
                    self._served = False
                    log.error("%d calls are not in the egress log yet: %s", len(self._waiting), error.message)
                    del self._waiting[:-MAX_WAITING_ROWS]
                    return
                self._served = True
                del self._waiting[: len(batch)]

    async def close(self) -> None:
        for task in (self._eraser, self._writer):
            if task is not None:
                task.cancel()
                await asyncio.wait([task])
        await self.flush()

    async def _write_soon(self) -> None:
        while self._waiting:
            await asyncio.sleep(WRITE_DELAY_S if self._served else RETRY_DELAY_S)
            await asyncio.shield(asyncio.ensure_future(self.flush()))

    async def _tidy_for_ever(self) -> None:
        while True:
            try:
                await self._calls.mark_interrupted()
                if self._days:
                    await self._calls.erase_calls(int(self._clock() * 1000) - self._days * DAY_MS)
            except StoreError as error:
                log.error("old records of the egress log cannot be erased yet: %s", error.message)
            await asyncio.sleep(ERASE_INTERVAL_S)


@asynccontextmanager
async def open_gate(settings: Settings, *, is_restoring: bool = False) -> AsyncGenerator[OutboundGate]:
    """Open the gate for a command without a database: it is opened with the first call.

    With `is_restoring` that is done at the end, and only if there is one then. Raises SettingsError.
    """
    recorder = _LazyEgressLog(settings, is_restoring=is_restoring)
    try:
        yield OutboundGate(OutboundPolicy.from_settings(settings), recorder)
    finally:
        await recorder.close()


class _LazyEgressLog:
    """Implements `CallRecorder`; opens the database with the first call, since most commands make none."""

    def __init__(self, settings: Settings, *, is_restoring: bool) -> None:
        self._settings = settings
        self._is_restoring = is_restoring
        self._opening = asyncio.Lock()
        self._waiting: list[CallRecord] = []
        self._opened: tuple[Storage, EgressLog] | None = None

    async def begin(self, call: CallRecord) -> int:
        if self._is_restoring:
            return 0
        try:
            return await (await self._open()).begin(call)
        except StoreError as error:
            log.error("a call isn't in the egress log yet: %s", error.message)
            return 0

    def record(self, call: CallRecord, begun: Awaitable[int] | None = None) -> None:
        if self._opened is not None:
            self._opened[1].record(call, begun)
        else:
            self._waiting.append(call)

    async def close(self) -> None:
        """Store what waits, and close the database."""
        try:
            if self._waiting and self._is_restoring and not await asyncio.to_thread(self._has_database):
                log.error("%d calls are not in the egress log: nothing was restored.", len(self._waiting))
                return
            if self._waiting:
                await self._open()
            if self._opened is not None:
                storage, egress_log = self._opened
                for call in self._waiting:
                    egress_log.record(call)
                await egress_log.close()
                await storage.close()
        except StoreError as error:
            log.error("%d calls are not in the egress log: %s", len(self._waiting), error.message)

    def _has_database(self) -> bool:
        """Raises StoreError."""
        from eclair.storage.open import inspect_database

        return inspect_database(self._settings) is not None

    async def _open(self) -> EgressLog:
        """Raises StoreError."""
        from eclair.storage.open import open_storage

        async with self._opening:
            if self._opened is None:
                storage = await asyncio.to_thread(open_storage, self._settings)
                self._opened = storage, EgressLog(storage.egress)
            return self._opened[1]
