"""Uploaded exports in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter

from eclair.errors import NotFound
from eclair.schema.principal import Principal
from eclair.storage.imports import WaitingImport
from eclair.storage.libraries import Library
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, overwrite, read, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

_COLUMNS = "id, owner, name, blob, created, expires, libraries"
_LIBRARIES = TypeAdapter(dict[str, Library])


class SQLImportStore(SQLStore):
    """Implements `ImportStore`."""

    @write
    def add_import(self, db: Connection, principal: Principal, waiting: WaitingImport) -> None:
        db.execute(
            f"INSERT INTO waiting_import ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(waiting.id, principal.id, waiting.name, waiting.blob, waiting.created, waiting.expires),
                _encoded(waiting.libraries),
            ),
        )

    @read
    def get_import(self, db: Connection, principal: Principal, id: str) -> WaitingImport:
        row = first_row(db, f"SELECT {_COLUMNS} FROM waiting_import WHERE owner = ? AND id = ?", (principal.id, id))
        if row is None:
            raise _missing(id)
        return _waiting(row)

    @read
    def list_imports(self, db: Connection, principal: Principal) -> list[WaitingImport]:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM waiting_import WHERE owner = ? ORDER BY created, id", (principal.id,)
        )
        return decode_rows(rows, _waiting, self.database.damage.noting("imports"))

    @write
    def note_libraries(self, db: Connection, principal: Principal, id: str, libraries: Mapping[str, Library]) -> None:
        db.execute(
            "UPDATE waiting_import SET libraries = ? WHERE owner = ? AND id = ?",
            (_encoded(libraries), principal.id, id),
        )

    @overwrite
    def delete_import(self, db: Connection, principal: Principal, id: str) -> None:
        db.execute("DELETE FROM waiting_import WHERE owner = ? AND id = ?", (principal.id, id))
        if not db.changes():
            raise _missing(id)

    @read
    def list_expired_imports(self, db: Connection, now: int) -> list[WaitingImport]:
        rows = db.execute(f"SELECT {_COLUMNS} FROM waiting_import WHERE expires <= ? ORDER BY id", (now,))
        return decode_rows(rows, _waiting, self.database.damage.noting("imports"))

    @read
    def list_import_blobs(self, db: Connection) -> set[str]:
        return {blob for (blob,) in db.execute("SELECT blob FROM waiting_import")}


def _encoded(libraries: Mapping[str, Library]) -> str:
    return _LIBRARIES.dump_json(dict(libraries)).decode()


def _missing(id: str) -> NotFound:
    return NotFound(f"There is no import {id!r} (any more); send the file again.")


@row_decoder
def _waiting(row: Any) -> WaitingImport:
    id, owner, name, blob, created, expires, libraries = row
    return WaitingImport(
        id=id,
        owner=owner,
        name=name,
        blob=blob,
        created=created,
        expires=expires,
        libraries=_LIBRARIES.validate_json(libraries),
    )
