"""Fetches from the open web: follows redirects, bounds each call in time, and has each of them pass the door.

No cookie, no login, no proxy, and no address that `ssrf` does not open. What comes back is the affair of
`web_response`.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from urllib.parse import quote, urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from eclair import __version__
from eclair.errors import Refused
from eclair.network import ssrf
from eclair.network.dns import DnsCache, Resolver
from eclair.network.gate import CallContext, OutboundGate
from eclair.network.policy import host_and_port
from eclair.network.response import (
    AuditedCall,
    BrokenReply,
    PeerResponse,
    Reply,
    TimedOut,
    Unreachable,
    audited_call,
    send_request,
)
from eclair.network.web_response import WebReply

CONNECT_TIMEOUT_S = 5.0

MAX_CONNECTIONS = 64

KEEP_ALIVE_S = 30.0

MAX_REPLY_BYTES = 8 << 20
"""Of an unpacked reply, unless the caller asks for more."""

REDIRECTS = frozenset((301, 302, 303, 307, 308))

HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": f"Eclair/{__version__}"}
"""Sent with each call, unless its own headers say otherwise."""

FOR_ANYBODY = frozenset(("accept", "accept-language", "user-agent"))
"""Headers that go along where a redirect leads to another server."""

_NOT_CODED = re.compile(r"%(?![0-9A-Fa-f]{2})")


class WebClient:
    """Client for the open web. Each name is resolved once, every address that it leads to is checked, and one of those
    is called. `resolver` replaces the system's; `certificates` is a further file of authorities.
    """

    def __init__(
        self, gate: OutboundGate, *, resolver: Resolver | None = None, certificates: str | None = None
    ) -> None:
        self._gate = gate
        self._names = DnsCache(resolver)
        self._certificates = certificates
        self._context: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def get(
        self,
        url: str,
        context: CallContext,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        max_bytes: int = MAX_REPLY_BYTES,
        max_redirects: int = 5,
    ) -> AsyncGenerator[Reply]:
        """Fetch, following so many redirects. All of it, the body too, is to be there `within` seconds and to have
        `limit` bytes at most once it is unpacked.

        Raises Refused, Unreachable, TimedOut, BrokenOff and TooMuch, here and as the reply is read; each says what and
        who in a sentence.
        """
        headers, origin = dict(headers or {}), None
        hops: list[tuple[int, str]] = []
        deadline = asyncio.get_running_loop().time() + timeout_s
        for _ in range(max_redirects + 1):
            place = self._checked("GET", url, context)
            if origin not in (None, place.origin):
                headers = {name: value for name, value in headers.items() if name.lower() in FOR_ANYBODY}
            origin = place.origin
            async with self._call("GET", place, None, context, headers, timeout_s, deadline, max_bytes) as reply:
                onward = reply.headers.get("Location") if reply.status in REDIRECTS else None
                if onward is None:
                    reply.hops = tuple(hops)
                    yield reply
                    return
                status = reply.status
            url = _joined(place.url, onward)
            hops.append((status, url))
        raise BrokenReply(
            f"{host_and_port(url)[0]} is where more than {max_redirects} redirects in a row lead; it was not read."
        )

    @asynccontextmanager
    async def post(
        self,
        url: str,
        body: bytes,
        context: CallContext,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 10.0,
        max_bytes: int = MAX_REPLY_BYTES,
    ) -> AsyncGenerator[Reply]:
        """Send `body`, and follow no redirect; else as `get`."""
        deadline = asyncio.get_running_loop().time() + timeout_s
        place = self._checked("POST", url, context)
        async with self._call("POST", place, body, context, headers or {}, timeout_s, deadline, max_bytes) as reply:
            yield reply

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        self._names.close()

    def _checked(self, method: str, url: str, context: CallContext) -> ssrf.CheckedUrl:
        try:
            return ssrf.check_url(url, self._gate.policy.private)
        except Refused as why:
            self._gate.refuse_url(method, url, context, why)

    @asynccontextmanager
    async def _call(
        self,
        method: str,
        place: ssrf.CheckedUrl,
        body: bytes | None,
        context: CallContext,
        headers: Mapping[str, str],
        within: float,
        deadline: float,
        limit: int,
    ) -> AsyncGenerator[WebReply]:
        late = f"{place.host} was not done within {within:g} seconds."
        url = percent_encode(place.url)
        with audited_call(self._gate, context) as taken:
            try:
                async with asyncio.timeout_at(deadline):
                    response = await self._sent(method, url, body, headers, taken)
            except (TimeoutError, TimedOut):
                raise TimedOut(late) from None
            except Unreachable as error:
                raise Unreachable(f"{place.host} cannot be reached: {error}.") from error
            except BrokenReply as error:
                raise BrokenReply(f"What {place.host} sends is no HTTP that can be read.") from error
            page = taken.reply = WebReply(response, url, place.host, deadline, late, limit)
            try:
                yield page
            finally:
                page.close()

    async def _sent(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], taken: AuditedCall
    ) -> aiohttp.ClientResponse:
        """The response, once its head is there. GET is sent once more where the connection closes before that."""
        given = {name.lower() for name in headers}
        return await send_request(
            self._open().request(
                method,
                URL(url, encoded=True),
                data=body,
                headers={name: value for name, value in HEADERS.items() if name.lower() not in given} | dict(headers),
                skip_auto_headers=("Content-Type",),
                ssl=self._tls() if url.startswith("https:") else True,
                allow_redirects=False,
                middlewares=(taken,),
            )
        )

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=MAX_CONNECTIONS,
                    keepalive_timeout=KEEP_ALIVE_S,
                    resolver=_CheckedResolver(self._names, self._gate.policy.private),
                    use_dns_cache=False,
                ),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                auto_decompress=False,  # a few bytes may unpack to gigabytes: `Page` unpacks within its limit
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=PeerResponse,
            )
        return self._session

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = context = ssl.create_default_context()
            context.set_alpn_protocols(["http/1.1"])
            if self._certificates is not None:
                context.load_verify_locations(cafile=self._certificates)
        return self._context


class _CheckedResolver(AbstractResolver):
    """Resolver of the connector, which calls exactly the addresses that were checked here. Addresses in a URL do not
    come here; `ssrf.target` has checked those."""

    def __init__(self, names: DnsCache, private: ssrf.PrivateServices) -> None:
        self._names = names
        self._private = private

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises OSError, and Refused for a name that leads to where nobody may go."""
        found = await self._names.resolve(host, port)
        if not found:
            raise OSError("Name leads nowhere")
        ssrf.check_addresses(host, port, found, self._private)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=there,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address, there in found
        ]

    async def close(self) -> None:
        """The names are the client's to close."""


def percent_encode(url: str) -> str:
    """The URL with every character coded that may not be sent as it is."""
    return quote(_NOT_CODED.sub("%25", url), safe="%:/?#[]@!$&'()*+,;=-._~")


def _joined(url: str, onward: str) -> str:
    """Where a redirect leads; as it stands where that is no address, so that it is refused by that name."""
    try:
        return urljoin(url, onward)
    except ValueError:
        return onward
