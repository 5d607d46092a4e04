"""Sessions of people in SQL."""

from __future__ import annotations

from typing import Any

from eclair.errors import NotFound
from eclair.schema.people import PersonSession
from eclair.schema.principal import Principal
from eclair.storage.people import PrincipalFacts
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.people import find_facts
from eclair.storage.sql.store import SQLStore, first_row, read, read_brief, snapshot, write, write_brief
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

_COLUMNS = "id, person, created, seen, expires, device, address, issuer, provider_session"


class SQLSessionStore(SQLStore):
    """Implements `SessionStore`."""

    @write
    def add_session(self, db: Connection, principal: Principal, session: PersonSession, digest: bytes) -> None:
        db.execute(
            f"INSERT INTO session ({_COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(session.id, session.person, session.created, session.seen, session.expires),
                *(session.device, session.address, session.issuer, session.provider_session, digest),
            ),
        )
        append_act(db, principal, "session.started", session.id, details={"issuer": session.issuer})

    @read_brief
    def find_session(self, db: Connection, digest: bytes) -> tuple[PersonSession, PrincipalFacts] | None:
        with snapshot(db):
            row = first_row(db, f"SELECT {_COLUMNS} FROM session WHERE digest = ?", (digest,))
            if row is None:
                return None
            session = _session(row)
            facts = find_facts(db, session.person)
            return None if facts is None else (session, facts)

    @write_brief
    def touch_session(self, db: Connection, id: str, seen: int) -> None:
        db.execute("UPDATE session SET seen = ? WHERE id = ?", (seen, id))

    @read
    def list_sessions(self, db: Connection, person: str) -> list[PersonSession]:
        rows = db.execute(f"SELECT {_COLUMNS} FROM session WHERE person = ? ORDER BY seen DESC, id", (person,))
        return decode_rows(rows, _session, self.database.damage.noting("sessions"))

    @write
    def end_session(self, db: Connection, principal: Principal, person: str, id: str) -> None:
        db.execute("DELETE FROM session WHERE person = ? AND id = ?", (person, id))
        if not db.changes():
            raise NotFound("This session has ended already.")
        append_act(db, principal, "session.ended", id)

    @write
    def end_sessions(self, db: Connection, principal: Principal, person: str, keep: str | None = None) -> int:
        db.execute("DELETE FROM session WHERE person = ? AND id IS DISTINCT FROM ?", (person, keep))
        return _note_ended(db, principal, person, db.changes())

    @write
    def end_provider_sessions(
        self, db: Connection, principal: Principal, issuer: str, provider_session: str | None, person: str | None
    ) -> int:
        if provider_session is not None:
            where, values = "provider_session = ?", [provider_session]
        else:
            where, values = "person = ?", [person]
        if provider_session is not None and person is not None:
            where, values = f"{where} AND person = ?", [*values, person]
        db.execute(f"DELETE FROM session WHERE issuer = ? AND {where}", (issuer, *values))
        return _note_ended(db, principal, person, db.changes())

    @write
    def delete_ended(self, db: Connection, now: int, idle_since: int) -> int:
        db.execute("DELETE FROM session WHERE expires <= ? OR seen < ?", (now, idle_since))
        return db.changes()


def _note_ended(db: Connection, principal: Principal, person: str | None, count: int) -> int:
    if count:
        append_act(db, principal, "session.ended", person, details={"count": count})
    return count


@row_decoder
def _session(row: Any) -> PersonSession:
    id, person, created, seen, expires, device, address, issuer, provider_session = row
    return PersonSession(
        id=id,
        person=person,
        created=created,
        seen=seen,
        expires=expires,
        device=device,
        address=address,
        issuer=issuer,
        provider_session=provider_session,
    )
