"""The address of a client: its connection's, or behind trusted proxies the one that they name."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.types import Scope

from eclair.util.loopback import is_loopback

PREFIX_BITS = 64
"""One IPv6 customer has at least as many addresses."""


class ClientAddresses:
    """Finds clients behind the proxies of this machine and `trusted` ones: addresses, or networks such as 10.0.0.0/24.

    Only limits and the log may believe what it finds: any program of this machine can claim an address.
    """

    def __init__(self, trusted: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(each, strict=False) for each in trusted]

    def find(self, scope: Scope, headers: Headers) -> str:
        """Return the address of who sent a request; a proxy's own where it names nobody."""
        address: str = scope["client"][0] if scope.get("client") else ""
        if not self.is_proxy(address):
            return address
        named = ",".join(headers.getlist("x-forwarded-for")).split(",")
        while named and self.is_proxy(address):
            address = named.pop().strip() or address
        return address

    def is_proxy(self, address: str) -> bool:
        """Tell whether an address is this machine's or a trusted proxy's."""
        if is_loopback(address):
            return True
        if not self._networks:
            return False
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)


def client_network(address: str) -> str:
    """Return the address, or the network of an IPv6 one, which is one client's."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "an unknown address"
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, PREFIX_BITS), strict=False))
