"""Background work gives way to answers: it begins when none is being made, and is cancelled when one is asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

CALM = 0.5
"""Seconds without an answer after which background work begins."""


class Idle:
    """Knows whether an answer is being made in this process."""

    def __init__(self) -> None:
        self._answers = 0
        self._ended = -CALM
        self._calm = asyncio.Event()
        self._calm.set()
        self._turn = asyncio.Lock()
        self._work: asyncio.Future[None] | None = None

    @contextmanager
    def busy(self) -> Generator[None]:
        """An answer is being made, or will be in a moment."""
        self._answers += 1
        self._calm.clear()
        if self._work is not None:
            self._work.cancel()
        try:
            yield
        finally:
            self._answers -= 1
            if self._answers == 0:
                self._ended = time.monotonic()
                self._calm.set()

    async def work(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work when it is calm, from its beginning as often as an answer interrupts it. One work at a time."""
        while not await self._done(work, CALM):
            pass

    async def work_once(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work as soon as no answer is being made. One that is asked for ends it."""
        await self._done(work, 0.0)

    async def _done(self, work: Callable[[], Awaitable[None]], calm: float) -> bool:
        """Whether it came to its end. Raises what the work raises."""
        async with self._turn:
            while not self._calm.is_set():
                await self._calm.wait()
            doing = self._work = asyncio.ensure_future(self._after(calm, work))
            try:
                await asyncio.wait([doing])
            finally:
                self._work = None
                doing.cancel()
                await asyncio.wait([doing])
            if doing.cancelled():
                return False
            doing.result()
            return True

    async def _after(self, calm: float, work: Callable[[], Awaitable[None]]) -> None:
        await asyncio.sleep(self._ended + calm - time.monotonic())
        await work()
