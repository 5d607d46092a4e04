"""Counts of the literacy page on SQLite, a row an event."""

from __future__ import annotations

import apsw

from eclair.storage.literacy import LiteracyCounts, LiteracyEvent
from eclair.storage.sqlite.store import SQLiteStore, first_row, read, write


class SQLiteLiteracyStore(SQLiteStore):
    """Implements `LiteracyStore`."""

    @write
    def count_literacy(self, db: apsw.Connection, event: LiteracyEvent) -> None:
        db.execute(
            "INSERT INTO literacy (event, count) VALUES (?, 1) ON CONFLICT (event) DO UPDATE SET count = count + 1",
            (event,),
        )

    @read
    def get_literacy_counts(self, db: apsw.Connection) -> LiteracyCounts:
        return LiteracyCounts(_count(db, "offered"), _count(db, "read"))


def _count(db: apsw.Connection, event: LiteracyEvent) -> int:
    row = first_row(db, "SELECT count FROM literacy WHERE event = ?", (event,))
    return 0 if row is None else int(row[0])
