"""SCIM resources in SQL."""

from __future__ import annotations

from typing import Any

from eclair.errors import Conflict, NotFound
from eclair.storage.scim import ScimRecord, ScimType
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, overwrite, read, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

_COLUMNS = "id, type, name, external_id, body, version, created, modified"


class SQLScimStore(SQLStore):
    """Implements `ScimStore`."""

    @write
    def add_resource(self, db: Connection, record: ScimRecord) -> None:
        _refuse_taken_name(db, record)
        db.execute(
            f"INSERT INTO scim_resource ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(record.id, record.type, record.name, record.external_id),
                *(record.body, record.version, record.created, record.modified),
            ),
        )

    @read
    def get_resource(self, db: Connection, type: ScimType, id: str) -> ScimRecord:
        return _require_resource(db, type, id)

    @read
    def list_resources(
        self, db: Connection, type: ScimType, name: str | None = None, external_id: str | None = None
    ) -> list[ScimRecord]:
        where, values = "type = ?", [type]
        for column, value in (("name", name), ("external_id", external_id)):
            if value is not None:
                where += f" AND {column} = ?"
                values.append(value)
        rows = db.execute(f"SELECT {_COLUMNS} FROM scim_resource WHERE {where} ORDER BY id", values)
        return decode_rows(rows, _record, self.database.damage.noting("people"))

    @read
    def count_resources(self, db: Connection, type: ScimType) -> int:
        count: int = first_row(db, "SELECT count(*) FROM scim_resource WHERE type = ?", (type,))[0]
        return count

    @overwrite
    def replace_resource(self, db: Connection, record: ScimRecord, version: int) -> bool:
        _require_resource(db, record.type, record.id)
        _refuse_taken_name(db, record)
        db.execute(
            "UPDATE scim_resource SET name = ?, external_id = ?, body = ?, version = ?, modified = ?"
            " WHERE id = ? AND version = ?",
            (
                *(record.name, record.external_id, record.body, record.version, record.modified),
                *(record.id, version),
            ),
        )
        return bool(db.changes())

    @overwrite
    def delete_resource(self, db: Connection, type: ScimType, id: str) -> None:
        _require_resource(db, type, id)
        db.execute("DELETE FROM scim_resource WHERE id = ?", (id,))


def _require_resource(db: Connection, type: ScimType, id: str) -> ScimRecord:
    row = first_row(db, f"SELECT {_COLUMNS} FROM scim_resource WHERE type = ? AND id = ?", (type, id))
    if row is None:
        raise NotFound(f"There is no {type} {id!r}.")
    return _record(row)


def _refuse_taken_name(db: Connection, record: ScimRecord) -> None:
    statement = "SELECT 1 FROM scim_resource WHERE type = ? AND name = ? AND id <> ?"
    if first_row(db, statement, (record.type, record.name, record.id)) is not None:
        raise Conflict(f"There is a {record.type} of that name already.")


@row_decoder
def _record(row: Any) -> ScimRecord:
    id, type, name, external_id, body, version, created, modified = row
    return ScimRecord(
        id=id,
        type=type,
        name=name,
        external_id=external_id,
        body=body,
        version=version,
        created=created,
        modified=modified,
    )
