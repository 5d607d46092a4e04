"""People in SQL: accounts, passwords, second factors, and one-time codes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from eclair.errors import Conflict, NotFound
from eclair.schema.people import Person, PersonChange
from eclair.schema.principal import PersonRole, Principal
from eclair.storage.people import CodePurpose, OneTimeCode, PrincipalFacts, SecondFactor
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import (
    SQLStore,
    erase,
    first_row,
    overwrite,
    read,
    read_brief,
    snapshot,
    write,
    write_brief,
)
from eclair.storage.sql.stored_rows import decode_object, decode_rows, row_decoder

PERSON_COLUMNS = "id, name, display_name, email, role, created, locked, seen"
_CODE_COLUMNS = "id, digest, purpose, person, body, created, expires"
_LAST_ADMINISTRATOR = "This is the last administrator who can come in; make somebody else one first."


class SQLPeopleStore(SQLStore):
    """Implements `PeopleStore`."""

    @write
    def add_person(self, db: Connection, principal: Principal, person: Person, *, password: str | None = None) -> None:
        _refuse_taken_name(db, person.name, person.id)
        if first_row(db, "SELECT 1 FROM person WHERE id = ?", (person.id,)) is not None:
            raise Conflict("This account exists already.")
        db.execute(
            f"INSERT INTO person ({PERSON_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(person.id, person.name, person.display_name, person.email),
                *(person.role, person.created, person.locked, person.seen),
            ),
        )
        if password is not None:
            db.execute("INSERT INTO password VALUES (?, ?, ?)", (person.id, password, self.now()))
        append_act(db, principal, "person.added", person.id, details={"role": person.role})

    @read_brief
    def get_person(self, db: Connection, id: str) -> Person:
        return require_person(db, id)

    @read
    def find_by_name(self, db: Connection, name: str) -> Person | None:
        row = first_row(db, f"SELECT {PERSON_COLUMNS} FROM person WHERE name = ?", (name,))
        return None if row is None else person_of_row(row)

    @read
    def find_by_email(self, db: Connection, email: str) -> list[Person]:
        rows = db.execute(f"SELECT {PERSON_COLUMNS} FROM person WHERE email = ? ORDER BY created", (email.lower(),))
        return decode_rows(rows, person_of_row, self.database.damage.noting("people"))

    @read_brief
    def find_facts(self, db: Connection, id: str) -> PrincipalFacts | None:
        with snapshot(db):
            return find_facts(db, id)

    @read
    def list_people(self, db: Connection, limit: int, query: str = "", after: str | None = None) -> list[Person]:
        where, values = "name > coalesce((SELECT name FROM person WHERE id = ?), '')", [after]
        if query:
            where += (
                " AND (instr(name, ?) > 0 OR instr(lower(display_name), ?) > 0 OR instr(coalesce(email, ''), ?) > 0)"
            )
            values += [query.lower()] * 3
        rows = db.execute(f"SELECT {PERSON_COLUMNS} FROM person WHERE {where} ORDER BY name LIMIT ?", (*values, limit))
        return decode_rows(rows, person_of_row, self.database.damage.noting("people"))

    @read
    def count_people(self, db: Connection) -> dict[PersonRole, int]:
        return dict(db.execute("SELECT role, count(*) FROM person WHERE locked IS NULL GROUP BY role"))

    @read
    def list_roles(self, db: Connection) -> dict[str, PersonRole]:
        return dict(db.execute("SELECT id, role FROM person WHERE locked IS NULL"))

    @overwrite
    def change_person(self, db: Connection, principal: Principal, id: str, change: PersonChange) -> Person:
        person = require_person(db, id)
        if change.name is not None:
            _refuse_taken_name(db, change.name, id)
        if change.role not in (None, "admin"):
            _refuse_last_administrator(db, person)
        email = person.email if change.email is None else change.email or None
        db.execute(
            "UPDATE person SET name = ?, display_name = ?, email = ?, role = ? WHERE id = ?",
            (
                *(change.name or person.name, change.display_name or person.display_name),
                *(email, change.role or person.role, id),
            ),
        )
        changed = require_person(db, id)
        if changed.role != person.role:
            append_act(db, principal, "role.changed", id, details={"from": person.role, "to": changed.role})
        if replace(changed, role=person.role) != person:
            append_act(db, principal, "person.changed", id)
        return changed

    @write
    def lock_person(self, db: Connection, principal: Principal, id: str, at: int | None) -> Person:
        person = require_person(db, id)
        if at is not None:
            _refuse_last_administrator(db, person)
            db.execute("DELETE FROM session WHERE person = ?", (id,))
        db.execute("UPDATE person SET locked = ? WHERE id = ?", (at, id))
        if (at is None) != (person.locked is None):
            append_act(db, principal, "person.unlocked" if at is None else "person.locked", id)
        return require_person(db, id)

    @erase
    def delete_person(self, db: Connection, principal: Principal, id: str) -> None:
        _refuse_last_administrator(db, require_person(db, id))
        db.execute("DELETE FROM api_key WHERE owner = ?", (id,))
        db.execute("DELETE FROM person WHERE id = ?", (id,))
        append_act(db, principal, "person.removed", id)

    @write_brief
    def mark_seen(self, db: Connection, id: str, day: str) -> None:
        db.execute("UPDATE person SET seen = ? WHERE id = ?", (day, id))

    @read
    def find_identity(self, db: Connection, issuer: str, subject: str) -> str | None:
        row = first_row(db, "SELECT person FROM identity WHERE issuer = ? AND subject = ?", (issuer, subject))
        return None if row is None else row[0]

    @write
    def link_identity(self, db: Connection, principal: Principal, person: str, issuer: str, subject: str) -> None:
        require_person(db, person)
        row = first_row(db, "SELECT person FROM identity WHERE issuer = ? AND subject = ?", (issuer, subject))
        if row is not None and row[0] != person:
            raise Conflict("Somebody else signs in with this identity; ask an administrator.")
        db.execute("INSERT INTO identity VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (issuer, subject, person))
        if db.changes():
            append_act(db, principal, "identity.linked", person, details={"issuer": issuer})

    @read
    def list_identities(self, db: Connection, person: str) -> list[tuple[str, str]]:
        return list(db.execute("SELECT issuer, subject FROM identity WHERE person = ? ORDER BY 1, 2", (person,)))

    @read
    def get_password(self, db: Connection, person: str) -> str | None:
        row = first_row(db, "SELECT hash FROM password WHERE person = ?", (person,))
        return None if row is None else row[0]

    @overwrite
    def set_password(self, db: Connection, principal: Principal, person: str, hash: str | None) -> None:
        require_person(db, person)
        db.execute("DELETE FROM password WHERE person = ?", (person,))
        if hash is not None:
            db.execute("INSERT INTO password VALUES (?, ?, ?)", (person, hash, self.now()))
        append_act(db, principal, "password.changed", person, details={"removed": hash is None})

    @read
    def get_second_factor(self, db: Connection, person: str) -> SecondFactor | None:
        row = first_row(db, "SELECT secret, confirmed, used FROM second_factor WHERE person = ?", (person,))
        return None if row is None else _second_factor(row)

    @overwrite
    def set_second_factor(self, db: Connection, principal: Principal, person: str, secret: bytes | None) -> None:
        require_person(db, person)
        for table in ("second_factor", "recovery_code"):
            db.execute(f"DELETE FROM {table} WHERE person = ?", (person,))
        if secret is not None:
            db.execute("INSERT INTO second_factor (person, secret) VALUES (?, ?)", (person, secret))
        else:
            append_act(db, principal, "second_factor.removed", person)

    @write
    def use_second_factor(self, db: Connection, person: str, step: int) -> bool:
        db.execute("UPDATE second_factor SET used = ? WHERE person = ? AND used < ?", (step, person, step))
        return bool(db.changes())

    @write
    def confirm_second_factor(
        self, db: Connection, principal: Principal, person: str, recovery_codes: Sequence[bytes]
    ) -> None:
        db.execute("UPDATE second_factor SET confirmed = ? WHERE person = ?", (self.now(), person))
        db.execute("DELETE FROM recovery_code WHERE person = ?", (person,))
        db.executemany("INSERT INTO recovery_code VALUES (?, ?)", [(person, digest) for digest in recovery_codes])
        append_act(db, principal, "second_factor.added", person)

    @write
    def use_recovery_code(self, db: Connection, person: str, digest: bytes) -> bool:
        db.execute("DELETE FROM recovery_code WHERE person = ? AND digest = ?", (person, digest))
        return bool(db.changes())

    @write
    def add_code(self, db: Connection, principal: Principal, code: OneTimeCode) -> None:
        if code.purpose != "invitation":
            db.execute(
                "DELETE FROM one_time_code WHERE purpose = ? AND person IS NOT DISTINCT FROM ?",
                (code.purpose, code.person),
            )
        body = {
            "name": code.name,
            "display_name": code.display_name,
            "email": code.email,
            "role": code.role,
            "groups": code.groups,
        }
        db.execute(
            f"INSERT INTO one_time_code ({_CODE_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                *(code.id, code.digest, code.purpose, code.person),
                *(orjson.dumps(body).decode(), code.created, code.expires),
            ),
        )
        if code.purpose != "setup":
            append_act(db, principal, "invitation.made", code.person or code.id, details={"for": code.purpose})

    @read
    def find_code(self, db: Connection, digest: bytes) -> OneTimeCode | None:
        row = first_row(db, f"SELECT {_CODE_COLUMNS} FROM one_time_code WHERE digest = ?", (digest,))
        return None if row is None else _code(row)

    @write
    def take_code(self, db: Connection, digest: bytes) -> bool:
        db.execute("DELETE FROM one_time_code WHERE digest = ?", (digest,))
        return bool(db.changes())

    @read
    def list_codes(self, db: Connection, purpose: CodePurpose) -> list[OneTimeCode]:
        rows = db.execute(
            f"SELECT {_CODE_COLUMNS} FROM one_time_code WHERE purpose = ? ORDER BY created DESC, id DESC", (purpose,)
        )
        return decode_rows(rows, _code, self.database.damage.noting("people"))

    @overwrite
    def delete_code(self, db: Connection, principal: Principal, id: str) -> None:
        db.execute("DELETE FROM one_time_code WHERE id = ?", (id,))
        if not db.changes():
            raise NotFound("There is no such invitation any more.")
        append_act(db, principal, "invitation.revoked", id)


def require_person(db: Connection, id: str) -> Person:
    """Return a person. Raises NotFound."""
    row = first_row(db, f"SELECT {PERSON_COLUMNS} FROM person WHERE id = ?", (id,))
    if row is None:
        raise NotFound(f"There is no account {id!r}.")
    return person_of_row(row)


def find_facts(db: Connection, id: str) -> PrincipalFacts | None:
    """Return a person and the ids of their groups, None where there is nobody of that id."""
    row = first_row(db, f"SELECT {PERSON_COLUMNS} FROM person WHERE id = ?", (id,))
    if row is None:
        return None
    groups = db.execute("SELECT person_group FROM group_member WHERE person = ?", (id,))
    return PrincipalFacts(person_of_row(row), frozenset(group for (group,) in groups))


@row_decoder
def person_of_row(row: Any) -> Person:
    """Decode a row of `PERSON_COLUMNS`. Raises MalformedRow."""
    id, name, display_name, email, role, created, locked, seen = row
    return Person(
        id=id,
        name=name,
        display_name=display_name,
        email=email,
        role=role,
        created=created,
        locked=locked,
        seen=seen,
    )


@row_decoder
def _second_factor(row: Any) -> SecondFactor:
    return SecondFactor(*row)


@row_decoder
def _code(row: Any) -> OneTimeCode:
    id, digest, purpose, person, body, created, expires = row
    facts = decode_object(body)
    return OneTimeCode(
        id=id,
        digest=digest,
        purpose=purpose,
        created=created,
        expires=expires,
        person=person,
        name=facts["name"],
        display_name=facts["display_name"],
        email=facts["email"],
        role=facts["role"],
        groups=tuple(facts["groups"]),
    )


def _refuse_taken_name(db: Connection, name: str, id: str) -> None:
    if first_row(db, "SELECT 1 FROM person WHERE name = ? AND id <> ?", (name, id)) is not None:
        raise Conflict(f"There is an account {name!r} already; choose another name.")


def _refuse_last_administrator(db: Connection, person: Person) -> None:
    if person.role != "admin" or person.locked is not None:
        return
    others = "SELECT 1 FROM person WHERE role = 'admin' AND locked IS NULL AND id <> ? LIMIT 1"
    if first_row(db, others, (person.id,)) is None:
        raise Conflict(_LAST_ADMINISTRATOR)
