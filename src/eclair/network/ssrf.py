"""SSRF guard: allows only public addresses, by URL and by DNS.

A URL is parsed once and put together again, so that the client reads it as it was checked. It opens no connection.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import idna

from eclair.errors import Refused
from eclair.util import loopback

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
PrivateServices = frozenset[tuple[str, int]]
"""Hosts with ports that may be called although they aren't on the open web."""

MAX_URL_CHARS = 8192

DEFAULT_PORTS = {"http": 80, "https": 443}

# fmt: off
BLOCKED_PORTS = frozenset((
    1433, 1521, 1719, 1720, 1723, 2049, 2375, 2376, 2379, 3306, 3389, 3659, 4045, 4190, 5060, 5061, 5432,
    5672, 5900, 5985, 6000, 6379, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 9092, 9200, 9300,
    10080, 10250, 11211, 27017,
))
# fmt: on
"""Ports above 1023 where no web server listens: those that browsers refuse, and databases."""

_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*\.?")
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)\.?")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_UNASSIGNED = ipaddress.IPv4Address("192.0.2.1")
_GLOBAL6 = ipaddress.ip_network("2000::/3")
_SPECIAL = tuple(
    map(
        ipaddress.ip_network,
        (
            "168.63.129.16/32",  # Azure's own services, at an address that looks public
            "192.0.0.0/24",
            "192.88.99.0/24",  # relays of 6to4
            "2001::/23",  # Teredo, ORCHID and others
            "2002::/16",  # 6to4: it holds an IPv4 address
            "3fff::/20",  # for documentation
        ),
    )
)


@dataclass(frozen=True, slots=True)
class CheckedUrl:
    """A checked URL. `host` is a name in ASCII and lower case, or an address without brackets."""

    url: str
    scheme: str
    host: str
    port: int

    @property
    def origin(self) -> tuple[str, str, int]:
        return self.scheme, self.host, self.port


def check_url(url: str, private: PrivateServices = frozenset()) -> CheckedUrl:
    """Parse a URL and check it. Raises Refused unless it names the open web or one of `private`."""
    parts, port = _split(url)
    if parts.scheme not in DEFAULT_PORTS:
        raise Refused(f"{_shown(url)} can't be opened; only http:// and https:// addresses can.")
    if "@" in parts.netloc:
        raise Refused("The address contains a user name or password; remove the part before the @.")
    if not parts.hostname:
        raise Refused(f"{_shown(url)} names no server; write it like https://example.org/page.")
    host = _host(parts.hostname, literal="[" in parts.netloc)
    number = DEFAULT_PORTS[parts.scheme] if port is None else port
    if (host, number) not in private:
        _check_host(host)
        _check_port(host, number)
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if number == DEFAULT_PORTS[parts.scheme] else f"{shown}:{number}"
    rebuilt = SplitResult(parts.scheme, netloc, parts.path or "/", parts.query, "").geturl()
    return CheckedUrl(rebuilt, parts.scheme, host, number)


def check_addresses(host: str, port: int, found: Iterable[tuple[str, int]], private: PrivateServices) -> None:
    """Raise Refused unless all addresses (each with its port) that `host` resolves to are public.

    A service in `private` is named as it is listed: another name that leads to its address isn't it.
    """
    if (host, port) in private:
        return
    for address, _ in found:
        if not is_public(ipaddress.ip_address(address.partition("%")[0])):
            raise Refused(_not_public(host, f"leads to {address}"))


def is_public(address: Address) -> bool:
    """Tell whether an address is on the internet, and not of this machine or its network."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:  # the way to IPv4 in a network that has only IPv6
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _GLOBAL6:
            return False
    if not address.is_global or address.is_multicast or address.is_reserved:
        return False
    return not any(address in network for network in _SPECIAL if network.version == address.version) and not _is_own(
        address
    )


def parse_private_service(text: str) -> tuple[str, int]:
    """Parse `host:port`, `192.0.2.1:port` or `[2001:db8::1]:port`. Raises ValueError."""
    host, colon, port = text.strip().lower().rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(f"{text!r} isn't a host and port; write it like 10.0.0.5:8888")
    if host.startswith("[") and host.endswith("]"):
        host, literal = host[1:-1], True
    else:
        literal = False
    try:
        return _host(host, literal=literal), int(port)
    except Refused:
        raise ValueError(f"{text!r} isn't a host and port; write it like 10.0.0.5:8888") from None


def _split(url: str) -> tuple[SplitResult, int | None]:
    if len(url) > MAX_URL_CHARS:
        raise Refused(f"The address is longer than {MAX_URL_CHARS} characters; use a shorter one.")
    if not url.isprintable() or " " in url.strip() or "\\" in url:
        raise Refused("The address contains spaces, line breaks or other invalid characters; copy it again.")
    try:
        parts = urlsplit(url.strip())
        return parts, parts.port
    except ValueError:
        raise Refused(f"{_shown(url)} isn't a valid address; check its host and port.") from None


def _host(text: str, *, literal: bool) -> str:
    """Return the host in canonical form. Raises Refused if it is invalid, or an address in an unusual notation."""
    if literal:
        try:
            return str(ipaddress.IPv6Address(text))
        except ValueError:
            raise Refused(f"[{text[:80]}] isn't a valid IPv6 address; check it.") from None
    host = text.lower()
    if not host.isascii():
        try:
            host = idna.encode(text, uts46=True).decode()
        except (idna.IDNAError, UnicodeError):
            raise Refused(f"{text[:80]} isn't a valid host name; check it.") from None
    if _NUMBER.fullmatch(host.removesuffix(".").rpartition(".")[2]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError:
            raise Refused(
                f"{host[:80]} isn't a valid IPv4 address; write four numbers with dots between them."
            ) from None
    if not _NAME.fullmatch(host) or len(host) > 254:
        raise Refused(f"{host[:80]} isn't a valid host name; check it.")
    return host.removesuffix(".")


def _check_host(host: str) -> None:
    if loopback.is_loopback(host) or host.endswith(".localhost"):
        raise Refused(_not_public(host, "is this machine"))
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return
    if not is_public(address):
        raise Refused(_not_public(host, "isn't on the open web"))


def _check_port(host: str, port: int) -> None:
    if (port < 1024 and port not in DEFAULT_PORTS.values()) or port in BLOCKED_PORTS:
        raise Refused(
            f"Port {port} of {host} isn't used by web servers. To allow it, add {host}:{port} to `private_addresses`."
        )


def _not_public(host: str, why: str) -> str:
    return (
        f"{host} {why}; addresses of this machine and its network can't be opened. To allow one, add its host and port "
        "to `private_addresses`."
    )


def _is_own(address: Address) -> bool:
    """Tell whether a public address is this machine's own, or of its IPv6 network. Sends nothing."""
    if address.version == 6 and any(address in network for network in _networks()):
        return True
    return _can_bind(address) and not _can_bind(_UNASSIGNED)


def _can_bind(address: Address) -> bool:
    """Tell whether a socket may bind the address: the machine's own, or any where the system is set up so."""
    with socket.socket(socket.AF_INET6 if address.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(address), 0))
        except OSError:
            return False
        return True


def _networks() -> list[ipaddress.IPv6Network]:
    """List this machine's IPv6 networks, each a /64 or larger. Empty except on Linux."""
    try:
        lines = Path("/proc/net/if_inet6").read_text("ascii").splitlines()
    except OSError:
        return []
    rows = [line.split() for line in lines]
    return [ipaddress.IPv6Network((int(row[0], 16), min(int(row[2], 16), 64)), strict=False) for row in rows]


def _shown(url: str) -> str:
    """Shorten the URL for a message, without query, fragment and login."""
    shown = re.sub(r"//[^/@]*@", "//", url.strip()).partition("?")[0].partition("#")[0]
    return repr(shown if len(shown) <= 80 else f"{shown[:80]}…")
