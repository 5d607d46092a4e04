"""Background work gives way to answers: it begins when none is being made, and is cancelled when one is asked for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

IDLE_DELAY_S = 0.5
"""Seconds without an answer after which background work begins."""


class IdleScheduler:
    """Knows whether an answer is being made in this process."""

    def __init__(self) -> None:
        self._answers = 0
        self._ended = -IDLE_DELAY_S
        self._calm = asyncio.Event()
        self._calm.set()
        self._works = set[asyncio.Future[Any]]()

    @contextmanager
    def answering(self) -> Generator[None]:
        """An answer is being made, or will be in a moment."""
        self._answers += 1
        self._calm.clear()
        for work in self._works:
            work.cancel()
        try:
            yield
        finally:
            self._answers -= 1
            if self._answers == 0:
                self._ended = time.monotonic()
                self._calm.set()

    def idle_seconds(self) -> float:
        """Seconds since the last answer ended; 0 while one is being made."""
        return 0.0 if self._answers else time.monotonic() - self._ended

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Do the work when it is calm, from its beginning as often as an answer interrupts it."""

        async def whole() -> bool:
            await work()
            return True

        while await self.run_once(whole) is None:
            pass

    async def run_once(self, work: Callable[[], Awaitable[T]], delay_s: float = IDLE_DELAY_S) -> T | None:
        """Do the work once no answer was made for `calm` seconds; None where an answer interrupts it."""
        while not self._calm.is_set():
            await self._calm.wait()
        doing = asyncio.ensure_future(self._after(delay_s, work))
        self._works.add(doing)
        try:
            await asyncio.wait([doing])
        finally:
            doing.cancel()
            await asyncio.wait([doing])
            self._works.discard(doing)
        return None if doing.cancelled() else doing.result()

    async def _after(self, calm: float, work: Callable[[], Awaitable[T]]) -> T:
        await asyncio.sleep(self._ended + calm - time.monotonic())
        return await work()
