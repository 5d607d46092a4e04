"""One PostgreSQL database: a few connections on an event loop of its own, and a few on that of the server.

Its loop runs in a thread of its own, so that the storage is opened and used as SQLite's is, and nobody waits while many
rows are decoded. What is brief runs on the loop of its caller, since handing it over takes longer than doing it. Writes
are serializable, and those that are made often lock rows in place of that: serializable ones that add to the same page
of an index conflict, and ids that rise in time are all added to the last page. A write that conflicts with another at
the same moment is run again, as PostgreSQL asks, for CONFLICTS_S at most; the functions that stores run change nothing
but the database, so that they can be. So is one whose connection was lost before its commit began, as while the server
restarts or a standby takes over, for RECONNECT_S at most.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from importlib import resources
from itertools import count
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import uvloop

from eclair.errors import DataDamaged, EclairError, StoreError, StoreFull
from eclair.storage.postgres.bridge import run_bridged
from eclair.storage.postgres.chunk_vectors import PostgresChunkVectors
from eclair.storage.postgres.connection import PostgresConnection, RawConnection
from eclair.storage.postgres.pool import PostgresPool
from eclair.storage.postgres.text_index import PostgresTextIndex
from eclair.storage.sql.connection import Work, find_refusal
from eclair.storage.sql.damage import DamageRecord
from eclair.storage.sql.stored_rows import DECODING_ERRORS

T = TypeVar("T")

SCHEMA = "eclair"
SEARCH_PATH = f"{SCHEMA}, pg_catalog, public"
MIN_VERSION = 160000
MIN_VECTOR_VERSION = (0, 8)
MAX_CONNECTIONS = 17
"""One for the lease, half of the others on the loop of the database, and half on that of the server."""
CONNECT_TIMEOUT_S = 10
REPLY_TIMEOUT_S = 60.0
KEEPALIVE_S = 10
"""Silence after which the server asks whether a client is still there: three times, every five seconds."""
IDLE_TRANSACTION_S = 10.0
"""The time that a transaction may be idle, as where its process or the network is gone: then its locks are freed."""
LOCK_TIMEOUT_S = 60.0
"""The time that a statement waits for a lock, longer than one that died can keep it."""
UPDATE_TIMEOUT_S = 60.0
"""The time that an update of the tables waits for a backup or another update, or for whoever uses a table."""
CONFLICTS_S = 10.0
MAX_RACES = 5
"""Attempts of a write that adds what another added meanwhile, or needs what another deleted."""
RECONNECT_S = 10.0
RECONNECT_PAUSE_S = 0.2
FIRST_PAUSE_S = 0.002
MAX_PAUSE_S = 0.1
COMMIT_SYNCED = "COMMIT; SELECT pg_logical_emit_message(true, 'eclair', '')"
"""Commits and releases row locks before the write-ahead log is flushed: the commit of the second transaction, which
adds a mark to the log and nothing else, flushes both."""
READABLE_FROM = 61
"""The format whose Éclair works on the latest tables, so that a rollback to it does: later migrations only added."""
MIGRATION_LOCK = 0x65636C61
"""The advisory lock under which one process migrates and others wait: "ecla"."""

log = logging.getLogger(__name__)


class NothingToErase:
    """Implements `Eraser`: PostgreSQL itself gives back what was erased, as it vacuums."""

    async def erase(self) -> None:
        pass

    def request(self) -> None:
        pass


class PostgresDatabase:
    """Implements `Database`. `open` connects and migrates."""

    row_lock = " FOR NO KEY UPDATE"

    def __init__(self, url: str, max_connections: int = MAX_CONNECTIONS) -> None:
        self.url = url
        self._max_connections = max_connections
        self.name = describe_url(url)
        self.damage = DamageRecord(self.name)
        self.eraser = NothingToErase()
        self.text_index = PostgresTextIndex()
        self.chunk_vectors = PostgresChunkVectors(self)
        self.written = asyncio.Event()
        """Set after each write; who tells others of it clears it."""
        self.losses = 0
        """Connections that were lost: with the server, or to a standby, the last writes may have been, too."""
        self._loop = uvloop.new_event_loop()
        self._pools: dict[asyncio.AbstractEventLoop, PostgresPool] = {}
        self._writing: set[asyncio.Future[Any]] = set()
        """Writes that are under way, each by the loop of a caller, who may have left."""
        self._thread = threading.Thread(target=self._loop.run_forever, name="eclair-postgres", daemon=True)
        self._thread.start()

    @classmethod
    def open(
        cls, url: str, describe_backup: Callable[[], str] = str, max_connections: int = MAX_CONNECTIONS
    ) -> PostgresDatabase:
        """Connect to a database and migrate it. Blocks. Raises StoreError.

        Before it is migrated, the log tells of the newest backup, which `describe_backup` does in a sentence.
        """
        database = cls(url, max_connections)
        try:
            database.run_blocking(database._migrate(describe_backup), timeout_s=None)
        except BaseException:
            database.close_blocking()
            raise
        return database

    async def read(self, work: Work[T], *, is_brief: bool = False, is_planned: bool = False) -> T:
        """Run `work` on a connection that sees every finished write, on the loop of the caller if it `is_brief`.

        If it `is_planned`, PostgreSQL plans its statements for the values they have.
        """
        if is_planned:
            return await self.search(work)
        return await self._read(work) if is_brief else await self.run(self._read(work))

    async def search(self, work: Work[T]) -> T:
        """Run `work` as `read` does if it `is_planned`. Cancelling this ends its statement."""
        return await self.run(self._search(work))

    async def write(
        self, work: Work[T], *, is_synced: bool = False, is_concurrent: bool = False, is_brief: bool = False
    ) -> T:
        """Run `work` in a transaction as if no other were at work, unless it `is_concurrent`.

        Without `is_synced` a crash of the server may lose it, within a second. It runs on the loop of the caller if it
        `is_brief`.
        """
        coroutine = self.write_here(work, is_synced=is_synced, is_concurrent=is_concurrent)
        if is_brief:
            writing = asyncio.ensure_future(coroutine)
        else:
            writing = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))
        self._writing.add(writing)
        writing.add_done_callback(self._writing.discard)
        return await asyncio.shield(writing)  # a caller who leaves takes no write along

    async def finish_writes(self) -> None:
        """Wait for the writes that were asked for on this loop, whose callers may have left."""
        here = asyncio.get_running_loop()
        if writing := [each for each in self._writing if each.get_loop() is here]:
            await asyncio.wait(writing)

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the loop of the database."""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))

    def run_blocking(self, coroutine: Coroutine[Any, Any, T], *, timeout_s: float | None = REPLY_TIMEOUT_S) -> T:
        """Run a coroutine on the loop of the database, from another thread. Blocks. Raises StoreError after a time."""
        running = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return running.result(timeout_s)
        except TimeoutError as error:
            running.cancel()
            raise StoreError(f"{self.name} does not answer; check that it runs, and try again.") from error

    async def close(self) -> None:
        """Close all connections, once what was being written is."""
        await self.finish_writes()
        if (pool := self._pools.pop(asyncio.get_running_loop(), None)) is not None:
            await pool.close()
        await asyncio.to_thread(self.close_blocking)

    def close_blocking(self) -> None:
        """Close the connections on the loop of the database, and end that. Blocks."""
        if (pool := self._pools.pop(self._loop, None)) is not None:
            self.run_blocking(pool.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def connect(self) -> RawConnection:
        """Connect once more; the caller closes the connection. Raises StoreError."""
        return await connect(self.url, idle_transaction_s=IDLE_TRANSACTION_S, lock_timeout_s=LOCK_TIMEOUT_S)

    def drop_connections(self) -> None:
        """Give up all connections: what waits for an answer fails, or is tried again."""
        for loop, pool in list(self._pools.items()):
            with contextlib.suppress(RuntimeError):  # that loop has ended
                loop.call_soon_threadsafe(pool.drop)

    @property
    def _pool(self) -> PostgresPool:
        """The connections of the running loop."""
        loop = asyncio.get_running_loop()
        if (found := self._pools.get(loop)) is None:
            found = self._pools[loop] = PostgresPool(self.connect, (self._max_connections - 1) // 2)
        return found

    async def _read(self, work: Work[T]) -> T:
        async def attempt(connection: PostgresConnection) -> T:
            return await run_bridged(lambda: work(connection))

        return await self._with_retries(attempt)

    async def _search(self, work: Work[T]) -> T:
        async def attempt(connection: PostgresConnection) -> T:
            await connection.raw.execute("SET plan_cache_mode = force_custom_plan")
            try:
                return await run_bridged(lambda: work(connection))
            finally:
                if not connection.raw.is_closed() and not connection.raw.is_in_transaction():
                    await connection.raw.execute("RESET plan_cache_mode")

        return await self._with_retries(attempt)

    def call_soon(self, call: Callable[[T], None], value: T) -> None:
        """Have a function called on the loop of the database."""
        self._loop.call_soon_threadsafe(call, value)

    async def notify(self, notices: Sequence[tuple[str, str]]) -> None:
        """Tell all who listen to channels, by name, something each. Raises StoreError."""
        channels, payloads = zip(*notices, strict=True)
        with translated(self.name):
            async with self._pool.connection() as connection:
                await connection.raw.execute(
                    "SELECT set_config('synchronous_commit', 'off', true), pg_notify(channel, payload)"
                    " FROM unnest($1::text[], $2::text[]) AS told (channel, payload)",
                    channels,
                    payloads,
                )

    async def write_here(
        self, work: Work[T], *, is_synced: bool = False, is_concurrent: bool = False, is_news: bool = True
    ) -> T:
        """Run `work` as `write` does, on the running loop. Others are told of it if `is_news`."""
        level = "READ COMMITTED" if is_concurrent else "SERIALIZABLE"
        begin = f"BEGIN ISOLATION LEVEL {level}; SET LOCAL synchronous_commit = off"

        async def attempt(connection: PostgresConnection) -> T:
            before = connection.total_changes()
            await connection.raw.execute(begin)
            try:
                result = await run_bridged(lambda: work(connection))
                await self._commit(connection, COMMIT_SYNCED if is_synced else "COMMIT")
            except BaseException:
                await _roll_back(connection)
                raise
            if is_news and connection.total_changes() != before and not self.written.is_set():
                self._loop.call_soon_threadsafe(self.written.set)
            return result

        return await self._with_retries(attempt)

    async def _commit(self, connection: PostgresConnection, statement: str) -> None:
        """Commit. Raises StoreError where nobody knows whether that was done."""
        try:
            with translated(self.name):
                await connection.raw.execute(statement)
        except _ConnectionLost as error:
            raise StoreError(
                f"{self.name} was lost while a change was being stored; look whether it is there, and try again."
            ) from error

    async def _with_retries(self, attempt: Callable[[PostgresConnection], Awaitable[T]]) -> T:
        """Attempt again while there are conflicts, or no connection, within limits. Raises StoreError."""
        until = time.monotonic() + RECONNECT_S
        while True:
            try:
                return await self._resolve_conflicts(attempt)
            except _ConnectionLost:
                self.losses += 1
                if time.monotonic() >= until:
                    raise
            await asyncio.sleep(RECONNECT_PAUSE_S)

    async def _resolve_conflicts(self, attempt: Callable[[PostgresConnection], Awaitable[T]]) -> T:
        import asyncpg  # pyright: ignore[reportMissingTypeStubs]

        until, races = time.monotonic() + CONFLICTS_S, 0
        for number in count():
            try:
                with translated(self.name):
                    async with self._pool.connection() as connection:
                        try:
                            return await attempt(connection)
                        except asyncpg.InvalidCachedStatementError:
                            connection.forget_statements()
                            raise
            except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.InvalidCachedStatementError):
                if time.monotonic() >= until:
                    break
            except (asyncpg.UniqueViolationError, asyncpg.ForeignKeyViolationError):
                races += 1
                if races == MAX_RACES:
                    raise
            most = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2 ** min(number, 10))
            await asyncio.sleep(random.uniform(0, most))  # noqa: S311
        raise StoreError(f"{self.name} is so busy that a change could not be made; try again.")

    async def _migrate(self, describe_backup: Callable[[], str]) -> None:
        """Bring the tables to the latest format, while other processes wait. Raises StoreError.

        Tables that have it, or a newer one that can be used as well, need no lock, so a server also starts during a
        backup.
        """
        import asyncpg  # pyright: ignore[reportMissingTypeStubs]

        raw = await self.connect()
        try:
            with translated(self.name):
                if raw.get_server_version().major * 10000 < MIN_VERSION:
                    raise StoreError(f"{self.name} is PostgreSQL {raw.get_server_version().major}; Éclair needs 16.")
                if await is_usable(raw):
                    await _require_vectors(raw, self.name)
                    return
                if (now := await find_format(raw)) is not None and now < max(migrations()):
                    log.warning(
                        "%s is updated from format %d to %d. %s", self.name, now, max(migrations()), describe_backup()
                    )
                try:
                    async with raw.transaction(isolation="read_committed"):
                        await raw.execute(f"SET LOCAL lock_timeout = {round(UPDATE_TIMEOUT_S * 1000)}")
                        await raw.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
                        await migrate_tables(raw, self.name)
                except asyncpg.LockNotAvailableError as error:
                    raise StoreError(
                        f"{self.name} has to be updated, but a backup, a restore, another update or a long query of it "
                        "is running; start Éclair again once that is done."
                    ) from error
        finally:
            await raw.close(timeout=CONNECT_TIMEOUT_S)


async def connect(url: str, *, idle_transaction_s: float = 0, lock_timeout_s: float = 0) -> RawConnection:
    """Connect to a server; the caller closes the connection. Raises StoreError.

    The server ends a transaction that is idle for so long, and a statement that waits so long for a lock; 0 is never.
    It ends none that takes long, whatever is set for the user: building an index may take an hour.
    """
    import asyncpg  # pyright: ignore[reportMissingTypeStubs]  # 60 ms, which only an installation on PostgreSQL pays

    with translated(describe_url(url)):
        raw: RawConnection = await cast(Any, asyncpg).connect(
            url,
            timeout=CONNECT_TIMEOUT_S,
            server_settings={
                "application_name": "eclair",
                "search_path": SEARCH_PATH,
                "default_transaction_isolation": "repeatable read",
                "timezone": "UTC",
                "jit": "off",
                "tcp_keepalives_idle": str(KEEPALIVE_S),
                "tcp_keepalives_interval": str(KEEPALIVE_S // 2),
                "tcp_keepalives_count": "3",
                "tcp_user_timeout": str(KEEPALIVE_S * 3000),
                "idle_in_transaction_session_timeout": str(round(idle_transaction_s * 1000)),
                "lock_timeout": str(round(lock_timeout_s * 1000)),
                "statement_timeout": "0",
            },
        )
        await raw.set_type_codec("numeric", schema="pg_catalog", encoder=str, decoder=_number, format="text")
    return raw


async def find_format(raw: RawConnection) -> int | None:
    """Return the format of the tables; None where there are none."""
    if await raw.fetchval("SELECT to_regclass($1)", f"{SCHEMA}.format") is None:
        return None
    return await raw.fetchval(f"SELECT number FROM {SCHEMA}.format")


async def is_usable(raw: RawConnection) -> bool:
    """Return True for tables of the latest format, or of a newer one to which little enough was added."""
    now, latest = await find_format(raw), max(migrations())
    if now is None or now <= latest:
        return now == latest
    readable_from: str | None = await raw.fetchval(f"SELECT to_jsonb(format)->>'readable_from' FROM {SCHEMA}.format")
    return readable_from is not None and int(readable_from) <= latest


async def migrate_tables(raw: RawConnection, name: str, until: int | None = None) -> None:
    """Bring the tables to the format `until`, or else to the latest, within a transaction. Raises StoreError."""
    now = await find_format(raw) or 0
    if not now:
        await raw.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        await raw.execute("CREATE TABLE format (id bigint PRIMARY KEY CHECK (id = 1), number bigint NOT NULL)")
    if await is_usable(raw):
        return
    await _require_vectors(raw, name)
    scripts = migrations()
    latest = max(scripts)
    if now > latest:
        raise StoreError(
            f"{name} was changed by a newer Éclair (to format {now}, this one knows {latest}); update Éclair."
        )
    if until is not None:
        latest = until
    for number in sorted(scripts):
        if now < number <= latest:
            await raw.execute(scripts[number])
    await raw.execute("ALTER TABLE format ADD COLUMN IF NOT EXISTS readable_from bigint")
    await raw.execute(
        "INSERT INTO format (id, number, readable_from) VALUES (1, $1, $2) ON CONFLICT (id)"
        " DO UPDATE SET number = excluded.number, readable_from = excluded.readable_from",
        latest,
        min(latest, READABLE_FROM),
    )


async def _require_vectors(raw: RawConnection, name: str) -> None:
    """Add the extension that compares vectors, unless it is there. Raises StoreError where that cannot be done."""
    import asyncpg  # pyright: ignore[reportMissingTypeStubs]

    installed = "SELECT extversion FROM pg_extension WHERE extname = 'vector'"
    if await raw.fetchval(installed) is None:
        try:
            await raw.execute("CREATE EXTENSION IF NOT EXISTS vector SCHEMA public")
        except (asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError) as error:
            raise StoreError(f"{name} is on a server without pgvector; install that, 0.8 or later.") from error
        except asyncpg.InsufficientPrivilegeError as error:
            raise StoreError(
                f"{name} lacks pgvector, and this user may not add it;"
                ' have an administrator run "CREATE EXTENSION vector SCHEMA public" there.'
            ) from error
    version = str(await raw.fetchval(installed))
    if tuple(map(int, version.split(".")[:2])) < MIN_VECTOR_VERSION:
        raise StoreError(
            f"{name} has pgvector {version}, and Éclair needs 0.8;"
            ' install that, then have an administrator run "ALTER EXTENSION vector UPDATE" there.'
        )


def migrations() -> dict[int, str]:
    """The SQL scripts that lead to the latest format, by the format that each leads to."""
    folder = resources.files("eclair.storage.postgres") / "migrations"
    return {int(each.name[:4]): each.read_text("utf-8") for each in folder.iterdir() if each.name.endswith(".sql")}


def describe_url(url: str) -> str:
    """Name a database for people, without its password."""
    parts = urlsplit(url)
    return f"The database {parts.path.lstrip('/') or 'postgres'} on {parts.hostname or 'this machine'}"


async def _roll_back(connection: PostgresConnection) -> None:
    """Roll back, or give the connection up, which has the same effect."""
    if connection.raw.is_closed():
        return
    try:
        await connection.raw.execute("ROLLBACK")
    except Exception as error:
        log.warning("a connection to PostgreSQL is given up: %s", error)
        connection.raw.terminate()


class _ConnectionLost(StoreError):
    """No connection, or one that was lost before a commit began: the same may be tried again."""


@contextlib.contextmanager
def translated(name: str) -> Any:
    """Turn errors of PostgreSQL into StoreErrors that say what to do.

    Conflicts, violated constraints, faulty statements and Éclair's own errors pass.
    """
    import asyncpg  # pyright: ignore[reportMissingTypeStubs]

    try:
        yield
    except (EclairError, asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
        raise
    except asyncpg.RaiseError as error:
        if (refusal := find_refusal(str(error))) is None:
            raise
        raise refusal from error
    except (asyncpg.InvalidPasswordError, asyncpg.InvalidAuthorizationSpecificationError) as error:
        raise StoreError(f"{name} refuses this user or password; check ECLAIR_DATABASE_URL.") from error
    except asyncpg.InvalidCatalogNameError as error:
        raise StoreError(f"{name} doesn't exist; create it, or check ECLAIR_DATABASE_URL.") from error
    except asyncpg.LockNotAvailableError as error:
        raise StoreError(f"{name} keeps a row locked that has to be changed; try again in a minute.") from error
    except asyncpg.TooManyConnectionsError as error:
        raise _ConnectionLost(
            f"{name} has no connection left; raise max_connections, or run fewer processes."
        ) from error
    except asyncpg.DiskFullError as error:
        raise StoreFull(f"{name} has no space left; free some on its server and try again.") from error
    except asyncpg.ReadOnlySQLTransactionError as error:
        raise _ConnectionLost(
            f"{name} takes no writes, as while a standby takes over; try again in a moment."
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise StoreError(f"{name} does not let this user do that: {error}.") from error
    except DECODING_ERRORS as error:
        raise DataDamaged(f"{name} has a row that can't be read; restore a backup.") from error
    except (
        OSError,
        TimeoutError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
        asyncpg.PostgresConnectionError,
    ) as error:
        raise _ConnectionLost(
            f"{name} cannot be reached ({str(error) or type(error).__name__}); check that it runs."
        ) from error
    except (asyncpg.CannotConnectNowError, asyncpg.AdminShutdownError, asyncpg.CrashShutdownError) as error:
        raise _ConnectionLost(f"{name} is starting or stopping; try again in a moment.") from error
    except (
        asyncpg.IdleInTransactionSessionTimeoutError,
        asyncpg.IdleSessionTimeoutError,
        asyncpg.TransactionTimeoutError,
    ) as error:
        raise _ConnectionLost(f"{name} has ended a connection ({error}); try again.") from error
    except asyncpg.DataError as error:  # whose text has the value
        raise StoreError(f"{name} does not take a value ({type(error).__name__}).") from error
    except (
        asyncpg.IntegrityConstraintViolationError,
        asyncpg.InvalidCachedStatementError,
        asyncpg.SyntaxOrAccessError,
    ):
        raise
    except asyncpg.PostgresError as error:
        raise StoreError(f"{name} failed ({error}); look into the log of its server, and try again.") from error


def _number(text: str) -> int | float:
    """Decode a sum or an average, which PostgreSQL gives as a decimal number."""
    return float(text) if "." in text or "N" in text else int(text)
