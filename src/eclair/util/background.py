"""Background work that yields to answers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")

IN_BACKGROUND: ContextVar[bool] = ContextVar("in_background", default=False)
"""True in a task that yields to answers itself: an answer that it makes interrupts no other work."""

IDLE_DELAY_S = 0.5
"""The time without answers after which background work starts."""


class IdleScheduler:
    """Runs background work while this process makes no answer."""

    def __init__(self) -> None:
        self._active = 0
        self._answers = 0
        self._last_ended = -IDLE_DELAY_S
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._has_no_answer = asyncio.Event()
        self._has_no_answer.set()
        self._running = set[asyncio.Future[Any]]()
        self._preparing = set[asyncio.Future[Any]]()
        self._watching = set[asyncio.Future[None]]()

    @contextmanager
    def answering(self) -> Generator[None]:
        """Interrupt background work within the block, while an answer is made or about to be."""
        if IN_BACKGROUND.get():
            yield
            return
        self._answers += 1
        self._has_no_answer.clear()
        for task in self._preparing:
            task.cancel()
        try:
            with self.conversing():
                yield
        finally:
            self._answers -= 1
            if self._answers == 0:
                self._has_no_answer.set()

    @contextmanager
    def conversing(self) -> Generator[None]:
        """Interrupt background work within the block, while somebody speaks or listens; what `prepare` runs goes on."""
        self._active += 1
        self._is_idle.clear()
        for task in self._running:
            task.cancel()
        for watching in self._watching:
            if not watching.done():
                watching.set_result(None)
        try:
            yield
        finally:
            self._active -= 1
            if self._active == 0:
                self._last_ended = time.monotonic()
                self._is_idle.set()

    async def next_answer(self) -> None:
        """Return once another answer begins, or is about to."""
        begun = asyncio.get_running_loop().create_future()
        self._watching.add(begun)
        try:
            await begun
        finally:
            self._watching.discard(begun)

    def idle_seconds(self) -> float:
        """Return the seconds since the last answer ended; 0 while one is running."""
        return 0.0 if self._active else time.monotonic() - self._last_ended

    async def until_idle(self, delay_s: float = IDLE_DELAY_S) -> None:
        """Return once no answer has run for `delay_s`."""
        while (left := delay_s - self.idle_seconds()) > 0:
            await self._is_idle.wait()
            await asyncio.sleep(left)

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run work while idle, from its beginning after each interruption, until it is done."""

        async def finish() -> bool:
            await work()
            return True

        while await self.run_once(finish) is None:
            pass

    async def run_once(self, work: Callable[[], Awaitable[T]], delay_s: float = IDLE_DELAY_S) -> T | None:
        """Run work once no answer has run for `delay_s`; None if an answer interrupts it."""
        return await _run(lambda: self._after(delay_s, work), self._is_idle, self._running)

    async def prepare(self, work: Callable[[], Awaitable[T]]) -> T | None:
        """Run what prepares an answer once none is being made; None if one interrupts it."""
        return await _run(work, self._has_no_answer, self._preparing)

    async def _after(self, delay_s: float, work: Callable[[], Awaitable[T]]) -> T:
        await asyncio.sleep(self._last_ended + delay_s - time.monotonic())
        return await work()


async def _run(
    work: Callable[[], Awaitable[T]], may_begin: asyncio.Event, running: set[asyncio.Future[Any]]
) -> T | None:
    """Run work once it may begin, as one of those `running`; None if it is cancelled from there."""
    while not may_begin.is_set():
        await may_begin.wait()
    task = asyncio.ensure_future(work())
    running.add(task)
    try:
        await asyncio.wait([task])
    finally:
        task.cancel()
        await asyncio.wait([task])
        running.discard(task)
    return None if task.cancelled() else task.result()
