"""The servers that were added, read without opening the store: nothing is made, locked or brought up to date."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import apsw

from eclair.storage.database import translated
from eclair.storage.statements import servers
from eclair.storage.statements.rows import first
from eclair.storage.types import AddedServer

BUSY_MS = 2000


def added(folder: Path) -> list[AddedServer]:
    """Those in the database of that data folder; none where there is none yet. Raises StoreError."""
    path = folder / "eclair.db"
    if not path.exists():
        return []
    with translated(path):
        uri = f"file:{quote(str(path))}?mode=ro"
        connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            connection.set_busy_timeout(BUSY_MS)
            there = first(connection, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", ("server",))
            return servers.listed(connection) if there is not None else []
        finally:
            connection.close()
