"""Processes that share a data folder: leases, and SQLite's change count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path

from eclair.errors import StoreError
from eclair.storage.processes import UNNAMED, ChangeNotice, LeaseReport
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, read, write
from eclair.storage.sqlite.database import SQLiteDatabase
from eclair.storage.sqlite.lease import Lease, is_held

POLL_INTERVAL_S = 0.5


class SQLiteProcessStore(SQLStore):
    """Implements `ProcessStore`."""

    def __init__(self, database: SQLiteDatabase, lease: Lease, leases: Path) -> None:
        super().__init__(database)
        self._path = database.path
        self._lease = lease
        self._leases = leases

    @property
    def current(self) -> str:
        return self._lease.name

    async def list_dead(self, processes: Iterable[str]) -> set[str]:
        return {each for each in set(processes) - {self.current} if not is_held(self._leases, each)}

    def clock(self) -> float:
        return self._clock()

    async def check(self) -> None:
        written = await self._write_check()
        if await self._read_check() < written:  # others count on
            raise StoreError(f"{self._path} does not keep what is written to it; see `eclair doctor`.")

    @write
    def _write_check(self, db: Connection) -> int:
        (written,) = first_row(
            db,
            "INSERT INTO health_check (id, written) VALUES (1, 1)"
            " ON CONFLICT (id) DO UPDATE SET written = health_check.written + 1 RETURNING written",
            (),
        )
        return int(written)

    @read
    def _read_check(self, db: Connection) -> int:
        row = first_row(db, "SELECT written FROM health_check WHERE id = ?", (1,))
        return 0 if row is None else int(row[0])

    async def wait_for_write(self, seconds: float, version: int | None = None) -> int | None:
        await asyncio.sleep(seconds)
        return None

    @write  # on the writing connection, whose own writes do not count
    def get_foreign_version(self, db: Connection) -> int:
        (version,) = first_row(db, "PRAGMA data_version", ())
        return version

    @property
    def losses(self) -> int:
        return 0

    @property
    def lease(self) -> LeaseReport:
        return LeaseReport()

    def name_changes(self) -> None:
        pass  # others poll the change count

    def tell(self, notice: ChangeNotice) -> None:
        pass

    async def follow_notices(self) -> AsyncGenerator[list[ChangeNotice]]:
        seen = await self.get_foreign_version()
        while True:
            await asyncio.sleep(POLL_INTERVAL_S)
            if (version := await self.get_foreign_version()) != seen:
                seen = version
                yield [UNNAMED]
