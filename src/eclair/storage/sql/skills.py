"""Skills in SQL."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import orjson
from pydantic import TypeAdapter

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import Principal
from eclair.schema.skills import MAX_SKILLS, PACKAGED_PREFIX, Skill, SkillFile, SkillHead
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, overwrite, read, read_brief, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

_FILES = (
    "(SELECT string_agg(CAST(json_array(path, length(data)) AS TEXT), ',' ORDER BY path)"
    " FROM skill_file WHERE skill = skill.id)"
)
_IS_ON = (
    "EXISTS (SELECT 1 FROM skill_switch AS switch"
    " WHERE switch.owner = skill.owner AND switch.skill = skill.id AND is_on)"
)
_SELECT = f"SELECT id, owner, created, changed, head, {_FILES}, {_IS_ON} FROM skill"
_HEAD = TypeAdapter(SkillHead)


class SQLSkillStore(SQLStore):
    """Implements `SkillStore`."""

    @overwrite
    def put_skill(self, db: Connection, principal: Principal, skill: Skill, files: Mapping[str, bytes]) -> Skill:
        row = first_row(db, "SELECT id, changed FROM skill WHERE owner = ? AND name = ?", (principal.id, skill.name))
        if row is None:
            id = _add(db, principal, skill)
        else:
            id = str(row[0])
            db.execute(
                "UPDATE skill SET head = ?, changed = ? WHERE id = ?",
                (_encode(skill.head), max(skill.changed, int(row[1]) + 1), id),
            )
            db.execute("DELETE FROM skill_file WHERE skill = ?", (id,))
            db.execute("DELETE FROM skill_switch WHERE skill = ?", (id,))
        db.executemany(
            "INSERT INTO skill_file (skill, path, data) VALUES (?, ?, ?)",
            [(id, path, data) for path, data in files.items()],
        )
        append_act(db, principal, "skill.imported", id)
        return _find(db, principal, id)

    @read
    def get_skill(self, db: Connection, principal: Principal, id: str) -> Skill:
        return _find(db, principal, id)

    @read_brief
    def list_skills(self, db: Connection, principal: Principal) -> list[Skill]:
        rows = db.execute(f"{_SELECT} WHERE owner = ? ORDER BY name", (principal.id,))
        return decode_rows(rows, _skill, self.database.damage.noting("skills"))

    @read
    def read_skill_files(self, db: Connection, principal: Principal, id: str) -> Mapping[str, bytes]:
        _find(db, principal, id)
        rows = db.execute("SELECT path, data FROM skill_file WHERE skill = ? ORDER BY path", (id,))
        return {str(path): bytes(data) for path, data in rows}

    @write
    def switch_skill(self, db: Connection, principal: Principal, id: str, *, is_on: bool, changed: int) -> None:
        if not id.startswith(PACKAGED_PREFIX) and _find(db, principal, id).changed != changed:
            raise Conflict("This skill was changed meanwhile; look at it again.")
        db.execute(
            "INSERT INTO skill_switch (owner, skill, is_on) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (owner, skill) DO UPDATE SET is_on = ?3",
            (principal.id, id, is_on),
        )
        append_act(db, principal, "skill.switched", id, details={"state": "on" if is_on else "off"})

    @read_brief
    def list_switches(self, db: Connection, principal: Principal) -> Mapping[str, bool]:
        rows = db.execute("SELECT skill, is_on FROM skill_switch WHERE owner = ?", (principal.id,))
        return {str(skill): bool(is_on) for skill, is_on in rows}

    @overwrite
    def delete_skill(self, db: Connection, principal: Principal, id: str) -> None:
        _find(db, principal, id)
        db.execute("DELETE FROM skill WHERE id = ?", (id,))
        db.execute("DELETE FROM skill_switch WHERE skill = ?", (id,))
        append_act(db, principal, "skill.deleted", id)


def _add(db: Connection, principal: Principal, skill: Skill) -> str:
    (count,) = first_row(db, "SELECT count(*) FROM skill WHERE owner = ?", (principal.id,)) or (0,)
    if count >= MAX_SKILLS:
        raise Conflict(f"There are {MAX_SKILLS} skills already; delete one first.")
    db.execute(
        "INSERT INTO skill (id, owner, created, changed, head, name) VALUES (?, ?, ?, ?, ?, ?)",
        (skill.id, principal.id, skill.created, skill.changed, _encode(skill.head), skill.name),
    )
    return skill.id


def _find(db: Connection, principal: Principal, id: str) -> Skill:
    row = first_row(db, f"{_SELECT} WHERE id = ? AND owner = ?", (id, principal.id))
    if row is None:
        raise NotFound("There is no such skill; it may have been deleted.")
    return _skill(row)


def _encode(head: SkillHead) -> str:
    return orjson.dumps(asdict(head)).decode()


@row_decoder
def _skill(row: Any) -> Skill:
    id, owner, created, changed, head, files, is_on = row
    return Skill(
        id=id,
        owner=owner,
        head=_HEAD.validate_json(head),
        files=tuple(SkillFile(path, size) for path, size in orjson.loads(f"[{files or ''}]")),
        created=created,
        changed=changed,
        is_on=bool(is_on),
    )
