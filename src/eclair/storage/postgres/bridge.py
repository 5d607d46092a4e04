"""Lets a function that knows nothing of asyncio wait for what the event loop does.

The stores' methods are plain functions, since SQLite answers at once. On PostgreSQL such a function runs as a greenlet:
`wait_for` hands what it waits for to the coroutine that runs it, which awaits that and goes on with the function.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from greenlet import getcurrent, greenlet

T = TypeVar("T")


async def run_bridged(work: Callable[[], T]) -> T:
    """Run `work`, in which `wait_for` may be called, and return its result. Raises what it raises."""
    runner = greenlet(work)
    result: Any = runner.switch()
    while not runner.dead:
        try:
            value = await result
        except BaseException as error:
            result = runner.throw(error)
        else:
            result = runner.switch(value)
    return result


def wait_for(awaitable: Awaitable[T]) -> T:
    """Wait for an awaitable, within a function that `run_bridged` runs; raise what it raises."""
    parent = getcurrent().parent
    assert parent is not None, "only within run_bridged"
    return parent.switch(awaitable)


def run_in_thread(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on a loop of its own in another thread, as the caller may be on one. Blocks."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
