"""Permissions of tools on SQLite."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import apsw

from eclair.errors import NotFound
from eclair.schema.principal import Principal
from eclair.storage.sqlite.store import SQLiteStore, read, write
from eclair.storage.sqlite.stored_rows import decode_rows, row_decoder
from eclair.storage.tool_permissions import ToolPermission

_COLUMNS = "id, tool, scope, conversation, created"


class SQLiteToolPermissionStore(SQLiteStore):
    """Implements `ToolPermissionStore`."""

    @read
    def list_permissions(self, db: apsw.Connection, principal: Principal) -> list[ToolPermission]:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM tool_permission WHERE owner = ? ORDER BY created DESC, id", (principal.id,)
        )
        return decode_rows(rows, _permission, self.database.damage.noting("permissions of tools"))

    @write
    def add_permission(self, db: apsw.Connection, principal: Principal, permission: ToolPermission) -> None:
        db.execute(
            f"INSERT OR IGNORE INTO tool_permission (owner, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
            (
                principal.id,
                permission.id,
                permission.tool,
                permission.scope,
                permission.conversation,
                permission.created,
            ),
        )

    @write
    def delete_permission(self, db: apsw.Connection, principal: Principal, id: str) -> None:
        db.execute("DELETE FROM tool_permission WHERE id = ? AND owner = ?", (id, principal.id))
        if not db.changes():
            raise NotFound(f"There is no permission {id!r}; the list has those that are there.")


@row_decoder
def _permission(row: Sequence[Any]) -> ToolPermission:
    return ToolPermission(*row)
