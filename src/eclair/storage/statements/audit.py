"""The egress ledger: rows are added, read, and erased when old. What a run asked goes with it, by a trigger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import cast

import apsw

from eclair.storage.audit import Call, Filter, Verdict
from eclair.storage.statements.rows import first

_COLUMNS = tuple(field.name for field in fields(Call) if field.name != "id")


def add(db: apsw.Connection, calls: Sequence[Call]) -> None:
    """Of a run that is not kept, what was asked is left out."""
    insert = f"INSERT INTO egress ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
    for call in calls:
        kept = call.run is None or first(db, "SELECT 1 FROM run WHERE id = ?", (call.run,)) is not None
        row = [getattr(call, name) for name in _COLUMNS]
        if not kept:
            row[_COLUMNS.index("url")] = None
        db.execute(insert, row)


def listed(db: apsw.Connection, owner: str, which: Filter, limit: int, before: int | None) -> list[Call]:
    """Newest first, those with an id below `before`."""
    where, values = _where(owner, which)
    if before is not None:
        where, values = f"{where} AND id < ?", (*values, before)
    rows = db.execute(
        f"SELECT {', '.join(_COLUMNS)}, id FROM egress WHERE {where} ORDER BY id DESC LIMIT ?", (*values, limit)
    )
    names = (*_COLUMNS, "id")
    return [Call(**dict(zip(names, row, strict=True))) for row in rows]


def count(db: apsw.Connection, owner: str, which: Filter) -> dict[Verdict, int]:
    where, values = _where(owner, which)
    rows = db.execute(f"SELECT verdict, count(*) FROM egress WHERE {where} GROUP BY verdict", values)
    return {cast(Verdict, verdict): cast(int, number) for verdict, number in rows}


def erase_before(db: apsw.Connection, moment: int) -> None:
    db.execute("DELETE FROM egress WHERE moment < ?", (moment,))


def forget_asked(db: apsw.Connection, owner: str) -> None:
    """Erase what was asked in every call of the owner."""
    db.execute("UPDATE egress SET url = NULL WHERE owner = ? AND url IS NOT NULL", (owner,))


def _where(owner: str, which: Filter) -> tuple[str, tuple[str, ...]]:
    parts, values = ["owner = ?"], [owner]
    for column in ("run", "verdict", "purpose"):
        value = getattr(which, column)
        if value is not None:
            parts.append(f"{column} = ?")
            values.append(value)
    if which.host is not None:
        parts.append("(host = ? OR substr(host, -length(?) - 1) = '.' || ?)")
        values += [which.host] * 3
    return " AND ".join(parts), tuple(values)
