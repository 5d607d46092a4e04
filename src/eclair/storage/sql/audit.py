"""The audit log in SQL. `append_act` adds an act within the transaction of the write that it tells of."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

import orjson

from eclair.schema.audit import (
    SYSTEM_PRINCIPAL,
    ActDetails,
    ActFilter,
    AuditAct,
    AuditAction,
    AuditCheckpoint,
    AuditOutcome,
)
from eclair.schema.principal import Principal
from eclair.storage.audit import AuditContents, ChainedRow, PersonalValue, Sign
from eclair.storage.audit_chain import (
    EMPTY_CHAIN,
    SALT_BYTES,
    AuditRow,
    ErasureDigest,
    MerkleTree,
    value_hash,
)
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.sealed_calls import digest_calls, seal_calls
from eclair.storage.sql.store import SQLStore, erase, first_row, read, search, snapshot, write, write_synced
from eclair.storage.sql.stored_rows import MalformedRow, decode_object, decode_rows, row_decoder

T = TypeVar("T")

_ROW = "number, moment, action, outcome, details, hashes"
_PERSONAL = ("actor", "key", "address", "object")


def append_act(
    db: Connection,
    principal: Principal,
    action: AuditAction,
    object: str | None = None,
    outcome: AuditOutcome = "success",
    details: ActDetails | None = None,
) -> int:
    """Add an act of the principal in the transaction that is under way, and return its number."""
    found = first_row(db, "SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1", ())
    last = _Last(0, EMPTY_CHAIN) if found is None else _last(found)
    number, previous = last.number + 1, last.hash
    personal = dict(zip(_PERSONAL, (principal.id, principal.key, principal.address, object), strict=True))
    salted = [(name, os.urandom(SALT_BYTES), value) for name, value in personal.items() if value is not None]
    hashes = {name: value_hash(salt, value) for name, salt, value in salted}
    row = AuditRow(number, int(time.time() * 1000), action, outcome, _encode(dict(details or {})), _encode(hashes))
    db.execute(
        f"INSERT INTO audit ({_ROW}, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (row.number, row.moment, row.action, row.outcome, row.details, row.hashes, row.chain(previous)),
    )
    db.executemany(
        "INSERT INTO audit_value (number, field, salt, value) VALUES (?, ?, ?, ?)",
        [(number, *each) for each in salted],
    )
    return number


def erase_person(db: Connection, principal: Principal, person: str) -> int:
    """Erase a person from all acts, as `AuditStore.erase_person` does, in the transaction that is under way."""
    found = db.execute(
        "SELECT number, field FROM audit_value WHERE value = ?1 AND field IN ('actor', 'object')"
        " UNION SELECT other.number, other.field FROM audit_value AS own JOIN audit_value AS other USING (number)"
        " WHERE own.value = ?1 AND own.field = 'actor' AND other.field IN ('key', 'address')"
        " AND other.value IS NOT NULL ORDER BY 1, 2",
        (person,),
    )
    return _erase(db, SYSTEM_PRINCIPAL if principal.id == person else principal, list(found))


def read_contents(db: Connection) -> AuditContents:
    """Return all that the log holds; the rows are read as they are asked for."""
    strays = "SELECT count(*) FROM audit_value WHERE number NOT IN (SELECT number FROM audit)"
    return AuditContents(
        _iterate(db),
        first_row(db, strays, ())[0],
        [_checkpoint(row) for row in _checkpoint_rows(db, 0)],
        lambda after, through: digest_calls(db, after, through),
    )


class SQLAuditStore(SQLStore):
    """Implements `AuditStore`."""

    @write
    def add_act(
        self,
        db: Connection,
        principal: Principal,
        action: AuditAction,
        object: str | None = None,
        outcome: AuditOutcome = "success",
        details: ActDetails | None = None,
    ) -> int:
        return append_act(db, principal, action, object, outcome, details)

    @read
    def list_acts(self, db: Connection, matching: ActFilter, limit: int, before: int | None = None) -> list[AuditAct]:
        where, values = _where(matching)
        if before is not None:
            where, values = [*where, "number < ?"], [*values, before]
        return self._list(db, where, values, f"ORDER BY number DESC LIMIT {limit:d}")

    @read
    def list_acts_after(
        self, db: Connection, number: int, limit: int, matching: ActFilter | None = None
    ) -> list[AuditAct]:
        where, values = _where(matching or ActFilter())
        return self._list(db, [*where, "number > ?"], [*values, number], f"ORDER BY number LIMIT {limit:d}")

    @erase
    def erase_person(self, db: Connection, principal: Principal, person: str) -> int:
        return erase_person(db, principal, person)

    @erase
    def erase_values(self, db: Connection, before: int) -> int:
        found = db.execute(
            "SELECT number, field FROM audit_value WHERE value IS NOT NULL"
            " AND number IN (SELECT number FROM audit WHERE moment < ?) ORDER BY 1, 2",
            (before,),
        )
        return _erase(db, SYSTEM_PRINCIPAL, list(found))

    @write_synced
    def add_checkpoint(self, db: Connection, key: str, sign: Sign) -> AuditCheckpoint | None:
        sealed = seal_calls(db)
        if sealed is not None:
            append_act(db, SYSTEM_PRINCIPAL, "egress.sealed", details=sealed)
        announced = first_row(
            db, "SELECT details FROM audit WHERE action = 'audit.key_changed' ORDER BY number DESC LIMIT 1", ()
        )
        if announced is None or decode_object(announced[0]).get("public") != key:
            append_act(db, SYSTEM_PRINCIPAL, "audit.key_changed", details={"public": key})
        latest = first_row(db, "SELECT size, peaks FROM audit_checkpoint ORDER BY size DESC LIMIT 1", ())
        tree = MerkleTree() if latest is None else _tree(latest)
        before = tree.size
        rows = db.execute("SELECT hash FROM audit WHERE number > ? ORDER BY number", (before,))
        tree.extend(hash for (hash,) in rows)
        if tree.size == before:
            return None
        checkpoint = AuditCheckpoint(tree.size, tree.root, self.now(), sign(tree.size, tree.root, self.now()))
        db.execute(
            "INSERT INTO audit_checkpoint (size, moment, peaks, note) VALUES (?, ?, ?, ?)",
            (checkpoint.size, checkpoint.moment, tree.to_text(), checkpoint.note),
        )
        return checkpoint

    @read
    def has_news(self, db: Connection) -> bool:
        size = first_row(db, "SELECT coalesce(max(size), 0) FROM audit_checkpoint", ())
        return first_row(db, "SELECT 1 FROM audit WHERE number > ?", size) is not None or seal_calls(db) is not None

    @read
    def get_last_checkpoint(self, db: Connection) -> AuditCheckpoint | None:
        (size,) = first_row(db, "SELECT coalesce(max(size), 0) FROM audit_checkpoint", ())
        return next((_checkpoint(row) for row in _checkpoint_rows(db, size - 1)), None)

    @read
    def list_checkpoints(self, db: Connection, after: int = 0) -> list[AuditCheckpoint]:
        return decode_rows(_checkpoint_rows(db, after), _checkpoint, self.database.damage.noting("acts"))

    @search
    def read_whole(self, db: Connection, work: Callable[[AuditContents], T]) -> T:
        with snapshot(db):
            return work(read_contents(db))

    @read
    def get_delivered(self, db: Connection, destination: str) -> int:
        found = first_row(db, "SELECT number FROM audit_delivery WHERE destination = ?", (destination,))
        return 0 if found is None else int(found[0])

    @write
    def set_delivered(self, db: Connection, destination: str, number: int) -> None:
        db.execute(
            "INSERT INTO audit_delivery (destination, number) VALUES (?, ?)"
            " ON CONFLICT (destination) DO UPDATE SET number = excluded.number",
            (destination, number),
        )

    def _list(self, db: Connection, where: list[str], values: list[Any], order: str) -> list[AuditAct]:
        parts = " AND ".join(where) or "TRUE"
        columns = ", ".join(
            f"(SELECT value FROM audit_value WHERE number = audit.number AND field = '{name}')" for name in _PERSONAL
        )
        erased = "EXISTS (SELECT 1 FROM audit_value WHERE number = audit.number AND erased IS NOT NULL)"
        rows = db.execute(
            f"SELECT number, moment, action, outcome, details, {columns}, {erased} FROM audit WHERE {parts} {order}",
            values,
        )
        return decode_rows(rows, _act, self.database.damage.noting("acts"))


def _encode(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _where(matching: ActFilter) -> tuple[list[str], list[Any]]:
    where, values = list[str](), list[Any]()
    if matching.person is not None:
        where.append("number IN (SELECT number FROM audit_value WHERE value = ? AND field IN ('actor', 'object'))")
        values.append(matching.person)
    if matching.action is not None:
        where.append("(action = ? OR substr(action, 1, length(?) + 1) = ? || '.')")
        values += [matching.action] * 3
    if matching.since is not None:
        where.append("moment >= ?")
        values.append(matching.since)
    if matching.until is not None:
        where.append("moment < ?")
        values.append(matching.until)
    return where, values


def _erase(db: Connection, principal: Principal, values: list[tuple[int, str]]) -> int:
    """Erase values, given in order, and add the act that says which, by their digest."""
    if not values:
        return 0
    digest = ErasureDigest()
    for number, field in values:
        digest.add(number, field)
    details = {"values": digest.count, "digest": digest.finish()}
    act = append_act(db, principal, "audit.values_erased", details=details)
    db.executemany(
        "UPDATE audit_value SET salt = NULL, value = NULL, erased = ? WHERE number = ? AND field = ?",
        [(act, number, field) for number, field in values],
    )
    return len(values)


def _iterate(db: Connection) -> Iterator[ChainedRow]:
    rows = db.execute(
        f"SELECT {_ROW}, hash, field, salt, value, erased FROM audit LEFT JOIN audit_value USING (number)"
        " ORDER BY audit.number, field"
    )
    for _, group in groupby(rows, key=lambda row: row[0]):
        first, *others = group
        values = [PersonalValue(*row[7:]) for row in (first, *others) if row[7] is not None]
        yield ChainedRow(AuditRow(*first[:6]), first[6], tuple(values))


def _checkpoint_rows(db: Connection, after: int) -> Iterable[Any]:
    return db.execute("SELECT size, peaks, moment, note FROM audit_checkpoint WHERE size > ? ORDER BY size", (after,))


@dataclass(frozen=True, slots=True)
class _Last:
    """Number and hash of the last row."""

    number: int
    hash: bytes


@row_decoder
def _last(row: Any) -> _Last:
    return _Last(*row)


def _tree(row: Any) -> MerkleTree:
    try:
        return MerkleTree.from_text(*row)
    except (AttributeError, TypeError, ValueError) as error:
        raise MalformedRow(str(error)) from error


@row_decoder
def _checkpoint(row: Any) -> AuditCheckpoint:
    size, peaks, moment, note = row
    return AuditCheckpoint(size, MerkleTree.from_text(size, peaks).root, moment, note)


@row_decoder
def _act(row: Any) -> AuditAct:
    number, moment, action, outcome, details, actor, key, address, object, is_erased = row
    return AuditAct(
        number=number,
        moment=moment,
        action=action,
        outcome=outcome,
        details=decode_object(details),
        actor=actor,
        key=key,
        address=address,
        object=object,
        is_erased=bool(is_erased),
    )
