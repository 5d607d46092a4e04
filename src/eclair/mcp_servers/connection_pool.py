"""Open connections to MCP servers, one for each server and person: started when needed, and ended when idle.

A server that fails is tried again after a while that doubles each time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
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
    """Keeps at most MAX_CONNECTIONS. Call `close` at the end."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._slots: dict[ConnectionKey, _Slot] = {}
        self._sweeper: asyncio.Task[None] | None = None

    async def get(
        self,
        key: ConnectionKey,
        server: StoredMcpServer,
        open_transport: Callable[[], OpenTransport],
        timeout_s: float,
        *,
        again: bool = False,
    ) -> tuple[McpConnection, bool]:
        """Return an open connection, and whether it is a new one. With `again` a server that failed is tried at once.

        Raises EngineUnavailable, EngineBroken and Refused.
        """
        from eclair.mcp_servers.connection import McpConnection  # slow to import

        slot = self._slots.setdefault(key, _Slot())
        async with slot.lock:
            if slot.connection is not None and slot.connection.is_open and slot.server == server:
                slot.used = self._clock()
                return slot.connection, False
            await self._close(slot)
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
        await self._make_room(key)
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep(), name="end idle MCP servers")
        return connection, True

    def succeeded(self, key: ConnectionKey) -> None:
        """Note that a server works."""
        if (slot := self._slots.get(key)) is not None:
            slot.failures, slot.retry_at, slot.fault, slot.wants_sign_in = 0, 0.0, None, False

    async def failed(self, key: ConnectionKey, error: EclairError) -> None:
        """Note that a call failed; a connection that has ended is closed."""
        slot = self._slots.get(key)
        if slot is None or slot.connection is None or slot.connection.is_open:
            return
        async with slot.lock:
            self._note_failure(slot, error, ())
            slot.wants_sign_in = slot.connection.wants_sign_in
            await self._close(slot)

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

    async def close(self) -> None:
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.wait([self._sweeper])
        await asyncio.gather(*(self._close(slot) for slot in self._slots.values()))

    def _note_failure(self, slot: _Slot, error: EclairError, log: Sequence[str]) -> None:
        slot.fault, slot.log = error.message, tuple(log)
        slot.retry_at = self._clock() + min(MAX_RETRY_S, FIRST_RETRY_S * 2**slot.failures)
        slot.failures = min(slot.failures + 1, 16)

    async def _close(self, slot: _Slot) -> None:
        connection, slot.connection = slot.connection, None
        if connection is not None:
            slot.log = tuple(connection.log)
            await connection.close()

    async def _make_room(self, newest: ConnectionKey) -> None:
        """End those that were used longest ago, and first those that nobody waits for."""
        used = sorted(
            (slot.connection.is_calling, slot.used, key)
            for key, slot in self._slots.items()
            if slot.connection is not None
        )
        for _, _, key in used[: max(0, len(used) - MAX_CONNECTIONS)]:
            if key != newest:
                async with self._slots[key].lock:
                    await self._close(self._slots[key])

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_INTERVAL_S)
            idle = self._clock() - IDLE_TIMEOUT_S
            for slot in list(self._slots.values()):
                connection = slot.connection
                if connection is None or connection.is_calling:
                    continue
                if slot.used < idle and not slot.lock.locked():
                    async with slot.lock:
                        await self._close(slot)


def import_library() -> None:
    """Import what takes most of a second, off the event loop."""
    for module in ("connection", "contents", "results"):
        import_module(f"eclair.mcp_servers.{module}")
