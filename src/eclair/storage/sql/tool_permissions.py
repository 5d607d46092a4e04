"""Permissions of tools in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eclair.errors import NotFound
from eclair.schema.principal import Principal
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, read, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder
from eclair.storage.tool_permissions import ToolPermission

_COLUMNS = "id, tool, scope, conversation, created, is_denied"


class SQLToolPermissionStore(SQLStore):
    """Implements `ToolPermissionStore`."""

    @read
    def list_permissions(self, db: Connection, principal: Principal) -> list[ToolPermission]:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM tool_permission WHERE owner = ? ORDER BY created DESC, id", (principal.id,)
        )
        return decode_rows(rows, _permission, self.database.damage.noting("permissions of tools"))

    @write
    def add_permission(self, db: Connection, principal: Principal, permission: ToolPermission) -> None:
        db.execute(
            f"INSERT INTO tool_permission (owner, {_COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
            " ON CONFLICT (owner, tool, scope, coalesce(conversation, '')) DO UPDATE SET created = ?6, is_denied = ?7",
            (
                principal.id,
                permission.id,
                permission.tool,
                permission.scope,
                permission.conversation,
                permission.created,
                permission.is_denied,
            ),
        )

    @write
    def delete_permission(self, db: Connection, principal: Principal, id: str) -> None:
        db.execute("DELETE FROM tool_permission WHERE id = ? AND owner = ?", (id, principal.id))
        if not db.changes():
            raise NotFound(f"There is no permission {id!r}; the list has those that are there.")


@row_decoder
def _permission(row: Sequence[Any]) -> ToolPermission:
    *fields, is_denied = row
    return ToolPermission(*fields, is_denied=bool(is_denied))
