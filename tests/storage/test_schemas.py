"""The tables of both databases: each migration has a twin, and each column its counterpart."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, cast

import apsw
import asyncpg  # pyright: ignore[reportMissingTypeStubs]

from eclair.storage.open import open_storage
from eclair.storage.postgres import database as postgres
from eclair.storage.sqlite import database as sqlite
from tests.postgres import TestDatabases

TYPES = {
    "TEXT": {"text"},
    "INTEGER": {"bigint", "boolean"},
    "REAL": {"double precision"},
    "BLOB": {"bytea"},
}
SQLITE_ALONE = {"index_merge_due", "vector"}
POSTGRES_ALONE = {"format", "process"}
INDEXES = ("message_text", "piece_text", "piece_word", "entry_text", "entry_word", "picture_text", "vector")
"""Tables of words and vectors begin so; each database has its own."""


def test_each_migration_has_a_twin() -> None:
    assert max(postgres.migrations()) == len(sqlite.migrations())


def test_the_version_before_can_work_on_after_a_migration() -> None:
    """Replicas are updated one after another, so a migration of PostgreSQL only adds what older ones needn't know."""
    breaking = re.compile(
        r"\bRENAME\b|\bDROP\s+(TABLE|COLUMN|NOT\s+NULL)|ALTER\s+COLUMN|ADD\s+COLUMN\s+(?![^;]*DEFAULT)[^;]*NOT\s+NULL",
        re.IGNORECASE,
    )
    scripts = postgres.migrations()
    assert not [number for number in scripts if number > postgres.READABLE_FROM and breaking.search(scripts[number])]


async def test_each_column_has_its_counterpart(tmp_path: Path, databases: TestDatabases) -> None:
    await open_storage(tmp_path).close()
    db = apsw.Connection(str(tmp_path / "eclair.db"))
    try:
        there = sqlite_columns(db)
    finally:
        db.close()
    connection = await cast(Any, asyncpg).connect(databases.create())
    try:
        rows = await connection.fetch(
            "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'eclair'"
        )
    finally:
        await connection.close()
    here = {(row[0], row[1]): (str(row[2]), row[3] == "NO") for row in rows if not row[0].startswith(INDEXES)}
    assert {table for table, _ in here} - {table for table, _ in there} == POSTGRES_ALONE
    assert {table for table, _ in there} - {table for table, _ in here} == SQLITE_ALONE
    shared = {place: kind for place, kind in there.items() if place[0] not in SQLITE_ALONE}
    assert here.keys() - {place for place in here if place[0] in POSTGRES_ALONE} == shared.keys()
    assert {
        place: (kind, here[place])
        for place, kind in shared.items()
        if here[place][0] not in TYPES[kind[0]] or here[place][1] < kind[1]
    } == {}


def sqlite_columns(db: apsw.Connection) -> dict[tuple[str, str], tuple[str, bool]]:
    """Return the type of each column of each table, and whether it may not be NULL."""
    found: dict[tuple[str, str], tuple[str, bool]] = {}
    tables = db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%STRICT%'")
    for (table,) in list(tables):
        for name, kind, required in db.execute('SELECT name, type, "notnull" FROM pragma_table_xinfo(?)', (table,)):
            found[str(table), str(name)] = str(kind), bool(required)
    return found
