"""A limit of time that can be paused, as while a person is asked something."""

from __future__ import annotations

import asyncio
from types import TracebackType


class PausedTimeout:
    """Cancels its block after some seconds without the pauses, and raises TimeoutError, as `asyncio.timeout` does.

    Pauses may overlap: the clock goes on after the last one.
    """

    def __init__(self, seconds: float) -> None:
        self._timeout = asyncio.timeout(seconds)
        self._pauses = 0
        self._left = seconds
        self._since = 0.0

    @property
    def is_paused(self) -> bool:
        return self._pauses > 0

    def pause(self) -> None:
        self._pauses += 1
        until = self._timeout.when()
        if self._pauses == 1 and until is not None:
            self._since = asyncio.get_running_loop().time()
            self._left = until - self._since
            self._timeout.reschedule(None)

    def resume(self) -> float:
        """End one pause, if there is one; return how many seconds the clock stood if it goes on."""
        if self._pauses == 0:
            return 0.0
        self._pauses -= 1
        if self._pauses:
            return 0.0
        now = asyncio.get_running_loop().time()
        self._timeout.reschedule(now + self._left)
        return now - self._since

    async def __aenter__(self) -> PausedTimeout:
        await self._timeout.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        return await self._timeout.__aexit__(kind, error, trace)
