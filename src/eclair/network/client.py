"""The one door out: every outbound connection is made here, and nothing outside this package imports an HTTP client.

`Http` speaks to one engine, `Downloads` fetches files, `Browser` (of `browser`) the open web. All give a `Reply` to be
read piece by piece, and turn the client library's many exceptions into those of `calls`. What may leave, and what is
recorded of it, is decided by a `Door`; what a reply means is the caller's affair.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TypedDict
from urllib.parse import urlsplit

import aiohttp

from eclair.errors import Refused
from eclair.network.dns import Resolver
from eclair.network.gate import CLOSED_GATE, OWNER, CallContext, OutboundGate
from eclair.network.policy import is_loopback
from eclair.network.response import (
    AuditedCall,
    BrokenReply,
    PeerResponse,
    Reply,
    ReplyTooLarge,
    StreamedReply,
    TimedOut,
    Unreachable,
    audited_call,
    open_reply,
)
from eclair.network.web_client import WebClient

__all__ = [
    "CLOSED_GATE",
    "IDLE_TIMEOUT_S",
    "OWNER",
    "BrokenReply",
    "CallContext",
    "DownloadClient",
    "HttpClient",
    "OutboundGate",
    "Refused",
    "Reply",
    "ReplyTooLarge",
    "Resolver",
    "StreamedReply",
    "TimedOut",
    "Unreachable",
    "WebClient",
    "is_loopback",
]

CONNECT_TIMEOUT_S = 5.0
"""Seconds within which a connection must stand."""

IDLE_TIMEOUT_S = 300.0
"""Seconds that a server may stay silent, before its first byte or between two."""

READ_BUFFER_BYTES = 16 << 10
"""Bytes of an engine's reply that may wait to be looked at before no more are taken from the network. With the client
library's own 64 KiB a few fast answers keep fifty others waiting."""


class _Options(TypedDict):
    timeout: aiohttp.ClientTimeout
    allow_redirects: bool
    middlewares: tuple[AuditedCall]


class HttpClient:
    """Connections to the one server at `url`: kept alive, unlimited in number, without a limit on a reply's length.

    Leaving the block of `get` or `post` closes the connection unless the reply was read to its end:
    that is how an engine learns to stop. What goes elsewhere than to this machine goes through `door`; `country` is the
    server's, where its owner has stated it. A key goes along as OpenAI's API has it, or under the name `header`.
    """

    def __init__(
        self,
        url: str,
        key: str | None = None,
        *,
        gate: OutboundGate = CLOSED_GATE,
        country: str | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        idle_timeout_s: float = IDLE_TIMEOUT_S,
        header: str | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._gate = gate
        self._country = country
        self._headers = {} if not key else {header: key} if header else {"Authorization": f"Bearer {key}"}
        self._connect = connect_timeout_s
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect_timeout_s, sock_read=idle_timeout_s)
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def post(
        self,
        url: str,
        body: bytes,
        *,
        idle_timeout_s: float | None = None,
        keep_alive: bool = True,
        content_type: str = "application/json",
        context: CallContext | None = None,
    ) -> AsyncGenerator[StreamedReply]:
        """Send `body`, which is JSON unless `media` says else; without `keep` the connection serves this once. `errand`
        says for whom, where it is not for the owner's answers.

        Raises Unreachable, TimedOut and BrokenOff, and Refused where the door does not let it out.
        """
        headers = {"Content-Type": content_type} | ({} if keep_alive else {"Connection": "close"})
        with self._trip(context) as taken:
            request = self._open().post(url, data=body, headers=headers, **self._options(idle_timeout_s, taken))
            async with open_reply(request, taken) as reply:
                yield reply

    @asynccontextmanager
    async def get(
        self, url: str, *, idle_timeout_s: float | None = None, context: CallContext | None = None
    ) -> AsyncGenerator[StreamedReply]:
        """Fetch. Raises as `post` does."""
        with self._trip(context) as taken:
            async with open_reply(self._open().get(url, **self._options(idle_timeout_s, taken)), taken) as reply:
                yield reply

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _trip(self, context: CallContext | None) -> AbstractContextManager[AuditedCall]:
        return audited_call(self._gate, context or CallContext(OWNER, "engine", country=self._country))

    def _options(self, idle: float | None, taken: AuditedCall) -> _Options:
        timeout = self._timeout
        if idle is not None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=min(self._connect, idle), sock_read=idle)
        # A redirect would take the key and what was asked to a server that nobody chose.
        return {"timeout": timeout, "allow_redirects": False, "middlewares": (taken,)}

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
                read_bufsize=READ_BUFFER_BYTES,
                headers=self._headers,
                trust_env=not is_loopback(self.url),
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=PeerResponse,
            )
        return self._session


class DownloadClient:
    """Fetches files from anywhere that `door` lets out. Proxies, `.netrc` and SSL_CERT_FILE of the environment hold.

    `certificates` is a further file of authorities, `proxy` goes before the environment's, and the hosts in
    `trusted` are not asked for a valid certificate.
    """

    def __init__(
        self,
        gate: OutboundGate = CLOSED_GATE,
        *,
        certificates: str | None = None,
        proxy: str | None = None,
        trusted: frozenset[str] = frozenset(),
    ) -> None:
        self._gate = gate
        self._certificates = certificates
        self._proxy = proxy
        self._trusted = trusted
        self._context: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def get(
        self, url: str, headers: Mapping[str, str] | None = None, *, token: str | None = None
    ) -> AsyncGenerator[StreamedReply]:
        """Fetch, following redirects; a token goes to the place of `url` and nowhere else.

        Raises Unreachable, TimedOut and BrokenOff, and Refused where the door does not let it out.
        """
        verify = urlsplit(url).hostname not in self._trusted
        with audited_call(self._gate, CallContext(OWNER, "model")) as taken:
            request = self._open().get(
                url,
                headers=headers,
                proxy=self._proxy,
                ssl=self._tls() if verify else False,
                middlewares=(taken,) if token is None else (_bearer(token), taken),
            )
            async with open_reply(request, taken) as reply:
                yield reply

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _tls(self) -> ssl.SSLContext:
        if self._context is not None:
            return self._context
        self._context = context = ssl.create_default_context()
        if self._certificates is not None:
            context.load_verify_locations(cafile=self._certificates)
        return context

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=60)
            self._session = aiohttp.ClientSession(
                timeout=timeout,
                trust_env=True,
                auto_decompress=True,
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=PeerResponse,
            )
        return self._session


def _bearer(token: str) -> aiohttp.ClientMiddlewareType:
    """Shows the token to the first server that is asked, in place of what `.netrc` has for it, and to no other that
    redirects lead to."""
    first: list[object] = []

    async def show(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        first.append(request.url.origin())
        if first[-1] == first[0]:
            request.headers["Authorization"] = f"Bearer {token}"
        return await handler(request)

    return show
