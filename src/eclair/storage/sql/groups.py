"""Groups of people in SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from eclair.errors import Conflict, NotFound
from eclair.schema.ids import new_id
from eclair.schema.people import Person, PersonGroup
from eclair.schema.principal import Principal
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.people import PERSON_COLUMNS, person_of_row, require_person
from eclair.storage.sql.store import SQLStore, first_row, overwrite, read, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

_COLUMNS = (
    "id, name, origin, created, (SELECT count(*) FROM group_member WHERE group_member.person_group = person_group.id)"
)


class SQLGroupStore(SQLStore):
    """Implements `GroupStore`."""

    @write
    def add_group(self, db: Connection, principal: Principal, group: PersonGroup) -> None:
        add_group(db, principal, group)

    @read
    def get_group(self, db: Connection, id: str) -> PersonGroup:
        return _require_group(db, id)

    @read
    def find_group(self, db: Connection, origin: str, name: str) -> PersonGroup | None:
        return _find_group(db, origin, name)

    @read
    def list_groups(self, db: Connection, limit: int, query: str = "", after: str | None = None) -> list[PersonGroup]:
        values = [after, after or ""]
        where = "(name, id) > (coalesce((SELECT name FROM person_group WHERE id = ?), ''), ?)"
        if query:
            where += " AND instr(lower(name), ?) > 0"
            values.append(query.lower())
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM person_group WHERE {where} ORDER BY name, id LIMIT ?", (*values, limit)
        )
        return decode_rows(rows, _group, self.database.damage.noting("people"))

    @overwrite
    def rename_group(self, db: Connection, principal: Principal, id: str, name: str) -> None:
        _refuse_taken_name(db, _require_group(db, id).origin, name, id)
        db.execute("UPDATE person_group SET name = ? WHERE id = ?", (name, id))
        append_act(db, principal, "group.changed", id, details={"what": "name"})

    @overwrite
    def delete_group(self, db: Connection, principal: Principal, id: str) -> None:
        delete_group(db, principal, id)

    @read
    def list_members(self, db: Connection, id: str, limit: int, after: str | None = None) -> list[Person]:
        _require_group(db, id)
        rows = db.execute(
            f"SELECT {PERSON_COLUMNS} FROM group_member JOIN person ON person.id = group_member.person"
            " WHERE person_group = ? AND name > coalesce((SELECT name FROM person WHERE id = ?), '')"
            " ORDER BY name LIMIT ?",
            (id, after, limit),
        )
        return decode_rows(rows, person_of_row, self.database.damage.noting("people"))

    @read
    def list_member_ids(self, db: Connection, id: str) -> list[str]:
        return [person for (person,) in db.execute("SELECT person FROM group_member WHERE person_group = ?", (id,))]

    @read
    def list_groups_of(self, db: Connection, person: str) -> list[PersonGroup]:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM person_group WHERE id IN"
            " (SELECT person_group FROM group_member WHERE person = ?) ORDER BY name, id",
            (person,),
        )
        return decode_rows(rows, _group, self.database.damage.noting("people"))

    @write
    def add_members(self, db: Connection, principal: Principal, id: str, people: Sequence[str]) -> None:
        _require_group(db, id)
        _add_members(db, id, people)
        for person in people:
            append_act(db, principal, "group.changed", person, details={"what": "added", "group": id})

    @write
    def remove_member(self, db: Connection, principal: Principal, id: str, person: str) -> None:
        db.execute("DELETE FROM group_member WHERE person_group = ? AND person = ?", (id, person))
        if db.changes():
            append_act(db, principal, "group.changed", person, details={"what": "removed", "group": id})

    @write
    def sync_groups(
        self, db: Connection, principal: Principal, person: str, origin: str, names: Sequence[str], now: int
    ) -> bool:
        require_person(db, person)
        before: dict[Any, Any] = dict(
            db.execute(
                "SELECT name, id FROM group_member JOIN person_group ON id = person_group"
                " WHERE person = ? AND origin = ?",
                (person, origin),
            )
        )
        wanted = set(names)
        for name in before.keys() - wanted:
            values = (before[name], person)
            db.execute("DELETE FROM group_member WHERE person_group = ? AND person = ?", values)
        for name in sorted(wanted - before.keys()):
            found = _find_group(db, origin, name)
            if found is None:
                found = PersonGroup(id=new_id("grp"), name=name, origin=origin, created=now)
                _insert(db, found)
            db.execute("INSERT INTO group_member VALUES (?, ?)", (found.id, person))
        if before.keys() != wanted:
            details = {"origin": origin, "groups": len(wanted)}
            append_act(db, principal, "group.synced", person, details=details)
        return before.keys() != wanted

    @write
    def set_members(self, db: Connection, principal: Principal, id: str, people: Sequence[str]) -> None:
        _require_group(db, id)
        db.execute("DELETE FROM group_member WHERE person_group = ?", (id,))
        _add_members(db, id, people)
        append_act(db, principal, "group.changed", id, details={"what": "members", "count": len(people)})


def list_all_groups(db: Connection, note: Callable[[], None]) -> list[PersonGroup]:
    """List the groups of every origin by name; call `note` for damaged ones, which are left out."""
    return decode_rows(db.execute(f"SELECT {_COLUMNS} FROM person_group ORDER BY name, id"), _group, note)


def add_group(db: Connection, principal: Principal, group: PersonGroup) -> None:
    _refuse_taken_name(db, group.origin, group.name, group.id)
    _insert(db, group)
    append_act(db, principal, "group.added", group.id, details={"origin": group.origin})


def delete_group(db: Connection, principal: Principal, id: str) -> None:
    _require_group(db, id)
    db.execute("DELETE FROM person_group WHERE id = ?", (id,))
    append_act(db, principal, "group.removed", id)


def _insert(db: Connection, group: PersonGroup) -> None:
    values = (group.id, group.name, group.origin, group.created)
    db.execute("INSERT INTO person_group (id, name, origin, created) VALUES (?, ?, ?, ?)", values)


def _add_members(db: Connection, id: str, people: Sequence[str]) -> None:
    for person in people:
        require_person(db, person)
        db.execute("INSERT INTO group_member VALUES (?, ?) ON CONFLICT DO NOTHING", (id, person))


def _find_group(db: Connection, origin: str, name: str) -> PersonGroup | None:
    row = first_row(db, f"SELECT {_COLUMNS} FROM person_group WHERE origin = ? AND name = ?", (origin, name))
    return None if row is None else _group(row)


def _require_group(db: Connection, id: str) -> PersonGroup:
    row = first_row(db, f"SELECT {_COLUMNS} FROM person_group WHERE id = ?", (id,))
    if row is None:
        raise NotFound(f"There is no group {id!r}.")
    return _group(row)


def _refuse_taken_name(db: Connection, origin: str, name: str, id: str) -> None:
    found = _find_group(db, origin, name)
    if found is not None and found.id != id:
        raise Conflict(f"There is a group {name!r} already; choose another name.")


@row_decoder
def _group(row: Any) -> PersonGroup:
    id, name, origin, created, members = row
    return PersonGroup(id=id, name=name, origin=origin, created=created, members=members)
