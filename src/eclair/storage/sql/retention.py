"""Retention in SQL. Holds are kept by triggers, so that no statement passes them; rounds leave out what is held.

Rules come as JSON, so that those that are only tried are counted by the statements that erase.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson

from eclair.errors import Conflict, NotFound
from eclair.schema.audit import SYSTEM_PRINCIPAL
from eclair.schema.principal import Principal
from eclair.storage.retention import (
    EVERYONE,
    DueConversation,
    DueCount,
    HoldScope,
    LegalHold,
    PersonRetention,
    RetentionRule,
    RetentionScope,
)
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, paced, read, search, snapshot, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

DAY_MS = 86_400_000
ERASED_PER_STEP = 200

HELD = (
    "EXISTS (SELECT 1 FROM legal_hold WHERE (scope, subject) IN"
    " (VALUES ('person', conversation.owner), ('project', conversation.project_id), ('conversation', conversation.id)))"
)
"""Condition on a conversation that a hold keeps."""
_RULE = (
    "WITH rule (scope, subject, days) AS MATERIALIZED ("
    " SELECT value ->> 'scope', value ->> 'subject', CAST(value ->> 'days' AS BIGINT) FROM json_each(?1)"
    " WHERE value ->> 'days' IS NOT NULL)"
)
_MINE = (
    "scope = 'everyone' OR scope = 'group' AND EXISTS"
    " (SELECT 1 FROM group_member WHERE person_group = subject AND person = {table}.owner)"
)
_BEFORE = f"?2 - {DAY_MS} * (SELECT min(days) FROM rule WHERE {{which}})"
_CONVERSATION_DUE = (
    "deleted IS NULL AND updated < "
    + _BEFORE.format(which=_MINE.format(table="conversation") + " OR scope = 'project' AND subject = project_id")
    + " AND NOT EXISTS (SELECT 1 FROM run WHERE run.conversation = conversation.id AND status = 'running')"
)
_PERSON_HELD = "EXISTS (SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = {table}.owner)"


def _due(table: str, time: str, more: str = "TRUE") -> str:
    """Return the condition that a row of a table with owners is due, and nothing holds it."""
    before = _BEFORE.format(which=_MINE.format(table=table))
    return f"{time} < {before} AND {more} AND NOT {_PERSON_HELD.format(table=table)}"


_FINISHED = "status NOT IN ('validating', 'in_progress', 'cancelling')"
_READ_NOW = f"id NOT IN (SELECT details ->> '$.input_file' FROM batch WHERE NOT {_FINISHED})"
_OTHERS = {
    "api_response": _due("api_response", "used", "status <> 'in_progress'"),
    "api_conversation": _due("api_conversation", "used"),
    "batch": _due("batch", "created", _FINISHED),
    "batch_file": _due("batch_file", "created", f"batch IS NULL AND {_READ_NOW}"),
    "picture": _due("picture", "created", "conversation IS NULL"),
    "memory": _due("memory", "changed"),
}
_FILE_DUE = (
    "library IS NOT NULL AND created < "
    + _BEFORE.format(which="scope = 'library' AND subject = library")
    + f" AND NOT {_PERSON_HELD.format(table='file')}"
)
_SUBJECTS = {"group": "person_group", "project": "project", "library": "library", "conversation": "conversation"}


class SQLRetentionStore(SQLStore):
    """Implements `RetentionStore`."""

    @read
    def list_rules(self, db: Connection) -> list[RetentionRule]:
        return list_rules(db, self.database.damage.noting("retention rules"))

    @write
    def set_rule(self, db: Connection, principal: Principal, rule: RetentionRule) -> None:
        set_rule(db, principal, rule, self.now())

    @write
    def delete_rule(self, db: Connection, principal: Principal, scope: RetentionScope, subject: str) -> None:
        delete_rule(db, principal, scope, subject)

    @read
    def list_holds(self, db: Connection) -> list[LegalHold]:
        return list_holds(db, self.database.damage.noting("legal holds"))

    @write
    def place_hold(self, db: Connection, principal: Principal, hold: LegalHold) -> None:
        place_hold(db, principal, hold, self.now())

    @write
    def lift_hold(self, db: Connection, principal: Principal, scope: HoldScope, subject: str) -> None:
        lift_hold(db, principal, scope, subject)

    @read
    def get_person_retention(self, db: Connection, principal: Principal) -> PersonRetention:
        (days,) = first_row(
            db,
            "SELECT min(days) FROM retention_rule WHERE scope = 'everyone' OR scope = 'group' AND EXISTS"
            " (SELECT 1 FROM group_member WHERE person_group = subject AND person = ?)",
            (principal.id,),
        )
        held = first_row(db, "SELECT 1 FROM legal_hold WHERE scope = 'person' AND subject = ?", (principal.id,))
        return PersonRetention(days, held is not None)

    @search
    def count_due(
        self, db: Connection, principal: Principal, rules: Sequence[RetentionRule], now: int, limit: int
    ) -> DueCount:
        values = _encoded(rules), now
        with snapshot(db):
            conversations, people, held = first_row(
                db,
                f"{_RULE} SELECT count(*) FILTER (WHERE NOT {HELD}), count(DISTINCT owner) FILTER (WHERE NOT {HELD}),"
                f" count(*) FILTER (WHERE {HELD}) FROM conversation WHERE {_CONVERSATION_DUE}",
                values,
            )
            own = db.execute(
                f"{_RULE} SELECT id, owner, title FROM conversation WHERE owner = ?3 AND {_CONVERSATION_DUE}"
                f" AND NOT {HELD} ORDER BY updated, id LIMIT ?4",
                (*values, principal.id, limit),
            )
            examples = decode_rows(own, _conversation, self.database.damage.noting("conversations"))
            counts = {
                table: first_row(db, f"{_RULE} SELECT count(*) FROM {table} WHERE {due}", values)[0]
                for table, due in (*_OTHERS.items(), ("file", _FILE_DUE))
            }
        return _count(counts, conversations=conversations, people=people, held=held, own=tuple(examples))

    async def expire(self, rules: Sequence[RetentionRule], now: int) -> DueCount:
        values = _encoded(rules), now
        conversations, people = 0, set[str]()
        while deleted := await paced(lambda: self._delete_some(values)):
            conversations += len(deleted)
            people.update(deleted)
        counts = dict.fromkeys(_OTHERS, 0)
        for table in _OTHERS:
            while erased := await paced(lambda of=table: self._erase_some(of, values)):
                counts[table] += erased
        if any(counts.values()):
            await self.empty_log()
        return _count(counts, conversations=conversations, people=len(people))

    @write
    def _delete_some(self, db: Connection, values: tuple[str, int]) -> list[str]:
        """Delete some conversations forever; return the owner of each."""
        some = f"SELECT id FROM conversation WHERE {_CONVERSATION_DUE} AND NOT {HELD} LIMIT {ERASED_PER_STEP}"
        rows = db.execute(f"{_RULE} UPDATE conversation SET deleted = 0 WHERE id IN ({some}) RETURNING owner", values)
        return [owner for (owner,) in rows]

    @write
    def _erase_some(self, db: Connection, table: str, values: tuple[str, int]) -> int:
        some = f"SELECT rowid FROM {table} WHERE {_OTHERS[table]} LIMIT {ERASED_PER_STEP}"
        db.execute(f"{_RULE} DELETE FROM {table} WHERE rowid IN ({some})", values)
        return db.changes()

    @read
    def list_due_files(self, db: Connection, rules: Sequence[RetentionRule], now: int) -> list[tuple[str, str]]:
        rows = db.execute(f"{_RULE} SELECT owner, id FROM file WHERE {_FILE_DUE} ORDER BY id", (_encoded(rules), now))
        return [(owner, id) for owner, id in rows]

    @write
    def note_round(self, db: Connection, erased: DueCount) -> None:
        counts = ("conversations", "people", "responses", "batches", "images", "files", "memories")
        details = {name: int(getattr(erased, name)) for name in counts}
        append_act(db, SYSTEM_PRINCIPAL, "retention.ran", details=details)


def list_rules(db: Connection, note: Callable[[], None]) -> list[RetentionRule]:
    rows = db.execute(
        "SELECT scope, subject, days, changed FROM retention_rule ORDER BY scope <> 'everyone', scope, subject"
    )
    return decode_rows(rows, _rule, note)


def set_rule(db: Connection, principal: Principal, rule: RetentionRule, now: int) -> None:
    if rule.scope != "everyone":
        _require(db, rule.scope, rule.subject)
    db.execute(
        "INSERT INTO retention_rule (scope, subject, days, changed) VALUES (?1, ?2, ?3, ?4)"
        " ON CONFLICT (scope, subject) DO UPDATE SET days = ?3, changed = ?4",
        (rule.scope, rule.subject, rule.days, now),
    )
    details = {"scope": rule.scope, "days": rule.days}
    append_act(db, principal, "retention.changed", rule.subject or None, details=details)


def delete_rule(db: Connection, principal: Principal, scope: RetentionScope, subject: str) -> None:
    db.execute("DELETE FROM retention_rule WHERE scope = ? AND subject = ?", (scope, subject))
    if not db.changes():
        raise NotFound("There is no such rule; it may have been deleted meanwhile.")
    append_act(db, principal, "retention.changed", subject or None, details={"scope": scope, "deleted": True})


def list_holds(db: Connection, note: Callable[[], None]) -> list[LegalHold]:
    rows = db.execute("SELECT scope, subject, reason, placed FROM legal_hold ORDER BY placed, scope, subject")
    return decode_rows(rows, _hold, note)


def place_hold(db: Connection, principal: Principal, hold: LegalHold, now: int) -> None:
    if hold.scope != "person":
        _require(db, hold.scope, hold.subject)
    db.execute(
        "INSERT INTO legal_hold (scope, subject, reason, placed) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (hold.scope, hold.subject, hold.reason, now),
    )
    if not db.changes():
        raise Conflict("There is a legal hold on this already.")
    append_act(db, principal, "legal_hold.placed", hold.subject, details={"scope": hold.scope})


def lift_hold(db: Connection, principal: Principal, scope: HoldScope, subject: str) -> None:
    db.execute("DELETE FROM legal_hold WHERE scope = ? AND subject = ?", (scope, subject))
    if not db.changes():
        raise NotFound("There is no such legal hold; it may have been lifted meanwhile.")
    append_act(db, principal, "legal_hold.lifted", subject, details={"scope": scope})


def _require(db: Connection, scope: str, subject: str) -> None:
    """Raise NotFound unless there is such a group, project, library or conversation, whoever has it."""
    if first_row(db, f"SELECT 1 FROM {_SUBJECTS[scope]} WHERE id = ?", (subject,)) is None:
        raise NotFound(f"There is no {scope} {subject!r}.")


def _encoded(rules: Sequence[RetentionRule]) -> str:
    return orjson.dumps([{"scope": rule.scope, "subject": rule.subject, "days": rule.days} for rule in rules]).decode()


def _count(
    counts: dict[str, int], *, conversations: int, people: int, held: int = 0, own: tuple[DueConversation, ...] = ()
) -> DueCount:
    return DueCount(
        conversations=conversations,
        people=people,
        responses=counts["api_response"] + counts["api_conversation"],
        batches=counts["batch"] + counts["batch_file"],
        images=counts["picture"],
        files=counts.get("file", 0),
        memories=counts["memory"],
        held=held,
        own=own,
    )


@row_decoder
def _rule(row: Any) -> RetentionRule:
    scope, subject, days, changed = row
    return RetentionRule(scope=scope, subject=subject or EVERYONE, days=days, changed=changed)


@row_decoder
def _hold(row: Any) -> LegalHold:
    scope, subject, reason, placed = row
    return LegalHold(scope=scope, subject=subject, reason=reason, placed=placed)


@row_decoder
def _conversation(row: Any) -> DueConversation:
    return DueConversation(*row)
