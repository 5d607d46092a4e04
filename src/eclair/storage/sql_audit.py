"""The port of the egress ledger on SQLite. What its methods do stands in `statements/`."""

from __future__ import annotations

from collections.abc import Sequence

from eclair.storage.audit import Call, Filter, Verdict
from eclair.storage.database import Database
from eclair.storage.statements import audit, deletion


class SQLEgress:
    """Implements `EgressStore`; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, calls: Sequence[Call]) -> None:
        await self._database.write(lambda db: audit.add(db, calls))

    async def calls(self, owner: str, which: Filter, limit: int, before: int | None = None) -> list[Call]:
        return await self._database.read(lambda db: audit.listed(db, owner, which, limit, before))

    async def count(self, owner: str, which: Filter) -> dict[Verdict, int]:
        return await self._database.read(lambda db: audit.count(db, owner, which))

    async def erase_before(self, moment: int) -> None:
        await self._database.write(lambda db: audit.erase_before(db, moment))

    async def forget_asked(self, owner: str) -> None:
        await self._database.write(lambda db: audit.forget_asked(db, owner))
        await self._database.read(deletion.empty_log)
