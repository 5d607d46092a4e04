"""Personal data in SQL: what `personal_tables` lists, and the requests for its erasure."""

from __future__ import annotations

import base64
from collections.abc import AsyncGenerator
from typing import Any

from eclair.errors import Conflict, NotFound
from eclair.schema.audit import SYSTEM_PRINCIPAL
from eclair.schema.principal import Principal
from eclair.storage.personal_data import ErasureRequest, PersonalRow
from eclair.storage.sql.audit import append_act, erase_person
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.personal_tables import PERSONAL_TABLES, PersonalTable
from eclair.storage.sql.retention import HELD
from eclair.storage.sql.store import SQLStore, first_row, paced, read, search, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

ROWS_PER_STEP = 500
ROWS_PER_READ = 200
LARGE_ROWS = frozenset({"workspace_file"})
"""Tables whose rows are read one at a time, as each may be of many megabytes."""
STEPWISE_TABLES = frozenset({"entry", "api_response", "api_conversation", "batch", "batch_file"})
"""Tables that may be so large that others wait for a deletion."""

_REQUEST = "id, owner, asked_by, asked, due, ended, receipt"


class SQLPersonalDataStore(SQLStore):
    """Implements `PersonalDataStore`."""

    @search
    def count_rows(self, db: Connection, principal: Principal) -> dict[str, int]:
        counts: dict[str, int] = {}
        for table in PERSONAL_TABLES:
            (count,) = first_row(db, f"SELECT count(*) FROM {table.name} WHERE {table.mine}", (principal.id,))
            if count:
                counts[table.kind] = counts.get(table.kind, 0) + count
        return counts

    async def list_rows(self, principal: Principal) -> AsyncGenerator[tuple[str, PersonalRow], None]:
        for table in PERSONAL_TABLES:
            at = 0
            while table.exported == "rows" and (rows := await self._list_some(principal, table, at)):
                for row in rows:
                    yield table.kind, row
                at += len(rows)

    @read
    def _list_some(self, db: Connection, principal: Principal, table: PersonalTable, at: int) -> list[PersonalRow]:
        names = [name.strip().rpartition(" ")[2] for name in _split(table.columns)]
        order = ", ".join(str(number + 1) for number in range(min(2, len(names))))
        rows: Any = db.execute(
            f"SELECT {table.columns} FROM {table.name} WHERE {table.mine} ORDER BY {order} LIMIT ? OFFSET ?",
            (principal.id, 1 if table.name in LARGE_ROWS else ROWS_PER_READ, at),
        )
        return [dict(zip(names, map(_readable, row), strict=True)) for row in rows]

    @read
    def is_held(self, db: Connection, principal: Principal) -> bool:
        person = first_row(db, "SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = ?", (principal.id,))
        theirs = f"SELECT 1 FROM conversation WHERE owner = ? AND {HELD} LIMIT 1"
        empty = "SELECT 1 FROM project JOIN legal_hold ON scope = 'project' AND subject = id WHERE owner = ?"
        return person is not None or any(first_row(db, query, (principal.id,)) for query in (theirs, empty))

    async def erase_rows(self, principal: Principal) -> None:
        await self._erase_addresses(principal)
        for table in PERSONAL_TABLES:
            if table.erased == "rows":
                while await paced(lambda table=table: self._erase_some(principal, table)):
                    pass
        await self.empty_log()

    @write
    def _erase_addresses(self, db: Connection, principal: Principal) -> None:
        db.execute("UPDATE egress SET url = NULL, url_salt = NULL WHERE owner = ? AND url IS NOT NULL", (principal.id,))
        erase_person(db, SYSTEM_PRINCIPAL, principal.id)

    @write
    def _erase_some(self, db: Connection, principal: Principal, table: PersonalTable) -> int:
        if table.name in STEPWISE_TABLES:
            some = f"SELECT rowid FROM {table.name} WHERE {table.mine} LIMIT {ROWS_PER_STEP}"
            db.execute(f"DELETE FROM {table.name} WHERE rowid IN ({some})", (principal.id,))
        else:
            db.execute(f"DELETE FROM {table.name} WHERE {table.mine}", (principal.id,))
        return db.changes()

    @write
    def add_request(self, db: Connection, principal: Principal, request: ErasureRequest) -> None:
        if first_row(db, "SELECT 1 FROM erasure_request WHERE owner = ? AND ended IS NULL", (request.owner,)):
            raise Conflict("This erasure was asked for already; it can be withdrawn until it is due.")
        db.execute(
            f"INSERT INTO erasure_request ({_REQUEST}) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                request.id,
                request.owner,
                principal.id,
                request.asked,
                request.due,
                request.ended,
                request.receipt,
            ),
        )
        append_act(db, principal, "erasure.requested", request.owner, details={"request": request.id})

    @read
    def get_request(self, db: Connection, id: str) -> ErasureRequest:
        row = first_row(db, f"SELECT {_REQUEST} FROM erasure_request WHERE id = ?", (id,))
        if row is None:
            raise NotFound(f"There is no request for erasure {id!r}; it may have been withdrawn.")
        return _request(row)

    @read
    def find_open_request(self, db: Connection, principal: Principal) -> ErasureRequest | None:
        query = f"SELECT {_REQUEST} FROM erasure_request WHERE owner = ? AND ended IS NULL"
        row = first_row(db, query, (principal.id,))
        return None if row is None else _request(row)

    @read
    def list_requests(self, db: Connection) -> list[ErasureRequest]:
        rows = db.execute(f"SELECT {_REQUEST} FROM erasure_request ORDER BY asked DESC, id")
        return decode_rows(rows, _request, self.database.damage.noting("requests for erasure"))

    @read
    def list_due_requests(self, db: Connection, now: int) -> list[ErasureRequest]:
        rows = db.execute(
            f"SELECT {_REQUEST} FROM erasure_request WHERE ended IS NULL AND due <= ? ORDER BY due, id", (now,)
        )
        return decode_rows(rows, _request, self.database.damage.noting("requests for erasure"))

    @write
    def withdraw_request(self, db: Connection, principal: Principal, id: str) -> None:
        query = "DELETE FROM erasure_request WHERE id = ? AND ended IS NULL RETURNING owner"
        row = first_row(db, query, (id,))
        if row is None:
            raise NotFound("This request for erasure isn't open any more.")
        append_act(db, principal, "erasure.withdrawn", row[0], details={"request": id})

    @write
    def end_request(self, db: Connection, id: str, ended: int, receipt: str) -> None:
        db.execute("UPDATE erasure_request SET ended = ?, receipt = ? WHERE id = ?", (ended, receipt, id))
        append_act(db, SYSTEM_PRINCIPAL, "personal_data.erased", details={"request": id})


def _readable(value: Any) -> Any:
    """Return stored bytes as text, or in base64 where they are none."""
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return f"base64:{base64.b64encode(value).decode()}"


def _split(columns: str) -> list[str]:
    """Split a list of columns at the commas outside parentheses."""
    parts, depth = [""], 0
    for character in columns:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts


@row_decoder
def _request(row: Any) -> ErasureRequest:
    id, owner, asked_by, asked, due, ended, receipt = row
    return ErasureRequest(id=id, owner=owner, asked_by=asked_by, asked=asked, due=due, ended=ended, receipt=receipt)
