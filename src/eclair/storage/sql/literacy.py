"""Counts of the literacy page in SQL, a row an event."""

from __future__ import annotations

from eclair.storage.literacy import LiteracyCounts, LiteracyEvent
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, read, write


class SQLLiteracyStore(SQLStore):
    """Implements `LiteracyStore`."""

    @write
    def count_literacy(self, db: Connection, event: LiteracyEvent) -> None:
        db.execute(
            "INSERT INTO literacy (event, count) VALUES (?, 1)"
            " ON CONFLICT (event) DO UPDATE SET count = literacy.count + 1",
            (event,),
        )

    @read
    def get_literacy_counts(self, db: Connection) -> LiteracyCounts:
        return LiteracyCounts(_count(db, "offered"), _count(db, "read"))


def _count(db: Connection, event: LiteracyEvent) -> int:
    row = first_row(db, "SELECT count FROM literacy WHERE event = ?", (event,))
    return 0 if row is None else int(row[0])
