"""The one door out: every outbound connection is made here, and nothing else imports an HTTP client.

`Http` speaks to one engine, `Downloads` fetches files. Both give a `Reply` to be read piece by piece, and
turn the client library's many exceptions into the three below. What a reply means is the caller's affair.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from collections.abc import AsyncGenerator, Awaitable, Mapping
from contextlib import asynccontextmanager
from typing import TypedDict
from urllib.parse import urlsplit

import aiohttp

from eclair import loopback

CONNECT = 5.0
"""Seconds within which a connection must stand."""

IDLE = 300.0
"""Seconds that a server may stay silent, before its first byte or between two."""

AHEAD = 16 << 10
"""Bytes of an engine's reply that may wait to be looked at before no more are taken from the network. With the client
library's own 64 KiB a few fast answers keep fifty others waiting."""

log = logging.getLogger(__name__)


class _Options(TypedDict):
    timeout: aiohttp.ClientTimeout
    allow_redirects: bool


class Unreachable(Exception):
    """No connection, or one that closed before the reply began."""


class TimedOut(Exception):
    """The server stayed silent for too long."""


class BrokenOff(Exception):
    """The reply stopped half way, or was no HTTP."""


class Reply:
    """A reply whose head has come. `url` is where redirects led; `received` counts the bytes of the body."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers
        self.url = str(response.url)
        self.received = 0

    def first(self, header: str) -> str | None:
        """What the first of the replies that led here, by redirects, says under `header`."""
        heads = (reply.headers for reply in (*self._response.history, self._response))
        return next((head[header] for head in heads if header in head), None)

    async def read(self) -> bytes:
        """Whatever has come since the last call, waiting for at least one byte; empty at the end.

        Raises BrokenOff and TimedOut.
        """
        try:
            chunk = await self._response.content.readany()
        except TimeoutError as error:
            raise TimedOut(_reason(error)) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise BrokenOff(_reason(error)) from error
        self.received += len(chunk)
        return chunk

    async def rest(self, seconds: float) -> None:
        """Leave what comes meanwhile to the system, so that the next read takes it in one piece."""
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

    async def body(self, limit: int) -> bytes:
        """The whole body, cut at `limit` bytes."""
        parts: list[bytes] = []
        while self.received < limit and (chunk := await self.read()):
            parts.append(chunk)
        return b"".join(parts)[:limit]

    async def finish(self, within: float) -> None:
        """Give the server a moment to end the reply, so that its connection can serve again."""
        try:
            async with asyncio.timeout(within):
                while await self.read():
                    pass
        except (TimeoutError, TimedOut, BrokenOff):
            return

    def close(self) -> None:
        """Close the connection at once, unless the reply has been read to its end."""
        if self._response.content.at_eof():
            self._response.release()
        else:
            self._response.close()


class Http:
    """Connections to the one server at `url`: kept alive, unlimited in number, without a limit on a reply's length.

    Leaving the block of `get` or `post` closes the connection unless the reply was read to its end:
    that is how an engine learns to stop.
    """

    def __init__(self, url: str, key: str | None = None, *, connect: float = CONNECT, idle: float = IDLE) -> None:
        self.url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._connect = connect
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=connect, sock_read=idle)
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def post(
        self, url: str, body: bytes, *, idle: float | None = None, keep: bool = True
    ) -> AsyncGenerator[Reply]:
        """Send JSON; without `keep` the connection serves this once. Raises Unreachable, TimedOut and BrokenOff."""
        headers = {"Content-Type": "application/json"} | ({} if keep else {"Connection": "close"})
        session = self._open()
        async with _sent(session.post(url, data=body, headers=headers, **self._options(idle))) as reply:
            yield reply

    @asynccontextmanager
    async def get(self, url: str, *, idle: float | None = None) -> AsyncGenerator[Reply]:
        """Fetch. Raises as `post` does."""
        async with _sent(self._open().get(url, **self._options(idle))) as reply:
            yield reply

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _options(self, idle: float | None) -> _Options:
        timeout = self._timeout
        if idle is not None:
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=min(self._connect, idle), sock_read=idle)
        # A redirect would take the key and what was asked to a server that nobody chose.
        return {"timeout": timeout, "allow_redirects": False}

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
                read_bufsize=AHEAD,
                headers=self._headers,
                trust_env=not is_loopback(self.url),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


class Downloads:
    """Fetches files from anywhere. Proxies, `.netrc` and SSL_CERT_FILE of the environment hold.

    `certificates` is a further file of authorities, `proxy` goes before the environment's, and the hosts in
    `trusted` are not asked for a valid certificate. What comes from elsewhere than this machine is logged.
    """

    def __init__(
        self, *, certificates: str | None = None, proxy: str | None = None, trusted: frozenset[str] = frozenset()
    ) -> None:
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

        Raises Unreachable, TimedOut and BrokenOff.
        """
        verify = urlsplit(url).hostname not in self._trusted
        sent = self._open().get(
            url,
            headers=headers,
            proxy=self._proxy,
            ssl=self._tls() if verify else False,
            middlewares=(_bearer(token),) if token is not None else (),
        )
        async with _sent(sent) as reply:
            try:
                yield reply
            finally:
                if not is_loopback(reply.url):
                    log.info("downloaded %d bytes from %s", reply.received, urlsplit(reply.url).hostname)

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
                timeout=timeout, trust_env=True, auto_decompress=True, cookie_jar=aiohttp.DummyCookieJar()
            )
        return self._session


def is_loopback(url: str) -> bool:
    """Whether `url` names this very machine."""
    host = urlsplit(url).hostname or ""
    return host.endswith(".localhost") or loopback.is_loopback(host)


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


@asynccontextmanager
async def _sent(request: Awaitable[aiohttp.ClientResponse]) -> AsyncGenerator[Reply]:
    try:
        response = await request
    except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError) as error:
        raise Unreachable(_reason(error)) from error
    except TimeoutError as error:
        raise TimedOut(_reason(error)) from error
    except (aiohttp.ClientConnectionError, aiohttp.InvalidURL, OSError) as error:
        raise Unreachable(_reason(error)) from error
    except aiohttp.ClientError as error:
        raise BrokenOff(_reason(error)) from error
    reply = Reply(response)
    try:
        yield reply
    finally:
        reply.close()


def _reason(error: BaseException) -> str:
    """What went wrong in a few words, for the middle of a sentence."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        error = error.certificate_error
    elif isinstance(error, aiohttp.ClientConnectorError):
        error = error.os_error
    if isinstance(error, ConnectionError) and error.errno:
        return os.strerror(error.errno)  # asyncio's own text names the address in place of the reason
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
