"""The audit log: records of outgoing calls, queued and written in batches.

No call waits for the database. While it can't be written, records wait in memory.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from eclair.errors import StoreError
from eclair.network.gate import OutboundGate
from eclair.network.policy import OutboundPolicy
from eclair.schema.ids import Clock
from eclair.settings import Settings
from eclair.storage.audit import AuditStore, CallRecord

WRITE_DELAY_S = 0.2
"""The time that the first record of a batch waits for others."""

RETRY_DELAY_S = 30.0
BATCH_ROWS = 500
MAX_WAITING_ROWS = 50_000
"""Records kept in memory while the database can't be written; the oldest are dropped first."""

ERASE_INTERVAL_S = 3600.0
DAY_MS = 86_400_000

log = logging.getLogger(__name__)


class AuditLog:
    """Implements `CallRecorder`. After `start`, records older than `days` are erased (0 keeps all).

    `close` writes what is still queued.
    """

    def __init__(self, calls: AuditStore, days: int = 0, clock: Clock = time.time) -> None:
        self._calls = calls
        self._days = days
        self._clock = clock
        self._waiting: list[CallRecord] = []
        self._served = True
        self._writing = asyncio.Lock()
        self._writer: asyncio.Task[None] | None = None
        self._eraser: asyncio.Task[None] | None = None

    async def start(self) -> None:
        if self._days:
            self._eraser = asyncio.create_task(self._erase_for_ever(), name="erase old records of the audit log")

    def record(self, call: CallRecord) -> None:
        self._waiting.append(call)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_soon(), name="write the audit log")

    async def flush(self) -> None:
        """Write everything that is queued."""
        async with self._writing:
            while self._waiting:
                batch = self._waiting[:BATCH_ROWS]
                try:
                    await asyncio.shield(self._calls.add_calls(batch))
                except StoreError as error:
                    self._served = False
                    log.error("%d calls are not in the audit log yet: %s", len(self._waiting), error.message)
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

    async def _erase_for_ever(self) -> None:
        while True:
            try:
                await self._calls.erase_calls(int(self._clock() * 1000) - self._days * DAY_MS)
            except StoreError as error:
                log.error("old records of the audit log cannot be erased yet: %s", error.message)
            await asyncio.sleep(ERASE_INTERVAL_S)


@asynccontextmanager
async def open_gate(settings: Settings) -> AsyncGenerator[OutboundGate]:
    """Open the gate for a command without a database: it is opened at the end, if a call was made.

    Raises SettingsError.
    """
    calls: list[CallRecord] = []
    try:
        yield OutboundGate(OutboundPolicy.from_settings(settings), _CallList(calls))
    finally:
        if calls:
            from eclair.storage.open import open_storage  # most commands call nobody

            try:
                storage = await asyncio.to_thread(open_storage, settings.data_dir)
                try:
                    await storage.audit.add_calls(calls)
                finally:
                    await storage.close()
            except StoreError as error:
                log.error("%d calls are not in the audit log: %s", len(calls), error.message)


class _CallList:
    def __init__(self, calls: list[CallRecord]) -> None:
        self._calls = calls

    def record(self, call: CallRecord) -> None:
        self._calls.append(call)
