"""One SQLite database: a thread that writes, a few that read, others that search, migrations at start.

Writes that wait at the same moment are committed together; each is a savepoint of its own, so that one that fails
takes no other with it.

A commit is safe from the death of the process at once (WAL). From a power cut it is safe once the disk has synced the
log: at once for writes that ask for it, and for all that came before them; else at the next checkpoint.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import apsw

from eclair.errors import DataDamaged, EclairError, StoreError, StoreFull
from eclair.storage.sql.connection import find_refusal
from eclair.storage.sql.damage import DamageRecord
from eclair.storage.sql.stored_rows import DECODING_ERRORS
from eclair.storage.sqlite import compaction
from eclair.storage.sqlite.backups import Backups
from eclair.storage.sqlite.chunk_vectors import SQLiteChunkVectors
from eclair.storage.sqlite.erasure import LogEraser
from eclair.storage.sqlite.text_index import SQLiteTextIndex

T = TypeVar("T")

_DAMAGED_JSON = re.compile("malformed JSON|JSON cannot hold BLOB values")
"""Errors of SQL that a damaged value causes."""
SQLiteWork = Callable[[apsw.Connection], T]

BUSY_TIMEOUT_MS = 5000
WAL_RETRY_S = 0.01
UPKEEP_TIMEOUT_MS = 50
"""Longest wait of upkeep for readers and other processes, during which nobody can write."""
CALM_S = 300.0
MAX_READERS = 4
MAX_SEARCHERS = max(1, min(4, (os.cpu_count() or 1) // 2))
"""Searches keep one core busy each, and leave at least half of them to the rest."""
STEPS_PER_CHECK = 10_000
"""Instructions of SQLite, some tenths of a millisecond, between two looks whether anybody waits for a search."""
MAX_JOBS_PER_COMMIT = 512


@dataclass(slots=True)
class _Job:
    work: SQLiteWork[Any]
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Any]
    is_synced: bool
    result: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class _Upkeep:
    """Work on the writing connection outside a transaction. It returns whether it could be done."""

    work: Callable[[apsw.Connection], bool]
    done: Future[bool]
    in_calm: bool


class SQLiteDatabase:
    """An open database. `open` migrates it; `write`, `read` and `search` run a function on a connection."""

    row_lock = ""

    def __init__(self, path: Path, writer: apsw.Connection, backups: Backups, *, was_killed: bool = False) -> None:
        self.path = path
        self._writer = writer
        self._format = _version(writer)
        self._jobs: queue.SimpleQueue[_Job | _Upkeep | None] = queue.SimpleQueue()
        self._local = threading.local()
        self._readers = ThreadPoolExecutor(MAX_READERS, thread_name_prefix="eclair-read")
        self._searchers = ThreadPoolExecutor(MAX_SEARCHERS, thread_name_prefix="eclair-search")
        self._opened: list[apsw.Connection] = [writer]
        self._interruptible: list[threading.Event] = []
        self.damage = DamageRecord(str(path))
        self.text_index = SQLiteTextIndex()
        self.chunk_vectors = SQLiteChunkVectors(self)
        self._written = time.monotonic()
        is_shrinkable = compaction.is_shrinkable(writer)
        self._thread = threading.Thread(target=self._write_jobs, name="eclair-write", daemon=True)
        self._thread.start()
        self.eraser = LogEraser(
            self.keep_up,
            backups,
            self._interrupt,
            was_killed=was_killed,
            is_shrinkable=is_shrinkable,
        )

    @classmethod
    def open(cls, path: Path, backup_days: int = 0, *, is_alone: bool = False) -> SQLiteDatabase:
        """Open or create the database and migrate it, after a backup. Raises StoreError.

        `is_alone` says that no other process has it open, so that a log there is was left by one that died.
        """
        was_killed = is_alone and path.with_name(f"{path.name}-wal").exists()
        backups = Backups(path, backup_days)
        with translated(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                connection = _connect(path, writes=True)
                version = _version(connection)
            except apsw.SQLError as error:  # of a schema whose text is damaged
                raise apsw.CorruptError(str(error)) from error
            _migrate(connection, path, backups, version)
        return cls(path, connection, backups, was_killed=was_killed)

    async def write(
        self, work: SQLiteWork[T], *, is_synced: bool = False, is_concurrent: bool = False, is_brief: bool = False
    ) -> T:
        """Run `work` in a transaction that is committed when this returns, and survives a power cut if `is_synced`.

        One runs after another in one thread, concurrent and brief ones too. Raises what `work` raises.
        """
        loop = asyncio.get_running_loop()
        job = _Job(work, loop, loop.create_future(), is_synced)
        self._jobs.put(job)
        return await job.future

    async def read(self, work: SQLiteWork[T], *, is_brief: bool = False, is_planned: bool = False) -> T:
        """Run `work` on a connection that sees every finished write, in a thread for reads, of whatever kind."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self._read, work)

    async def search(self, work: SQLiteWork[T]) -> T:
        """Run `work` as `read` does, on one of the connections for what takes long. Cancellation interrupts it."""
        abandoned = threading.Event()
        try:
            return await asyncio.get_running_loop().run_in_executor(self._searchers, self._search, work, abandoned)
        finally:
            abandoned.set()

    @contextlib.contextmanager
    def interruptible(self, connection: apsw.Connection) -> Generator[threading.Event]:
        """Yield an event that interrupts the connection once it is set, as each erasure does; close it after the block.

        It acts on the next statement too, as `Connection.interrupt` does not.
        """
        interrupted = threading.Event()
        connection.set_progress_handler(interrupted.is_set, STEPS_PER_CHECK)
        self._interruptible.append(interrupted)
        try:
            yield interrupted
        finally:
            self._interruptible.remove(interrupted)
            connection.close()

    def _interrupt(self) -> None:
        for interrupted in list(self._interruptible):
            interrupted.set()

    async def close(self) -> None:
        """Finish pending work, then close."""
        await asyncio.to_thread(self.eraser.close)
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)
        await asyncio.to_thread(self._readers.shutdown)
        await asyncio.to_thread(self._searchers.shutdown)
        for connection in self._opened:
            connection.close()

    def _search(self, work: SQLiteWork[T], abandoned: threading.Event) -> T:
        def watched(connection: apsw.Connection) -> T:
            # not `interrupt`, which does nothing between two statements
            connection.set_progress_handler(abandoned.is_set, STEPS_PER_CHECK)
            try:
                return work(connection)
            finally:
                connection.set_progress_handler(None)

        return self._read(watched)

    def _read(self, work: SQLiteWork[T]) -> T:
        connection: apsw.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            with translated(self.path):
                connection = self._local.connection = _connect(self.path)
            self._opened.append(connection)
        with self._noting_damage(connection):
            return work(connection)

    @contextlib.contextmanager
    def _noting_damage(self, connection: apsw.Connection) -> Generator[None]:
        """Translate errors as `translated` does, those of SQL too where the schema is damaged; record damage."""
        try:
            with translated(self.path):
                try:
                    yield
                except apsw.SQLError as error:
                    if not _DAMAGED_JSON.search(str(error)) and has_known_schema(connection):
                        raise
                    raise apsw.CorruptError(str(error)) from error
        except DataDamaged as error:
            self.damage.note(error.message)
            raise

    def _write_jobs(self) -> None:
        following: list[_Job | _Upkeep | None] = []
        while (job := following.pop() if following else self._jobs.get()) is not None:
            if isinstance(job, _Upkeep):
                self._do_upkeep(job)
                continue
            batch = [job]
            with contextlib.suppress(queue.Empty):
                while len(batch) < MAX_JOBS_PER_COMMIT:
                    more = self._jobs.get_nowait()
                    if not isinstance(more, _Job):
                        following.append(more)
                        break
                    batch.append(more)
            self._commit(batch)
            for loop in {done.loop for done in batch}:
                with contextlib.suppress(RuntimeError):  # the loop closed while its last write was under way
                    loop.call_soon_threadsafe(_deliver, [done for done in batch if done.loop is loop])

    def _do_upkeep(self, job: _Upkeep) -> None:
        is_calm = self._jobs.empty() and time.monotonic() - self._written >= CALM_S
        if job.in_calm and not is_calm:
            job.done.set_result(False)
            return
        self._writer.set_busy_timeout(UPKEEP_TIMEOUT_MS)
        if job.in_calm:
            self._writer.set_progress_handler(lambda: not self._jobs.empty(), STEPS_PER_CHECK)
        try:
            job.done.set_result(job.work(self._writer))
        except Exception as error:
            job.done.set_exception(error)
        finally:
            self._writer.set_progress_handler(None)
            self._writer.set_busy_timeout(BUSY_TIMEOUT_MS)

    def keep_up(self, work: Callable[[apsw.Connection], bool], *, in_calm: bool = False) -> bool:
        """Do such work after the writes that wait, on the connection whose own changes are no news. Blocks.

        With `in_calm` only if nobody has written for CALM_S, else return False; a write interrupts it.
        """
        done: Future[bool] = Future()
        self._jobs.put(_Upkeep(work, done, in_calm))
        return done.result()

    def _commit(self, batch: list[_Job]) -> None:
        self._written = time.monotonic()
        level = "FULL" if any(job.is_synced for job in batch) else "NORMAL"
        try:
            with self._noting_damage(self._writer):
                self._writer.execute(f"PRAGMA synchronous = {level}")
                self._writer.execute("BEGIN IMMEDIATE")
                self._refuse_newer_format()
                for job in batch:
                    self._attempt(job)
                self._writer.execute("COMMIT")
        except Exception as error:
            if self._writer.in_transaction:
                with contextlib.suppress(apsw.Error):
                    self._writer.execute("ROLLBACK")
            for job in batch:
                job.error = job.error or error

    def _refuse_newer_format(self) -> None:
        """Raise StoreError where a newer Éclair has migrated the database since it was opened here."""
        if (found := _version(self._writer)) > self._format:
            raise StoreError(
                f"A newer Éclair has changed {self.path} (to format {found}, this one knows {self._format}); "
                "stop this one, and go on with the newer."
            )

    def _attempt(self, job: _Job) -> None:
        """Run a job in a savepoint. Raises where SQLite has given up the whole transaction, as on a full disk."""
        self._writer.execute("SAVEPOINT job")
        try:
            with self._noting_damage(self._writer):
                job.result = job.work(self._writer)
        except Exception as error:
            if not self._writer.in_transaction:
                raise
            self._writer.execute("ROLLBACK TO job")
            job.error = error
        self._writer.execute("RELEASE job")


def _deliver(batch: list[_Job]) -> None:
    for job in batch:
        if job.future.done():
            continue
        if job.error is not None:
            job.future.set_exception(job.error)
        else:
            job.future.set_result(job.result)


def _connect(path: Path, *, writes: bool = False) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    if writes:
        compaction.prepare(connection)
    _use_wal(connection)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")  # what is erased is overwritten, not only unlinked
    return connection


def migrations() -> list[str]:
    """The SQL scripts that lead from an empty database to the latest format, in order."""
    folder = resources.files("eclair.storage.sqlite") / "migrations"
    scripts = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda f: f.name)
    return [script.read_text("utf-8") for script in scripts]


def bring_forward(connection: apsw.Connection) -> None:
    """Run the migrations that a database lacks; one without a format gets what they lead to from `schema.sql`."""
    if _version(connection) == 0:
        connection.execute((resources.files("eclair.storage.sqlite") / "schema.sql").read_text("utf-8"))
    scripts = migrations()
    for number in range(_version(connection), len(scripts)):
        connection.execute(scripts[number])
        connection.execute(f"PRAGMA user_version = {number + 1}")


@functools.cache
def _known_schema() -> frozenset[str]:
    db = apsw.Connection(":memory:")
    bring_forward(db)
    return frozenset(str(sql) for (sql,) in db.execute("SELECT sql FROM sqlite_schema"))


def has_known_schema(connection: apsw.Connection) -> bool:
    """Tell whether the schema is that of the latest format; a damaged one may have become any text."""
    try:
        found = frozenset(str(sql) for (sql,) in connection.execute("SELECT sql FROM sqlite_schema"))
    except (apsw.Error, UnicodeDecodeError):
        return False
    return found == _known_schema()


def _use_wal(connection: apsw.Connection) -> None:
    """Switch to WAL. SQLite itself doesn't wait while another process switches. Raises BusyError."""
    until = time.monotonic() + BUSY_TIMEOUT_MS / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except apsw.BusyError:
            if time.monotonic() >= until:
                raise
            time.sleep(WAL_RETRY_S)


def _migrate(connection: apsw.Connection, path: Path, backups: Backups, version: int) -> None:
    latest = len(migrations())
    if version > latest:
        raise StoreError(
            f"{path} was written by a newer Éclair (format {version}, this one knows {latest}); "
            "update Éclair, or choose another folder with ECLAIR_DATA_DIR."
        )
    if version == latest:
        return
    if version > 0:
        backups.make(connection, version)
    connection.execute("BEGIN IMMEDIATE")
    try:
        bring_forward(connection)
        connection.execute("COMMIT")
    except apsw.Error:
        connection.execute("ROLLBACK")
        raise


def _version(connection: apsw.Connection) -> int:
    version = connection.pragma("user_version")
    assert isinstance(version, int)
    return version


@contextlib.contextmanager
def translated(path: Path) -> Generator[None]:
    """Turn SQLite's errors into StoreErrors that say what to do; others pass."""
    try:
        yield
    except EclairError:
        raise
    except apsw.ConstraintError as error:
        if (refusal := find_refusal(str(error))) is None:
            raise
        raise refusal from error
    except (apsw.BusyError, apsw.LockedError) as error:
        raise StoreError(f"{path} is locked by another program; close that program and try again.") from error
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, PermissionError) as error:
        raise StoreError(f"{path} cannot be written; check who owns the file and its folder.") from error
    except apsw.FullError as error:
        raise StoreFull(f"The disk that holds {path} is full; free some space and try again.") from error
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise DataDamaged(
            f"{path} is damaged or no database; stop Éclair and save what can be read with `eclair doctor --repair`, "
            "or restore a backup (`eclair restore`)."
        ) from error
    except DECODING_ERRORS as error:
        raise DataDamaged(
            f"{path} has a damaged row; stop Éclair and have it mended with `eclair doctor --repair`, "
            "or restore a backup (`eclair restore`)."
        ) from error
    except (apsw.IOError, OSError) as error:
        raise StoreError(f"{path} cannot be read or written: {error}.") from error
