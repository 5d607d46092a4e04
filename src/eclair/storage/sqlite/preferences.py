"""Preferences on SQLite."""

from __future__ import annotations

import apsw

from eclair.errors import Conflict
from eclair.schema.principal import Principal
from eclair.storage.sqlite.store import SQLiteStore, first_row, overwrite, read


class SQLitePreferenceStore(SQLiteStore):
    """Implements `PreferenceStore`."""

    @read
    def get_preferences(self, db: apsw.Connection, principal: Principal) -> tuple[int, str]:
        return _find(db, principal)

    @overwrite
    def replace_preferences(self, db: apsw.Connection, principal: Principal, version: int, body: str) -> int:
        if _find(db, principal)[0] != version:
            raise Conflict("The preferences were changed elsewhere meanwhile; read them again.")
        db.execute(
            "INSERT INTO preference (owner, version, body) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (owner) DO UPDATE SET version = ?2, body = ?3",
            (principal.id, version + 1, body),
        )
        return version + 1


def _find(db: apsw.Connection, principal: Principal) -> tuple[int, str]:
    row = first_row(db, "SELECT version, body FROM preference WHERE owner = ?", (principal.id,))
    return (0, "{}") if row is None else (row[0], row[1])
