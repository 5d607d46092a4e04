"""A server that misbehaves on demand: raw HTTP over a socket, so that a reply can be cut anywhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

PIECE_BYTES = 1 << 20


@dataclass
class Call:
    """A request that came in, and the way to answer it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)

    async def send(self, data: bytes) -> None:
        """Send the data, a large one in pieces: as a whole it would be copied again and again."""
        for at in range(0, len(data), PIECE_BYTES):
            self.writer.write(memoryview(data)[at : at + PIECE_BYTES])
            await self.writer.drain()

    async def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A whole reply. Underscores in the names of `headers` are dashes."""
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        head = "\r\n".join(lines).encode() + b"\r\n\r\n"
        if len(body) < PIECE_BYTES:
            await self.send(head + body)
        else:
            await self.send(head)
            await self.send(body)

    async def stream(self, *chunks: bytes, end: bool = True) -> None:
        """An event stream in these very chunks; without `end` the reply stays unfinished."""
        await self.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
        for chunk in chunks:
            await self.send(b"%x\r\n%b\r\n" % (len(chunk), chunk))
            await asyncio.sleep(0.002)
        if end:
            await self.send(b"0\r\n\r\n")

    async def gone(self) -> bool:
        """Whether the client has closed the connection, waiting for it."""
        try:
            return not await self.reader.read(1)
        except ConnectionError:
            return True


Answer = Callable[[Call], Awaitable[None]]


@dataclass
class StandIn:
    """Answers by path (`routes`), or in turn (`answers`); remembers the calls."""

    url: str = ""
    routes: dict[str, Answer] = field(default_factory=dict[str, Answer])
    answers: list[Answer] = field(default_factory=list[Answer])
    calls: list[Call] = field(default_factory=list[Call])

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (call := await _read(reader, writer)) is not None:
                self.calls.append(call)
                answer = self.routes.get(call.path) or (self.answers.pop(0) if self.answers else None)
                await (answer(call) if answer else call.reply(404))
                if writer.is_closing():
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    first, *rest = head.strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Call(method, path, headers, body, reader, writer)


@asynccontextmanager
async def standing_in() -> AsyncGenerator[StandIn]:
    """A stand-in on a free loopback port."""
    standin = StandIn()
    server = await asyncio.start_server(standin.serve, "127.0.0.1", 0)
    standin.url = "http://127.0.0.1:%d" % server.sockets[0].getsockname()[1]  # noqa: UP031
    try:
        yield standin
    finally:
        server.close()
        for call in standin.calls:
            call.writer.close()


async def cut(call: Call) -> None:
    """Close the connection in the middle of whatever was sent."""
    call.writer.close()
