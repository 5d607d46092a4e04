"""An engine's pieces on their way to one client, stopped when it goes. How they look is left to each dialect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import TypeVar

from fastapi import Request
from starlette.responses import Response

from eclair.engines.base import Ended, Piece
from eclair.errors import EngineBroken
from eclair.idle import Idle

T = TypeVar("T")
GONE = Response(status_code=499)
"""To a client that is no longer there."""


async def unbroken(stream: AsyncGenerator[Piece, None], idle: Idle) -> AsyncGenerator[Piece, None]:
    """The pieces of an answer, during which nobody is idle. Raises EngineBroken where they stop without an end."""
    ended = False
    with idle.busy():
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                ended = ended or isinstance(piece, Ended)
                yield piece
    if not ended:
        raise EngineBroken("The engine broke off before the end of its answer; try again.")


async def unless_gone(request: Request, work: Awaitable[T]) -> T | None:
    """Do the work, or stop it when the client goes away meanwhile: None then."""
    task = asyncio.ensure_future(work)
    gone = asyncio.create_task(_disconnected(request))
    try:
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for other in (task, gone):
            other.cancel()
        await asyncio.wait([task, gone])
    return None if task.cancelled() else task.result()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
