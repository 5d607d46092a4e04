"""Memories in SQL."""

from __future__ import annotations

from typing import Any

from eclair.errors import Conflict, NotFound
from eclair.schema.memories import MAX_MEMORIES, Memory
from eclair.schema.principal import Principal
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.projects import require_project
from eclair.storage.sql.store import SQLStore, erase, first_row, overwrite, read_brief, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

_THERE = "NOT EXISTS (SELECT 1 FROM project WHERE project.id = memory.project_id AND project.deleted IS NOT NULL)"
"""The condition on a memory that it isn't one of a deleted project."""
_COLUMNS = "id, owner, text, maker, created, changed, conversation, message, project_id"


class SQLMemoryStore(SQLStore):
    """Implements `MemoryStore`."""

    @write
    def add_memory(self, db: Connection, principal: Principal, memory: Memory) -> Memory:
        project = memory.project_id
        if project is not None:
            require_project(db, principal, project)
        elif memory.conversation is not None:
            project = _project_of(db, principal, memory.conversation)
        same = first_row(
            db,
            f"SELECT {_COLUMNS} FROM memory WHERE owner = ? AND text = ? AND project_id IS NOT DISTINCT FROM ?",
            (principal.id, memory.text, project),
        )
        if same is not None:
            return _memory(same)
        if first_row(db, "SELECT 1 FROM memory WHERE id = ?", (memory.id,)) is not None:
            raise Conflict(f"The id {memory.id!r} is taken; leave it out to be given one.")
        (count,) = first_row(db, "SELECT count(*) FROM memory WHERE owner = ?", (principal.id,))
        if count >= MAX_MEMORIES:
            raise Conflict(f"There are {MAX_MEMORIES:,} memories already; delete some first.")
        db.execute(
            f"INSERT INTO memory ({_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6,"
            " (SELECT id FROM conversation WHERE id = ?7 AND owner = ?2), ?8, ?9)",
            (
                *(memory.id, principal.id, memory.text, memory.maker, memory.created, memory.changed),
                *(memory.conversation, memory.message, project),
            ),
        )
        return _require(db, principal, memory.id)

    @read_brief
    def list_memories(self, db: Connection, principal: Principal) -> list[Memory]:
        rows = db.execute(f"SELECT {_COLUMNS} FROM memory WHERE owner = ? AND {_THERE} ORDER BY id", (principal.id,))
        return decode_rows(rows, _memory, self.database.damage.noting("memories"))

    @overwrite
    def edit_memory(self, db: Connection, principal: Principal, id: str, text: str, changed: int) -> Memory:
        _require(db, principal, id)
        db.execute("UPDATE memory SET text = ?, changed = ? WHERE id = ?", (text, changed, id))
        return _require(db, principal, id)

    @erase
    def delete_memory(self, db: Connection, principal: Principal, id: str) -> None:
        _require(db, principal, id)
        db.execute("DELETE FROM memory WHERE id = ?", (id,))

    @erase
    def delete_all_memories(self, db: Connection, principal: Principal) -> int:
        db.execute("DELETE FROM memory WHERE owner = ?", (principal.id,))
        return db.changes()


def _project_of(db: Connection, principal: Principal, conversation: str) -> str | None:
    """Return the project of a conversation that the principal still has access to; None without one."""
    row = first_row(db, "SELECT project_id FROM conversation WHERE id = ? AND owner = ?", (conversation, principal.id))
    if row is None or row[0] is None:
        return None
    try:
        return require_project(db, principal, row[0]).id
    except NotFound:
        return None


def _require(db: Connection, principal: Principal, id: str) -> Memory:
    row = first_row(db, f"SELECT {_COLUMNS} FROM memory WHERE id = ? AND owner = ? AND {_THERE}", (id, principal.id))
    if row is None:
        raise NotFound("There is no such memory; it may have been deleted meanwhile.")
    return _memory(row)


@row_decoder
def _memory(row: Any) -> Memory:
    return Memory(*row)
