"""Writes the tables of a database to files, as they are at one moment, and fills an empty database from such files.

    database/tables.json             format, and for each table its columns, rows, hash and last number
    database/message/000000.copy     rows in the order of their keys, as `COPY` writes them in text format

A table is cut where a row's checksum says so, so that a change leaves the files of most other rows as they were.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import IO, Any

import orjson
from pydantic import TypeAdapter, ValidationError

from eclair.errors import Conflict, NotFound, StoreError
from eclair.storage.base import DatabaseCopy, ReportSteps
from eclair.storage.open import TABLES_FILE, TABLES_FOLDER
from eclair.storage.postgres.bridge import run_bridged, run_in_thread
from eclair.storage.postgres.connection import PostgresConnection, RawConnection
from eclair.storage.postgres.database import (
    MIGRATION_LOCK,
    SCHEMA,
    connect,
    describe_url,
    find_format,
    migrate_tables,
    migrations,
    translated,
)
from eclair.storage.sql.named_blobs import list_named_blobs

MIN_PIECE_BYTES = 4 << 20
MAX_PIECE_BYTES = 32 << 20
CUT_MASK = 0x3F
"""A row ends a file that is large enough where these bits of its checksum are 0."""
NOT_COPIED = frozenset({"format", "presence", "process", "worker"})
"""Tables of the format, and of processes that are alive."""

AddFile = Callable[[Path, str], None]
"""Takes a file and its path in the backup; the file is removed afterwards."""
OpenFile = Callable[[str], AbstractContextManager[Path]]
"""Has the file of a path in the backup within a block."""


@dataclass(frozen=True, slots=True)
class CopiedTable:
    """A table in files: its rows as `COPY` writes them, their number and SHA-256, and the last number given to one."""

    name: str
    columns: tuple[str, ...]
    keys: tuple[str, ...]
    rows: int = 0
    sha256: str = ""
    last: int | None = None

    @property
    def query(self) -> str:
        return f'SELECT {_listed(self.columns)} FROM "{self.name}" ORDER BY {_listed(self.keys)}'


@dataclass(frozen=True, slots=True)
class CopiedTables:
    """All tables of a database of that format."""

    format: int
    tables: tuple[CopiedTable, ...]


_COPIED_TABLES: TypeAdapter[CopiedTables] = TypeAdapter(CopiedTables)


def copy_to_files(url: str, folder: Path, add: AddFile, progress: ReportSteps) -> DatabaseCopy:
    """Write all tables to files in `folder`, each handed to `add`; progress is in bytes. Blocks.

    Raises NotFound where Éclair has not used the database yet, StoreError, and what `add` raises.
    """
    return run_in_thread(_copy_to_files(url, folder, add, progress))


def fill_from_files(url: str, paths: Sequence[str], read: OpenFile) -> None:
    """Fill a database that Éclair has not used yet from the files of those paths, all or nothing. Blocks.

    Compares each table afterwards. Raises Conflict where there are tables already, and StoreError.
    """
    run_in_thread(_fill_from_files(url, paths, read))


async def _copy_to_files(url: str, folder: Path, add: AddFile, progress: ReportSteps) -> DatabaseCopy:
    raw = await connect(url)
    try:
        with translated(describe_url(url)):
            # Until the connection is closed no update of Éclair changes a table. Before the transaction begins: its
            # first statement decides which rows it sees, and this one may wait for an update to end.
            await raw.execute("SELECT pg_advisory_lock_shared($1)", MIGRATION_LOCK)
            async with raw.transaction(isolation="repeatable_read", readonly=True):
                if (format := await find_format(raw)) is None:
                    raise NotFound(f"There is nothing to back up in {describe_url(url)}.")
                names = await _list_names(raw)
                total = int(
                    await raw.fetchval(
                        "SELECT coalesce(sum(pg_table_size(quote_ident(n)::regclass)), 0) FROM unnest($1::text[]) AS n",
                        names,
                    )
                )
                copied: list[CopiedTable] = []
                done = 0
                for name in names:
                    writer = _TableWriter(folder, name, add)

                    async def write(data: bytes, writer: _TableWriter = writer) -> None:
                        nonlocal done
                        writer.write(data)
                        done += len(data)
                        progress(min(done, total), total)

                    copied.append(await _copy_table(raw, name, writer, write))
                path = folder / "tables.json"
                path.write_bytes(orjson.dumps(asdict(CopiedTables(format, tuple(copied)))))
                add(path, TABLES_FILE)
                named = await run_bridged(lambda: list_named_blobs(PostgresConnection(raw)))
        return DatabaseCopy(format, frozenset(named))
    finally:
        await raw.close()


async def _copy_table(
    raw: RawConnection, name: str, writer: _TableWriter, write: Callable[[bytes], Coroutine[Any, Any, None]]
) -> CopiedTable:
    table = await _describe(raw, name)
    await raw.copy_from_query(table.query, output=write, encoding="utf8")
    writer.end()
    return CopiedTable(
        name, table.columns, table.keys, writer.rows, writer.digest.hexdigest(), await _last_number(raw, name)
    )


class _TableWriter:
    """Cuts the rows of a table into files."""

    def __init__(self, folder: Path, name: str, add: AddFile) -> None:
        self.rows = 0
        self.digest = hashlib.sha256()
        self._folder = folder
        self._name = name
        self._add = add
        self._number = self._size = 0
        self._file: IO[bytes] | None = None
        self._rest = b""

    def write(self, data: bytes) -> None:
        """Take the next bytes of the rows; line ends within values are escaped there."""
        self.digest.update(data)
        *rows, self._rest = (self._rest + data).split(b"\n")
        for row in rows:
            self._write_row(row + b"\n")

    def end(self) -> None:
        if self._file is None:
            return
        self._file.close()
        path = Path(self._file.name)
        self._add(path, f"{TABLES_FOLDER}/{self._name}/{self._number:06}.copy")
        path.unlink()
        self._file, self._size, self._number = None, 0, self._number + 1

    def _write_row(self, row: bytes) -> None:
        if self._file is None:
            self._file = (self._folder / f"{self._name}.copy").open("wb")
        self._file.write(row)
        self.rows += 1
        self._size += len(row)
        if self._size >= MAX_PIECE_BYTES or (self._size >= MIN_PIECE_BYTES and not zlib.crc32(row) & CUT_MASK):
            self.end()


async def _fill_from_files(url: str, paths: Sequence[str], read: OpenFile) -> None:
    name = describe_url(url)
    with read(TABLES_FILE) as file:
        try:
            copied = _COPIED_TABLES.validate_json(file.read_bytes())
        except ValidationError as error:
            raise StoreError(f"{TABLES_FILE} in the backup is damaged; restore another snapshot.") from error
    if copied.format > max(migrations()):
        raise StoreError("The backup was made by a newer Éclair; update Éclair.")
    raw = await connect(url)
    try:
        with translated(name):
            async with raw.transaction(isolation="read_committed"):
                await raw.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
                if await find_format(raw) is not None:
                    raise Conflict(f"{name} was used by Éclair already; restore into an empty one.")
                await migrate_tables(raw, name, copied.format)
                await _fill(raw, copied, paths, read)
            await raw.execute("ANALYZE")
    finally:
        await raw.close()


async def _fill(raw: RawConnection, copied: CopiedTables, paths: Sequence[str], read: OpenFile) -> None:
    tables = {table.name: table for table in copied.tables}
    await raw.execute(f"TRUNCATE {_listed(list(tables))}")
    for name in tables:  # they would refuse rows that were let in before a rule was there
        await raw.execute(f'ALTER TABLE "{name}" DISABLE TRIGGER USER')
    for name in await _order(raw, list(tables)):
        for path in sorted(path for path in paths if path.startswith(f"{TABLES_FOLDER}/{name}/")):
            with read(path) as file:
                await raw.copy_to_table(
                    name, source=file, columns=list(tables[name].columns), schema_name=SCHEMA, encoding="utf8"
                )
    await raw.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for table in copied.tables:
        await _compare(raw, table)
        if table.last is not None:
            column = await _numbered_column(raw, table.name)
            sequence = await raw.fetchval("SELECT pg_get_serial_sequence($1, $2)", f"{SCHEMA}.{table.name}", column)
            await raw.execute("SELECT setval($1, $2, true)", sequence, table.last)
        await raw.execute(f'ALTER TABLE "{table.name}" ENABLE TRIGGER USER')


async def _compare(raw: RawConnection, table: CopiedTable) -> None:
    """Raise StoreError unless a table has the rows of the backup."""
    digest, rows = hashlib.sha256(), 0

    async def add(data: bytes) -> None:
        nonlocal rows
        digest.update(data)
        rows += data.count(b"\n")  # line ends within values are escaped

    await raw.copy_from_query(table.query, output=add, encoding="utf8")
    if digest.hexdigest() != table.sha256:
        raise StoreError(
            f"The table {table.name} differs from the backup, which has {table.rows:,} rows of it ({rows:,} came); "
            "restore another snapshot."
        )


async def _list_names(raw: RawConnection) -> list[str]:
    rows = await raw.fetch("SELECT tablename FROM pg_tables WHERE schemaname = $1 ORDER BY tablename", SCHEMA)
    return [str(name) for (name,) in rows if name not in NOT_COPIED]


async def _describe(raw: RawConnection, name: str) -> CopiedTable:
    """Return a table with the columns that are stored, not computed, and those that order its rows."""
    rows = await raw.fetch(
        "SELECT attname, array_position(indkey::smallint[], attnum) FROM pg_attribute"
        " LEFT JOIN pg_index ON indrelid = attrelid AND indisprimary"
        " WHERE attrelid = quote_ident($1)::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
        " ORDER BY attnum",
        name,
    )
    columns = tuple(str(column) for column, _ in rows)
    keyed = sorted((place, str(column)) for column, place in rows if place is not None)
    return CopiedTable(name, columns, tuple(column for _, column in keyed) or columns)


async def _order(raw: RawConnection, names: Sequence[str]) -> list[str]:
    """Order tables so that each comes after those that it refers to."""
    order: TopologicalSorter[str] = TopologicalSorter(dict.fromkeys(names, ()))
    rows = await raw.fetch(
        "SELECT a.relname, b.relname FROM pg_constraint JOIN pg_class a ON a.oid = conrelid"
        " JOIN pg_class b ON b.oid = confrelid WHERE contype = 'f' AND a.relnamespace = to_regnamespace($1)",
        SCHEMA,
    )
    for name, parent in rows:
        if name != parent and name in names:
            order.add(str(name), str(parent))
    return list(order.static_order())


async def _numbered_column(raw: RawConnection, name: str) -> str | None:
    return await raw.fetchval(
        "SELECT attname FROM pg_attribute WHERE attrelid = quote_ident($1)::regclass AND attidentity <> ''", name
    )


async def _last_number(raw: RawConnection, name: str) -> int | None:
    """Return the last number that a table gave to a row; None where it gives none, or has not yet."""
    if (column := await _numbered_column(raw, name)) is None:
        return None
    sequence = await raw.fetchval("SELECT pg_get_serial_sequence($1, $2)", f"{SCHEMA}.{name}", column)
    return await raw.fetchval("SELECT pg_sequence_last_value($1::regclass)", sequence)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)
