"""Server-sent events: bytes out as they come, a sign of life when none come, an end when the client leaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from eclair.chat.runs import Batch

BEAT_INTERVAL_S = 15.0
"""After so long a silence a sign of life is sent: a comment line, where a dialect has nothing else."""

BEAT_LINE = b":\n\n"

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}


class EventStream(Response):
    """A response that sends each chunk at once, and closes the generator when the client is gone.

    A chunk is bytes, or events of a run, which are sent with their numbers. `first` is sent before all others.
    """

    media_type = "text/event-stream"

    def __init__(
        self,
        chunks: AsyncGenerator[bytes, None] | AsyncGenerator[Batch, None],
        *,
        first: bytes | None = None,
        status_code: int = 200,
        headers: Mapping[str, str] | None = None,
        beat: bytes = BEAT_LINE,
    ) -> None:
        super().__init__(status_code=status_code, headers={**HEADERS, **(headers or {})})
        del self.headers["content-length"]
        self._chunks = chunks
        self._first = first
        self._beat = beat
        self._sent = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        pump = asyncio.create_task(self._pump(send))
        gone = asyncio.create_task(gone_away(receive))
        try:
            while not await _either(pump, gone, timeout_s=BEAT_INTERVAL_S):
                if not self._sent:
                    await send({"type": "http.response.body", "body": self._beat, "more_body": True})
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


async def _either(*tasks: asyncio.Task[None], timeout_s: float) -> bool:
    """Wait until one of the tasks ends; False where none does in time."""
    done, _ = await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


async def gone_away(receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _frames(batch: Batch) -> bytes:
    """Write a run's events as server-sent events, those that came together in one piece."""
    head = b"event: reset\ndata: {}\n\n" if batch.reset else b""
    return head + b"".join(
        b"id: %d\ndata: %s\n\n" % (number, line) for number, line in enumerate(batch.lines, batch.first)
    )
