"""Preferences: one document for each owner, with the version that it is at."""

from __future__ import annotations

import apsw

from eclair.errors import Conflict
from eclair.storage.statements.rows import first


def read(db: apsw.Connection, owner: str) -> tuple[int, str]:
    row = first(db, "SELECT version, body FROM preference WHERE owner = ?", (owner,))
    return (0, "{}") if row is None else (row[0], row[1])


def change(db: apsw.Connection, owner: str, version: int, body: str) -> int:
    if read(db, owner)[0] != version:
        raise Conflict("The preferences were changed elsewhere meanwhile; read them again.")
    db.execute(
        "INSERT INTO preference (owner, version, body) VALUES (?1, ?2, ?3)"
        " ON CONFLICT (owner) DO UPDATE SET version = ?2, body = ?3",
        (owner, version + 1, body),
    )
    return version + 1
