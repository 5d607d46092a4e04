"""Runs: the turn that opens one, the chunks of its log, its end."""

from __future__ import annotations

from typing import Any

import apsw

from eclair.errors import Conflict, NotFound
from eclair.schema.messages import Message
from eclair.storage.statements.conversations import begun, owned
from eclair.storage.statements.files import attach
from eclair.storage.statements.rows import first
from eclair.storage.statements.spending import add_answer
from eclair.storage.statements.trees import insert, update
from eclair.storage.types import Chunk, NewTurn, RunRecord

_COLUMNS = "run.id, run.conversation, run.message, run.process, run.status"


def open_turn(db: apsw.Connection, turn: NewTurn, now: int) -> RunRecord:
    conversation = begun(db, turn.begins) if turn.begins else owned(db, turn.owner, turn.run.conversation)
    if turn.question is not None:
        repeated = first(
            db,
            f"SELECT {_COLUMNS} FROM run JOIN message ON message.id = run.message"
            " WHERE message.parent = ? AND run.conversation = ? ORDER BY message.number LIMIT 1",
            (turn.question.id, conversation.id),
        )
        if repeated is not None:
            return RunRecord(*repeated)
    refuse_while_busy(db, "conversation = ?", (conversation.id,))
    if turn.question is not None:
        insert(db, turn.question)
        attach(db, turn.owner, turn.question.id, turn.question.needs)
    insert(db, turn.answer)
    db.execute(
        "INSERT INTO run (id, conversation, message, process, status) VALUES (?, ?, ?, ?, ?)",
        (turn.run.id, turn.run.conversation, turn.run.message, turn.run.process, turn.run.status),
    )
    append(db, [turn.first])
    db.execute(
        "UPDATE conversation SET leaf = ?, updated = max(updated, ?), title = iif(title = '', ?, title) WHERE id = ?",
        (turn.answer.id, now, turn.title, conversation.id),
    )
    return turn.run


def append(db: apsw.Connection, chunks: list[Chunk]) -> None:
    db.executemany(
        "INSERT INTO chunk (run, last, lines) SELECT ?1, ?2, ?3"
        " WHERE EXISTS (SELECT 1 FROM run WHERE id = ?1)",  # it may have been deleted meanwhile
        [(chunk.run, chunk.last, chunk.lines.decode()) for chunk in chunks],
    )


def close(db: apsw.Connection, run: RunRecord, message: Message, rest: Chunk | None, now: int) -> None:
    db.execute("UPDATE run SET status = ? WHERE id = ? AND status = 'running'", (message.status, run.id))
    if not db.changes():  # another process ended it first
        return
    if rest is not None:
        append(db, [rest])
    update(db, message)
    db.execute("UPDATE conversation SET updated = max(updated, ?) WHERE id = ?", (now, run.conversation))
    (owner,) = first(db, "SELECT owner FROM conversation WHERE id = ?", (run.conversation,))
    add_answer(db, owner, message, now)


def one(db: apsw.Connection, owner: str, id: str) -> RunRecord:
    row = first(
        db,
        f"SELECT {_COLUMNS} FROM run JOIN conversation ON conversation.id = run.conversation"
        " WHERE run.id = ? AND owner = ? AND deleted IS NULL",
        (id, owner),
    )
    if row is None:
        raise NotFound(f"There is no run {id!r}.")
    return RunRecord(*row)


def chunks(db: apsw.Connection, run: str, after: int) -> list[Chunk]:
    rows = db.execute("SELECT last, lines FROM chunk WHERE run = ? AND last > ? ORDER BY last", (run, after))
    return [Chunk(run, last, lines.encode()) for last, lines in rows]


def running(db: apsw.Connection, conversation: str | None) -> list[RunRecord]:
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM run WHERE status = 'running' AND coalesce(conversation = ?, true)", (conversation,)
    )
    return [RunRecord(*row) for row in rows]


def refuse_while_busy(db: apsw.Connection, which: str, values: tuple[Any, ...]) -> None:
    """Raise Conflict where one of these runs is at work."""
    busy = first(db, f"SELECT id FROM run WHERE status = 'running' AND {which} LIMIT 1", values)
    if busy is not None:
        raise Conflict("This conversation is still answering; stop that answer or wait for it.", run=busy[0])
