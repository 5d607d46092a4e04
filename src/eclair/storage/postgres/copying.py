"""Copies a database from SQLite to PostgreSQL, goes on where it was cut short, and compares each row afterwards.

Rows are copied in the order in which SQLite has them, so many in a transaction, with their words; what is there already
is skipped by its number. Nobody else may have the database open meanwhile, and nothing in it is changed.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from struct import pack
from typing import Any

import apsw

from eclair.errors import Conflict, NotFound, StoreError
from eclair.storage.base import ReportSteps
from eclair.storage.open import open_storage
from eclair.storage.postgres.bridge import run_bridged
from eclair.storage.postgres.chunk_vectors import drop_indexes, make_indexes
from eclair.storage.postgres.connection import PostgresConnection, RawConnection, storable
from eclair.storage.postgres.database import SCHEMA, PostgresDatabase, connect, describe_url, translated
from eclair.storage.postgres.text_index import PostgresTextIndex
from eclair.storage.sql.connection import Connection
from eclair.storage.sqlite.lease import hold_alone
from eclair.storage.sqlite.open import DATABASE_FILE, LEASES_FOLDER, has_database, open_readonly
from eclair.text.index_words import split_words

MAX_BATCH_ROWS = 1000
MAX_BATCH_BYTES = 8 << 20
LAST = "retention_rule"
"""Copied after all others, since a rule may let no message in."""
NOT_COPIED = frozenset({"vector", "index_merge_due", "health_check", "presence"})
MARK = "copying"
"""A table that is there while a copy isn't finished; it names the folder that is copied."""

Row = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class _Table:
    name: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    flags: frozenset[int]
    """Places of the columns that are true or false."""

    @property
    def listed(self) -> str:
        return ", ".join(f'"{column}"' for column in self.columns)

    @property
    def order(self) -> str:
        return ", ".join(f'"{key}" NULLS FIRST' for key in self.keys)

    def convert(self, row: Row) -> Row:
        """Return a row of SQLite as PostgreSQL has it."""
        return tuple(
            bool(value) if place in self.flags and value is not None else storable(value)
            for place, value in enumerate(row)
        )


def copy_to_postgres(folder: Path, url: str, progress: ReportSteps = lambda done, total: None) -> dict[str, int]:
    """Copy the database of a data folder into an empty one on PostgreSQL; return the number of rows by table. Blocks.

    Raises NotFound where there is no database, Conflict while Éclair runs on the folder or where the other database has
    rows of its own, and StoreError.
    """
    if not has_database(folder):
        raise NotFound(f"There is no database in {folder}.")
    asyncio.run(open_storage(folder).close())  # which brings it to the latest format
    PostgresDatabase.open(url).close_blocking()
    with hold_alone(folder / LEASES_FOLDER, "copy"), open_readonly(folder / DATABASE_FILE) as source:
        return asyncio.run(_copy(source, url, str(folder.resolve()), progress))


async def _copy(source: apsw.Connection, url: str, name: str, progress: ReportSteps) -> dict[str, int]:
    target = await connect(url)
    try:
        with translated(describe_url(url)):
            tables = await _list_tables(source, target)
            await _claim(target, tables, name, describe_url(url))
            counts = {table.name: _count(source, table.name) for table in tables}
            counts["vector"] = _count(source, "vector")
            total, done = 2 * sum(counts.values()) + sum(counts[table] for table in _WORDS), 0

            def report(rows: int) -> None:
                nonlocal done
                done += rows
                progress(min(done, total), total)

            for table in tables:
                await _copy_table(source, target, table, report)
            await _copy_vectors(source, target, report)
            for table in tables:
                await _compare(source, target, table, report)
            for table, words in _WORDS.items():
                await _compare_words(source, target, table, words, report)
            await _compare_vectors(source, target, report)
            await _set_sequences(source, target)
            await target.execute(f"DROP TABLE {MARK}")
            await target.execute("ANALYZE")
            return counts
    finally:
        await target.close()


async def _list_tables(source: apsw.Connection, target: RawConnection) -> list[_Table]:
    """List the tables of the source, each after those that it refers to."""
    rows = await target.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = $1 AND data_type = 'boolean'",
        SCHEMA,
    )
    flags = {(str(table), str(column)) for table, column in rows}
    names = [
        str(name)
        for (name,) in source.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%STRICT%'")
        if name not in NOT_COPIED
    ]
    order: TopologicalSorter[str] = TopologicalSorter()
    for name in names:
        parents = source.execute('SELECT "table" FROM pragma_foreign_key_list(?)', (name,))
        order.add(name, *({str(parent) for (parent,) in parents} - {name}))
    ordered = [name for name in order.static_order() if name != LAST]
    return [_describe(source, name, flags) for name in (*ordered, LAST)]


def _describe(source: apsw.Connection, name: str, flags: set[tuple[str, str]]) -> _Table:
    # `hidden` is 0 for what is stored, not computed
    query = "SELECT name, pk FROM pragma_table_xinfo(?) WHERE hidden = 0 ORDER BY cid"
    rows = [(str(column), int(pk)) for column, pk in source.execute(query, (name,))]
    columns = tuple(column for column, _ in rows)
    keys = tuple(column for column, _ in sorted((each for each in rows if each[1]), key=lambda each: each[1]))
    places = frozenset(place for place, column in enumerate(columns) if (name, column) in flags)
    return _Table(name, columns, keys or columns, places)


async def _claim(target: RawConnection, tables: Sequence[_Table], folder: str, name: str) -> None:
    """Mark an empty database as the copy of a folder. Raises Conflict where it is another's."""
    if await target.fetchval("SELECT to_regclass($1)", f"{SCHEMA}.{MARK}") is None:
        for table in tables:
            if await target.fetchval(f'SELECT EXISTS (SELECT 1 FROM "{table.name}")'):
                raise Conflict(f"{name} holds data already ({table.name}); choose an empty one.")
        async with target.transaction(isolation="read_committed"):
            await target.execute(f"CREATE TABLE {MARK} (folder text NOT NULL)")
            await target.execute(f"INSERT INTO {MARK} VALUES ($1)", folder)
        return
    begun = await target.fetchval(f"SELECT folder FROM {MARK}")
    if begun != folder:
        raise Conflict(f"{name} holds a part of a copy of {begun}; choose an empty one, or finish that.")


async def _copy_table(
    source: apsw.Connection, target: RawConnection, table: _Table, report: Callable[[int], None]
) -> None:
    there: int = await target.fetchval(f'SELECT count(*) FROM "{table.name}"')
    report(there)
    rows = source.execute(
        f'SELECT {table.listed} FROM "{table.name}" ORDER BY {table.order} LIMIT -1 OFFSET ?', (there,)
    )
    connection = PostgresConnection(target)
    for batch in _batches(map(table.convert, rows)):
        async with target.transaction(isolation="read_committed"):
            await target.copy_records_to_table(
                table.name, records=batch, columns=list(table.columns), schema_name=SCHEMA
            )
            if (words := _WORDS.get(table.name)) is not None:
                named = [dict(zip(table.columns, row, strict=True)) for row in batch]
                await run_bridged(lambda put=words.put, named=named: [put(connection, row) for row in named])
        report(len(batch))


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(value) for value in row if isinstance(value, str | bytes))
        if len(batch) >= MAX_BATCH_ROWS or size >= MAX_BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


async def _copy_vectors(source: apsw.Connection, target: RawConnection, report: Callable[[int], None]) -> None:
    """Copy the vectors, of which a row of SQLite has several, and build their indexes afterwards."""
    last: int = await target.fetchval("SELECT coalesce(max(id), -1) FROM vector")
    rows = source.execute("SELECT id, count, data FROM vector WHERE id > ? ORDER BY id", (last,))
    report(_count(source, "vector", "id <= ?", (last,)))
    await drop_indexes(target)
    for batch in _batches(rows):
        await target.copy_to_table(
            "vector",
            source=_binary_rows(each for row in batch for each in _vectors_of(row)),
            columns=["id", "embedding"],
            schema_name=SCHEMA,
            format="binary",
        )
        report(len(batch))
    await make_indexes(target)


async def _binary_rows(vectors: Iterable[tuple[int, bytes]]) -> AsyncGenerator[bytes]:
    """Yield rows of `vector` as `COPY` reads them in binary format."""
    yield b"PGCOPY\n\xff\r\n\0" + pack(">ii", 0, 0)
    for id, vector in vectors:
        yield pack(">hiqi", 2, 8, id, len(vector)) + vector
    yield pack(">h", -1)


def _vectors_of(row: Row) -> Iterator[tuple[int, bytes]]:
    """Yield the vectors of a row of SQLite with their ids, as pgvector sends and receives half floats."""
    id, count, data = row
    size = len(data) // max(1, count)
    for number in range(count):
        halves = array("H", data[number * size : (number + 1) * size])
        halves.byteswap()
        yield id + number, pack(">HH", len(halves), 0) + halves.tobytes()


async def _compare(
    source: apsw.Connection, target: RawConnection, table: _Table, report: Callable[[int], None]
) -> None:
    """Raise StoreError unless both have the same rows."""
    mine = map(table.convert, source.execute(f'SELECT {table.listed} FROM "{table.name}" ORDER BY {table.order}'))
    async for theirs in _stream(target, f'SELECT {table.listed} FROM "{table.name}" ORDER BY {table.order}'):
        if next(mine, None) != theirs:
            raise _differs(table.name)
        report(1)
    if next(mine, None) is not None:
        raise _differs(table.name)


async def _stream(target: RawConnection, query: str) -> AsyncGenerator[Row]:
    async with target.transaction(isolation="repeatable_read", readonly=True):
        async for row in target.cursor(query, prefetch=200):
            yield tuple(row)


async def _compare_words(
    source: apsw.Connection, target: RawConnection, table: str, words: _Words, report: Callable[[int], None]
) -> None:
    """Raise StoreError unless each row has as many words as its text."""
    mine = source.execute(f"SELECT {words.key}, {words.texts} FROM {table} ORDER BY {words.key}")
    length = "length" if words.has_length else "NULL"
    async for key, counted in _stream(target, f"SELECT {words.key}, {length} FROM {table}_text ORDER BY {words.key}"):
        expected, *texts = next(mine, (None,))
        if expected != key or (words.has_length and counted != words.count(texts)):
            raise _differs(f"{table}_text")
        report(1)
    if next(mine, None) is not None:
        raise _differs(f"{table}_text")


async def _compare_vectors(source: apsw.Connection, target: RawConnection, report: Callable[[int], None]) -> None:
    """Raise StoreError unless both have the same half floats."""
    theirs = _stream(target, "SELECT id, public.halfvec_send(embedding) FROM vector ORDER BY id")
    async with aclosing(theirs):
        for row in source.execute("SELECT id, count, data FROM vector ORDER BY id"):
            for vector in _vectors_of(row):
                if await anext(theirs, None) != vector:
                    raise _differs("vector")
            report(1)
        if await anext(theirs, None) is not None:
            raise _differs("vector")


async def _set_sequences(source: apsw.Connection, target: RawConnection) -> None:
    """Let numbers go on where SQLite's ended, so that none is given twice."""
    used = {str(name): int(str(last)) for name, last in source.execute("SELECT name, seq FROM sqlite_sequence")}
    rows = await target.fetch(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = $1 AND is_identity = 'YES'",
        SCHEMA,
    )
    for table, column in rows:
        last = await target.fetchval(f'SELECT max("{column}") FROM "{table}"') or 0
        sequence = await target.fetchval("SELECT pg_get_serial_sequence($1, $2)", f"{SCHEMA}.{table}", column)
        await target.execute("SELECT setval($1, $2, true)", sequence, max(1, last, used.get(table, 0)))


def _count(source: apsw.Connection, table: str, condition: str = "true", values: Row = ()) -> int:
    (count,) = next(source.execute(f'SELECT count(*) FROM "{table}" WHERE {condition}', values))
    assert isinstance(count, int)
    return count


def _differs(table: str) -> StoreError:
    return StoreError(
        f"The copy of the table {table} differs from the original; empty the new database, and copy once more."
    )


@dataclass(frozen=True, slots=True)
class _Words:
    """Index of the words of a table in another, beside the same key: `put` fills it from its `texts`."""

    put: Callable[[Connection, dict[str, Any]], None]
    key: str
    texts: str
    has_sections: bool = False
    has_length: bool = False

    def count(self, texts: Sequence[Any]) -> int:
        return sum(len(split_words(text, has_sections=self.has_sections)) for text in texts)


def _put_message(db: Connection, row: dict[str, Any]) -> None:
    PostgresTextIndex().put_message(db, row["id"], row["text"])


def _put_chunk(db: Connection, row: dict[str, Any]) -> None:
    PostgresTextIndex().put_chunk(db, row["id"], (row["heading"], row["text"], row["forms"]))


def _put_entry(db: Connection, row: dict[str, Any]) -> None:
    texts = (row["title"], row["summary"], row["text"], row["forms"])
    PostgresTextIndex().put_entry(db, row["feed"], row["key"], texts)


def _put_image(db: Connection, row: dict[str, Any]) -> None:
    PostgresTextIndex().put_image(db, row["id"], row["prompt"])


_WORDS = {
    "message": _Words(_put_message, "number", "text", has_length=True),
    "piece": _Words(_put_chunk, "id", "heading, text, forms", has_sections=True, has_length=True),
    "entry": _Words(_put_entry, "number", "title"),
    "picture": _Words(_put_image, "number", "prompt"),
}
