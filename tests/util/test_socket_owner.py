"""The account at the other end of a connection, as the kernel and its tables say it."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections.abc import Callable, Generator
from contextlib import ExitStack, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.util import socket_owner
from eclair.util.socket_owner import Endpoint, TableRow, find_peer_owner, parse_socket_table, unmap

HEADING = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"
    "                                                     "
)
LOOKUPS = [socket_owner._ask_kernel, socket_owner._search_tables]  # pyright: ignore[reportPrivateUsage]

endpoints = st.builds(Endpoint, st.ip_addresses().map(unmap), st.integers(0, 65535))
rows = st.builds(
    TableRow, endpoints, endpoints, st.integers(1, 12), st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
)


@pytest.fixture
def stack() -> Generator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def connect(
    stack: ExitStack, listens: tuple[int, str], connects: tuple[int, str]
) -> tuple[socket.socket, socket.socket]:
    """Return the two ends of a connection, the server's first."""
    listener = stack.enter_context(socket.create_server((listens[1], 0), family=listens[0]))
    client = stack.enter_context(socket.socket(connects[0], socket.SOCK_STREAM))
    client.connect((connects[1], listener.getsockname()[1]))
    return stack.enter_context(listener.accept()[0]), client


def ends(server: socket.socket) -> tuple[Endpoint, Endpoint]:
    return Endpoint.from_name(server.getpeername()), Endpoint.from_name(server.getsockname())


V4, V6, MAPPED = (
    (socket.AF_INET, "127.0.0.1"),
    (socket.AF_INET6, "::1"),
    (socket.AF_INET6, "::ffff:127.0.0.1"),
)


@pytest.mark.allow_hosts(["127.0.0.1", "::1", "::ffff:127.0.0.1"])
@pytest.mark.parametrize("lookup", LOOKUPS)
@pytest.mark.parametrize(("listens", "connects"), [(V4, V4), (V6, V6), (V4, MAPPED)])
async def test_the_account_of_the_other_end_is_found(
    stack: ExitStack,
    lookup: Callable[[Endpoint, Endpoint], int | None],
    listens: tuple[int, str],
    connects: tuple[int, str],
) -> None:
    server, _ = connect(stack, listens, connects)
    peer, here = ends(server)
    assert lookup(peer, here) == os.geteuid()
    assert lookup(here, peer) == os.geteuid(), "the two ends are told apart by their order"
    assert await find_peer_owner(server) == os.geteuid()


@pytest.mark.parametrize("leaves", ["closes", "closes with data unread", "resets"])
async def test_who_has_left_is_nobody(stack: ExitStack, leaves: str) -> None:
    """The kernel gives sockets that no process holds any more to root."""
    server, client = connect(stack, V4, V4)
    client.sendall(b"DELETE /api/conversations")
    if leaves == "closes with data unread":
        server.sendall(b"x")
    if leaves == "resets":
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer, here = ends(server)
    client.close()
    assert [lookup_or_none(lookup, peer, here) for lookup in LOOKUPS] == [None, None]
    if leaves == "closes":
        assert await find_peer_owner(server) is None


def lookup_or_none(lookup: Callable[[Endpoint, Endpoint], int | None], peer: Endpoint, here: Endpoint) -> int | None:
    """The kernel says of a socket that is gone that there is no such file."""
    try:
        return lookup(peer, here)
    except FileNotFoundError:
        return None


async def test_half_a_connection_is_still_somebodys(stack: ExitStack) -> None:
    server, client = connect(stack, V4, V4)
    client.shutdown(socket.SHUT_WR)
    assert await find_peer_owner(server) == os.geteuid()


async def test_who_listens_is_not_who_calls(stack: ExitStack) -> None:
    """The kernel offers the socket that listens where none is connected."""
    listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
    heard = Endpoint.from_name(listener.getsockname())
    for lookup in LOOKUPS:
        assert lookup_or_none(lookup, heard, Endpoint(heard.address, 9)) is None


async def test_the_tables_are_searched_where_the_kernel_gives_no_answer(
    stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(local: Endpoint, remote: Endpoint) -> int | None:
        raise PermissionError(1, "no netlink here")

    monkeypatch.setattr(socket_owner, "_ask_kernel", refuse)
    server, _ = connect(stack, V4, V4)
    assert await find_peer_owner(server) == os.geteuid()


@given(st.lists(rows))
def test_a_table_is_read_as_it_was_written(sockets: list[TableRow]) -> None:
    assert parse_socket_table("\n".join([HEADING, *map(written, sockets)]) + "\n") == sockets


def written(row: TableRow) -> str:
    """A row as Linux prints it (get_tcp4_sock, get_tcp6_sock)."""
    return (
        f"   0: {written_end(row.local)} {written_end(row.remote)} {row.state:02X} 00000000:00000000 "
        f"00:00000000 00000000 {row.uid:5d} {0:8d} {row.inode} 1 000000002f246048 100 0 0 10 0"
    )


def written_end(end: Endpoint) -> str:
    packed = end.address.packed
    words = struct.unpack(f"={len(packed) // 4}I", packed)
    return "".join(f"{word:08X}" for word in words) + f":{end.port:04X}"


@given(st.text())
def test_what_is_no_table_is_refused_or_empty(text: str) -> None:
    """Nothing else is raised."""
    with suppress(OSError):
        parse_socket_table(text)


@given(st.ip_addresses(v=4))
def test_an_address_is_the_same_in_both_forms(address: ipaddress.IPv4Address) -> None:
    assert unmap(ipaddress.ip_address(f"::ffff:{address}")) == address


async def test_the_system_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await socket_owner.can_find_owners() is True
    with monkeypatch.context() as patched:
        patched.setattr(socket_owner.sys, "platform", "haiku")
        assert await socket_owner.can_find_owners() is False
    monkeypatch.setattr(socket_owner.platform, "release", lambda: "6.6.87.2-microsoft-standard-WSL2")
    assert await socket_owner.can_find_owners() is False
