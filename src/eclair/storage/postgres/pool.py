"""A pool of connections to one PostgreSQL database, for the coroutines of one event loop."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable

from eclair.storage.postgres.connection import PostgresConnection, RawConnection

CLOSE_TIMEOUT_S = 10

log = logging.getLogger(__name__)


class PostgresPool:
    """Lends connections, `size` at most; those that are free stay open. Used on one event loop only."""

    def __init__(self, connect: Callable[[], Awaitable[RawConnection]], size: int) -> None:
        self._connect = connect
        self._idle: list[PostgresConnection] = []
        self._used: set[PostgresConnection] = set()
        self._free = asyncio.Semaphore(size)

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncGenerator[PostgresConnection]:
        """Lend a connection within the block. Raises what connecting raises."""
        import asyncpg  # pyright: ignore[reportMissingTypeStubs]

        async with self._free:
            connection = self._take_idle() or PostgresConnection(await self._connect())
            self._used.add(connection)
            try:
                yield connection
            except BaseException as error:
                # a statement that was cancelled may have begun a transaction; a connection that was cut may not know it
                is_unsure = isinstance(error, asyncio.CancelledError | asyncpg.InternalClientError)
                if is_unsure or (not connection.raw.is_closed() and connection.raw.is_in_transaction()):
                    connection.raw.terminate()
                if isinstance(error, asyncpg.ReadOnlySQLTransactionError):
                    self._drop((connection, *self._idle))  # they lead to a standby, or began while no writes were taken
                raise
            finally:
                self._used.discard(connection)
                if not connection.raw.is_closed():
                    self._idle.append(connection)

    def drop(self) -> None:
        """Give up all connections: what waits for an answer fails, or is tried again."""
        self._drop((*self._used, *self._idle))

    async def close(self) -> None:
        """Close the connections that are free."""
        closing = [connection.raw.close(timeout=CLOSE_TIMEOUT_S) for connection in self._idle]
        self._idle.clear()
        for error in await asyncio.gather(*closing, return_exceptions=True):
            if error is not None:  # nobody answers
                log.warning("a connection to PostgreSQL is given up: %r", error)

    def _drop(self, connections: Iterable[PostgresConnection]) -> None:
        for connection in connections:
            connection.raw.terminate()

    def _take_idle(self) -> PostgresConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if not connection.raw.is_closed():
                return connection
        return None
