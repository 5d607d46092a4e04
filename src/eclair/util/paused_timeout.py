"""A time limit that can be paused, as while a person is asked something, and restarted."""

from __future__ import annotations

import asyncio
from types import TracebackType


class PausedTimeout:
    """Cancels its block after some seconds without the pauses, and raises TimeoutError, as `asyncio.timeout` does.

    Pauses may overlap: the clock goes on after the last one. `restart` gives the block the same time again, `max_s` at
    most in all. `limit_s` is the limit that ends the block if nothing else does: those seconds, or `max_s`.
    """

    def __init__(self, seconds: float, max_s: float | None = None) -> None:
        self._timeout = asyncio.timeout(seconds)
        self._seconds = seconds
        self._max_s = seconds if max_s is None else max_s
        self.limit_s = seconds
        self._pauses = 0
        self._left = seconds
        self._since = self._end = 0.0
        self._is_open = False

    @property
    def is_paused(self) -> bool:
        return self._pauses > 0

    def restart(self) -> None:
        """Start the clock again; does nothing after the block."""
        if not self._is_open:
            return
        now = self._since if self._pauses else asyncio.get_running_loop().time()
        left = self._end - now
        self._left = min(self._seconds, left)
        self.limit_s = self._seconds if self._seconds < left else self._max_s
        if not self._pauses and not self._timeout.expired():
            self._timeout.reschedule(now + self._left)

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
        self._end += now - self._since
        return now - self._since

    async def __aenter__(self) -> PausedTimeout:
        await self._timeout.__aenter__()
        self._end = asyncio.get_running_loop().time() + self._max_s
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._is_open = False
        return await self._timeout.__aexit__(kind, error, trace)
