"""Open connections to MCP servers, one for each server and person: started when needed, and ended when idle.

A server that fails is tried again after a while that doubles each time.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

from eclair.errors import EclairError, EngineUnavailable
from eclair.storage.mcp_servers import StoredMcpServer

if TYPE_CHECKING:
    from eclair.mcp_servers.connection import McpConnection, OpenTransport

MAX_CONNECTIONS = 16
IDLE_TIMEOUT_S = 600.0
SWEEP_INTERVAL_S = 60.0
FIRST_RETRY_S, MAX_RETRY_S = 1.0, 60.0

ConnectionKey = tuple[str, str]
"""The ids of a server and of a person."""


@dataclass(slots=True)
class _Slot:
    """A place for a connection. `failures` counts those in a row."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    connection: McpConnection | None = None
    server: StoredMcpServer | None = None
    used: float = 0.0
    failures: int = 0
    retry_at: float = 0.0
    fault: str | None = None
    wants_sign_in: bool = False
    log: tuple[str, ...] = ()


class ConnectionPool:
    """Keeps at most MAX_CONNECTIONS, and those in use. Call `close` at the end."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._slots: dict[ConnectionKey, _Slot] = {}
        self._users = Counter["McpConnection"]()
        self._replaced: dict[McpConnection, ConnectionKey] = {}
        """Connections that no longer serve new calls, and are closed once nobody uses them."""
        self._sweeper: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def using(
        self,
        key: ConnectionKey,
        server: StoredMcpServer,
        open_transport: Callable[[], OpenTransport],
        timeout_s: float,
        *,
        again: bool = False,
    ) -> AsyncGenerator[tuple[McpConnection, bool]]:
        """Yield an open connection, and whether it is a new one. With `again` a server that failed is tried at once.

        Within the block only `end` and `close` close it. Raises EngineUnavailable, EngineBroken and Refused.
        """
        connection, is_new = await self._take(key, server, open_transport, timeout_s, again=again)
        try:
            if is_new:
                await self._make_room()
            yield connection, is_new
        finally:
            await self._give_back(key, connection)

    async def _take(
        self,
        key: ConnectionKey,
        server: StoredMcpServer,
        open_transport: Callable[[], OpenTransport],
        timeout_s: float,
        *,
        again: bool,
    ) -> tuple[McpConnection, bool]:
        """Count a user of the open connection, or of a new one; return it, and whether it is new."""
        from eclair.mcp_servers.connection import McpConnection  # slow to import

        slot = self._slots.setdefault(key, _Slot())
        async with slot.lock:
            if slot.connection is not None and slot.connection.is_open and slot.server == server:
                slot.used = self._clock()
                self._users[slot.connection] += 1
                return slot.connection, False
            await self._replace(key, slot)
            wait = slot.retry_at - self._clock()
            if wait > 0 and not again:
                raise EngineUnavailable(
                    f"The MCP server {server.name!r} failed and is tried again in {wait:.0f} seconds: {slot.fault}"
                )
            connection = McpConnection(server.name, open_transport())
            try:
                await connection.connect(timeout_s)
            except EclairError as error:
                self._note_failure(slot, error, connection.log)
                slot.wants_sign_in = connection.wants_sign_in
                await connection.close()
                raise
            except BaseException:
                await connection.close()
                raise
            slot.connection, slot.server, slot.used = connection, server, self._clock()
            self._users[connection] += 1
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep(), name="end idle MCP servers")
        return connection, True

    async def _give_back(self, key: ConnectionKey, connection: McpConnection) -> None:
        """Count one user less; the last one closes a connection that was replaced."""
        slot = self._slots[key]
        if slot.connection is connection:
            slot.used = self._clock()
        self._users[connection] -= 1
        if not self._users[connection]:
            del self._users[connection]
            if self._replaced.pop(connection, None) is not None:
                await connection.close()
        await self._make_room()

    def succeeded(self, key: ConnectionKey) -> None:
        """Note that a server works."""
        if (slot := self._slots.get(key)) is not None:
            slot.failures, slot.retry_at, slot.fault, slot.wants_sign_in = 0, 0.0, None, False

    async def failed(self, key: ConnectionKey, error: EclairError) -> None:
        """Note that a call failed; a connection that has ended is closed once nobody uses it."""
        slot = self._slots.get(key)
        if slot is None or slot.connection is None or slot.connection.is_open:
            return
        async with slot.lock:
            self._note_failure(slot, error, ())
            slot.wants_sign_in = slot.connection.wants_sign_in
            await self._replace(key, slot)

    def fault(self, key: ConnectionKey) -> str | None:
        """Return why a server failed last, if it has not worked since."""
        slot = self._slots.get(key)
        return slot.fault if slot is not None else None

    def wants_sign_in(self, key: ConnectionKey) -> bool:
        """Tell whether a server failed last because it wants its person to sign in."""
        slot = self._slots.get(key)
        return slot is not None and slot.wants_sign_in

    def log(self, key: ConnectionKey) -> tuple[str, ...]:
        """Return the last lines of a server's log."""
        slot = self._slots.get(key)
        if slot is None:
            return ()
        return tuple(slot.connection.log) if slot.connection is not None else slot.log

    async def end(self, server: str, person: str | None = None) -> None:
        """End all connections to a server, or those of one person."""
        for key in [key for key in self._slots if key[0] == server and person in (None, key[1])]:
            slot = self._slots[key]
            async with slot.lock:
                await self._close(slot)
                slot.failures, slot.retry_at, slot.fault, slot.wants_sign_in = 0, 0.0, None, False
        await self._close_replaced(
            [each for each, key in self._replaced.items() if key[0] == server and person in (None, key[1])]
        )

    async def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
        await asyncio.gather(*(self._close(slot) for slot in self._slots.values()))
        await self._close_replaced([*self._replaced])

    def _note_failure(self, slot: _Slot, error: EclairError, log: Sequence[str]) -> None:
        slot.fault, slot.log = error.message, tuple(log)
        slot.retry_at = self._clock() + min(MAX_RETRY_S, FIRST_RETRY_S * 2**slot.failures)
        slot.failures = min(slot.failures + 1, 16)

    async def _close(self, slot: _Slot) -> None:
        connection, slot.connection = slot.connection, None
        if connection is not None:
            slot.log = tuple(connection.log)
            await connection.close()

    async def _replace(self, key: ConnectionKey, slot: _Slot) -> None:
        """Let go of the connection, which is closed once nobody uses it."""
        connection = slot.connection
        if connection is None or connection not in self._users:
            await self._close(slot)
            return
        slot.log, slot.connection = tuple(connection.log), None
        self._replaced[connection] = key

    async def _close_replaced(self, connections: Sequence[McpConnection]) -> None:
        for connection in connections:
            self._replaced.pop(connection, None)
            await connection.close()

    async def _make_room(self) -> None:
        """End those that were used longest ago, of those that nobody uses."""
        open = [slot for slot in self._slots.values() if slot.connection is not None]
        idle = sorted((slot for slot in open if slot.connection not in self._users), key=lambda slot: slot.used)
        for slot in idle[: max(0, len(open) - MAX_CONNECTIONS)]:
            await self._close_idle(slot)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            idle = self._clock() - IDLE_TIMEOUT_S
            for slot in list(self._slots.values()):
                if slot.used < idle and not slot.lock.locked():
                    await self._close_idle(slot)

    async def _close_idle(self, slot: _Slot) -> None:
        """Close the connection unless somebody has begun to use it."""
        async with slot.lock:
            if slot.connection not in self._users:
                await self._close(slot)


def import_library() -> None:
    """Import what takes most of a second, off the event loop."""
    for module in ("connection", "contents", "results"):
        import_module(f"eclair.mcp_servers.{module}")
