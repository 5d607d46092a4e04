"""Cancels tasks, and finishes work that outlives a cancelled caller."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger(__name__)


async def cancel_and_wait(task: asyncio.Future[Any]) -> None:
    """Cancel a task that is still running, and wait for its end."""
    if not task.done():
        task.cancel()
        await asyncio.wait([task])


async def wait_to_end(task: asyncio.Future[Any]) -> None:
    """Wait for the end of a task even if cancelled, once or more often, then raise the cancellation."""
    cancellation = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancellation = error
    if cancellation is not None:
        raise cancellation


async def finish(work: Coroutine[Any, Any, T]) -> T:
    """Finish the work even if cancelled, then raise the cancellation. An error of the work is logged then."""
    task = asyncio.create_task(work)
    try:
        await wait_to_end(task)
    except asyncio.CancelledError:
        _log_error(task)
        raise
    return task.result()


class UncancelledTasks:
    """Work that is done to its end although whoever waits for it is cancelled. Call `close` at the end.

    That waits `close_timeout_s` at most.
    """

    def __init__(self, close_timeout_s: float) -> None:
        self._close_timeout_s = close_timeout_s
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
        """Wait for what is being done, and cancel what takes too long."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=self._close_timeout_s)
        for task in list(self._tasks):
            await cancel_and_wait(task)


def _log_error(task: asyncio.Task[Any]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.warning("work failed after its caller was cancelled: %s", error)
