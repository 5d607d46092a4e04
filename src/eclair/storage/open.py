"""Opens the storage of a data folder; only it knows which database that is."""

from __future__ import annotations

import time
from pathlib import Path

from eclair.schema.ids import Clock
from eclair.storage.base import DatabaseReport, Storage
from eclair.storage.servers import StoredServer
from eclair.storage.sqlite import open as sqlite


def open_storage(folder: Path, clock: Clock = time.time) -> Storage:
    """Open the storage in `folder`, creating and migrating it as needed. Blocks. Raises StoreError."""
    return sqlite.open_sqlite(folder, clock)


def read_added_servers(folder: Path) -> list[StoredServer]:
    """Read the added servers of a data folder without creating, locking or migrating anything. Raises StoreError."""
    return sqlite.read_added_servers(folder)


def inspect_database(folder: Path) -> DatabaseReport | None:
    """Report format and faults of the database, None where there is none yet. Changes nothing. Raises StoreError."""
    return sqlite.inspect_database(folder)
