"""Fetches from the open web: follows redirects, bounds each call in time, and has each of them pass the door.

How connections are made is the affair of `connections`; what comes back is that of `pages`.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

import httpcore2

from eclair import __version__
from eclair.errors import Refused
from eclair.network import ssrf
from eclair.network.dns import Names, Resolver
from eclair.network.gate import Door, Errand
from eclair.network.http2 import FAULTS, Pool
from eclair.network.policy import located
from eclair.network.response import BrokenOff, Reply, TimedOut, Trip, Unreachable, trip
from eclair.network.web_response import Page

CONNECT = 5.0
"""Seconds within which a connection must stand."""

LIMIT = 8 << 20
"""Bytes that a page has at most, once it is unpacked, unless more are asked for."""

REDIRECTS = frozenset((301, 302, 303, 307, 308))

HEADERS = {"Accept": "*/*", "Accept-Encoding": "gzip, deflate", "User-Agent": f"Eclair/{__version__}"}
"""What goes along with each call, unless its own headers say otherwise."""

FOR_ANYBODY = frozenset(("accept", "accept-language", "user-agent"))
"""Headers that go along where a redirect leads to another server."""

_NOT_CODED = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Browser:
    """Fetches from the open web: no cookie, no login, no proxy, and no address that `guard` does not open.

    HTTP/2 is spoken where a server offers it, and one connection then serves several calls at once. A name is resolved
    once, every address that it leads to is checked, and one of those is called. `resolver` resolves in place of the
    system's; `certificates` is a further file of authorities.
    """

    def __init__(self, door: Door, *, resolver: Resolver | None = None, certificates: str | None = None) -> None:
        self._door = door
        self._names = Names(resolver)
        self._pool = Pool(self._names, door.rules.private, certificates)

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
        await self._pool.aclose()
        self._names.close()

    def _checked(self, method: str, url: str, errand: Errand) -> ssrf.Target:
        try:
            return ssrf.target(url, self._door.rules.private)
        except Refused as why:
            self._door.refuse_url(method, url, errand, why)

    @asynccontextmanager
    async def _call(
        self,
        method: str,
        place: ssrf.Target,
        body: bytes | None,
        errand: Errand,
        headers: Mapping[str, str],
        within: float,
        deadline: float,
        limit: int,
    ) -> AsyncGenerator[Page]:
        late = f"{place.host} was not done within {within:g} seconds."
        url = coded(place.url)
        with trip(self._door, errand) as taken:
            taken.begin(method, url, len(body or b""))
            try:
                async with asyncio.timeout_at(deadline):
                    response = await self._answered(method, url, body, headers, taken)
            except Refused as why:  # where its name leads
                taken.refuse(why)
            except TimeoutError:
                raise TimedOut(late) from None
            except (Unreachable, httpcore2.NetworkError) as error:
                raise Unreachable(f"{place.host} cannot be reached: {error}.") from error
            except FAULTS as error:
                raise BrokenOff(f"What {place.host} sends is no HTTP that can be read.") from error
            page = taken.reply = Page(response, url, place.host, deadline, late, limit)
            try:
                yield page
                await page.settle()
            finally:
                await page.close()

    async def _answered(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], taken: Trip
    ) -> httpcore2.Response:
        """The response. Where a connection that was kept turns out to be closed, fetching is tried once more."""
        request = _request(method, url, body, headers, taken)
        try:
            response = await self._pool.handle_async_request(request)
        except (Unreachable, httpcore2.NetworkError):
            if method != "GET" or not request.extensions.get("reused"):
                raise
            request = _request(method, url, body, headers, taken)
            response = await self._pool.handle_async_request(request)
        taken.answered(response.status)
        return response


def coded(url: str) -> str:
    """The URL with every character coded that may not be sent as it is."""
    return quote(_NOT_CODED.sub("%25", url), safe="%:/?#[]@!$&'()*+,;=-._~")


def _request(method: str, url: str, body: bytes | None, headers: Mapping[str, str], taken: Trip) -> httpcore2.Request:
    """The request, which tells `taken` each time that it is sent."""

    async def traced(event: str, info: dict[str, Any]) -> None:
        if event.endswith("send_request_headers.started"):
            taken.sent(extensions["peer"])

    extensions: dict[str, Any] = {"timeout": {"connect": CONNECT}, "trace": traced}
    given = {name.lower() for name in headers}
    rows = {name: value for name, value in HEADERS.items() if name.lower() not in given} | dict(headers)
    if body is not None:
        rows["Content-Length"] = str(len(body))
    coded_rows = [(name.encode(), value.encode("utf-8", "surrogateescape")) for name, value in rows.items()]
    host = (b"Host", urlsplit(url).netloc.encode())
    return httpcore2.Request(method, url, headers=[host, *coded_rows], content=body, extensions=extensions)


def _joined(url: str, onward: str) -> str:
    """Where a redirect leads; as it stands where that is no address, so that it is refused by that name."""
    try:
        return urljoin(url, onward)
    except ValueError:
        return onward
