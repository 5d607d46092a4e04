"""Passkeys in SQL."""

from __future__ import annotations

from typing import Any

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import Principal
from eclair.storage.passkeys import Passkey
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, overwrite, read, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

_COLUMNS = "id, person, credential, public_key, signatures, name, created, used"


class SQLPasskeyStore(SQLStore):
    """Implements `PasskeyStore`."""

    @write
    def add_passkey(self, db: Connection, principal: Principal, passkey: Passkey) -> None:
        if first_row(db, "SELECT 1 FROM passkey WHERE credential = ?", (passkey.credential,)) is not None:
            raise Conflict("This passkey is known already; choose another device.")
        db.execute(
            f"INSERT INTO passkey ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(passkey.id, passkey.person, passkey.credential, passkey.public_key),
                *(passkey.signatures, passkey.name, passkey.created, passkey.used),
            ),
        )
        append_act(db, principal, "passkey.added", passkey.person)

    @read
    def find_passkey(self, db: Connection, credential: bytes) -> Passkey | None:
        row = first_row(db, f"SELECT {_COLUMNS} FROM passkey WHERE credential = ?", (credential,))
        return None if row is None else _passkey(row)

    @read
    def list_passkeys(self, db: Connection, person: str) -> list[Passkey]:
        rows = db.execute(f"SELECT {_COLUMNS} FROM passkey WHERE person = ? ORDER BY created, id", (person,))
        return decode_rows(rows, _passkey, self.database.damage.noting("people"))

    @write
    def use_passkey(self, db: Connection, id: str, signatures: int, day: str) -> bool:
        db.execute(
            "UPDATE passkey SET signatures = ?, used = ? WHERE id = ? AND (signatures < ? OR signatures + ? = 0)",
            (signatures, day, id, signatures, signatures),
        )
        return bool(db.changes())

    @overwrite
    def delete_passkey(self, db: Connection, principal: Principal, person: str, id: str) -> None:
        db.execute("DELETE FROM passkey WHERE person = ? AND id = ?", (person, id))
        if not db.changes():
            raise NotFound("This passkey is gone already.")
        append_act(db, principal, "passkey.removed", person)


@row_decoder
def _passkey(row: Any) -> Passkey:
    id, person, credential, public_key, signatures, name, created, used = row
    return Passkey(
        id=id,
        person=person,
        credential=credential,
        public_key=public_key,
        signatures=signatures,
        name=name,
        created=created,
        used=used,
    )
