"""Destinations of the audit log in SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eclair.errors import Conflict, NotFound
from eclair.schema.audit import ActDetails
from eclair.schema.principal import Principal
from eclair.storage.audit_destinations import StoredDestination
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, read, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder


class SQLAuditDestinationStore(SQLStore):
    """Implements `AuditDestinationStore`."""

    @read
    def list_destinations(self, db: Connection) -> list[StoredDestination]:
        return list_destinations(db, self.database.damage.noting("destinations of the audit log"))

    @write
    def set_destination(self, db: Connection, principal: Principal, destination: StoredDestination) -> None:
        values = (destination.id, destination.kind, destination.target, destination.key)
        taken = "SELECT 1 FROM audit_destination WHERE id <> ? AND kind = ? AND target = ?"
        if first_row(db, taken, values[:3]) is not None:
            raise Conflict(f"{destination.target} gets the audit log already.")
        db.execute(
            "INSERT INTO audit_destination (id, kind, target, key) VALUES (?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, target = excluded.target, key = excluded.key",
            values,
        )
        details: ActDetails = {"kind": destination.kind, "target": destination.target}
        append_act(db, principal, "audit.delivery_changed", destination.id, details=details)

    @write
    def remove_destination(self, db: Connection, principal: Principal, id: str) -> None:
        db.execute("DELETE FROM audit_destination WHERE id = ?", (id,))
        if not db.changes():
            raise NotFound("There is no such destination; it may have been removed.")
        append_act(db, principal, "audit.delivery_changed", id, details={"removed": True})


def list_destinations(db: Connection, note: Callable[[], None]) -> list[StoredDestination]:
    """List the destinations; call `note` for each damaged row, which is left out."""
    rows = db.execute("SELECT id, kind, target, key FROM audit_destination ORDER BY id")
    return decode_rows(rows, _destination, note)


@row_decoder
def _destination(row: Any) -> StoredDestination:
    id, kind, target, key = row
    return StoredDestination(id=id, kind=kind, target=target, key=key)
