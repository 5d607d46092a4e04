"""Base of the stores: methods that run as a block on one connection of the database."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import time
from collections.abc import Awaitable, Callable, Generator
from types import CoroutineType
from typing import Any, Concatenate, ParamSpec, TypeVar

from eclair.schema.ids import Clock
from eclair.storage.sql.connection import Connection, Database

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="SQLStore")

MAX_INTEGER = (1 << 63) - 1
"""The largest number that a column holds; as a limit, none."""

MAX_BRIEF_CHARS = 20_000
"""Characters of a text whose words are indexed on the server's event loop, which takes some ten milliseconds."""

PAUSE_RATIO = 0.1
"""A pause of background work lasts this many times as long as the step before it."""


class SQLStore:
    """One matter of the storage. Methods marked `read` and `write` receive a connection as their first argument."""

    def __init__(self, database: Database, clock: Clock = time.time) -> None:
        self.database = database
        self._clock = clock

    def now(self) -> int:
        """Return the time in milliseconds since 1970 (UTC)."""
        return int(self._clock() * 1000)

    async def empty_log(self) -> None:
        """Truncate the write-ahead log, which still holds what was erased; see `Eraser.erase`."""
        await self.database.eraser.erase()


def read(
    method: Callable[Concatenate[S, Connection, P], T],
) -> Callable[Concatenate[S, P], CoroutineType[Any, Any, T]]:
    """Make a coroutine of a method that only reads; it runs in a reading thread and sees every finished write."""

    @functools.wraps(method)
    async def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.database.read(lambda db: method(self, db, *args, **kwargs))

    return run


def read_brief(
    method: Callable[Concatenate[S, Connection, P], T],
) -> Callable[Concatenate[S, P], CoroutineType[Any, Any, T]]:
    """Make a coroutine as `read` does, of a method that decodes a few rows: cheaper than a switch of threads."""

    @functools.wraps(method)
    async def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.database.read(lambda db: method(self, db, *args, **kwargs), is_brief=True)

    return run


def read_planned(
    method: Callable[Concatenate[S, Connection, P], T],
) -> Callable[Concatenate[S, P], CoroutineType[Any, Any, T]]:
    """Make a coroutine as `read` does, of a method whose best plan depends on the values it is given.

    PostgreSQL plans it each time; from a statement's sixth use on, it might use one plan for all values.
    """

    @functools.wraps(method)
    async def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.database.read(lambda db: method(self, db, *args, **kwargs), is_planned=True)

    return run


def search(
    method: Callable[Concatenate[S, Connection, P], T],
) -> Callable[Concatenate[S, P], CoroutineType[Any, Any, T]]:
    """Make a coroutine as `read_planned` does, of what may take long: others don't wait, and cancelling it ends it."""

    @functools.wraps(method)
    async def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.database.search(lambda db: method(self, db, *args, **kwargs))

    return run


def write(
    method: Callable[Concatenate[S, Connection, P], T],
) -> Callable[Concatenate[S, P], CoroutineType[Any, Any, T]]:
    """Make a coroutine of a method that writes; it is one transaction, committed when the coroutine returns."""
    return _writing(method)


def write_synced(
    method: Callable[Concatenate[S, Connection, P], T],
) -> Callable[Concatenate[S, P], CoroutineType[Any, Any, T]]:
    """Make a coroutine as `write` does; what it wrote, and all that was written before, survives a power cut."""
    return _writing(method, is_synced=True)


def write_concurrent(
    method: Callable[Concatenate[S, Connection, P], T],
) -> Callable[Concatenate[S, P], CoroutineType[Any, Any, T]]:
    """Make a coroutine as `write` does, of a method that locks the rows by which it decides; for what is done often."""
    return _writing(method, is_concurrent=True)


def write_brief(
    method: Callable[Concatenate[S, Connection, P], T],
) -> Callable[Concatenate[S, P], CoroutineType[Any, Any, T]]:
    """Make a coroutine as `write_concurrent` does, of a method with a few rows: cheaper than a switch of threads."""
    return _writing(method, is_concurrent=True, is_brief=lambda *_, **__: True)


def write_brief_synced(
    method: Callable[Concatenate[S, Connection, P], T],
) -> Callable[Concatenate[S, P], CoroutineType[Any, Any, T]]:
    """Make a coroutine as `write_brief` and `write_synced` do."""
    return _writing(method, is_concurrent=True, is_brief=lambda *_, **__: True, is_synced=True)


def write_text(
    count_chars: Callable[P, int], *, is_synced: bool = False
) -> Callable[[Callable[Concatenate[S, Connection, P], T]], Callable[Concatenate[S, P], CoroutineType[Any, Any, T]]]:
    """Make a decorator as `write_brief` is, of methods that index a text; of a long one, as `write_concurrent`."""

    def is_brief(*args: P.args, **kwargs: P.kwargs) -> bool:
        return count_chars(*args, **kwargs) <= MAX_BRIEF_CHARS

    return functools.partial(_writing, is_synced=is_synced, is_concurrent=True, is_brief=is_brief)


def _writing(
    method: Callable[Concatenate[S, Connection, P], T],
    *,
    is_synced: bool = False,
    is_concurrent: bool = False,
    is_brief: Callable[P, bool] | None = None,
) -> Callable[Concatenate[S, P], CoroutineType[Any, Any, T]]:
    @functools.wraps(method)
    async def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.database.write(
            lambda db: method(self, db, *args, **kwargs),
            is_synced=is_synced,
            is_concurrent=is_concurrent,
            is_brief=is_brief is not None and is_brief(*args, **kwargs),
        )

    return run


def erase(
    method: Callable[Concatenate[S, Connection, P], T],
) -> Callable[Concatenate[S, P], CoroutineType[Any, Any, T]]:
    """Make a coroutine like `write` of a method that erases text; it leaves the write-ahead log as well."""

    @functools.wraps(method)
    async def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        result, has_changed = await self.database.write(
            lambda db: _watch(db, lambda: method(self, db, *args, **kwargs))
        )
        if has_changed:
            await self.empty_log()
        return result

    return run


def overwrite(
    method: Callable[Concatenate[S, Connection, P], T],
) -> Callable[Concatenate[S, P], CoroutineType[Any, Any, T]]:
    """Make a coroutine like `write` of a method that replaces text; the former one leaves the log soon after."""

    @functools.wraps(method)
    async def run(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        result, has_changed = await self.database.write(
            lambda db: _watch(db, lambda: method(self, db, *args, **kwargs))
        )
        if has_changed:
            self.database.eraser.request()
        return result

    return run


async def paced(work: Callable[[], Awaitable[T]]) -> T:
    """Do one of many steps of background work, then pause in proportion, so that others can write."""
    began = time.perf_counter()
    result = await work()
    await asyncio.sleep(PAUSE_RATIO * (time.perf_counter() - began))
    return result


def _watch(db: Connection, work: Callable[[], T]) -> tuple[T, bool]:
    """Return the result of the work, and whether it changed a row."""
    before = db.total_changes()
    return work(), db.total_changes() != before


def first_row(db: Connection, statement: str, values: tuple[Any, ...]) -> Any:
    """Return the first row, or None."""
    return next(iter(db.execute(statement, values)), None)


def upsert(table: str, columns: str, key: str) -> str:
    """Return the statement that inserts a row of these columns, or replaces the one that has the same key."""
    names = [name.strip() for name in columns.split(",")]
    keys = [name.strip() for name in key.split(",")]
    changes = ", ".join(f"{name} = excluded.{name}" for name in names if name not in keys)
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {table} ({columns}) VALUES ({marks}) ON CONFLICT ({key}) DO UPDATE SET {changes}"


@contextlib.contextmanager
def snapshot(db: Connection) -> Generator[None]:
    """Let all reads within see the database as of one moment."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("ROLLBACK")  # nothing was written; a commit fails after a read from a damaged page
