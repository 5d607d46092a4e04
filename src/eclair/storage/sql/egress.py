"""The egress log in SQL. The URL of a call goes with its run, by a trigger.

The audit log seals the calls that have ended, so they are erased a seal at a time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from eclair.schema.audit import SYSTEM_PRINCIPAL
from eclair.schema.principal import Principal
from eclair.storage.audit_chain import SALT_BYTES
from eclair.storage.egress import CallFilter, CallRecord, CallVerdict
from eclair.storage.processes import ProcessStore
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection, Database
from eclair.storage.sql.sealed_calls import sealed_through, url_hash
from eclair.storage.sql.store import SQLStore, first_row, overwrite, read, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

_COLUMNS = tuple(field.name for field in fields(CallRecord) if field.name != "id")
_RESULTS = ("address", "sent", "received", "status", "milliseconds", "verdict", "reason")
_INTERRUPTED = "Éclair ended before the call did."


class SQLEgressStore(SQLStore):
    """Implements `EgressStore`."""

    def __init__(self, database: Database, processes: ProcessStore) -> None:
        super().__init__(database)
        self._processes = processes

    @write
    def begin_call(self, db: Connection, call: CallRecord) -> int:
        return _insert(db, call, self._processes.current)

    @write
    def add_calls(self, db: Connection, calls: Sequence[CallRecord]) -> None:
        update = f"UPDATE egress SET {', '.join(f'{name} = ?' for name in _RESULTS)} WHERE id = ?"
        for call in calls:
            if call.id:
                db.execute(update, (*(getattr(call, name) for name in _RESULTS), call.id))
            else:
                _insert(db, call, None)

    async def mark_interrupted(self) -> None:
        if dead := await self._processes.list_dead(await self._list_processes()):
            await self._interrupt(dead)

    @read
    def _list_processes(self, db: Connection) -> list[str]:
        return [name for (name,) in db.execute("SELECT DISTINCT process FROM egress WHERE verdict = 'begun'")]

    @write
    def _interrupt(self, db: Connection, processes: Iterable[str]) -> None:
        db.executemany(
            "UPDATE egress SET verdict = 'interrupted', reason = ? WHERE verdict = 'begun' AND process = ?",
            [(_INTERRUPTED, process) for process in processes],
        )

    @read
    def list_calls(
        self, db: Connection, principal: Principal, matching: CallFilter, limit: int, before: int | None = None
    ) -> list[CallRecord]:
        where, values = _where(principal, matching)
        if before is not None:
            where, values = f"{where} AND id < ?", (*values, before)
        rows = db.execute(
            f"SELECT {', '.join(_COLUMNS)}, id FROM egress WHERE {where} ORDER BY id DESC LIMIT ?", (*values, limit)
        )
        names = (*_COLUMNS, "id")
        return decode_rows(
            rows, lambda row: _call(dict(zip(names, row, strict=True))), self.database.damage.noting("outgoing calls")
        )

    @read
    def count_calls(self, db: Connection, principal: Principal, matching: CallFilter) -> dict[CallVerdict, int]:
        where, values = _where(principal, matching)
        rows = db.execute(f"SELECT verdict, count(*) FROM egress WHERE {where} GROUP BY verdict", values)
        found = decode_rows(rows, _verdict_count, self.database.damage.noting("outgoing calls"))
        return {each.verdict: each.count for each in found}

    @overwrite
    def erase_calls(self, db: Connection, before: int) -> None:
        (kept,) = first_row(db, "SELECT min(id) FROM egress WHERE moment >= ?", (before,))
        last = sealed_through(db, kept)
        db.execute("DELETE FROM egress WHERE id <= ?", (last,))
        if db.changes():
            details = {"calls": db.changes(), "through": last}
            append_act(db, SYSTEM_PRINCIPAL, "egress.erased", details=details)
        db.execute("DELETE FROM egress WHERE moment < ? AND id > ?", (before, sealed_through(db)))

    async def erase_urls(self, principal: Principal) -> None:
        await self._erase_urls(principal)
        await self.empty_log()

    @write
    def _erase_urls(self, db: Connection, principal: Principal) -> None:
        db.execute("UPDATE egress SET url = NULL, url_salt = NULL WHERE owner = ? AND url IS NOT NULL", (principal.id,))


@dataclass(frozen=True, slots=True)
class _VerdictCount:
    verdict: CallVerdict
    count: int


@row_decoder
def _verdict_count(row: Any) -> _VerdictCount:
    return _VerdictCount(*row)


@row_decoder
def _call(values: dict[str, Any]) -> CallRecord:
    return CallRecord(**values)


def _insert(db: Connection, call: CallRecord, process: str | None) -> int:
    """Insert a call, without its URL where its answer was deleted; return its id."""
    is_kept = call.run is None or first_row(db, "SELECT 1 FROM run WHERE id = ?", (call.run,)) is not None
    row = [getattr(call, name) for name in _COLUMNS]
    if not is_kept:
        row[_COLUMNS.index("url")] = None
    salt = os.urandom(SALT_BYTES) if is_kept and call.url is not None else None
    hash = url_hash(salt, call.url) if salt is not None and call.url is not None else None
    (id,) = first_row(
        db,
        f"INSERT INTO egress ({', '.join(_COLUMNS)}, process, url_salt, url_hash)"
        f" VALUES ({', '.join('?' * len(_COLUMNS))}, ?, ?, ?) RETURNING id",
        (*row, process, salt, hash),
    )
    return id


def _where(principal: Principal, matching: CallFilter) -> tuple[str, tuple[str, ...]]:
    parts, values = ["owner = ?"], [principal.id]
    for column in ("run", "verdict", "purpose"):
        value = getattr(matching, column)
        if value is not None:
            parts.append(f"{column} = ?")
            values.append(value)
    if matching.host is not None:
        parts.append("(host = ? OR substr(host, length(host) - length(?)) = '.' || ?)")
        values += [matching.host] * 3
    return " AND ".join(parts), tuple(values)
