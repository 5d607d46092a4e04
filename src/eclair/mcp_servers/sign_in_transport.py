"""Requests of sign-ins at an MCP server, which go to addresses that the server names too.

Its headers go with messages to it alone. Other addresses are public ones, or `private_addresses`, and encrypted; a
server of this machine may name others of this machine.
"""

from __future__ import annotations

from collections.abc import Mapping

import httpx2

from eclair.errors import Refused
from eclair.network.gate import CallContext, OutboundGate
from eclair.network.mcp_http import McpHttpTransport
from eclair.network.policy import is_loopback_url
from eclair.schema.principal import Principal

EVENT_STREAM = "text/event-stream"
"""Messages to a server accept this reply, other requests don't."""


class SignInTransport(httpx2.AsyncBaseTransport):
    """Makes the requests for one person, as `McpHttpTransport` does, whose attributes it has."""

    def __init__(
        self, url: str, principal: Principal, gate: OutboundGate, *, headers: Mapping[str, str], guarded: bool
    ) -> None:
        self._url = httpx2.URL(url)
        self._is_local = not guarded and is_loopback_url(url)
        self._gate = gate
        self._context = CallContext(principal, "mcp")
        self._messages = McpHttpTransport(url, principal, gate, headers=headers, guarded=guarded)
        self._beside = McpHttpTransport(url, principal, gate, headers={}, guarded=guarded)
        self._others = McpHttpTransport(url, principal, gate, headers={}, guarded=True)
        self._last = self._messages
        self._refusal: Refused | None = None

    @property
    def fault(self) -> Refused | str | None:
        return self._refusal or self._last.fault

    @property
    def sent_bytes(self) -> int:
        return self._messages.sent_bytes + self._beside.sent_bytes + self._others.sent_bytes

    @property
    def wants_sign_in(self) -> bool:
        return self._messages.wants_sign_in

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request. Raises httpx2.TransportError; `fault` then says why."""
        try:
            self._last = self._choose(request)
        except Refused as why:
            self._refusal = why
            raise httpx2.ConnectError(why.message, request=request) from why
        self._refusal = None
        return await self._last.handle_async_request(request)

    async def aclose(self) -> None:
        for transport in (self._messages, self._beside, self._others):
            await transport.aclose()

    def _choose(self, request: httpx2.Request) -> McpHttpTransport:
        """Return the way for a request. Raises Refused."""
        url = request.url
        if (url.scheme, url.host, url.port) == (self._url.scheme, self._url.host, self._url.port):
            return self._messages if EVENT_STREAM in request.headers.get("accept", "") else self._beside
        if self._is_local and is_loopback_url(str(url)):
            return self._beside
        self.require_encryption(request.method, str(url))
        return self._others

    def require_encryption(self, method: str, url: str) -> None:
        """Raise Refused, and record that, for an address that isn't encrypted on the way."""
        if url.startswith("https://") or (is_loopback_url(str(self._url)) and is_loopback_url(url)):
            return
        fault = (
            f"The MCP server names {url[:200]} for its sign-in, which isn't encrypted; tell whoever runs the server."
        )
        self._gate.refuse_url(method, url, self._context, Refused(fault))
