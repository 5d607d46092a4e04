"""Guards downloads: an address that somebody names, or a redirect, leads to public addresses and never out of TLS.

Hubs that the settings name are called where they are; one in the own network may redirect within it.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from eclair.errors import Refused
from eclair.network import ssrf
from eclair.network.policy import host_and_port, is_local_network, is_loopback_url


class DownloadGuard:
    """Middleware of one download, which checks each of its hops. Raises Refused.

    URLs of the `own` origins aren't checked; None checks no address. `resolver` checks the names of the others.
    """

    def __init__(self, own: Sequence[str] | None, private: ssrf.PrivateServices, resolver: GuardedResolver) -> None:
        self._own = None if own is None else {_origin(url) for url in own if "://" in url}
        self._private = private
        self._resolver = resolver
        self._before: str | None = None
        self._stays_within = own is None

    async def __call__(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        url = str(request.url)
        if self._before is not None and self._before.startswith("https:") and not url.startswith("https:"):
            host, _ = host_and_port(self._before)
            raise Refused(f"{host} redirects to an address without encryption; nothing was fetched from there.")
        self._check(url)
        self._before = url
        return await handler(request)

    def _check(self, url: str) -> None:
        if self._own is not None and _origin(url) in self._own:
            if self._before is None:
                self._stays_within = is_loopback_url(url) or is_local_network(host_and_port(url)[0])
            return
        if not self._stays_within:
            target = ssrf.check_url(url, self._private)
            self._resolver.guarded.add((target.host, target.port))


class GuardedResolver(AbstractResolver):
    """The system's resolver, which refuses a name in `guarded` that leads to an address that isn't public."""

    def __init__(self, private: ssrf.PrivateServices) -> None:
        self.guarded: set[tuple[str, int]] = set()
        self._private = private
        self._system = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Raises OSError, and Refused."""
        found = await self._system.resolve(host, port, family)
        if (host.rstrip(".").lower(), port) in self.guarded:
            ssrf.check_addresses(host, port, [(each["host"], each["port"]) for each in found], self._private)
        return found

    async def close(self) -> None:
        await self._system.close()


def _origin(url: str) -> tuple[str, str, int]:
    host, port = host_and_port(url)
    return urlsplit(url).scheme, host.lower(), port
