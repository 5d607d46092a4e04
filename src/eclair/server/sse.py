"""Server-sent events: chunks are sent at once, heartbeats when there are none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any, Self

from pydantic import BaseModel, TypeAdapter
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eclair.chat.live_run import Batch
from eclair.errors import EclairError

HEARTBEAT_INTERVAL_S = 15.0
HEARTBEAT = b":\n\n"
"""A comment line; some APIs have an event of their own for this."""

EVENT_STREAM = "text/event-stream; charset=utf-8"
HEADERS = {
    "Content-Type": EVENT_STREAM,
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


_FRAME = TypeAdapter[Any](Any)


class StreamFault(BaseModel):
    """An error that ended a stream."""

    code: str
    message: str
    param: str | None

    @classmethod
    def from_error(cls, error: EclairError) -> Self:
        return cls(code=error.code, message=error.message, param=error.param)


class StreamError(BaseModel):
    """The last frame of a stream that failed."""

    error: StreamFault


def encode_frame(data: object, event: str | None = None) -> bytes:
    """Encode a model or dataclass as a server-sent event, with a name if it has one."""
    name = b"" if event is None else b"event: %b\n" % event.encode()
    return b"%bdata: %b\n\n" % (name, _FRAME.dump_json(data, by_alias=True))


class EventStream(Response):
    """A response that sends each chunk at once, and closes the generator when the client disconnects.

    A chunk is bytes, or events of a run, which are sent with their numbers. `first` is sent before all others.
    `heartbeat` is sent after 15 seconds of silence.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None] | AsyncGenerator[Batch, None],
        *,
        first: bytes | None = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        heartbeat: bytes = HEARTBEAT,
    ) -> None:
        super().__init__(status_code=status_code, headers={**HEADERS, **(headers or {})})
        del self.headers["content-length"]
        self._chunks = chunks
        self._first = first
        self._heartbeat = heartbeat
        self._sent = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        pump = asyncio.create_task(self._pump(send))
        gone = asyncio.create_task(wait_for_disconnect(receive))
        try:
            while not await _wait_any(pump, gone, timeout_s=HEARTBEAT_INTERVAL_S):
                if not self._sent:
                    await send({"type": "http.response.body", "body": self._heartbeat, "more_body": True})
                self._sent = False
        finally:
            pump.cancel()
            gone.cancel()
            await asyncio.wait([pump, gone])
        if not pump.cancelled():
            pump.result()

    async def _pump(self, send: Send) -> None:
        async with aclosing(self._chunks) as chunks:
            if self._first is not None:
                self._sent = True
                await send({"type": "http.response.body", "body": self._first, "more_body": True})
            async for chunk in chunks:
                self._sent = True
                body = chunk if isinstance(chunk, bytes) else _frames(chunk)
                await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def _wait_any(*tasks: asyncio.Task[None], timeout_s: float) -> bool:
    """Wait until one of the tasks ends; return False if none does in time."""
    done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


async def wait_for_disconnect(receive: Receive) -> None:
    """Wait until the client disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _frames(batch: Batch) -> bytes:
    """Encode a batch of a run's events as server-sent events."""
    head = b"event: reset\ndata: {}\n\n" if batch.reset else b""
    return head + b"".join(
        b"id: %d\ndata: %s\n\n" % (number, line) for number, line in enumerate(batch.lines, batch.first)
    )
