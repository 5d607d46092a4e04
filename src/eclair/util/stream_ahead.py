"""Reads a stream ahead of whoever takes it, so that a slow one holds up nothing that others wait for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TypeVar

T = TypeVar("T")


async def read_ahead(source: AsyncGenerator[T, None], size: Callable[[T], int], limit: int) -> AsyncGenerator[T, None]:
    """Yield what `source` yields. It is read on while what was not taken yet has no more than `limit` as its size."""
    items = asyncio.Queue[T | None]()
    has_room = asyncio.Event()
    held = 0

    async def read() -> None:
        nonlocal held
        try:
            async with aclosing(source):
                async for item in source:
                    items.put_nowait(item)
                    held += size(item)
                    while held > limit:
                        has_room.clear()
                        await has_room.wait()
        finally:
            items.put_nowait(None)

    reading = asyncio.create_task(read(), name="read ahead")
    try:
        while (item := await items.get()) is not None:
            yield item
            held -= size(item)
            has_room.set()
        await reading
    finally:
        reading.cancel()
        await asyncio.wait([reading])
