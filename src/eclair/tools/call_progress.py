"""Reports of how far a call is, while it runs: a few a second at most, however many there are."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import TypeVar

from eclair.schema.events import CallProgressed
from eclair.schema.messages import CallProgress

ResultT = TypeVar("ResultT")

MIN_INTERVAL_S = 0.4
MIN_INTERVAL_SHARE = 0.02
"""Of the time that a call has taken so far: however long it takes, about 300 reports an hour are the most."""


async def report_printed(
    call: str, run: Callable[[Callable[[str], None]], Awaitable[ResultT]]
) -> AsyncGenerator[CallProgressed | ResultT, None]:
    """Run code of a call: report what it prints while it runs, then return what `run` returns as the last item.

    `run` gets a function that it tells the last lines printed so far. Raises what `run` raises.
    """
    reports = asyncio.Queue[CallProgress | None]()
    throttle = ProgressThrottle(reports.put_nowait)
    running = asyncio.ensure_future(run(lambda printed: throttle.report(CallProgress(None, printed))))
    running.add_done_callback(lambda _: reports.put_nowait(None))
    try:
        while (progress := await reports.get()) is not None:
            yield CallProgressed(call, progress)
        yield running.result()
    finally:
        throttle.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


class ProgressThrottle:
    """Passes reports on to `put`, the first at once and then a few a second; the last one always gets through."""

    def __init__(self, put: Callable[[CallProgress], None]) -> None:
        self._put = put
        self._loop = asyncio.get_running_loop()
        self._began = self._next = self._loop.time()
        self._latest: CallProgress | None = None
        self._timer: asyncio.TimerHandle | None = None

    def report(self, progress: CallProgress) -> None:
        if progress == self._latest:
            return
        self._latest = progress
        if self._timer is None:
            self._timer = self._loop.call_at(self._next, self._pass_on)

    def close(self) -> None:
        """Pass nothing on any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _pass_on(self) -> None:
        self._timer = None
        now = self._loop.time()
        self._next = now + max(MIN_INTERVAL_S, MIN_INTERVAL_SHARE * (now - self._began))
        if self._latest is not None:
            self._put(self._latest)
