"""The audit log on SQLite. The URL of a call goes with its run, by a trigger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import cast

import apsw

from eclair.schema.principal import Principal
from eclair.storage.audit import CallFilter, CallRecord, CallVerdict
from eclair.storage.sqlite.store import SQLiteStore, first_row, read, write

_COLUMNS = tuple(field.name for field in fields(CallRecord) if field.name != "id")


class SQLiteAuditStore(SQLiteStore):
    """Implements `AuditStore`."""

    @write
    def add_calls(self, db: apsw.Connection, calls: Sequence[CallRecord]) -> None:
        insert = f"INSERT INTO egress ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
        for call in calls:
            is_kept = call.run is None or first_row(db, "SELECT 1 FROM run WHERE id = ?", (call.run,)) is not None
            row = [getattr(call, name) for name in _COLUMNS]
            if not is_kept:
                row[_COLUMNS.index("url")] = None
            db.execute(insert, row)

    @read
    def list_calls(
        self, db: apsw.Connection, principal: Principal, matching: CallFilter, limit: int, before: int | None = None
    ) -> list[CallRecord]:
        where, values = _where(principal, matching)
        if before is not None:
            where, values = f"{where} AND id < ?", (*values, before)
        rows = db.execute(
            f"SELECT {', '.join(_COLUMNS)}, id FROM egress WHERE {where} ORDER BY id DESC LIMIT ?", (*values, limit)
        )
        names = (*_COLUMNS, "id")
        return [CallRecord(**dict(zip(names, row, strict=True))) for row in rows]

    @read
    def count_calls(self, db: apsw.Connection, principal: Principal, matching: CallFilter) -> dict[CallVerdict, int]:
        where, values = _where(principal, matching)
        rows = db.execute(f"SELECT verdict, count(*) FROM egress WHERE {where} GROUP BY verdict", values)
        return {cast(CallVerdict, verdict): cast(int, number) for verdict, number in rows}

    @write
    def erase_calls(self, db: apsw.Connection, before: int) -> None:
        db.execute("DELETE FROM egress WHERE moment < ?", (before,))

    async def erase_urls(self, principal: Principal) -> None:
        await self._erase_urls(principal)
        await self.empty_log()

    @write
    def _erase_urls(self, db: apsw.Connection, principal: Principal) -> None:
        db.execute("UPDATE egress SET url = NULL WHERE owner = ? AND url IS NOT NULL", (principal.id,))


def _where(principal: Principal, matching: CallFilter) -> tuple[str, tuple[str, ...]]:
    parts, values = ["owner = ?"], [principal.id]
    for column in ("run", "verdict", "purpose"):
        value = getattr(matching, column)
        if value is not None:
            parts.append(f"{column} = ?")
            values.append(value)
    if matching.host is not None:
        parts.append("(host = ? OR substr(host, -length(?) - 1) = '.' || ?)")
        values += [matching.host] * 3
    return " AND ".join(parts), tuple(values)
