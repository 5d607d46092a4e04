"""Client for the open web: recorded, SSRF-guarded, bounded in time and size.

It keeps no cookies, sends no credentials and uses no proxy. `web_response` reads the replies.
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
    BrokenReply,
    PeerResponse,
    RecordedCall,
    Reply,
    TimedOut,
    Unreachable,
    recorded_call,
    send_request,
)
from eclair.network.web_response import ReplyLimits, WebReply

CONNECT_TIMEOUT_S = 5.0
MAX_CONNECTIONS = 64
KEEP_ALIVE_S = 30.0
MAX_REPLY_BYTES = 8 << 20
REDIRECTS = frozenset((301, 302, 303, 307, 308))

HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": f"Eclair/{__version__}"}
"""Sent with each call, unless the caller's headers replace them."""

CROSS_ORIGIN_HEADERS = frozenset(("accept", "accept-language", "user-agent"))
"""Headers kept when a redirect leads to another origin."""

_BARE_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")


class WebClient:
    """Fetches from the open web. `resolver` replaces the system's; `certificates` is a further CA file.

    A name is resolved once, all its addresses are checked, and one of those is called.
    """

    def __init__(
        self, gate: OutboundGate, *, resolver: Resolver | None = None, certificates: str | None = None
    ) -> None:
        self._gate = gate
        self._dns = DnsCache(resolver)
        self._chooses_services = resolver is not None
        self._certificates = certificates
        self._tls: ssl.SSLContext | None = None
        self._session: aiohttp.ClientSession | None = None

    def may_lead(self, source: str, target: str) -> bool:
        """See `OutboundPolicy.may_lead`."""
        return self._gate.policy.may_lead(source, target)

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
        """Fetch, following redirects. `timeout_s` covers everything up to the end of the body.

        `max_bytes` counts decompressed bytes. Raises Refused, Unreachable, TimedOut, BrokenReply and ReplyTooLarge,
        here and while the reply is read; each message is a whole sentence.
        """
        headers, origin = dict(headers or {}), None
        first: ssrf.CheckedUrl | None = None
        hops: list[tuple[int, str]] = []
        limits = ReplyLimits.starting_now(timeout_s, max_bytes)
        for _ in range(max_redirects + 1):
            target = self._check("GET", url, context)
            first = first or target
            if origin not in (None, target.origin):
                headers = {name: value for name, value in headers.items() if name.lower() in CROSS_ORIGIN_HEADERS}
            origin = target.origin
            async with self._call("GET", target, None, context, headers, limits) as reply:
                location = reply.headers.get("Location") if reply.status in REDIRECTS else None
                if location is None:
                    reply.hops = tuple(hops)
                    yield reply
                    return
                status = reply.status
            url = _join(target.url, location)
            if not self._gate.policy.may_lead(first.url, url):
                why = Refused(
                    f"{first.host} redirects to a service in `private_addresses`; only pages there may do so."
                )
                self._gate.refuse_url("GET", url, context, why)
            hops.append((status, url))
        raise BrokenReply(f"{host_and_port(url)[0]} redirected more than {max_redirects} times; the page wasn't read.")

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
        """Send `body` without following redirects; otherwise like `get`."""
        limits = ReplyLimits.starting_now(timeout_s, max_bytes)
        target = self._check("POST", url, context)
        async with self._call("POST", target, body, context, headers or {}, limits) as reply:
            yield reply

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
        self._dns.close()

    def _check(self, method: str, url: str, context: CallContext) -> ssrf.CheckedUrl:
        try:
            return ssrf.check_url(url, self._gate.policy.private)
        except Refused as why:
            self._gate.refuse_url(method, url, context, why)

    @asynccontextmanager
    async def _call(
        self,
        method: str,
        target: ssrf.CheckedUrl,
        body: bytes | None,
        context: CallContext,
        headers: Mapping[str, str],
        limits: ReplyLimits,
    ) -> AsyncGenerator[WebReply]:
        url, host = percent_encode(target.url), target.host
        with recorded_call(self._gate, context) as call:
            try:
                async with asyncio.timeout_at(limits.deadline):
                    response = await self._send(method, url, body, headers, call)
            except (TimeoutError, TimedOut):
                raise limits.timed_out(host) from None
            except Unreachable as error:
                raise Unreachable(f"{host} cannot be reached: {error}.") from error
            except BrokenReply as error:
                raise BrokenReply(f"{host} sent a reply that isn't valid HTTP.") from error
            reply = call.reply = WebReply(response, url, host, limits)
            try:
                yield reply
            finally:
                reply.close()

    async def _send(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], call: RecordedCall
    ) -> aiohttp.ClientResponse:
        """Return the response once its headers are there. A GET is sent again if the connection closes before that."""
        given = {name.lower() for name in headers}
        return await send_request(
            self._open().request(
                method,
                URL(url, encoded=True),
                data=body,
                headers={name: value for name, value in HEADERS.items() if name.lower() not in given} | dict(headers),
                skip_auto_headers=("Content-Type",),
                ssl=self._tls_context() if url.startswith("https:") else True,
                allow_redirects=False,
                middlewares=(call,),
            )
        )

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=MAX_CONNECTIONS,
                    keepalive_timeout=KEEP_ALIVE_S,
                    resolver=_GuardedResolver(
                        self._dns, self._gate.policy.private, chooses_services=self._chooses_services
                    ),
                    use_dns_cache=False,
                ),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
                auto_decompress=False,  # a few bytes may expand to gigabytes; WebReply stops at its limit
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=PeerResponse,
            )
        return self._session

    def _tls_context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols(["http/1.1"])
            if self._certificates is not None:
                self._tls.load_verify_locations(cafile=self._certificates)
        return self._tls


class _GuardedResolver(AbstractResolver):
    """Gives the connector only addresses that were checked.

    aiohttp doesn't ask it about a URL whose host is an address; `ssrf.check_url` has checked those.
    """

    def __init__(self, dns: DnsCache, private: ssrf.PrivateServices, *, chooses_services: bool) -> None:
        """With `chooses_services`, a program that replaces the system's resolver may lead names to private services."""
        self._dns = dns
        self._private = private
        self._chooses_services = chooses_services

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Raises OSError, and Refused for a name with an address that may not be called."""
        found = await self._dns.resolve(host, port)
        if not found:
            raise OSError("Name has no address")
        foreign = [place for place in found if not (self._chooses_services and place in self._private)]
        ssrf.check_addresses(host, port, foreign, self._private)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=address_port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=0,
            )
            for address, address_port in found
        ]

    async def close(self) -> None:
        """Leave the cache open: it belongs to the client."""


def percent_encode(url: str) -> str:
    """Encode every character of a URL that may not be sent as it is."""
    return quote(_BARE_PERCENT.sub("%25", url), safe="%:/?#[]@!$&'()*+,;=-._~")


def _join(url: str, location: str) -> str:
    """Resolve the target of a redirect. A malformed one is returned unchanged, to be refused under that name."""
    try:
        return urljoin(url, location)
    except ValueError:
        return location
