"""Grants in SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eclair.errors import NotFound
from eclair.schema.principal import Principal
from eclair.storage.grants import Grant
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, read, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

_COLUMNS = "id, subject, object, effect, created"


class SQLGrantStore(SQLStore):
    """Implements `GrantStore`."""

    @read
    def list_grants(self, db: Connection) -> list[Grant]:
        return list_grants(db, self.database.damage.noting("rights"))

    @write
    def put_grant(self, db: Connection, principal: Principal, grant: Grant) -> Grant:
        return put_grant(db, principal, grant)

    @write
    def delete_grant(self, db: Connection, principal: Principal, id: str) -> None:
        delete_grant(db, principal, id)


def list_grants(db: Connection, note: Callable[[], None]) -> list[Grant]:
    rows = db.execute(f"SELECT {_COLUMNS} FROM access_grant ORDER BY object, subject")
    return decode_rows(rows, _grant, note)


def put_grant(db: Connection, principal: Principal, grant: Grant) -> Grant:
    append_act(db, principal, "grant.changed", grant.subject, details={"right": grant.object, "effect": grant.effect})
    row = first_row(
        db,
        f"INSERT INTO access_grant ({_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5)"
        f" ON CONFLICT (subject, object) DO UPDATE SET effect = ?4, created = ?5 RETURNING {_COLUMNS}",
        (grant.id, grant.subject, grant.object, grant.effect, grant.created),
    )
    return _grant(row)


def delete_grant(db: Connection, principal: Principal, id: str) -> None:
    row = first_row(db, f"DELETE FROM access_grant WHERE id = ? RETURNING {_COLUMNS}", (id,))
    if row is None:
        raise NotFound(f"There is no right {id!r}; the list of rights has those that are there.")
    grant = _grant(row)
    append_act(db, principal, "grant.changed", grant.subject, details={"right": grant.object, "effect": "removed"})


@row_decoder
def _grant(row: Any) -> Grant:
    id, subject, object, effect, created = row
    return Grant(id=id, subject=subject, object=object, effect=effect, created=created)
