"""Replies of HTTP calls, their failures, and the middleware that records them.

`client` and `web_client` make the calls; `web_response` bounds replies of the open web.
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
    """There was no connection, or it closed before the reply began."""


class TimedOut(Exception):
    """The server sent nothing for too long."""


class BrokenReply(Exception):
    """The reply ended early, or wasn't valid HTTP."""


class ReplyTooLarge(Exception):
    """The reply exceeds its size limit."""


class PeerResponse(aiohttp.ClientResponse):
    """A response that remembers the IP address connected to, which aiohttp forgets once the body is there."""

    peer: str | None = None

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        transport = connection.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        self.peer = str(peer[0]) if peer else None
        return await super().start(connection)


class Reply(ABC):
    """A reply whose headers have arrived. `url` is the final one; `received` counts bytes of the body."""

    def __init__(self, status: int, headers: Mapping[str, str], url: str) -> None:
        self.status = status
        self.headers = headers
        self.url = url
        self.received = 0
        self.hops: tuple[tuple[int, str], ...] = ()
        """Redirects that `WebClient` followed: the status and target of each."""

    @abstractmethod
    async def read(self) -> bytes:
        """Return what arrived since the last call, waiting for at least one byte; empty at the end.

        Raises BrokenReply and TimedOut.
        """

    async def body(self, max_bytes: int = sys.maxsize) -> bytes:
        """Return the body, cut at `max_bytes`."""
        parts: list[bytes] = []
        length = 0
        while length < max_bytes and (chunk := await self.read()):
            parts.append(chunk)
            length += len(chunk)
        return b"".join(parts)[:max_bytes]


class StreamedReply(Reply):
    """A reply of any length, of an engine or a download server."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        super().__init__(response.status, response.headers, str(response.url))
        self._response = response

    def first_header(self, header: str) -> str | None:
        """Return `header` from the earliest reply, of those that redirected here, that has it."""
        heads = (reply.headers for reply in (*self._response.history, self._response))
        return next((head[header] for head in heads if header in head), None)

    async def read(self) -> bytes:
        """Raises BrokenReply and TimedOut."""
        try:
            chunk = await self._response.content.readany()
        except TimeoutError as error:
            raise TimedOut(describe_error(error)) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise BrokenReply(describe_error(error)) from error
        self.received += len(chunk)
        return chunk

    async def pause(self, seconds: float) -> None:
        """Stop reading from the socket for a while, so that the next read gets more at once."""
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
        """Give the server a moment to end the reply, so that the connection can be reused."""
        try:
            async with asyncio.timeout(timeout_s):
                while await self.read():
                    pass
        except (TimeoutError, TimedOut, BrokenReply):
            return

    def close(self) -> None:
        """Close the connection at once, unless the reply was read to its end."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class RecordedCall:
    """Middleware of the HTTP client that passes each call of a request through the gate and records it.

    A request makes several calls where aiohttp follows redirects or sends it again.
    """

    def __init__(self, gate: OutboundGate, context: CallContext) -> None:
        self._gate = gate
        self._context = context
        self._call: OutboundCall | None = None
        self.reply: Reply | None = None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Raises Refused, and whatever aiohttp raises."""
        self._begin(request)
        if self._call is not None:
            await self._gate.store(self._call)
        try:
            response = await handler(request)
        except Refused as why:
            self._refuse(why)
        finally:
            if self._call is not None and isinstance(request.response, PeerResponse):
                self._call.address = request.response.peer
        if self._call is not None:
            self._call.status = response.status
        return response

    def end(self, fault: str | None = None) -> None:
        """Record the call under way, if there is one."""
        call, self._call = self._call, None
        if call is not None:
            call.received = self.reply.received if self.reply is not None else 0
            self._gate.end(call, fault)

    def _begin(self, request: aiohttp.ClientRequest) -> None:
        """Record the call before, and let the next one out. Raises Refused."""
        unanswered = self._call is not None and self._call.status is None
        self.end("The connection closed before the reply began; the request was sent again." if unanswered else None)
        length = int(request.headers.get("Content-Length", "0"))
        self._call = self._gate.begin(request.method, str(request.url), self._context, length)

    def _refuse(self, why: Refused) -> NoReturn:
        """Record that the call was refused after all, and raise `why`."""
        call, self._call = self._call, None
        if call is not None:
            self._gate.refuse(call, why)
        raise why


@contextmanager
def recorded_call(gate: OutboundGate, context: CallContext) -> Generator[RecordedCall]:
    """Record the calls of a request, however it ends."""
    call = RecordedCall(gate, context)
    try:
        yield call
    except (Unreachable, TimedOut, BrokenReply, ReplyTooLarge) as error:
        call.end(str(error))
        raise
    finally:
        call.end()


@asynccontextmanager
async def open_reply(request: Awaitable[aiohttp.ClientResponse], call: RecordedCall) -> AsyncGenerator[StreamedReply]:
    """Send a request and yield the reply, closed at the end. Raises Unreachable, TimedOut and BrokenReply."""
    response = await send_request(request)
    reply = call.reply = StreamedReply(response)
    try:
        yield reply
    finally:
        reply.close()


async def send_request(request: Awaitable[aiohttp.ClientResponse]) -> aiohttp.ClientResponse:
    """Send a request. Raises Unreachable, TimedOut and BrokenReply."""
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
    except RuntimeError as error:  # as while an engine is being restarted
        if str(error) != "Session is closed":
            raise
        raise Unreachable(describe_error(error)) from error


def describe_error(error: BaseException) -> str:
    """Describe an error in a few words, for the middle of a sentence."""
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
    if isinstance(error, aiohttp.ClientPayloadError) and "not completed" in str(error):
        return "the connection ended too early"
    return str(error) or type(error).__name__
