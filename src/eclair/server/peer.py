"""The peer of a connection: whether the program at its other end runs under Éclair's own account."""

from __future__ import annotations

import asyncio
import os
from typing import Literal

from starlette.types import Scope

from eclair.util.socket_owner import ConnectedSocket, find_peer_owner

PeerAccount = Literal["own", "other", "unknown"]
"""`other` is also what comes from a container, or through a forwarded port. `unknown`: the system doesn't tell."""

PEER = "peer"
"""The place of the peer in a request's state."""


class Peer:
    """The program at the other end. Its account is looked up once, when it first matters."""

    def __init__(self, connection: ConnectedSocket | None) -> None:
        self._connection = connection
        self._account: PeerAccount = "unknown"

    @classmethod
    def from_transport(cls, transport: asyncio.BaseTransport) -> Peer:
        return cls(transport.get_extra_info("socket"))

    async def account(self) -> PeerAccount:
        if self._account == "unknown" and self._connection is not None:
            self._account = await _identify(self._connection)
        return self._account


async def _identify(connection: ConnectedSocket) -> PeerAccount:
    try:
        return "own" if await find_peer_owner(connection) == os.geteuid() else "other"
    except OSError:
        return "unknown"


async def peer_account(scope: Scope) -> PeerAccount:
    """Return whose account a request comes from. Only the connection says it, never a header."""
    peer = scope.get("state", {}).get(PEER)
    return await peer.account() if isinstance(peer, Peer) else "unknown"
