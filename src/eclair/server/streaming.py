"""Answers on their way to one client of a foreign API, stopped when it goes. How they look is left to each dialect."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from typing import Protocol, TypeVar

import orjson
from fastapi import Request
from starlette.responses import Response

from eclair.errors import EclairError
from eclair.generation.pipeline import Answer
from eclair.llm.base import JSON
from eclair.schema.events import Event
from eclair.server.sse import BEAT_LINE, EventStream, gone_away

T = TypeVar("T")
GONE = Response(status_code=499)
"""The reply to a client that is no longer there."""


class Renderer(Protocol):
    """Renders the events of a request's answers as objects of a dialect."""

    def render(self, event: Event, choice: int) -> list[JSON]:
        """Take the next event of answer number `choice`, and return what a streaming client is sent for it."""
        ...

    def end(self, error: EclairError | None = None) -> list[JSON | bytes]:
        """Return what ends a stream, after the last answer or in place of what an `error` kept from coming."""
        ...

    def whole(self) -> JSON:
        """Return the reply for a client that did not ask for a stream."""
        ...


async def relay(
    request: Request, answers: Sequence[Answer], renderer: Renderer, *, streamed: bool, beat: bytes = BEAT_LINE
) -> Response:
    """Make the answers and reply with them. A failure before there is anything to send is raised."""
    if not streamed:
        return await unless_gone(request, _whole(answers, renderer)) or GONE
    chunks = _chunks(answers, renderer)
    first = await unless_gone(request, anext(chunks))
    return GONE if first is None else EventStream(chunks, first=first, beat=beat)


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


async def _whole(answers: Sequence[Answer], renderer: Renderer) -> Response:
    """Make the answers side by side. Where one fails, the others are not waited for."""
    tasks = [asyncio.create_task(_collect(answer, renderer, number)) for number, answer in enumerate(answers)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    return Response(orjson.dumps(renderer.whole()), media_type="application/json")


async def _collect(answer: Answer, renderer: Renderer, choice: int) -> None:
    async with aclosing(answer.events()) as events:
        async for event in events:
            renderer.render(event, choice)
    for event in answer.closing_events():
        renderer.render(event, choice)


async def _chunks(answers: Sequence[Answer], renderer: Renderer) -> AsyncGenerator[bytes, None]:
    """Stream the answers one after the other. Raises what fails before the first chunk; later it ends the stream."""
    has_begun = False
    try:
        for choice, answer in enumerate(answers):
            async with aclosing(answer.events()) as events:
                async for event in events:
                    if rendered := renderer.render(event, choice):
                        yield _written(rendered)
                        has_begun = True
            yield _written([each for event in answer.closing_events() for each in renderer.render(event, choice)])
            has_begun = True
        if ending := renderer.end():
            yield _written(ending)
    except EclairError as error:
        if not has_begun:
            raise
        yield _written(renderer.end(error))


def _written(objects: Sequence[JSON | bytes]) -> bytes:
    """Write server-sent events; one that has a `type` is called by it. Bytes are written as they are."""
    return b"".join(each if isinstance(each, bytes) else _frame(each) for each in objects)


def _frame(event: JSON) -> bytes:
    data = orjson.dumps(event)
    name = event.get("type")
    return b"data: %b\n\n" % data if name is None else b"event: %b\ndata: %b\n\n" % (name.encode(), data)
