"""Calls that many make at the same time, and that are made once for all of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(slots=True)
class _RunningCall:
    task: asyncio.Task[Any]
    callers: int = 0


class SharedCalls:
    """Runs one call for all who ask for the same key meanwhile."""

    def __init__(self) -> None:
        self._running: dict[Hashable, _RunningCall] = {}

    async def share(self, key: Hashable, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the result of `call`, or that of one under this key that has begun and not ended.

        It is cancelled once all who wait for it have been. Raises what it raises.
        """
        running = self._running.get(key)
        if running is None or running.task.done():
            running = self._running[key] = _RunningCall(asyncio.create_task(call()))
        running.callers += 1
        try:
            return await asyncio.shield(running.task)
        finally:
            running.callers -= 1
            if not running.callers:
                running.task.cancel()
                if self._running.get(key) is running:
                    del self._running[key]
