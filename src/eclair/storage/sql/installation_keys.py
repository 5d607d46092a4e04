"""The keys of an installation in SQL."""

from __future__ import annotations

from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, read, write_synced


class SQLInstallationKeyStore(SQLStore):
    """Implements `InstallationKeyStore`."""

    @read
    def get_installation_key(self, db: Connection, name: str) -> bytes | None:
        row = first_row(db, "SELECT value FROM installation_key WHERE name = ?", (name,))
        return None if row is None else bytes(row[0])

    @write_synced
    def put_installation_key(self, db: Connection, name: str, before: bytes | None, value: bytes) -> bool:
        if before is None:
            db.execute(
                "INSERT INTO installation_key (name, value) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (name, value)
            )
        else:
            db.execute("UPDATE installation_key SET value = ? WHERE name = ? AND value = ?", (value, name, before))
        return bool(db.changes())
