"""Keeps the rows of calls that left: queued as they come, written together, so that no call waits for it.

What a row holds is `door`'s affair. Where the database cannot serve, the rows wait, and the log says so.
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
"""Seconds that a row waits for others."""

RETRY_DELAY_S = 30.0
"""Seconds until a database that could not serve is asked again."""

BATCH_ROWS = 500
MAX_WAITING_ROWS = 50_000
"""Rows that wait for a database that cannot serve; of more, the oldest go."""

ERASE_INTERVAL_S = 3600.0
"""Seconds between two looks for rows that are too old."""

DAY_MS = 86_400_000

log = logging.getLogger(__name__)


class AuditLog:
    """Implements `door.Recorder`. `start` begins to erase what is older than `days` (0 erases nothing); `close` at the
    end writes what waits."""

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
            self._eraser = asyncio.create_task(self._erase_for_ever(), name="erase old rows of the egress ledger")

    def record(self, call: CallRecord) -> None:
        self._waiting.append(call)
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_soon(), name="write the egress ledger")

    async def flush(self) -> None:
        """Write what waits."""
        async with self._writing:
            while self._waiting:
                batch = self._waiting[:BATCH_ROWS]
                try:
                    await asyncio.shield(self._calls.add_calls(batch))
                except StoreError as error:
                    self._served = False
                    log.error("%d calls are not in the egress ledger yet: %s", len(self._waiting), error.message)
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
                log.error("old rows of the egress ledger cannot be erased yet: %s", error.message)
            await asyncio.sleep(ERASE_INTERVAL_S)


@asynccontextmanager
async def open_gate(settings: Settings) -> AsyncGenerator[OutboundGate]:
    """The door of a command that has no store open: it opens one at the end, if anything left. Raises SettingsError."""
    calls: list[CallRecord] = []
    try:
        yield OutboundGate(OutboundPolicy.from_settings(settings), _Kept(calls))
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
                log.error("%d calls are not in the egress ledger: %s", len(calls), error.message)


class _Kept:
    def __init__(self, calls: list[CallRecord]) -> None:
        self._calls = calls

    def record(self, call: CallRecord) -> None:
        self._calls.append(call)
