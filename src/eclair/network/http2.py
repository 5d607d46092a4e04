"""Connections to servers of the open web: to addresses that were checked, with HTTP/2 where a server offers it.

What is asked, and what the answer means, is `browser`'s affair.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import re
import socket
import ssl
from collections.abc import Iterable
from typing import Any, cast

import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import httpcore2
from aiohappyeyeballs import start_connection  # pyright: ignore[reportUnknownVariableType]

from eclair.network.dns import Names
from eclair.network.response import Unreachable, reason
from eclair.network.ssrf import Private, check_resolved

MOST = 64
"""Connections at the same time."""

KEPT = 30.0
"""Seconds for which a connection is kept that nobody uses."""

NEXT = 0.25
"""Seconds after which the next address of a name is tried as well."""

AHEAD = 64 << 10
"""Bytes that may wait to be read before no more are taken from the network."""

WINDOW = 1 << 20
"""Bytes that a server may send ahead of what is read of a reply. The library's own 16 MiB would all have to come in
first where a page is left early and the next of its server is wanted."""

QUEUED = 1 << 14
"""Frames of HTTP/2 that may wait to be read."""

FAULTS = (
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ConnectionNotAvailable,
    h2.exceptions.H2Error,
)
"""What the client library raises where a server does not keep to HTTP."""

_STATUS = re.compile(rb"[1-9][0-9]{2}")
_CONTROL = re.compile(rb"[\x00\r\n]")


class Line(httpcore2.AsyncNetworkStream, asyncio.Protocol):
    """A connection as bytes. Nothing is read of it before it is encrypted, where it is to be. Who waits for it sets
    the time; only to encrypt it has a time of its own."""

    def __init__(self, connected: socket.socket) -> None:
        self.peer = str(connected.getpeername()[0])
        self.ended = False
        """Whether the end of what the server sends was given to who reads."""
        self._socket: socket.socket | None = connected
        self._transport: asyncio.Transport | None = None
        self._held = bytearray()
        self._paused = False
        self.over = False
        """Whether the connection is closed; what came before may still be read."""
        self._fault: Exception | None = None
        self._reader: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._room.set()

    async def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> Line:
        """Raises Unreachable, where the certificate is not the server's too."""
        try:
            async with asyncio.timeout(timeout):
                await self._open(ssl_context, server_hostname)
        except OSError as error:
            raise Unreachable(_timed(error)) from error
        return self

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Raises ReadError."""
        if self._held:
            await asyncio.sleep(0)  # else a server that sends fast keeps everybody else waiting
        while not self._held and not self.over:
            self._reader = asyncio.get_running_loop().create_future()
            try:
                await self._reader
            finally:
                self._reader = None
        if self._held:
            data = bytes(self._held[:max_bytes])
            del self._held[:max_bytes]
            if self._paused and len(self._held) <= AHEAD and self._transport is not None:
                self._paused = False
                if not self._transport.is_closing():
                    self._transport.resume_reading()
            return data
        if self._fault is not None:
            raise httpcore2.ReadError(reason(self._fault))
        self.ended = True
        return b""

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Raises WriteError."""
        if not buffer:
            return
        if self._socket is not None:
            await self._open()
        if not self.post(buffer):
            raise httpcore2.WriteError("Connection closed")
        await self._room.wait()

    def post(self, buffer: bytes) -> bool:
        """Write without waiting until there is room for it; whether it could be."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(buffer)
        return True

    async def aclose(self) -> None:
        """Close at once. It never waits, so that nothing can come between."""
        if self._transport is not None:
            self._transport.abort()
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def get_extra_info(self, info: str) -> Any:
        if info == "is_readable":  # which of a connection that waits for a call says that it cannot serve one
            return bool(self._held) or self.over
        return self._transport.get_extra_info(info) if self._transport is not None else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by its class

    def data_received(self, data: bytes) -> None:
        self._held += data
        if len(self._held) > AHEAD and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.over, self._fault = True, exc
        self._room.set()
        self._wake()

    def pause_writing(self) -> None:
        self._room.clear()

    def resume_writing(self) -> None:
        self._room.set()

    async def _open(self, context: ssl.SSLContext | None = None, host: str | None = None) -> None:
        connected, self._socket = self._socket, None
        assert connected is not None
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self, sock=connected, ssl=context, server_hostname=host)
        except BaseException:
            connected.close()
            raise

    def _wake(self) -> None:
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)


class Network(httpcore2.AsyncNetworkBackend):
    """Connects to one of the addresses that a name leads to, once all of them are checked."""

    def __init__(self, names: Names, private: Private) -> None:
        self._names = names
        self._private = private

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> Line:
        """Raises Unreachable, and Refused for a name that leads to where nobody may go."""
        try:
            found = await self._names.addresses(host, port)
            if not found:
                raise OSError("Name leads nowhere")
            check_resolved(host, port, found, self._private)
            async with asyncio.timeout(timeout):
                connected = await start_connection([_info(*place) for place in found], happy_eyeballs_delay=NEXT)
            with contextlib.ExitStack() as stack:
                stack.callback(connected.close)
                line = Line(connected)
                stack.pop_all()
                return line
        except OSError as error:
            raise Unreachable(_timed(error)) from error


class _State(h2.connection.H2Connection):
    def increment_flow_control_window(self, increment: int, stream_id: int | None = None) -> None:
        super().increment_flow_control_window(increment if stream_id is None else min(increment, WINDOW), stream_id)


class Shared(httpcore2.AsyncHTTP2Connection):
    """HTTP/2 as the library has it, for servers that are not to be trusted, and with calls that are broken off: the
    server is told so, and the connection goes on. One that has broken is closed at once."""

    READ_NUM_BYTES = 16 << 10  # the most that is taken apart before others have their turn

    def __init__(self, origin: httpcore2.Origin, line: Line, kept: float | None) -> None:
        super().__init__(origin=origin, stream=line, keepalive_expiry=kept)
        self._h2_state = _State(self.CONFIG)
        self._line = line

    def has_expired(self) -> bool:
        return super().has_expired() or (self.is_idle() and self._line.over)

    async def _receive_stream_event(
        self, request: httpcore2.Request, stream_id: int
    ) -> h2.events.ResponseReceived | h2.events.DataReceived | h2.events.StreamEnded:
        event = await super()._receive_stream_event(request, stream_id)
        if isinstance(event, h2.events.ResponseReceived):
            _check(event.headers or [])
        return event

    async def _read_incoming_data(self, request: httpcore2.Request) -> list[h2.events.Event]:
        if sum(map(len, self._events.values())) > QUEUED:
            self._connection_error = True
            self._read_exception = self._read_exception or httpcore2.RemoteProtocolError("too many frames")
        return await super()._read_incoming_data(request)

    async def _response_closed(self, stream_id: int) -> None:
        state = self._h2_state
        with contextlib.suppress(h2.exceptions.H2Error):
            for event in self._events.get(stream_id, ()):
                if isinstance(event, h2.events.DataReceived):  # else the room for it is lost to the other calls
                    state.acknowledge_received_data(event.flow_controlled_length or 0, stream_id)
            stream = state.streams.get(stream_id)
            if stream is not None and not stream.closed:
                state.reset_stream(stream_id, h2.errors.ErrorCodes.CANCEL)
        if not self.is_closed():
            self._line.post(state.data_to_send())
        await super()._response_closed(stream_id)
        if not self._events and not self.is_available() and not self.is_closed():
            await self.aclose()


class Connection(httpcore2.AsyncHTTPConnection):
    """A connection to one server, made by the first call. Each call is told the address that it goes to (`peer`), and
    whether it is `reused`."""

    async def handle_async_request(self, request: httpcore2.Request) -> httpcore2.Response:
        """Raises Refused, Unreachable, and what is in `FAULTS`."""
        request.extensions["reused"] = self._connection is not None
        try:
            async with self._request_lock:
                if self._connect_failed:  # for the call before this one, and the pool has forgotten it
                    raise httpcore2.ConnectionNotAvailable
                if self._connection is None:
                    line = await self._connect(request)
                    assert isinstance(line, Line)
                    self._line = line
                    self._connection = _speaking(line, self._origin, self._keepalive_expiry)
        except BaseException:
            self._connect_failed = True
            raise
        request.extensions["peer"] = self._line.peer
        try:
            return await self._connection.handle_async_request(request)
        except httpcore2.RemoteProtocolError as error:
            match error.args:
                case (h2.events.StreamReset(),):
                    raise Unreachable("Call rejected") from error
                case (h2.events.ConnectionTerminated(),):
                    raise Unreachable("Server is closing the connection") from error
                case _ if self._line.ended:
                    raise Unreachable("Server disconnected") from error
                case _:
                    raise


class Pool(httpcore2.AsyncConnectionPool):
    """Connections that are kept for the next call. `certificates` is a further file of authorities."""

    def __init__(self, names: Names, private: Private, certificates: str | None = None) -> None:
        super().__init__(
            http2=True, max_connections=MOST, keepalive_expiry=KEPT, network_backend=Network(names, private)
        )
        self._certificates = certificates
        self._context: ssl.SSLContext | None = None

    def create_connection(self, origin: httpcore2.Origin) -> Connection:
        return Connection(
            origin,
            ssl_context=self._tls() if origin.scheme == b"https" else None,
            keepalive_expiry=self._keepalive_expiry,
            http2=True,
            network_backend=self._network_backend,
        )

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = context = ssl.create_default_context()
            if self._certificates is not None:
                context.load_verify_locations(cafile=self._certificates)
        return self._context


def _speaking(line: Line, origin: httpcore2.Origin, kept: float | None) -> Shared | httpcore2.AsyncHTTP11Connection:
    encryption = line.get_extra_info("ssl_object")
    if encryption is not None and encryption.selected_alpn_protocol() == "h2":
        return Shared(origin, line, kept)
    return httpcore2.AsyncHTTP11Connection(origin=origin, stream=line, keepalive_expiry=kept)


def _check(headers: Iterable[tuple[bytes, bytes]]) -> None:
    """Raises RemoteProtocolError for a head that is none; the library takes any."""
    rows = [(bytes(name), bytes(value)) for name, value in headers]
    statuses = [value for name, value in rows if name == b":status"]
    if len(statuses) != 1 or not _STATUS.fullmatch(statuses[0]):
        raise httpcore2.RemoteProtocolError("no status")
    if any(_CONTROL.search(name) or _CONTROL.search(value) for name, value in rows):
        raise httpcore2.RemoteProtocolError("a header of several lines")


def _info(address: str, port: int) -> tuple[int, int, int, str, tuple[str, int] | tuple[str, int, int, int]]:
    if ":" in address:
        return socket.AF_INET6, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port)


def _timed(error: OSError) -> str:
    """The reason; a TimeoutError of our own has none."""
    return os.strerror(errno.ETIMEDOUT) if isinstance(error, TimeoutError) else reason(error)
