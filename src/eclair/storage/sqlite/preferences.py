"""Preferences on SQLite."""

from __future__ import annotations

import apsw

from eclair.errors import Conflict
from eclair.storage.sqlite.store import SQLiteStore, first_row, read, write


class SQLitePreferenceStore(SQLiteStore):
    """Implements `PreferenceStore`."""

    @read
    def get_preferences(self, db: apsw.Connection, owner: str) -> tuple[int, str]:
        return _find(db, owner)

    @write
    def replace_preferences(self, db: apsw.Connection, owner: str, version: int, body: str) -> int:
        if _find(db, owner)[0] != version:
            raise Conflict("The preferences were changed elsewhere meanwhile; read them again.")
        db.execute(
            "INSERT INTO preference (owner, version, body) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (owner) DO UPDATE SET version = ?2, body = ?3",
            (owner, version + 1, body),
        )
        return version + 1


def _find(db: apsw.Connection, owner: str) -> tuple[int, str]:
    row = first_row(db, "SELECT version, body FROM preference WHERE owner = ?", (owner,))
    return (0, "{}") if row is None else (row[0], row[1])
