"""Questions of servers and their answers in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from eclair.schema.elicitations import CallInput, ElicitationAction, ElicitationAnswer, FieldValue
from eclair.schema.principal import Principal
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.runs import require_run
from eclair.storage.sql.store import SQLStore, first_row, read, write, write_synced
from eclair.storage.sql.stored_rows import row_decoder


class SQLElicitationStore(SQLStore):
    """Implements `ElicitationStore`."""

    @write_synced
    def add_questions(self, db: Connection, run: str, call: str, keys: Mapping[int, str], state: str | None) -> None:
        db.executemany(
            "INSERT INTO elicitation (run, call, number, key, state)"
            " SELECT ?1, ?2, CAST(?3 AS BIGINT), ?4, CAST(?5 AS TEXT)"
            " WHERE EXISTS (SELECT 1 FROM run WHERE id = ?1)",  # it may have been deleted meanwhile
            [(run, call, number, key, state) for number, key in keys.items()],
        )

    @write_synced
    def answer_question(
        self,
        db: Connection,
        principal: Principal,
        run: str,
        call: str,
        number: int,
        action: ElicitationAction,
        content: Mapping[str, FieldValue] | None,
    ) -> bool:
        require_run(db, principal, run)
        db.execute(
            "UPDATE elicitation SET action = ?, content = ?"
            " WHERE run = ? AND call = ? AND number = ? AND action IS NULL",
            (action, None if content is None else orjson.dumps(content).decode(), run, call, number),
        )
        return bool(db.changes())

    @read
    def is_answered(self, db: Connection, run: str, call: str) -> bool:
        return _is_answered(db, run, call)

    @write
    def take_input(self, db: Connection, run: str, call: str) -> CallInput | None:
        return _take(db, run, call)

    @write
    def take_inputs(self, db: Connection, run: str) -> dict[str, CallInput]:
        calls: list[str] = [
            call for (call,) in db.execute("SELECT DISTINCT call FROM elicitation WHERE run = ?", (run,))
        ]
        return {call: taken for call in calls if (taken := _take(db, run, call)) is not None}


def _take(db: Connection, run: str, call: str) -> CallInput | None:
    if not _is_answered(db, run, call):
        return None
    rows = db.execute(
        "SELECT number, key, action, content, state FROM elicitation WHERE run = ? AND call = ? ORDER BY number",
        (run, call),
    )
    inputs = [_input(row) for row in rows]
    db.execute("DELETE FROM elicitation WHERE run = ? AND call = ?", (run, call))
    return CallInput(inputs[-1].state, tuple(answer for each in inputs for answer in each.answers))


def _is_answered(db: Connection, run: str, call: str) -> bool:
    row = first_row(db, "SELECT count(*), count(action) FROM elicitation WHERE run = ? AND call = ?", (run, call))
    return 0 < row[0] == row[1]


@row_decoder
def _input(row: Sequence[Any]) -> CallInput:
    number, key, action, content, state = row
    given = None if content is None else orjson.loads(content)
    return CallInput(state, (ElicitationAnswer(number, key, action, given),))
