"""A limit of time that can be paused, as while a person is asked something, and begun anew."""

from __future__ import annotations

import asyncio
from types import TracebackType


class PausedTimeout:
    """Cancels its block after some seconds without the pauses, and raises TimeoutError, as `asyncio.timeout` does.

    Pauses may overlap: the clock goes on after the last one. `renew` begins the time anew, up to `most_s` in all.
    """

    def __init__(self, seconds: float, most_s: float | None = None) -> None:
        self._timeout = asyncio.timeout(seconds)
        self._seconds = seconds
        self.most_s = seconds if most_s is None else most_s
        self._pauses = 0
        self._left = seconds
        self._since = self._end = 0.0
        self._is_open = False

    @property
    def is_paused(self) -> bool:
        return self._pauses > 0

    @property
    def has_used_up(self) -> bool:
        """Return whether no time is left of all that may be."""
        return not self.is_paused and asyncio.get_running_loop().time() >= self._end

    def renew(self) -> None:
        """Begin the time anew; it ends with that which there is in all. Does nothing after the block."""
        if not self._is_open:
            return
        now = self._since if self._pauses else asyncio.get_running_loop().time()
        self._left = min(self._seconds, self._end - now)
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
        self._end = asyncio.get_running_loop().time() + self.most_s
        self._is_open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._is_open = False
        return await self._timeout.__aexit__(kind, error, trace)
