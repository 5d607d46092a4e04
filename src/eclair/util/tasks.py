"""Tasks of asyncio that are given up, and those that aren't."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

CLOSE_TIMEOUT_S = 10.0

log = logging.getLogger(__name__)


async def cancel_and_wait(task: asyncio.Future[Any]) -> None:
    """Cancel a task that is still running, and wait for its end."""
    if not task.done():
        task.cancel()
        await asyncio.wait([task])


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Do the work to its end even when cancelled, so that nothing goes on after the caller has."""
    task = asyncio.create_task(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


class UncancelledTasks:
    """Work that is done to its end although whoever waits for it is cancelled. Call `close` at the end."""

    def __init__(self) -> None:
        self._tasks = set[asyncio.Task[Any]]()

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Do the work, and return its result or raise its error."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            task.add_done_callback(_log_error)
            raise

    async def close(self) -> None:
        """Wait for what is being done, CLOSE_TIMEOUT_S at most, and cancel the rest."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=CLOSE_TIMEOUT_S)
        for task in list(self._tasks):
            await cancel_and_wait(task)


def _log_error(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("work that nobody waits for any more has failed: %s", error)
