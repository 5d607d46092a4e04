"""Has the database checked after an unclean end, and once a day while no answer runs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from eclair.storage.integrity import IntegrityStore
from eclair.util.background import IdleScheduler

UNCLEAN_START_DELAY_S = 3.0
START_DELAY_S = 120.0
"""A start that follows a clean end has better things to do."""
POLL_INTERVAL_S = 60.0
MAX_IDLE_WAIT_S = 3600.0
"""On a server that always answers, a check that is due begins after this time."""


class IntegrityWatch:
    """Runs the checks of one storage from `start` to `close`; calls `on_change` when one finds damage, or none."""

    def __init__(self, store: IntegrityStore, idle: IdleScheduler, on_change: Callable[[], None]) -> None:
        self._store = store
        self._idle = idle
        self._on_change = on_change
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="integrity")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        await asyncio.sleep(UNCLEAN_START_DELAY_S if self._store.has_ended_uncleanly else START_DELAY_S)
        while True:
            if self._store.is_check_due:
                known = self._store.damage
                await self._check()
                if self._store.damage != known:
                    self._on_change()
            await asyncio.sleep(POLL_INTERVAL_S)

    async def _check(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(MAX_IDLE_WAIT_S):
                await self._idle.run(self._store.check)
                return
        await self._store.check()
