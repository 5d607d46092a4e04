"""An engine's pieces on their way to one client, stopped when it goes. How they look is left to each dialect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from typing import Protocol, TypeVar

import orjson
from fastapi import Request
from starlette.responses import Response

from eclair.errors import EclairError, EngineBroken
from eclair.llm.base import JSON, Ended, Piece
from eclair.server.sse import BEAT_LINE, EventStream, gone_away
from eclair.util.background import Idle

T = TypeVar("T")
GONE = Response(status_code=499)
"""To a client that is no longer there."""


class Rendering(Protocol):
    """One reply in the making: pieces in, the events of a dialect out. Each event is an object with its `type`."""

    def begin(self) -> list[JSON]: ...

    def take(self, piece: Piece) -> list[JSON]: ...

    def fail(self, error: EclairError) -> list[JSON]:
        """What ends a stream that cannot go on."""
        ...

    def whole(self) -> JSON:
        """The reply as it stands, for a client that did not ask for a stream."""
        ...


async def relay(
    request: Request,
    stream: AsyncGenerator[Piece, None],
    rendering: Rendering,
    *,
    streamed: bool,
    beat: bytes = BEAT_LINE,
) -> Response:
    """Answer with the pieces of a stream. A failure before the first of them is raised."""
    if not streamed:
        return await unless_gone(request, _whole(stream, rendering)) or GONE
    first = await unless_gone(request, anext(stream))
    return GONE if first is None else EventStream(_events(first, stream, rendering), beat=beat)


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
    gone = asyncio.create_task(gone_away(request.receive))
    try:
        await asyncio.wait([task, gone], return_when=asyncio.FIRST_COMPLETED)
    finally:
        for other in (task, gone):
            other.cancel()
        await asyncio.wait([task, gone])
    return None if task.cancelled() else task.result()


async def _whole(stream: AsyncGenerator[Piece, None], rendering: Rendering) -> Response:
    async with aclosing(stream) as pieces:
        async for piece in pieces:
            rendering.take(piece)
    return Response(orjson.dumps(rendering.whole()), media_type="application/json")


async def _events(first: Piece, rest: AsyncGenerator[Piece, None], rendering: Rendering) -> AsyncGenerator[bytes, None]:
    try:
        async with aclosing(rest) as pieces:
            yield _written([*rendering.begin(), *rendering.take(first)])
            async for piece in pieces:
                if events := rendering.take(piece):
                    yield _written(events)
    except EclairError as error:
        yield _written(rendering.fail(error))


def _written(events: list[JSON]) -> bytes:
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event)) for event in events)
