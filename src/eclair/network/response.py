"""One call: what can go wrong with it in our words, its reply, and the row that it leaves.

Which calls are made, and where to, is `egress`'s affair; what comes of the open web is that of `pages`.
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Awaitable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import NoReturn

import aiohttp
from aiohttp.connector import Connection

from eclair.errors import Refused
from eclair.network.gate import CallContext, OutboundCall, OutboundGate


class Unreachable(Exception):
    """No connection, or one that closed before the reply began."""


class TimedOut(Exception):
    """The server stayed silent for too long."""


class BrokenReply(Exception):
    """The reply stopped half way, or was no HTTP."""


class ReplyTooLarge(Exception):
    """The reply is longer than it may be."""


class PeerResponse(aiohttp.ClientResponse):
    """Keeps the address that the connection went to, which the library forgets once the reply has come."""

    peer: str | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        transport = connection.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        self.peer = str(peer[0]) if peer else None
        return await super().start(connection)


class Reply(ABC):
    """A reply whose head has come. `url` is where redirects led; `received` counts the bytes of the body."""

    def __init__(self, status: int, headers: Mapping[str, str], url: str) -> None:
        self.status = status
        self.headers = headers
        self.url = url
        self.received = 0
        self.hops: tuple[tuple[int, str], ...] = ()
        """The redirects that the `Browser` followed: the status of each, and where it led."""

    @abstractmethod
    async def read(self) -> bytes:
        """Whatever has come since the last call, waiting for at least one byte; empty at the end.

        Raises BrokenOff and TimedOut.
        """

    async def body(self, max_bytes: int = sys.maxsize) -> bytes:
        """The whole body, cut at `limit` bytes."""
        parts: list[bytes] = []
        length = 0
        while length < max_bytes and (chunk := await self.read()):
            parts.append(chunk)
            length += len(chunk)
        return b"".join(parts)[:max_bytes]


class StreamedReply(Reply):
    """A reply of an engine or of who has files, however long it is."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        super().__init__(response.status, response.headers, str(response.url))
        self._response = response

    def first_header(self, header: str) -> str | None:
        """What the first of the replies that led here, by redirects, says under `header`."""
        heads = (reply.headers for reply in (*self._response.history, self._response))
        return next((head[header] for head in heads if header in head), None)

    async def read(self) -> bytes:
        """Raises BrokenOff and TimedOut."""
        try:
            chunk = await self._response.content.readany()
        except TimeoutError as error:
            raise TimedOut(describe_error(error)) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise BrokenReply(describe_error(error)) from error
        self.received += len(chunk)
        return chunk

    async def pause(self, seconds: float) -> None:
        """Leave what comes meanwhile to the system, so that the next read takes it in one piece."""
        if seconds == 0:
            return
        connection = self._response.connection
        transport = connection.transport if connection is not None else None
        if transport is None:
            return
        transport.pause_reading()
        try:
            await asyncio.sleep(seconds)
        finally:
            transport.resume_reading()

    async def drain(self, timeout_s: float) -> None:
        """Give the server a moment to end the reply, so that its connection can serve again."""
        try:
            async with asyncio.timeout(timeout_s):
                while await self.read():
                    pass
        except (TimeoutError, TimedOut, BrokenReply):
            return

    def close(self) -> None:
        """Close the connection at once, unless the reply has been read to its end."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class AuditedCall:
    """The calls that one request makes: several where redirects are followed, or where it is sent again. As a
    middleware of the client it has each of them pass the door."""

    def __init__(self, gate: OutboundGate, context: CallContext) -> None:
        self._gate = gate
        self._context = context
        self._out: OutboundCall | None = None
        self.reply: Reply | None = None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Raises Refused, and what the client library raises."""
        self._begin(request)
        try:
            response = await handler(request)
        except Refused as why:
            self._refuse(why)
        finally:
            if self._out is not None and isinstance(request.response, PeerResponse):
                self._out.address = request.response.peer
        if self._out is not None:
            self._out.status = response.status
        return response

    def end(self, fault: str | None = None) -> None:
        """Record the call that is out, if one is."""
        out, self._out = self._out, None
        if out is not None:
            out.received = self.reply.received if self.reply is not None else 0
            self._gate.end(out, fault)

    def _begin(self, request: aiohttp.ClientRequest) -> None:
        """Let a call out, and record the one before it. Raises Refused."""
        unanswered = self._out is not None and self._out.status is None
        self.end("The connection closed before the reply began; the request was sent again." if unanswered else None)
        length = int(request.headers.get("Content-Length", "0"))
        self._out = self._gate.begin(request.method, str(request.url), self._context, length)

    def _refuse(self, why: Refused) -> NoReturn:
        """Record that the call was not let out after all, and raise `why`."""
        out, self._out = self._out, None
        if out is not None:
            self._gate.refuse(out, why)
        raise why


@contextmanager
def audited_call(gate: OutboundGate, context: CallContext) -> Generator[AuditedCall]:
    """What records the calls of the requests that are made with it, however they end."""
    taken = AuditedCall(gate, context)
    try:
        yield taken
    except (Unreachable, TimedOut, BrokenReply, ReplyTooLarge) as error:
        taken.end(str(error))
        raise
    finally:
        taken.end()


@asynccontextmanager
async def open_reply(request: Awaitable[aiohttp.ClientResponse], trip: AuditedCall) -> AsyncGenerator[StreamedReply]:
    """The reply to a request, closed at the end. Raises Unreachable, TimedOut and BrokenOff."""
    response = await send_request(request)
    reply = trip.reply = StreamedReply(response)
    try:
        yield reply
    finally:
        reply.close()


async def send_request(request: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
    """The response to a request. Raises Unreachable, TimedOut and BrokenOff."""
    try:
        return await request
    except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as error:
        raise Unreachable(describe_error(error)) from error
    except TimeoutError as error:
        raise TimedOut(describe_error(error)) from error
    except (aiohttp.ClientConnectionError, aiohttp.InvalidURL, OSError) as error:
        raise Unreachable(describe_error(error)) from error
    except aiohttp.ClientError as error:
        raise BrokenReply(describe_error(error)) from error


def describe_error(error: BaseException) -> str:
    """What went wrong in a few words, for the middle of a sentence."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return os.strerror(errno.ETIMEDOUT)
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        error = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    if isinstance(error, ConnectionError) and error.errno:
        return os.strerror(error.errno)  # asyncio's own text names the address in place of the reason
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
