"""Relays answers to a client of a foreign API, and stops them when it disconnects."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Protocol, TypeVar

import orjson
from fastapi import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from eclair.errors import EclairError
from eclair.generation.pipeline import AnswerStream
from eclair.llm.base import JSON
from eclair.schema.events import Event
from eclair.server.sse import EVENT_STREAM, HEARTBEAT, EventStream, wait_for_disconnect

T = TypeVar("T")
MAX_STATUS_DELAY_S = 1.0
"""A stream waits so long for its first chunk: an error that comes at once has a status of its own."""
CLIENT_GONE = Response(status_code=499)
"""Reply to a client that has disconnected; nobody reads it."""


class BytesStream(StreamingResponse):
    """Sends the bytes of a generator as they come, and closes it when the client disconnects.

    Starlette's response would cancel whatever the generator awaits while it cleans up, and leave the rest undone.
    """

    def __init__(self, chunks: AsyncGenerator[bytes, None], media_type: str, headers: Mapping[str, str]) -> None:
        super().__init__(chunks, media_type=media_type, headers=headers)
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await unless_disconnected(Request(scope, receive), self._send_all(send))

    async def _send_all(self, send: Send) -> None:
        async with aclosing(self._chunks):
            await self.stream_response(send)


class Renderer(Protocol):
    """Renders the events of a request's answers as objects of a foreign API."""

    def render(self, event: Event, choice: int) -> Sequence[JSON | bytes]:
        """Take the next event of answer number `choice`; return what a streaming client is sent for it.

        Objects become server-sent events; bytes are sent as they are.
        """
        ...

    def end(self, error: EclairError | None = None) -> Sequence[JSON | bytes]:
        """Return what ends a stream: after the last answer, or after an `error` cut it off."""
        ...

    def full_response(self) -> JSON:
        """Return the response for a client that did not ask for a stream."""
        ...


async def relay(
    request: Request,
    answers: Sequence[AnswerStream],
    renderer: Renderer,
    *,
    streamed: bool,
    heartbeat: bytes = HEARTBEAT,
    content_type: str = EVENT_STREAM,
    before_end: Callable[[], Awaitable[None]] | None = None,
) -> Response:
    """Run the answers and send them. Raises an error that occurs before anything was sent.

    `before_end` is awaited when everything is rendered, before the client learns that the last answer has ended.

    A stream begins with a heartbeat if its first chunk takes longer than `MAX_STATUS_DELAY_S`: proxies and clients wait
    for headers no longer than a minute, and a long prompt may take more. A later error ends the stream.
    """
    if not streamed:
        return await unless_disconnected(request, _collect_all(answers, renderer, before_end)) or CLIENT_GONE
    chunks = _chunks(answers, renderer, before_end)
    headers = {"Content-Type": content_type}
    first = asyncio.ensure_future(anext(chunks))
    if not await _wait_unless_disconnected(request, first, MAX_STATUS_DELAY_S):
        return CLIENT_GONE
    if first.done():
        return EventStream(chunks, first=first.result(), headers=headers, heartbeat=heartbeat)
    chunks = _begin_with_heartbeat(first, chunks, renderer, heartbeat)
    return EventStream(chunks, headers=headers, heartbeat=heartbeat)


async def unless_disconnected(request: Request, work: Awaitable[T]) -> T | None:
    """Return the result of `work`, or cancel it and return None when the client disconnects."""
    task = asyncio.ensure_future(work)
    return task.result() if await _wait_unless_disconnected(request, task) else None


async def _wait_unless_disconnected(
    request: Request, task: asyncio.Future[Any], timeout_s: float | None = None
) -> bool:
    """Wait for `task`, at most for `timeout_s`; or cancel it and return False when the client disconnects."""
    gone = asyncio.create_task(wait_for_disconnect(request.receive))
    is_left = False
    try:
        await asyncio.wait([task, gone], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        is_left = not gone.done() or task.done()
    finally:
        gone.cancel()
        if not is_left:
            task.cancel()
        await asyncio.wait([gone] if is_left else [task, gone])
    return is_left


async def _collect_all(
    answers: Sequence[AnswerStream], renderer: Renderer, before_end: Callable[[], Awaitable[None]] | None
) -> Response:
    """Run the answers concurrently. If one fails, the others are cancelled."""
    tasks = [asyncio.create_task(_collect(answer, renderer, number)) for number, answer in enumerate(answers)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if before_end is not None:
        await before_end()
    return Response(orjson.dumps(renderer.full_response()), media_type="application/json")


async def _collect(answer: AnswerStream, renderer: Renderer, choice: int) -> None:
    async with aclosing(answer.events()) as events:
        async for event in events:
            renderer.render(event, choice)
    for event in answer.closing_events():
        renderer.render(event, choice)


async def _chunks(
    answers: Sequence[AnswerStream], renderer: Renderer, before_end: Callable[[], Awaitable[None]] | None
) -> AsyncGenerator[bytes, None]:
    """Stream the answers one after the other.

    An error before the first chunk is raised; a later one ends the stream.
    """
    has_begun = False
    try:
        for choice, answer in enumerate(answers):
            async with aclosing(answer.events()) as events:
                async for event in events:
                    if rendered := renderer.render(event, choice):
                        yield _encode(rendered)
                        has_begun = True
            closing = [each for event in answer.closing_events() for each in renderer.render(event, choice)]
            if before_end is not None and choice == len(answers) - 1:
                await before_end()
            yield _encode(closing)
            has_begun = True
        if ending := renderer.end():
            yield _encode(ending)
    except EclairError as error:
        if not has_begun:
            raise
        yield _encode(renderer.end(error))


async def _begin_with_heartbeat(
    first: asyncio.Future[bytes], chunks: AsyncGenerator[bytes, None], renderer: Renderer, heartbeat: bytes
) -> AsyncGenerator[bytes, None]:
    """Stream a heartbeat, then the `first` chunk when it comes, then the others."""
    async with aclosing(chunks):
        try:
            yield heartbeat
            yield await first
        except EclairError as error:
            yield _encode(renderer.end(error))
        finally:
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
        async for chunk in chunks:
            yield chunk


def _encode(objects: Sequence[JSON | bytes]) -> bytes:
    """Encode server-sent events; an object's `type` names its event. Bytes pass unchanged."""
    return b"".join(each if isinstance(each, bytes) else _frame(each) for each in objects)


def _frame(event: JSON) -> bytes:
    data = orjson.dumps(event)
    name = event.get("type")
    return b"data: %b\n\n" % data if name is None else b"event: %b\ndata: %b\n\n" % (name.encode(), data)
