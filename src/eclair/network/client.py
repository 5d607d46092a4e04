"""The HTTP clients: only this package imports an HTTP library.

Every outgoing connection is made here.

`HttpClient` calls one server, `DownloadClient` fetches files, `WebClient` the open web. All yield a `Reply` to be read
in pieces, and turn aiohttp's exceptions into those of `response`. An `OutboundGate` decides what may leave and records
it; what a reply means is up to the caller.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import TypedDict
from urllib.parse import urlsplit

import aiohttp

from eclair.errors import Refused
from eclair.network.dns import Resolver
from eclair.network.download_guard import DownloadGuard, GuardedResolver
from eclair.network.gate import CLOSED_GATE, PRINCIPAL, CallContext, OutboundGate
from eclair.network.policy import is_loopback_url
from eclair.network.response import (
    BrokenReply,
    PeerResponse,
    RecordedCall,
    Reply,
    ReplyTooLarge,
    StreamedReply,
    TimedOut,
    Unreachable,
    open_reply,
    recorded_call,
)
from eclair.network.web_client import WebClient

__all__ = [
    "CLOSED_GATE",
    "IDLE_TIMEOUT_S",
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
    "is_loopback_url",
]

CONNECT_TIMEOUT_S = 5.0

IDLE_TIMEOUT_S = 300.0
"""The longest silence of a server, before its first byte or between two."""

READ_BUFFER_BYTES = 16 << 10
"""Bytes read ahead of an engine's reply. With aiohttp's 64 KiB, a few fast answers keep fifty others waiting."""


class _Options(TypedDict):
    timeout: aiohttp.ClientTimeout
    allow_redirects: bool
    middlewares: tuple[aiohttp.ClientMiddlewareType, ...]


class HttpClient:
    """Client for the one server at `url`: keep-alive, any number of connections, replies of any length.

    Leaving the block of `get` or `post` closes the connection unless the reply was read to its end:
    that is how an engine learns to stop. `country` is the server's, where the owner has stated it. The key is sent as
    a bearer token, or as the header named `header`; `headers` are sent with every request. `ca_file` has further
    certificate authorities (PEM). One that is `guarded` calls only public addresses and `private_addresses`.
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
        headers: Mapping[str, str] | None = None,
        ca_file: Path | None = None,
        guarded: bool = False,
    ) -> None:
        self._resolver = GuardedResolver(gate.policy.private) if guarded else None
        self.url = url.rstrip("/")
        self._gate = gate
        self._country = country
        keyed = {} if not key else {header: key} if header else {"Authorization": f"Bearer {key}"}
        self._headers = {**(headers or {}), **keyed}
        self._ca_file = ca_file
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
        headers: Mapping[str, str] | None = None,
        context: CallContext | None = None,
    ) -> AsyncGenerator[StreamedReply]:
        """Send `body`. Without `keep_alive` the connection isn't reused.

        `context` defaults to an answer for the owner. Raises Unreachable, TimedOut, BrokenReply, and Refused by the
        policy.
        """
        headers = {**(headers or {}), "Content-Type": content_type, **({} if keep_alive else {"Connection": "close"})}
        with self._recorded(context) as call:
            request = self._open().post(url, data=body, headers=headers, **self._options(idle_timeout_s, call))
            async with open_reply(request, call) as reply:
                yield reply

    @asynccontextmanager
    async def put(self, url: str, body: bytes, *, context: CallContext | None = None) -> AsyncGenerator[StreamedReply]:
        """Put JSON at `url`. Raises as `post` does."""
        headers = {"Content-Type": "application/json"}
        with self._recorded(context) as call:
            async with open_reply(
                self._open().put(url, data=body, headers=headers, **self._options(None, call)), call
            ) as reply:
                yield reply

    @asynccontextmanager
    async def get(
        self,
        url: str,
        *,
        idle_timeout_s: float | None = None,
        headers: Mapping[str, str] | None = None,
        context: CallContext | None = None,
    ) -> AsyncGenerator[StreamedReply]:
        """Fetch `url`. Raises as `post` does."""
        with self._recorded(context) as call:
            request = self._open().get(url, headers=headers, **self._options(idle_timeout_s, call))
            async with open_reply(request, call) as reply:
                yield reply

    @asynccontextmanager
    async def delete(
        self, url: str, *, headers: Mapping[str, str] | None = None, context: CallContext | None = None
    ) -> AsyncGenerator[StreamedReply]:
        """Delete what is at `url`. Raises as `post` does."""
        with self._recorded(context) as call:
            request = self._open().delete(url, headers=headers, **self._options(None, call))
            async with open_reply(request, call) as reply:
                yield reply

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _recorded(self, context: CallContext | None) -> AbstractContextManager[RecordedCall]:
        return recorded_call(self._gate, context or CallContext(PRINCIPAL.get(), "engine", country=self._country))

    def _options(self, idle: float | None, call: RecordedCall) -> _Options:
        timeout = self._timeout
        if idle is not None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=min(self._connect, idle), sock_read=idle)
        # A redirect would send the key and the question to a server that nobody chose.
        if self._resolver is None:
            return {"timeout": timeout, "allow_redirects": False, "middlewares": (call,)}
        guard = DownloadGuard((), self._gate.policy.private, self._resolver)
        return {"timeout": timeout, "allow_redirects": False, "middlewares": (call, guard)}

    def _tls(self) -> ssl.SSLContext | bool:
        if self._ca_file is None:
            return True
        context = ssl.create_default_context()
        context.load_verify_locations(cafile=self._ca_file)
        return context

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30, ssl=self._tls(), resolver=self._resolver),
                read_bufsize=READ_BUFFER_BYTES,
                headers=self._headers,
                trust_env=self._resolver is None and not is_loopback_url(self.url),
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=PeerResponse,
            )
        return self._session


class DownloadClient:
    """Fetches files. Proxies, `.netrc` and SSL_CERT_FILE of the environment are used.

    `certificates` is a further CA file, `proxy` overrides the environment's, and hosts in `trusted` need no valid
    certificate. Only the `own` addresses may be off the open web; None allows any, for sources that the owner set up.
    """

    def __init__(
        self,
        gate: OutboundGate = CLOSED_GATE,
        *,
        own: Sequence[str] | None = None,
        certificates: str | None = None,
        proxy: str | None = None,
        trusted: frozenset[str] = frozenset(),
    ) -> None:
        self._gate = gate
        self._own = own
        self._resolver: GuardedResolver | None = None
        self._certificates = certificates
        self._proxy = proxy
        self._trusted = trusted
        self._context: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def get(
        self, url: str, headers: Mapping[str, str] | None = None, *, token: str | None = None
    ) -> AsyncGenerator[StreamedReply]:
        """Fetch, following redirects, but not from https to http; the token is sent to the origin of `url` only.

        Raises Unreachable, TimedOut, BrokenReply, and Refused by the policy or the guard.
        """
        verify = urlsplit(url).hostname not in self._trusted
        with recorded_call(self._gate, CallContext(PRINCIPAL.get(), "model")) as call:
            session = self._open()
            assert self._resolver is not None
            guard = DownloadGuard(self._own, self._gate.policy.private, self._resolver)
            request = session.get(
                url,
                headers=headers,
                proxy=self._proxy,
                ssl=self._tls() if verify else False,
                middlewares=(call, guard) if token is None else (_bearer(token), call, guard),
            )
            async with open_reply(request, call) as reply:
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
            self._resolver = GuardedResolver(self._gate.policy.private)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=self._resolver),
                timeout=timeout,
                trust_env=True,
                auto_decompress=True,
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=PeerResponse,
            )
        return self._session


def _bearer(token: str) -> aiohttp.ClientMiddlewareType:
    """Send the token to the first origin, in place of what `.netrc` has for it, and to none that redirects lead to."""
    first: list[object] = []

    async def show(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        first.append(request.url.origin())
        if first[-1] == first[0]:
            request.headers["Authorization"] = f"Bearer {token}"
        return await handler(request)

    return show
