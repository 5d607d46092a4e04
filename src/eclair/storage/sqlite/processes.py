"""Processes that share a data folder: leases, and SQLite's change count."""

from __future__ import annotations

from pathlib import Path

import apsw

from eclair.storage.sqlite.database import Database
from eclair.storage.sqlite.lease import Lease, is_held
from eclair.storage.sqlite.store import SQLiteStore, write


class SQLiteProcessStore(SQLiteStore):
    """Implements `ProcessStore`."""

    def __init__(self, database: Database, lease: Lease, leases: Path) -> None:
        super().__init__(database)
        self._lease = lease
        self._leases = leases

    @property
    def current(self) -> str:
        return self._lease.name

    def is_alive(self, process: str) -> bool:
        return process == self.current or is_held(self._leases, process)

    @write  # on the writing connection, whose own writes do not count
    def get_foreign_version(self, db: apsw.Connection) -> int:
        version = db.pragma("data_version")
        assert isinstance(version, int)
        return version
