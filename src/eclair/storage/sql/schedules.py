"""Schedules in SQL."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from pydantic import TypeAdapter

from eclair.errors import Conflict, NotFound
from eclair.schema.audit import SYSTEM_PRINCIPAL
from eclair.schema.principal import Principal
from eclair.schema.schedules import MAX_SCHEDULES, Occurrence, PauseReason, Schedule, ScheduledQuestion
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, erase, first_row, overwrite, read, write, write_synced
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

KEPT_OCCURRENCES = 20
"""Of each schedule."""

_QUESTION = TypeAdapter(ScheduledQuestion)
_COLUMNS = (
    "id, owner, name, asks, cron, zone, created, changed, state, next_due, keeps, mail, failures, reason, conversation"
)
_OCCURRENCE = (
    "id, schedule, due, status, conversation, question, began, ended, run, fault, is_missed, is_manual, process"
)
_OPEN = "status IN ('due', 'running', 'waiting')"


class SQLScheduleStore(SQLStore):
    """Implements `ScheduleStore`."""

    @write
    def add_schedule(self, db: Connection, principal: Principal, schedule: Schedule) -> Schedule:
        if first_row(db, "SELECT 1 FROM schedule WHERE id = ?", (schedule.id,)) is not None:
            raise Conflict(f"The id {schedule.id!r} is taken; leave it out to be given one.")
        (count,) = first_row(db, "SELECT count(*) FROM schedule WHERE owner = ?", (principal.id,))
        if count >= MAX_SCHEDULES:
            raise Conflict(f"There are {MAX_SCHEDULES} schedules already; delete one first.")
        marks = ", ".join("?" * 15)
        db.execute(f"INSERT INTO schedule ({_COLUMNS}) VALUES ({marks})", _values(principal, schedule))
        append_act(db, principal, "schedule.added", schedule.id)
        return _require(db, principal, schedule.id)

    @read
    def list_schedules(self, db: Connection, principal: Principal) -> list[Schedule]:
        rows = db.execute(f"SELECT {_COLUMNS} FROM schedule WHERE owner = ?", (principal.id,))
        found = decode_rows(rows, _schedule, self.database.damage.noting("schedules"))
        listed = [_with_last(db, schedule) for schedule in found]
        return sorted(listed, key=lambda schedule: (schedule.name.casefold(), schedule.id))

    @read
    def get_schedule(self, db: Connection, principal: Principal, id: str) -> Schedule:
        return _require(db, principal, id)

    @overwrite
    def edit_schedule(self, db: Connection, principal: Principal, schedule: Schedule) -> Schedule:
        _require(db, principal, schedule.id)
        values = _values(principal, schedule)
        db.execute(
            "UPDATE schedule SET name = ?1, asks = ?2, cron = ?3, zone = ?4, changed = ?5, state = ?6, next_due = ?7,"
            " keeps = ?8, mail = ?9, failures = ?10, reason = ?11,"
            " conversation = iif(?8 = 'new', NULL, conversation) WHERE id = ?12 AND owner = ?13",
            (*values[2:6], *values[7:14], schedule.id, principal.id),
        )
        append_act(db, principal, "schedule.changed", schedule.id, details={"state": schedule.state})
        return _require(db, principal, schedule.id)

    @erase
    def delete_schedule(self, db: Connection, principal: Principal, id: str) -> None:
        _require(db, principal, id)
        db.execute("DELETE FROM schedule WHERE id = ? AND owner = ?", (id, principal.id))
        append_act(db, principal, "schedule.removed", id)

    @read
    def list_occurrences(self, db: Connection, principal: Principal, id: str) -> list[Occurrence]:
        _require(db, principal, id)
        rows = db.execute(
            f"SELECT {_OCCURRENCE} FROM occurrence WHERE schedule = ? ORDER BY began DESC, due DESC", (id,)
        )
        return decode_rows(rows, _occurrence, self.database.damage.noting("schedules"))

    @write_synced
    def begin_now(self, db: Connection, principal: Principal, occurrence: Occurrence) -> Occurrence:
        schedule = _require(db, principal, occurrence.schedule)
        if _has_open(db, schedule.id):
            raise Conflict("This schedule is being answered right now; wait until that is done, or stop it.")
        _insert(db, occurrence)
        return occurrence

    @read
    def list_due(self, db: Connection, now: int) -> list[Schedule]:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM schedule WHERE state = 'on' AND next_due <= ? ORDER BY next_due", (now,)
        )
        return decode_rows(rows, _schedule, self.database.damage.noting("schedules"))

    @read
    def get_next_due(self, db: Connection, after: int) -> int | None:
        due: int | None = first_row(
            db, "SELECT min(next_due) FROM schedule WHERE state = 'on' AND next_due > ?", (after,)
        )[0]
        return due

    @write_synced
    def claim_due(self, db: Connection, schedule: Schedule, next_due: int, occurrence: Occurrence) -> Occurrence | None:
        db.execute(
            "UPDATE schedule SET next_due = ? WHERE id = ? AND state = 'on' AND next_due = ?",
            (next_due, schedule.id, schedule.next_due),
        )
        if not db.changes():
            return None
        if _has_open(db, schedule.id):
            occurrence = replace(occurrence, status="skipped", ended=occurrence.began)
        return occurrence if _insert(db, occurrence) else None

    @read
    def list_open(self, db: Connection) -> list[tuple[Schedule, Occurrence]]:
        rows = db.execute(f"SELECT {_OCCURRENCE} FROM occurrence WHERE {_OPEN} ORDER BY began")

        def with_schedule(row: Any) -> tuple[Schedule, Occurrence]:
            occurrence = _occurrence(row)
            return _find(db, occurrence.schedule), occurrence

        return decode_rows(rows, with_schedule, self.database.damage.noting("schedules"))

    @write
    def take_over(self, db: Connection, occurrence: Occurrence, process: str) -> bool:
        db.execute(
            f"UPDATE occurrence SET process = ? WHERE id = ? AND process = ? AND {_OPEN}",
            (process, occurrence.id, occurrence.process),
        )
        return bool(db.changes())

    @write_synced
    def note_run(self, db: Connection, occurrence: Occurrence) -> bool:
        db.execute(
            f"UPDATE occurrence SET status = ?, run = ?, conversation = ? WHERE id = ? AND process = ? AND {_OPEN}",
            (occurrence.status, occurrence.run, occurrence.conversation, occurrence.id, occurrence.process),
        )
        if not db.changes():
            return False
        db.execute(
            "UPDATE schedule SET conversation = ? WHERE id = ? AND keeps = 'same'",
            (occurrence.conversation, occurrence.schedule),
        )
        return True

    @write
    def end_occurrence(self, db: Connection, occurrence: Occurrence, schedule: Schedule) -> bool:
        db.execute(
            f"UPDATE occurrence SET status = ?, ended = ?, fault = ? WHERE id = ? AND process = ? AND {_OPEN}",
            (occurrence.status, occurrence.ended, occurrence.fault, occurrence.id, occurrence.process),
        )
        if not db.changes():
            return False
        db.execute("UPDATE schedule SET failures = ? WHERE id = ?", (schedule.failures, schedule.id))
        if schedule.state == "paused":
            _pause(db, schedule.id, schedule.reason or "")
        db.execute("UPDATE conversation SET unread = true WHERE id = ?", (occurrence.conversation,))
        return True

    @write
    def pause_schedule(self, db: Connection, id: str, reason: PauseReason) -> bool:
        return _pause(db, id, reason)


def count_schedules(db: Connection) -> dict[str, int]:
    """Count everyone's schedules by state."""
    return dict(db.execute("SELECT state, count(*) FROM schedule GROUP BY state ORDER BY state"))


def _values(principal: Principal, schedule: Schedule) -> tuple[Any, ...]:
    asks = _QUESTION.dump_json(schedule.asks, exclude_defaults=True).decode()
    return (
        *(schedule.id, principal.id, schedule.name, asks, schedule.cron, schedule.zone),
        *(schedule.created, schedule.changed, schedule.state, schedule.next_due, schedule.keeps, schedule.mail),
        *(schedule.failures, schedule.reason, schedule.conversation),
    )


def _pause(db: Connection, id: str, reason: str) -> bool:
    db.execute(
        "UPDATE schedule SET state = 'paused', next_due = NULL, reason = ? WHERE id = ? AND state = 'on'", (reason, id)
    )
    if not db.changes():
        return False
    append_act(db, SYSTEM_PRINCIPAL, "schedule.paused", id)
    return True


def _has_open(db: Connection, schedule: str) -> bool:
    return first_row(db, f"SELECT 1 FROM occurrence WHERE schedule = ? AND {_OPEN}", (schedule,)) is not None


def _insert(db: Connection, occurrence: Occurrence) -> bool:
    """Insert an occurrence; return False for a due time that was taken before the clock was set back."""
    db.execute(
        f"INSERT INTO occurrence ({_OCCURRENCE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            *(occurrence.id, occurrence.schedule, occurrence.due, occurrence.status, occurrence.conversation),
            *(occurrence.question, occurrence.began, occurrence.ended, occurrence.run, occurrence.fault),
            *(occurrence.is_missed, occurrence.is_manual, occurrence.process),
        ),
    )
    is_new = bool(db.changes())
    db.execute(
        f"DELETE FROM occurrence WHERE schedule = ?1 AND NOT {_OPEN} AND id NOT IN"
        " (SELECT id FROM occurrence WHERE schedule = ?1 ORDER BY began DESC, due DESC LIMIT ?2)",
        (occurrence.schedule, KEPT_OCCURRENCES),
    )
    return is_new


def _with_last(db: Connection, schedule: Schedule) -> Schedule:
    row = first_row(
        db,
        f"SELECT {_OCCURRENCE} FROM occurrence WHERE schedule = ? ORDER BY status = 'skipped', began DESC, due DESC",
        (schedule.id,),
    )
    return schedule if row is None else replace(schedule, last=_occurrence(row))


def _require(db: Connection, principal: Principal, id: str) -> Schedule:
    row = first_row(db, f"SELECT {_COLUMNS} FROM schedule WHERE id = ? AND owner = ?", (id, principal.id))
    if row is None:
        raise NotFound("There is no such schedule; it may have been deleted meanwhile.")
    return _with_last(db, _schedule(row))


def _find(db: Connection, id: str) -> Schedule:
    return _schedule(first_row(db, f"SELECT {_COLUMNS} FROM schedule WHERE id = ?", (id,)))


@row_decoder
def _schedule(row: Any) -> Schedule:
    id, owner, name, asks, *rest = row
    cron, zone, created, changed, state, next_due, keeps, mail, failures, reason, conversation = rest
    return Schedule(
        id=id,
        owner=owner,
        name=name,
        asks=_QUESTION.validate_json(asks),
        cron=cron,
        zone=zone,
        created=created,
        changed=changed,
        state=state,
        next_due=next_due,
        keeps=keeps,
        mail=mail,
        failures=failures,
        reason=reason,
        conversation=conversation,
    )


@row_decoder
def _occurrence(row: Any) -> Occurrence:
    id, schedule, due, status, conversation, question, began, ended, run, fault, is_missed, is_manual, process = row
    return Occurrence(
        id=id,
        schedule=schedule,
        due=due,
        status=status,
        conversation=conversation,
        question=question,
        began=began,
        ended=ended,
        run=run,
        fault=fault,
        is_missed=bool(is_missed),
        is_manual=bool(is_manual),
        process=process,
    )
