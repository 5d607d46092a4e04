"""Requests of the MCP library, made through the gate: a transport of httpx2 on our client, with bounds of its own."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager

import httpx2

from eclair.errors import Refused
from eclair.network.client import CallContext, HttpClient, OutboundGate, StreamedReply
from eclair.network.response import BrokenReply, TimedOut, Unreachable
from eclair.schema.principal import Principal

MAX_REPLY_BYTES = 16 << 20
"""Of one reply, which may be a stream of messages."""

CONNECT_TIMEOUT_S = 10.0
UNAUTHORIZED = 401
FORBIDDEN = 403

logging.getLogger("mcp").setLevel(logging.CRITICAL)  # its errors are told where they matter

_HOP_HEADERS = frozenset({"host", "content-length", "connection", "accept-encoding", "transfer-encoding"})
_DECODED = frozenset({"content-encoding", "content-length", "transfer-encoding", "connection"})


class McpHttpTransport(httpx2.AsyncBaseTransport):
    """Makes requests for one person; a `guarded` one calls only public addresses.

    `fault` is why the last request had no reply, in a sentence, and `sent_bytes` counts what left.
    """

    def __init__(
        self,
        url: str,
        principal: Principal,
        gate: OutboundGate,
        *,
        headers: Mapping[str, str],
        guarded: bool,
    ) -> None:
        self._client = HttpClient(url, gate=gate, headers=headers, connect_timeout_s=CONNECT_TIMEOUT_S, guarded=guarded)
        self._has_token = "authorization" in map(str.lower, headers)
        self._context = CallContext(principal, "mcp")
        self.fault: Refused | str | None = None
        self.sent_bytes = 0
        self.wants_sign_in = False
        """True if the last message was refused for want of a sign-in. A fixed token that is wrong isn't that."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request. Raises httpx2.TransportError; `fault` then says why."""
        body = await request.aread()
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOP_HEADERS}
        async with AsyncExitStack() as stack:
            try:
                reply = await stack.enter_async_context(self._send(request, body, headers))
            except Refused as why:
                self.fault = why
                raise httpx2.ConnectError(why.message, request=request) from why
            except (Unreachable, TimedOut, BrokenReply) as error:
                self.fault = str(error)
                raise httpx2.ConnectError(str(error), request=request) from error
            self.sent_bytes += len(body)
            self.fault = None
            self.wants_sign_in = not self._has_token and refuses_without_sign_in(reply.status, reply.headers)
            if reply.status >= 400:
                self.fault = f"it answered with status {reply.status}"
            kept = [(name, value) for name, value in reply.headers.items() if name.lower() not in _DECODED]
            return httpx2.Response(
                reply.status, headers=kept, stream=_ReplyStream(reply, stack.pop_all(), self), request=request
            )
        raise AssertionError("a reply or an error ends the block")

    def _send(
        self, request: httpx2.Request, body: bytes, headers: dict[str, str]
    ) -> AbstractAsyncContextManager[StreamedReply]:
        url = str(request.url)
        match request.method:
            case "GET":
                return self._client.get(url, headers=headers, context=self._context)
            case "DELETE":
                return self._client.delete(url, headers=headers, context=self._context)
            case _:
                content_type = headers.pop("content-type", "application/json")
                return self._client.post(url, body, content_type=content_type, headers=headers, context=self._context)

    async def aclose(self) -> None:
        await self._client.close()


def refuses_without_sign_in(status: int, headers: Mapping[str, str]) -> bool:
    """Tell if a reply asks for a sign-in, or for one that allows more."""
    challenge = next((value for name, value in headers.items() if name.lower() == "www-authenticate"), "")
    return status == UNAUTHORIZED or (status == FORBIDDEN and "insufficient_scope" in challenge)


class _ReplyStream(httpx2.AsyncByteStream):
    """The body of a reply, which is closed with it."""

    def __init__(self, reply: StreamedReply, stack: AsyncExitStack, transport: McpHttpTransport) -> None:
        self._reply = reply
        self._stack = stack
        self._transport = transport

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while chunk := await self._reply.read():
                if self._reply.received > MAX_REPLY_BYTES:
                    self._transport.fault = f"its reply is larger than {MAX_REPLY_BYTES >> 20} MB"
                    raise httpx2.ReadError(self._transport.fault)
                yield chunk
        except (BrokenReply, TimedOut) as error:
            self._transport.fault = str(error)
            raise httpx2.ReadError(str(error)) from error

    async def aclose(self) -> None:
        await self._stack.aclose()


@asynccontextmanager
async def open_mcp_client(
    transport: httpx2.AsyncBaseTransport, auth: httpx2.Auth | None = None
) -> AsyncGenerator[httpx2.AsyncClient]:
    """Open a client for the MCP library, which waits as long as its caller does."""
    async with httpx2.AsyncClient(transport=transport, auth=auth, timeout=None, follow_redirects=False) as client:
        yield client
