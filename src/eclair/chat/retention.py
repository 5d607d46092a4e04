"""Retention: removes what the settings keep for a number of days only, in small steps between other writes."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable

from eclair.errors import StoreError
from eclair.schema.ids import Clock
from eclair.settings import Settings
from eclair.storage.base import Storage

START_DELAY_S = 60.0
"""A start isn't slowed down by what is due."""
INTERVAL_S = 3600.0
MAX_LOGS_PER_STEP = 50
PAUSE_RATIO = 4.0
"""A pause lasts this many times as long as the step before it."""
DAY_MS = 86_400_000

log = logging.getLogger(__name__)


class RetentionService:
    """Folds away the logs of old answers. Call `start` before use and `close` at the end."""

    def __init__(self, settings: Settings, storage: Storage, clock: Clock = time.time) -> None:
        self._settings = settings
        self._storage = storage
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run_periodically(), name="retention")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run_periodically(self) -> None:
        await asyncio.sleep(START_DELAY_S)
        while True:
            try:
                await self._fold_logs()
            except StoreError as error:
                log.error("the logs of old answers cannot be removed yet: %s", error.message)
            await asyncio.sleep(INTERVAL_S)

    async def _fold_logs(self) -> None:
        if self._settings.run_log_days:
            before = self._days_ago(self._settings.run_log_days)
            await _repeat(lambda: self._storage.runs.fold_logs(before, MAX_LOGS_PER_STEP))

    def _days_ago(self, days: int) -> int:
        """Return the time so many days ago, in milliseconds."""
        return int(self._clock() * 1000) - days * DAY_MS


async def _repeat(step: Callable[[], Awaitable[int]]) -> int:
    """Repeat a step until it does nothing, with pauses in which others write; return the sum of its counts."""
    total = 0
    while True:
        began = time.perf_counter()
        count = await step()
        if count == 0:
            return total
        total += count
        await asyncio.sleep(PAUSE_RATIO * (time.perf_counter() - began))
