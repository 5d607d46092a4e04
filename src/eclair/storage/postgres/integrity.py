"""Integrity of a PostgreSQL database, which compares the checksum of each page that it reads."""

from __future__ import annotations

import time

from eclair.storage.postgres.database import PostgresDatabase
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, read

CHECK_INTERVAL_S = 24 * 3600.0


class PostgresIntegrityStore(SQLStore):
    """Implements `IntegrityStore`: a check asks PostgreSQL whether any of its checksums failed."""

    def __init__(self, database: PostgresDatabase) -> None:
        super().__init__(database)
        self._name = database.name
        self._checked: float | None = None

    @property
    def has_ended_uncleanly(self) -> bool:
        return False  # the server recovers by itself

    @property
    def is_check_due(self) -> bool:
        return self._checked is None or time.monotonic() - self._checked >= CHECK_INTERVAL_S

    @property
    def damage(self) -> str | None:
        return self.database.damage.sentence

    async def check(self) -> None:
        failures = await self._count_failures()
        self.database.damage.replace(
            f"{self._name} has {failures:,} damaged pages by PostgreSQL's checksums; restore a backup."
            if failures
            else None
        )
        self._checked = time.monotonic()

    @read
    def _count_failures(self, db: Connection) -> int:
        row = first_row(db, "SELECT checksum_failures FROM pg_stat_database WHERE datname = current_database()", ())
        return 0 if row is None else row[0] or 0
