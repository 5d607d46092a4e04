"""The one door out: every outbound connection is made here, and nothing outside this package imports an HTTP client.

`Http` speaks to one engine, `Downloads` fetches files, `Browser` the open web. All give a `Reply` to be read piece by
piece, and turn the client library's many exceptions into those of `calls`. What may leave, and what is recorded of it,
is decided by a `Door`; what a reply means is the caller's affair.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from typing import TypedDict
from urllib.parse import urljoin, urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver

from eclair import __version__
from eclair.errors import Refused
from eclair.trust import guard
from eclair.trust.calls import BrokenOff, Reply, Response, TimedOut, TooMuch, Trip, Unreachable, answered, sent, trip
from eclair.trust.door import CLOSED, OWNER, Door, Errand
from eclair.trust.pages import CheckedResolver, Page, SystemResolver
from eclair.trust.policy import is_loopback, located

__all__ = [
    "CLOSED",
    "IDLE",
    "OWNER",
    "BrokenOff",
    "Browser",
    "Door",
    "Downloads",
    "Errand",
    "Http",
    "Refused",
    "Reply",
    "TimedOut",
    "TooMuch",
    "Unreachable",
    "is_loopback",
]

CONNECT = 5.0
"""Seconds within which a connection must stand."""

IDLE = 300.0
"""Seconds that a server may stay silent, before its first byte or between two."""

AHEAD = 16 << 10
"""Bytes of an engine's reply that may wait to be looked at before no more are taken from the network. With the client
library's own 64 KiB a few fast answers keep fifty others waiting."""

Resolver = AbstractResolver
"""How names are resolved, as aiohttp has it."""

LIMIT = 8 << 20
"""Bytes that a page has at most, once it is unpacked, unless more are asked for."""

REDIRECTS = frozenset((301, 302, 303, 307, 308))

FOR_ANYBODY = frozenset(("accept", "accept-language", "user-agent"))
"""Headers that go along where a redirect leads to another server."""


class _Options(TypedDict):
    timeout: aiohttp.ClientTimeout
    allow_redirects: bool
    middlewares: tuple[Trip]


class Http:
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
        door: Door = CLOSED,
        country: str | None = None,
        connect: float = CONNECT,
        idle: float = IDLE,
        header: str | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._door = door
        self._country = country
        self._headers = {} if not key else {header: key} if header else {"Authorization": f"Bearer {key}"}
        self._connect = connect
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=idle)
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def post(
        self,
        url: str,
        body: bytes,
        *,
        idle: float | None = None,
        keep: bool = True,
        media: str = "application/json",
        errand: Errand | None = None,
    ) -> AsyncGenerator[Reply]:
        """Send `body`, which is JSON unless `media` says else; without `keep` the connection serves this once. `errand`
        says for whom, where it is not for the owner's answers.

        Raises Unreachable, TimedOut and BrokenOff, and Refused where the door does not let it out.
        """
        headers = {"Content-Type": media} | ({} if keep else {"Connection": "close"})
        with self._trip(errand) as taken:
            request = self._open().post(url, data=body, headers=headers, **self._options(idle, taken))
            async with sent(request, taken) as reply:
                yield reply

    @asynccontextmanager
    async def get(self, url: str, *, idle: float | None = None, errand: Errand | None = None) -> AsyncGenerator[Reply]:
        """Fetch. Raises as `post` does."""
        with self._trip(errand) as taken:
            async with sent(self._open().get(url, **self._options(idle, taken)), taken) as reply:
                yield reply

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _trip(self, errand: Errand | None) -> AbstractContextManager[Trip]:
        return trip(self._door, errand or Errand(OWNER, "engine", country=self._country))

    def _options(self, idle: float | None, taken: Trip) -> _Options:
        timeout = self._timeout
        if idle is not None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=min(self._connect, idle), sock_read=idle)
        # A redirect would take the key and what was asked to a server that nobody chose.
        return {"timeout": timeout, "allow_redirects": False, "middlewares": (taken,)}

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
                read_bufsize=AHEAD,
                headers=self._headers,
                trust_env=not is_loopback(self.url),
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=Response,
            )
        return self._session


class Downloads:
    """Fetches files from anywhere that `door` lets out. Proxies, `.netrc` and SSL_CERT_FILE of the environment hold.

    `certificates` is a further file of authorities, `proxy` goes before the environment's, and the hosts in
    `trusted` are not asked for a valid certificate.
    """

    def __init__(
        self,
        door: Door = CLOSED,
        *,
        certificates: str | None = None,
        proxy: str | None = None,
        trusted: frozenset[str] = frozenset(),
    ) -> None:
        self._door = door
        self._certificates = certificates
        self._proxy = proxy
        self._trusted = trusted
        self._context: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def get(
        self, url: str, headers: Mapping[str, str] | None = None, *, token: str | None = None
    ) -> AsyncGenerator[Reply]:
        """Fetch, following redirects; a token goes to the place of `url` and nowhere else.

        Raises Unreachable, TimedOut and BrokenOff, and Refused where the door does not let it out.
        """
        verify = urlsplit(url).hostname not in self._trusted
        with trip(self._door, Errand(OWNER, "model")) as taken:
            request = self._open().get(
                url,
                headers=headers,
                proxy=self._proxy,
                ssl=self._tls() if verify else False,
                middlewares=(taken,) if token is None else (_bearer(token), taken),
            )
            async with sent(request, taken) as reply:
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
                response_class=Response,
            )
        return self._session


class Browser:
    """Fetches from the open web: no cookie, no login, no proxy, and no address that `guard` does not open.

    A name is resolved once, every address that it leads to is checked, and one of those is called. `resolver` resolves
    in place of the system's.
    """

    def __init__(self, door: Door, *, resolver: Resolver | None = None) -> None:
        self._door = door
        self._resolver = resolver
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def get(
        self,
        url: str,
        errand: Errand,
        *,
        headers: Mapping[str, str] | None = None,
        within: float = 10.0,
        limit: int = LIMIT,
        redirects: int = 5,
    ) -> AsyncGenerator[Reply]:
        """Fetch, following so many redirects. All of it, the body too, is to be there `within` seconds and to have
        `limit` bytes at most once it is unpacked.

        Raises Refused, Unreachable, TimedOut, BrokenOff and TooMuch, here and as the reply is read; each says what and
        who in a sentence.
        """
        headers, origin = dict(headers or {}), None
        hops: list[tuple[int, str]] = []
        deadline = asyncio.get_running_loop().time() + within
        for _ in range(redirects + 1):
            place = self._checked("GET", url, errand)
            if origin not in (None, place.origin):
                headers = {name: value for name, value in headers.items() if name.lower() in FOR_ANYBODY}
            origin = place.origin
            async with self._call("GET", place, None, errand, headers, within, deadline, limit) as reply:
                onward = reply.headers.get("Location") if reply.status in REDIRECTS else None
                if onward is None:
                    reply.hops = tuple(hops)
                    yield reply
                    return
                status = reply.status
            url = _joined(place.url, onward)
            hops.append((status, url))
        raise BrokenOff(f"{located(url)[0]} is where more than {redirects} redirects in a row lead; it was not read.")

    @asynccontextmanager
    async def post(
        self,
        url: str,
        body: bytes,
        errand: Errand,
        *,
        headers: Mapping[str, str] | None = None,
        within: float = 10.0,
        limit: int = LIMIT,
    ) -> AsyncGenerator[Reply]:
        """Send `body`, and follow no redirect; else as `get`."""
        deadline = asyncio.get_running_loop().time() + within
        place = self._checked("POST", url, errand)
        async with self._call("POST", place, body, errand, headers or {}, within, deadline, limit) as reply:
            yield reply

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _checked(self, method: str, url: str, errand: Errand) -> guard.Target:
        try:
            return guard.target(url, self._door.rules.private)
        except Refused as why:
            self._door.refuse_url(method, url, errand, why)

    @asynccontextmanager
    async def _call(
        self,
        method: str,
        place: guard.Target,
        body: bytes | None,
        errand: Errand,
        headers: Mapping[str, str],
        within: float,
        deadline: float,
        limit: int,
    ) -> AsyncGenerator[Reply]:
        late = f"{place.host} was not done within {within:g} seconds."
        with trip(self._door, errand) as taken:
            request = self._open().request(
                method, place.url, data=body, headers=headers, allow_redirects=False, middlewares=(taken,)
            )
            try:
                async with asyncio.timeout_at(deadline):
                    response = await answered(request)
            except (TimeoutError, TimedOut):
                raise TimedOut(late) from None
            except Unreachable as error:
                raise Unreachable(f"{place.host} cannot be reached: {error}.") from error
            except BrokenOff as error:
                raise BrokenOff(f"What {place.host} sends is no HTTP that can be read.") from error
            page = taken.reply = Page(response, place.host, deadline, late, limit)
            try:
                yield page
            finally:
                page.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = CheckedResolver(self._resolver or SystemResolver(), self._door.rules.private)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=64, resolver=resolver, keepalive_timeout=30, ttl_dns_cache=60),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT),
                headers={"User-Agent": f"Eclair/{__version__}", "Accept-Encoding": "gzip, deflate"},
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=Response,
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


def _joined(url: str, onward: str) -> str:
    """Where a redirect leads; as it stands where that is no address, so that it is refused by that name."""
    try:
        return urljoin(url, onward)
    except ValueError:
        return onward
