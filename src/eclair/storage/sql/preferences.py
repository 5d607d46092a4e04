"""Preferences in SQL."""

from __future__ import annotations

from typing import cast

import orjson

from eclair.errors import Conflict
from eclair.schema.principal import Principal
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, overwrite, read
from eclair.storage.sql.stored_rows import MalformedRow, require_json


class SQLPreferenceStore(SQLStore):
    """Implements `PreferenceStore`."""

    @read
    def get_preferences(self, db: Connection, principal: Principal) -> tuple[int, str]:
        try:
            version, body = cast(tuple[object, str], _find(db, principal))
            if not isinstance(version, int) or not isinstance(orjson.loads(require_json(body)), dict):
                raise MalformedRow("no preferences")
            return version, body
        except (UnicodeDecodeError, MalformedRow):  # all else works without them
            self.database.damage.note_row("preferences")
            return 0, "{}"

    @overwrite
    def replace_preferences(self, db: Connection, principal: Principal, version: int, body: str) -> int:
        if _find(db, principal)[0] != version:
            raise Conflict("The preferences were changed elsewhere meanwhile; read them again.")
        db.execute(
            "INSERT INTO preference (owner, version, body) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (owner) DO UPDATE SET version = ?2, body = ?3",
            (principal.id, version + 1, body),
        )
        return version + 1


def _find(db: Connection, principal: Principal) -> tuple[int, str]:
    row = first_row(db, "SELECT version, body FROM preference WHERE owner = ?", (principal.id,))
    return (0, "{}") if row is None else (row[0], row[1])
