"""Sign-ins under way in SQL."""

from __future__ import annotations

from typing import Any

from eclair.errors import Conflict
from eclair.storage.sign_in_states import SignInState, SignInStateKind
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, read, read_brief, write_brief
from eclair.storage.sql.stored_rows import row_decoder

_COLUMNS = "kind, person, code, address, state, expires"


class SQLSignInStateStore(SQLStore):
    """Implements `SignInStateStore`."""

    @write_brief
    def add_sign_in_state(self, db: Connection, digest: bytes, state: SignInState, now: int, most: int) -> None:
        db.execute("DELETE FROM sign_in_state WHERE kind = ? AND expires <= ?", (state.kind, now))
        db.execute(
            "DELETE FROM sign_in_state WHERE digest IN"
            " (SELECT digest FROM sign_in_state WHERE kind = ?1 ORDER BY expires DESC LIMIT ?2 OFFSET ?3)",
            (state.kind, most, most - 1),
        )
        db.execute(
            f"INSERT INTO sign_in_state (digest, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (digest, state.kind, state.person, state.code, state.address, state.state, state.expires),
        )
        if not db.changes():
            raise Conflict("The secret or the code is taken.")

    @read_brief
    def find_sign_in_state(self, db: Connection, digest: bytes) -> SignInState | None:
        row = first_row(db, f"SELECT {_COLUMNS} FROM sign_in_state WHERE digest = ?", (digest,))
        return None if row is None else _state(row)

    @read_brief
    def find_sign_in_code(self, db: Connection, kind: SignInStateKind, code: str) -> tuple[bytes, SignInState] | None:
        where = "kind = ? AND code = ?"
        row = first_row(db, f"SELECT digest, {_COLUMNS} FROM sign_in_state WHERE {where}", (kind, code))
        return None if row is None else (bytes(row[0]), _state(row[1:]))

    @read
    def count_sign_in_states(self, db: Connection, kind: SignInStateKind, now: int, address: str) -> tuple[int, int]:
        all, own = first_row(
            db,
            "SELECT count(*), count(CASE WHEN address = ?3 THEN 1 END) FROM sign_in_state"
            " WHERE kind = ?1 AND expires > ?2",
            (kind, now, address),
        )
        return all, own

    @write_brief
    def replace_sign_in_state(self, db: Connection, digest: bytes, before: SignInState, after: SignInState) -> bool:
        db.execute(
            "UPDATE sign_in_state SET state = ?, person = ? WHERE digest = ? AND state = ?",
            (after.state, after.person, digest, before.state),
        )
        return bool(db.changes())

    @write_brief
    def take_sign_in_state(self, db: Connection, digest: bytes) -> SignInState | None:
        row = first_row(db, f"DELETE FROM sign_in_state WHERE digest = ? RETURNING {_COLUMNS}", (digest,))
        return None if row is None else _state(row)


@row_decoder
def _state(row: Any) -> SignInState:
    kind, person, code, address, state, expires = row
    return SignInState(kind=kind, person=person, code=code, address=address, state=state, expires=expires)
