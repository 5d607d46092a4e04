"""Finds the account that holds the other end of a TCP connection within this machine. Linux only.

The kernel is asked for the one socket by netlink (sock_diag(7)), which takes microseconds; where it can't answer, the
tables in /proc/net are searched, which takes milliseconds.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import platform
import socket
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

UNMAPPED_UID = 65534
"""The user id that stands for every account that doesn't exist in this user namespace."""

CONNECTED_STATES = frozenset({1, 4, 5, 8})
"""ESTABLISHED, FIN_WAIT1, FIN_WAIT2 and CLOSE_WAIT. In others a socket has been given up, or isn't this one's peer."""
CLOSED_STATE = 7

NETLINK_TIMEOUT_S = 1.0
NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST = 1
NLMSG_ERROR = 2
_HEADER = struct.Struct("=IHHII")
_QUERY = struct.Struct("=BBBxI")
_ENDS = struct.Struct("!HH16s16s")
_ANY_COOKIE = struct.pack("=III", 0, 0xFFFFFFFF, 0xFFFFFFFF)
_FOUND = struct.Struct("=BBxx")
_FOUND_OWNER = struct.Struct("=12x12xII")
"""Interface and cookie, then expiry and queues; then user id and inode."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class ConnectedSocket(Protocol):
    """The part of a socket that the look-up needs; transports of asyncio and uvloop have it too."""

    def getsockname(self) -> Any: ...
    def getpeername(self) -> Any: ...
    def getsockopt(self, level: int, optname: int, buflen: int, /) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One end of a connection; an IPv4 address is never written as IPv6."""

    address: _Address
    port: int

    @classmethod
    def from_name(cls, name: Any) -> Endpoint:
        """Read what `getsockname` or `getpeername` returned. Raises OSError for what is no IP address."""
        try:
            host, port = name[:2]
            return cls(unmap(ipaddress.ip_address(host)), port)
        except (TypeError, ValueError) as error:
            raise OSError(f"{name!r} is no address of a TCP connection") from error


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of /proc/net/tcp or tcp6: a socket, whose account is `uid`. Without an inode no process holds it."""

    local: Endpoint
    remote: Endpoint
    state: int
    uid: int
    inode: int


def unmap(address: _Address) -> _Address:
    """Return an IPv4 address that is written as IPv6 (::ffff:127.0.0.1) as what it is."""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


async def find_peer_owner(connection: ConnectedSocket) -> int | None:
    """Return the user id of the process at the other end, None if no process of this machine's network holds it.

    Raises OSError where the system can't tell.
    """
    if sys.platform != "linux":
        raise OSError("only Linux can be asked")
    server, peer = Endpoint.from_name(connection.getsockname()), Endpoint.from_name(connection.getpeername())
    try:
        uid = _ask_kernel(peer, server)
    except OSError:
        uid = await asyncio.to_thread(_search_tables, peer, server)
    if uid == UNMAPPED_UID:
        raise OSError("the account is unknown in this user namespace")
    if connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == CLOSED_STATE:
        return None  # the ports may belong to another connection by now
    return uid


async def can_find_owners() -> bool:
    """Tell whether the system says of all who connect whose they are: try it with a connection of our own.

    Under WSL it doesn't: the browsers of Windows come through a relay that belongs to root.
    """
    if "microsoft" in platform.release().lower():
        return False
    try:
        with (
            socket.create_server(("127.0.0.1", 0)) as listener,
            socket.create_connection(listener.getsockname()),
            listener.accept()[0] as connection,
        ):
            return await find_peer_owner(connection) == os.geteuid()
    except OSError:
        return False


def _ask_kernel(local: Endpoint, remote: Endpoint) -> int | None:
    """Return the user id of the socket with these ends, None if nobody holds it. Raises OSError where it is unknown."""
    if sys.platform != "linux":
        raise OSError("netlink is Linux's")
    family = socket.AF_INET if isinstance(local.address, ipaddress.IPv4Address) else socket.AF_INET6
    ends = _ENDS.pack(local.port, remote.port, local.address.packed, remote.address.packed)
    body = _QUERY.pack(family, socket.IPPROTO_TCP, 0, 0xFFFFFFFF) + ends + _ANY_COOKIE
    head = _HEADER.pack(_HEADER.size + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, 1, 0)
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(NETLINK_TIMEOUT_S)
        kernel.send(head + body)
        reply, (sender, _) = kernel.recvfrom(4096)
    kind = _HEADER.unpack_from(reply)[1]
    if sender != 0 or kind not in (SOCK_DIAG_BY_FAMILY, NLMSG_ERROR):
        raise OSError("not the kernel's answer")
    if kind == NLMSG_ERROR:  # there is no such socket, or no such question
        code = -struct.unpack_from("=i", reply, _HEADER.size)[0]
        raise OSError(code, os.strerror(code))
    return _read_reply(reply[_HEADER.size :], local, remote)


def _read_reply(reply: bytes, local: Endpoint, remote: Endpoint) -> int | None:
    family, state = _FOUND.unpack_from(reply)
    local_port, remote_port, *packed = _ENDS.unpack_from(reply, _FOUND.size)
    uid, inode = _FOUND_OWNER.unpack_from(reply, _FOUND.size + _ENDS.size)
    ends = [_unpack(address, family) for address in packed]
    found = TableRow(Endpoint(ends[0], local_port), Endpoint(ends[1], remote_port), state, uid, inode)
    return _owner([found], local, remote)  # where none is connected, the kernel finds the one that listens


def _unpack(packed: bytes, family: int) -> _Address:
    return unmap(ipaddress.ip_address(packed[:4] if family == socket.AF_INET else packed))


def _search_tables(local: Endpoint, remote: Endpoint) -> int | None:
    """Return the user id of the socket with these ends, None if nobody holds it. Raises OSError where it is unknown."""
    rows: list[TableRow] = []
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        try:
            rows += parse_socket_table(table.read_text("ascii"))
        except FileNotFoundError:
            if table.name == "tcp":  # the other is missing where there is no IPv6
                raise
    return _owner(rows, local, remote)


def _owner(rows: Iterable[TableRow], local: Endpoint, remote: Endpoint) -> int | None:
    for row in rows:
        if (row.local, row.remote) == (local, remote) and row.state in CONNECTED_STATES and row.inode:
            return row.uid
    return None


def parse_socket_table(text: str) -> list[TableRow]:
    """Parse /proc/net/tcp or tcp6, whose first line is a heading. Raises OSError for what is neither."""
    try:
        return [_parse_row(line.split()) for line in text.splitlines()[1:]]
    except (ValueError, IndexError) as error:
        raise OSError("the table of sockets isn't in the known form") from error


def _parse_row(fields: list[str]) -> TableRow:
    return TableRow(_parse_end(fields[1]), _parse_end(fields[2]), int(fields[3], 16), int(fields[7]), int(fields[9]))


def _parse_end(text: str) -> Endpoint:
    """Parse `0100007F:1F90`: words of 32 bits in the order of this processor, then the port."""
    host, port = text.split(":")
    words = [int(host[start : start + 8], 16) for start in range(0, len(host), 8)]
    return Endpoint(unmap(ipaddress.ip_address(struct.pack(f"={len(words)}I", *words))), int(port, 16))
