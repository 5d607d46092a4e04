"""A client that costs next to nothing: it takes bytes as they come and looks at them once the clock has stopped."""

from __future__ import annotations

import asyncio
import re
import time
from dataclasses import dataclass
from typing import Any, cast

import orjson

from eclair.schema.events import decode, fold
from eclair.schema.messages import Message

SSE = "text/event-stream"
ANYTHING = re.compile(rb"\r\n\r\n")
DELTA = re.compile(rb'"type":"part.delta"')
"""The first word on the native route."""
CONTENT = re.compile(rb'"content":"[^"]')
"""The first word in OpenAI's form."""
PATIENCE = 120.0
"""Seconds that any one reply may take."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back. Times are those of `time.perf_counter`; `first` is when the first word came."""

    status: int
    body: bytes
    began: float
    first: float | None
    ended: float

    def json(self) -> Any:
        return orjson.loads(self.body)


class Exchange(asyncio.Protocol):
    """One HTTP request on a connection of its own. `first` is what the first word is known by."""

    def __init__(self, request: bytes, first: re.Pattern[bytes]) -> None:
        self._request = request
        self._marker = first
        self._pieces: list[bytes] = []
        self._began = time.perf_counter()
        self._first: float | None = None
        self._transport: asyncio.Transport | None = None
        self._closed: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._begun = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._pieces.append(data)
        if self._first is None and self._marker.search(b"".join(self._pieces[-2:])):
            self._first = time.perf_counter()
            self._begun.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self._begun.set()
        if not self._closed.done():
            self._closed.set_result(time.perf_counter())

    @property
    def came(self) -> bytes:
        """The body as far as it has come."""
        return _body(b"".join(self._pieces))[1]

    async def wait_for_first(self) -> None:
        """Wait until the first word has come, or the server has closed the connection."""
        await asyncio.wait_for(self._begun.wait(), PATIENCE)

    def abort(self) -> None:
        """Go away in mid-answer."""
        if self._transport is not None:
            self._transport.abort()

    async def reply(self) -> Reply:
        """Wait until the server has closed the connection."""
        ended = await asyncio.wait_for(asyncio.shield(self._closed), PATIENCE)
        status, body = _body(b"".join(self._pieces))
        return Reply(status, body, self._began, self._first, ended)


async def begin(
    port: int,
    method: str,
    path: str,
    body: Any = None,
    *,
    first: re.Pattern[bytes] = ANYTHING,
    accept: str = "application/json",
    headers: str = "",
) -> Exchange:
    """Send a request, bytes as plain text and anything else as JSON; the exchange goes on by itself."""
    data = body if isinstance(body, bytes) else orjson.dumps(body) if body is not None else b""
    media = "text/plain" if isinstance(body, bytes) else "application/json"
    kind = f"Content-Type: {media}\r\n" if data else ""
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAccept: {accept}\r\nConnection: close\r\n"
        f"{kind}Content-Length: {len(data)}\r\n{headers}\r\n"
    )
    exchange = Exchange(head.encode() + data, first)
    await asyncio.get_running_loop().create_connection(lambda: exchange, "127.0.0.1", port)
    return exchange


async def call(port: int, method: str, path: str, body: Any = None) -> Any:
    """The JSON that a request brings; anything but success raises."""
    reply = await (await begin(port, method, path, body)).reply()
    if not 200 <= reply.status < 300:
        raise RuntimeError(f"{method} {path} answered {reply.status}: {reply.body[:200]!r}")
    return reply.json() if reply.body else None


def _body(raw: bytes) -> tuple[int, bytes]:
    """Status and body of a reply, its chunks joined; status 0 where none came."""
    head, _, rest = raw.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 "):
        return 0, b""
    if b"transfer-encoding: chunked" not in head.lower():
        return int(head[9:12]), rest
    pieces: list[bytes] = []
    at = 0
    while (end := rest.find(b"\r\n", at)) > 0:
        size = int(rest[at:end], 16)
        if size == 0:
            break
        pieces.append(rest[end + 2 : end + 2 + size])
        at = end + size + 4
    return int(head[9:12]), b"".join(pieces)


def native_events(body: bytes) -> list[tuple[int, bytes]]:
    """Number and JSON of each whole event of a native stream. Comments are left out."""
    events: list[tuple[int, bytes]] = []
    for frame in body.split(b"\n\n")[:-1]:
        if frame.startswith(b"id: "):
            number, _, data = frame.partition(b"\n")
            events.append((int(number[4:]), data.removeprefix(b"data: ")))
    return events


def native_message(body: bytes) -> Message:
    """The message that a native stream folds to. Raises ValueError where its numbers have a gap."""
    events = native_events(body)
    if [number for number, _ in events] != list(range(1, len(events) + 1)):
        raise ValueError("events are missing or out of order")
    return fold([decode(line) for _, line in events])


def openai_text(body: bytes) -> str:
    """The text of a streamed chat completion. Raises ValueError where it broke off or failed."""
    frames = body.split(b"\n\n")
    if frames[-2:] != [b"data: [DONE]", b""]:
        raise ValueError("the stream does not end with [DONE]")
    texts: list[str] = []
    for frame in frames[:-2]:
        if frame.startswith(b":"):  # a heartbeat
            continue
        chunk = orjson.loads(frame.removeprefix(b"data: "))
        if "error" in chunk:
            raise ValueError(chunk["error"]["message"])
        texts += [choice["delta"].get("content") or "" for choice in chunk["choices"]]
    return "".join(texts)


async def quiet(engine: str, key: str) -> None:
    """Wait until the engine has read ahead and has nothing to do."""
    still = 0
    while still < 5:
        await asyncio.sleep(0.1)
        headers = f"Authorization: Bearer {key}\r\n"
        port = int(engine.rsplit(":", 1)[1])
        slots = (await (await begin(port, "GET", "/slots", headers=headers)).reply()).json()
        still = 0 if any(slot["is_processing"] for slot in slots) else still + 1
