"""Runs in SQL: the turn that opens one, the chunks of its log, its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from eclair.errors import Conflict, NotFound, StoreError
from eclair.schema.ids import Clock
from eclair.schema.messages import CallDecision, Conversation, Message, Status
from eclair.schema.principal import Principal
from eclair.storage.runs import (
    EventChunk,
    FoldedRun,
    LogPlace,
    NewAnswer,
    NewEvents,
    NewTurn,
    RunRecord,
    RunRequest,
    TakenUpRun,
)
from eclair.storage.sql import conversations
from eclair.storage.sql.connection import Connection, Database
from eclair.storage.sql.files import attach_files
from eclair.storage.sql.messages import get_message, insert_message, update_message
from eclair.storage.sql.store import (
    SQLStore,
    first_row,
    read,
    read_brief,
    write,
    write_brief,
    write_brief_synced,
    write_concurrent,
    write_synced,
    write_text,
)
from eclair.storage.sql.stored_rows import decode_rows, row_decoder
from eclair.storage.sql.text_index import TextIndex
from eclair.storage.sql.usage import add_answer

_COLUMNS = "run.id, run.conversation, run.message, run.process, run.status"
_AT_WORK = "FROM run WHERE id = {} AND status = 'running' AND process = {}"
"""The run, if this process writes it: others may have deleted it, or ended it as that of a dead process."""
NEW_EVENTS = (
    "SELECT asked.key, (SELECT string_agg(CAST(json_array(last, lines) AS TEXT), ',' ORDER BY last) FROM chunk"
    f" WHERE chunk.run = run.id AND last > CAST(place.value AS BIGINT)), {_COLUMNS} FROM json_each(?1) AS asked"
    " JOIN json_each(?2) AS place ON place.key = asked.key JOIN run ON run.id = asked.value"
)
"""Selects what is new behind places, by a list of runs and one of numbers of events.

The chunks of each are selected for themselves, by the index: for a join, PostgreSQL reads all logs that are kept.
"""
_ANSWERED_CALL = (
    "SELECT 1 FROM elicitation AS asked WHERE asked.run = run.id AND NOT EXISTS"
    " (SELECT 1 FROM elicitation WHERE run = asked.run AND call = asked.call AND action IS NULL)"
)
"""Selects something if all questions of a call are answered."""


def _question_chars(turn: NewTurn) -> int:
    return 0 if turn.question is None else len(turn.question.text)


def _parked_chars(run: RunRecord, message: Message, rest: EventChunk) -> int:
    return len(message.text)


def _answer_chars(run: RunRecord, message: Message, rest: EventChunk | None) -> int:
    return len(message.text)


class SQLRunStore(SQLStore):
    """Implements `RunStore`, for the process of that name."""

    def __init__(self, database: Database, process: str, clock: Clock = time.time) -> None:
        super().__init__(database, clock)
        self._process = process

    @write_text(_question_chars)
    def open_turn(self, db: Connection, turn: NewTurn) -> RunRecord:
        lock = self.database.row_lock  # of two turns in one conversation, the second sees what the first did
        now = self.now()
        begun: Conversation | None = None
        if turn.begins is None:
            conversation = conversations.find(db, turn.principal, turn.run.conversation, lock)
        else:
            begun, is_named = _as_begun(turn, turn.begins, now), bool(turn.begins.title)
            conversation = conversations.find_or_add(db, turn.principal, begun, lock, is_named=is_named)
        if conversation is not begun:
            if turn.question is not None and (repeated := _find_repeated(db, conversation.id, turn.question.id)):
                return repeated
            _refuse_while_open(db, conversation.id)
        if turn.question is not None:
            insert_message(db, self.database.text_index, turn.question)
            if turn.question.needs:
                attach_files(db, turn.principal, turn.question.id, turn.question.needs)
        for each in (NewAnswer(turn.answer, turn.run, turn.first), *turn.beside):
            _insert_answer(db, self.database.text_index, each, turn)
        if conversation is not begun:
            db.execute(
                "UPDATE conversation SET leaf = ?, updated = max(updated, ?), title = iif(title = '', ?, title)"
                " WHERE id = ?",
                (turn.answer.id, now, turn.title, turn.run.conversation),
            )
        return turn.run

    @write_concurrent
    def append_events(self, db: Connection, chunks: Sequence[EventChunk]) -> None:
        found = _AT_WORK.format("?1", "?4") + self.database.row_lock
        db.executemany(
            f"INSERT INTO chunk (run, last, lines) SELECT ?1, ?2, ?3 FROM (SELECT id {found}) AS found"
            " WHERE ?5 <= 0 OR EXISTS (SELECT 1 FROM chunk WHERE run = ?1 AND last >= ?5) ON CONFLICT DO NOTHING",
            [(chunk.run, chunk.last, chunk.lines.decode(), self._process, _before(chunk)) for chunk in chunks],
        )

    @read_brief
    def list_last_events(self, db: Connection, runs: Sequence[str]) -> dict[str, int]:
        rows = db.execute(
            "SELECT run, max(last) FROM chunk WHERE run IN (SELECT value FROM json_each(?)) GROUP BY run",
            (orjson.dumps(runs).decode(),),
        )
        return {str(run): int(last) for run, last in rows}

    @write_brief_synced
    def append_safely(self, db: Connection, chunk: EventChunk) -> bool:
        found = f"SELECT id {_AT_WORK.format('?', '?')}{self.database.row_lock}"
        if first_row(db, found, (chunk.run, self._process)) is None:
            return False
        _append(db, [chunk] if chunk.lines else [])
        return True

    @write_text(_parked_chars, is_synced=True)
    def park_run(self, db: Connection, run: RunRecord, message: Message, rest: EventChunk) -> Principal | None:
        db.execute(
            "UPDATE run SET status = 'waiting', process = '', waiting_since = ?"
            " WHERE id = ? AND status = 'running' AND process = ?",
            (self.now(), run.id, run.process),
        )
        if not db.changes():
            return None
        _append(db, [rest])
        update_message(db, self.database.text_index, message)
        return _owner(db, run)

    @write
    def take_up_run(self, db: Connection, run: str) -> TakenUpRun | None:
        db.execute(
            "UPDATE run SET status = 'running', process = ? WHERE id = ? AND status = 'waiting'", (self._process, run)
        )
        if not db.changes():
            return None
        (options, *columns) = first_row(db, f"SELECT options, {_COLUMNS} FROM run WHERE id = ?", (run,))
        record = _run(columns)
        owner = _owner(db, record)
        assert owner is not None  # a run goes with its conversation
        rows = db.execute("SELECT call, decision FROM call_decision WHERE run = ? AND NOT is_taken", (run,))
        decisions = dict(rows)
        db.execute("UPDATE call_decision SET is_taken = true WHERE run = ?", (run,))
        return TakenUpRun(record, owner, options, decisions)

    @read
    def list_decided_runs(self, db: Connection) -> list[RunRecord]:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM run WHERE status = 'waiting'"
            " AND (EXISTS (SELECT 1 FROM call_decision WHERE run = run.id AND NOT is_taken)"
            f" OR EXISTS ({_ANSWERED_CALL}))"
        )
        return decode_rows(rows, _run, self.database.damage.noting("records of answers"))

    @read
    def list_waiting_runs(self, db: Connection, since: int) -> list[RunRecord]:
        rows = db.execute(f"SELECT {_COLUMNS} FROM run WHERE status = 'waiting' AND waiting_since <= ?", (since,))
        return decode_rows(rows, _run, self.database.damage.noting("records of answers"))

    @write_synced
    def decide_call(self, db: Connection, principal: Principal, run: str, call: str, decision: CallDecision) -> bool:
        require_run(db, principal, run)
        return _insert_decision(db, run, call, decision)

    @write_text(_answer_chars, is_synced=True)
    def finish_run(self, db: Connection, run: RunRecord, message: Message, rest: EventChunk | None) -> Principal | None:
        now = self.now()
        db.execute(
            "UPDATE run SET status = ?, ended = ? WHERE id = ? AND status = 'running' AND process = ?",
            (message.status, now, run.id, run.process),
        )
        if not db.changes():  # another process ended it first or took it up, or it was deleted
            return _owner(db, run)
        if rest is not None:
            _append(db, [rest])
        if message.calls or message.status == "interrupted":  # of whose log the end may be lost
            db.execute("DELETE FROM elicitation WHERE run = ?", (run.id,))
        db.execute("DELETE FROM finish_request WHERE run = ?", (run.id,))
        update_message(db, self.database.text_index, message)
        row = first_row(
            db,
            "UPDATE conversation SET updated = max(updated, ?) WHERE id = ? RETURNING owner",
            (now, run.conversation),
        )
        owner = Principal(row[0])  # a run goes with its conversation
        add_answer(db, owner, message, now)
        return owner

    @write_brief
    def request_stop(self, db: Connection, run: str) -> None:
        db.execute("UPDATE run SET stop_requested = true WHERE id = ? AND status = 'running'", (run,))

    @write_brief
    def request_finish(self, db: Connection, run: str, agent: str | None) -> None:
        db.execute(
            "INSERT INTO finish_request (run, agent) SELECT id, CAST(?2 AS TEXT) FROM (SELECT id FROM run"
            f" WHERE id = ?1 AND status = 'running'{self.database.row_lock}) AS found WHERE true"
            " ON CONFLICT DO NOTHING",
            (run, agent or ""),
        )

    async def take_requests(self) -> list[RunRequest]:
        found = await self._list_requests()
        if taken := [each for each in found if not each.is_stop]:
            await self._delete_finish_requests(taken)
        return found

    @read_brief
    def _list_requests(self, db: Connection) -> list[RunRequest]:
        rows = db.execute(
            "SELECT id, true, NULL FROM run WHERE status = 'running' AND stop_requested AND process = ?1"
            " UNION ALL SELECT finish_request.run, false, agent FROM finish_request"
            " JOIN run ON run.id = finish_request.run WHERE process = ?1",
            (self._process,),
        )
        return [RunRequest(run, bool(is_stop), agent or None) for run, is_stop, agent in rows]

    @write
    def _delete_finish_requests(self, db: Connection, taken: Sequence[RunRequest]) -> None:
        db.executemany(
            "DELETE FROM finish_request WHERE run = ? AND agent = ?", [(each.run, each.agent or "") for each in taken]
        )

    @read_brief
    def get_run(self, db: Connection, principal: Principal, id: str) -> RunRecord:
        return require_run(db, principal, id)

    @read
    def list_events(self, db: Connection, run: str, after: int) -> list[EventChunk]:
        rows = db.execute("SELECT last, lines FROM chunk WHERE run = ? AND last > ? ORDER BY last", (run, after))
        return [_chunk((run, *row)) for row in rows]

    @read
    def list_new_events(self, db: Connection, places: Sequence[LogPlace]) -> list[NewEvents]:
        found = [NewEvents(None, ()) for _ in places]
        runs, numbers = [place.run for place in places], [place.after for place in places]
        rows = db.execute(NEW_EVENTS, (orjson.dumps(runs).decode(), orjson.dumps(numbers).decode()))
        for key, added, *columns in rows:
            run = _run(columns)
            chunks = [] if added is None else [_chunk((run.id, *each)) for each in orjson.loads(f"[{added}]")]
            found[key] = NewEvents(run, chunks)
        return found

    @read
    def find_folded(self, db: Connection, run: str) -> FoldedRun | None:
        row = first_row(db, "SELECT message, events FROM run WHERE id = ? AND events IS NOT NULL", (run,))
        return None if row is None else FoldedRun(get_message(db, row[0]), row[1])

    @write
    def fold_logs(self, db: Connection, before: int, limit: int) -> int:
        rows = db.execute(
            "SELECT id FROM run WHERE events IS NULL AND ended < ? ORDER BY ended LIMIT ?", (before, limit)
        )
        runs = list(rows)
        db.executemany(
            "UPDATE run SET events = (SELECT coalesce(max(last), 0) FROM chunk WHERE chunk.run = run.id) WHERE id = ?",
            runs,
        )
        db.executemany("DELETE FROM chunk WHERE run = ?", runs)
        return len(runs)

    @read_brief
    def get_status(self, db: Connection, run: str) -> Status | None:
        row = first_row(db, "SELECT status FROM run WHERE id = ?", (run,))
        return None if row is None else row[0]

    @read
    def list_running(self, db: Connection, conversation: str | None = None) -> list[RunRecord]:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM run WHERE status = 'running' AND coalesce(conversation = ?, true)",
            (conversation,),
        )
        return decode_rows(rows, _run, self.database.damage.noting("records of answers"))


@row_decoder
def _run(row: Sequence[Any]) -> RunRecord:
    return RunRecord(*row)


@row_decoder
def _chunk(row: Sequence[Any]) -> EventChunk:
    run, last, lines = row
    return EventChunk(run, last, lines.encode())


def require_run(db: Connection, principal: Principal, id: str) -> RunRecord:
    """Return a run of somebody. Raises NotFound."""
    row = first_row(
        db,
        f"SELECT {_COLUMNS} FROM run JOIN conversation ON conversation.id = run.conversation"
        " WHERE run.id = ? AND owner = ? AND deleted IS NULL",
        (id, principal.id),
    )
    if row is None:
        raise NotFound(f"There is no run {id!r}.")
    return _run(row)


def _as_begun(turn: NewTurn, new: Conversation, now: int) -> Conversation:
    """Return a new conversation as its first turn leaves it."""
    return replace(new, leaf=turn.answer.id, updated=max(new.updated, now), title=new.title or turn.title)


def _owner(db: Connection, run: RunRecord) -> Principal | None:
    """Return the owner of a run's conversation; None where that is gone."""
    row = first_row(db, "SELECT owner FROM conversation WHERE id = ?", (run.conversation,))
    return None if row is None else Principal(row[0])


def _insert_decision(db: Connection, run: str, call: str, decision: CallDecision) -> bool:
    """Insert a decision; return False where there is one."""
    db.execute(
        "INSERT INTO call_decision (run, call, decision) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", (run, call, decision)
    )
    return bool(db.changes())


def _find_repeated(db: Connection, conversation: str, question: str) -> RunRecord | None:
    """Return the first run that answers a question of the conversation, as where it is sent again."""
    row = first_row(
        db,
        f"SELECT {_COLUMNS} FROM run JOIN message ON message.id = run.message"
        " WHERE message.parent = ? AND run.conversation = ? ORDER BY message.number LIMIT 1",
        (question, conversation),
    )
    return None if row is None else _run(row)


def _refuse_while_open(db: Connection, conversation: str) -> None:
    """Raise Conflict where an answer of the conversation is being written, or waits for a decision."""
    found = first_row(
        db,
        "SELECT id, status FROM run WHERE conversation = ?1 AND status = 'running' UNION ALL"
        " SELECT id, status FROM run WHERE conversation = ?1 AND status = 'waiting' LIMIT 1",
        (conversation,),
    )
    if found is None:
        return
    run, status = found
    if status == "running":
        raise conversations.still_answering(run)
    raise Conflict(
        "An answer here waits for your decision on a call; allow or decline it, or stop the answer.", run=run
    )


def _insert_answer(db: Connection, index: TextIndex, new: NewAnswer, turn: NewTurn) -> None:
    run = new.run
    insert_message(db, index, new.answer, None if turn.question is None else turn.question.id)
    db.execute(
        "INSERT INTO run (id, conversation, message, process, status, options) VALUES (?, ?, ?, ?, ?, ?)",
        (run.id, run.conversation, run.message, run.process, run.status, turn.options),
    )
    _append(db, [new.first])


def _before(chunk: EventChunk) -> int:
    """Return the number of the event before a chunk; 0 where there is none."""
    return chunk.last - chunk.lines.count(b"\n") - 1


def _append(db: Connection, chunks: Sequence[EventChunk]) -> None:
    """Append to logs. Raises StoreError where that would leave a gap."""
    for chunk in chunks:
        before = _before(chunk)
        if before > 0 and first_row(db, "SELECT 1 FROM chunk WHERE run = ? AND last >= ?", (chunk.run, before)) is None:
            raise StoreError("The database lost the last words of the answer; they are stored again.")
    db.executemany(
        "INSERT INTO chunk (run, last, lines) VALUES (?, ?, ?)"
        " ON CONFLICT DO NOTHING",  # stored already, where nobody knew whether the first attempt was committed
        [(chunk.run, chunk.last, chunk.lines.decode()) for chunk in chunks],
    )
