"""Responses in SQL: the rows of `api_response`, their items, and the logs of those in the background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from eclair.errors import Conflict, NotFound, StoreError
from eclair.schema.principal import Principal
from eclair.storage.responses import (
    ItemCursor,
    ItemPage,
    KeptCount,
    ResponseEvents,
    StoredItem,
    StoredResponse,
)
from eclair.storage.sql.api_items import find_item, insert_items, list_item_page, list_items
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import (
    SQLStore,
    erase,
    first_row,
    paced,
    read,
    read_brief,
    snapshot,
    write,
    write_brief,
    write_brief_synced,
)
from eclair.storage.sql.stored_rows import decode_object, decode_rows, row_decoder

ERASED_PER_STEP = 100
ADDED_TO_CONVERSATION = frozenset({"completed", "incomplete"})
"""Statuses of responses whose items become part of their conversation."""

_COLUMNS = "id, process, status, body, background, previous, conversation"
_CHAIN = (
    "WITH RECURSIVE chain (id, previous, depth) AS ("
    " SELECT id, previous, 0 FROM api_response WHERE id = ?1 AND owner = ?2 UNION ALL"
    " SELECT earlier.id, earlier.previous, depth + 1 FROM api_response AS earlier"
    " JOIN chain ON earlier.id = chain.previous WHERE earlier.owner = ?2)"
)


class SQLResponseStore(SQLStore):
    """Implements `ResponseStore`."""

    @write_brief
    def add_response(
        self,
        db: Connection,
        principal: Principal,
        response: StoredResponse,
        inputs: Sequence[StoredItem],
        outputs: Sequence[StoredItem] = (),
    ) -> None:
        db.execute(
            f"INSERT INTO api_response ({_COLUMNS}, owner, used) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                response.id,
                response.process,
                response.status,
                orjson.dumps(response.body).decode(),
                response.background,
                response.previous,
                response.conversation,
                principal.id,
                self.now(),
            ),
        )
        insert_items(db, principal.id, "response", response.id, inputs, are_input=True)
        insert_items(db, principal.id, "response", response.id, outputs)
        if response.previous is not None:
            db.execute(
                f"{_CHAIN} UPDATE api_response SET used = max(used, ?3) WHERE id IN (SELECT id FROM chain)",
                (response.previous, principal.id, self.now()),
            )
        self._add_to_conversation(db, principal.id, response)

    @write_brief
    def append_events(self, db: Connection, chunks: Sequence[ResponseEvents]) -> None:
        _append(db, chunks, self.database.row_lock)

    @read_brief
    def list_last_events(self, db: Connection, responses: Sequence[str]) -> dict[str, int]:
        rows = db.execute(
            "SELECT response, max(last) FROM api_event WHERE response IN (SELECT value FROM json_each(?))"
            " GROUP BY response",
            (orjson.dumps(responses).decode(),),
        )
        return {str(response): int(last) for response, last in rows}

    @write_brief_synced
    def finish_response(
        self,
        db: Connection,
        response: StoredResponse,
        outputs: Sequence[StoredItem],
        rest: ResponseEvents | None,
    ) -> bool:
        row = first_row(
            db,
            f"SELECT owner FROM api_response WHERE id = ? AND status = 'in_progress'{self.database.row_lock}",
            (response.id,),
        )
        if row is None:
            return False
        if rest is not None:
            if rest.first > 0 and not _has_event(db, rest.response, rest.first - 1):
                raise StoreError("The database lost the last words of the response; they are stored again.")
            _append(db, [rest], self.database.row_lock)
        db.execute(
            "UPDATE api_response SET status = ?, body = ?, used = max(used, ?) WHERE id = ?",
            (response.status, orjson.dumps(response.body).decode(), self.now(), response.id),
        )
        (owner,) = row
        insert_items(db, owner, "response", response.id, outputs)
        self._add_to_conversation(db, owner, response)
        return True

    @read
    def get_response(
        self, db: Connection, principal: Principal, id: str, since: int
    ) -> tuple[StoredResponse, list[StoredItem]]:
        with snapshot(db):
            response = _find(db, principal, id, since)
            return response, list_items(db, "response", id, are_input=False)

    @read
    def list_context(self, db: Connection, principal: Principal, id: str, since: int) -> list[StoredItem]:
        with snapshot(db):
            if _find(db, principal, id, since).status == "in_progress":
                raise Conflict(f"Response {id!r} is still being written; wait for it or cancel it.")
            chain = list(db.execute(f"{_CHAIN} SELECT id, previous FROM chain ORDER BY depth", (id, principal.id)))
            if chain[-1][1] is not None:
                raise NotFound(
                    f"Response {chain[-1][1]!r}, which {id!r} continues, was deleted or has expired; send the whole "
                    "conversation as `input`.",
                    param="previous_response_id",
                )
            return [item for response, _ in reversed(chain) for item in list_items(db, "response", response)]

    @read
    def list_inputs(self, db: Connection, principal: Principal, id: str, since: int, cursor: ItemCursor) -> ItemPage:
        _find(db, principal, id, since)
        return list_item_page(db, "response", id, cursor, are_input=True)

    @read
    def find_items(self, db: Connection, principal: Principal, ids: Sequence[str], since: int) -> dict[str, StoredItem]:
        found = {id: find_item(db, principal, id, since) for id in dict.fromkeys(ids)}
        return {id: item for id, item in found.items() if item is not None}

    @read
    def list_events(self, db: Connection, response: str, after: int) -> list[ResponseEvents]:
        rows = db.execute(
            "SELECT response, last, lines FROM api_event WHERE response = ? AND last > ? ORDER BY last",
            (response, after),
        )
        return [_events(row) for row in rows]

    @read
    def list_running(self, db: Connection) -> list[StoredResponse]:
        rows = db.execute(f"SELECT {_COLUMNS} FROM api_response WHERE status = 'in_progress'")
        return decode_rows(rows, _response, self.database.damage.noting("responses of the API"))

    @read_brief
    def is_running(self, db: Connection, response: str) -> bool:
        query = "SELECT 1 FROM api_response WHERE id = ? AND status = 'in_progress'"
        return first_row(db, query, (response,)) is not None

    @write_brief
    def request_cancel(self, db: Connection, response: str) -> None:
        db.execute(
            "UPDATE api_response SET cancel_requested = true WHERE id = ? AND status = 'in_progress'", (response,)
        )

    @read_brief
    def list_cancelled(self, db: Connection, responses: Sequence[str]) -> list[str]:
        going_on = "SELECT 1 FROM api_response WHERE id = ? AND status = 'in_progress' AND NOT cancel_requested"
        return [id for id in responses if first_row(db, going_on, (id,)) is None]

    @erase
    def delete_response(self, db: Connection, principal: Principal, id: str, since: int) -> None:
        _find(db, principal, id, since)
        db.execute("DELETE FROM api_response WHERE id = ?", (id,))
        append_act(db, principal, "responses.deleted", id)

    @read
    def count_kept(self, db: Connection, principal: Principal, since: int) -> KeptCount:
        query = "SELECT count(*) FROM {} WHERE owner = ? AND used >= ?"
        tables = ("api_response", "api_conversation")
        return KeptCount(*(first_row(db, query.format(table), (principal.id, since))[0] for table in tables))

    async def delete_all(self, principal: Principal) -> None:
        await self._note_deletion(principal)
        await self._erase_in_steps("owner = ?", "owner = ?", principal.id)

    @write
    def _note_deletion(self, db: Connection, principal: Principal) -> None:
        append_act(db, principal, "responses.deleted", details={"all": True})

    async def expire(self, before: int) -> int:
        return await self._erase_in_steps("used < ? AND status <> 'in_progress'", "used < ?", before)

    async def _erase_in_steps(self, responses: str, conversations: str, value: str | int) -> int:
        """Erase the responses and conversations that meet the conditions; return how many."""
        count = 0
        for table, condition in (("api_response", responses), ("api_conversation", conversations)):
            while erased := await paced(lambda of=table, which=condition: self._erase_some(of, which, value)):
                count += erased
        if count:
            await self.empty_log()
        return count

    @write
    def _erase_some(self, db: Connection, table: str, condition: str, value: str | int) -> int:
        some = f"SELECT id FROM {table} WHERE {condition} LIMIT ?"
        db.execute(f"DELETE FROM {table} WHERE id IN ({some})", (value, ERASED_PER_STEP))
        return db.changes()

    def _add_to_conversation(self, db: Connection, owner: str, response: StoredResponse) -> None:
        """Add the items of a response that has ended to its conversation, if that is still there."""
        if response.conversation is None or response.status not in ADDED_TO_CONVERSATION:
            return
        db.execute(
            "UPDATE api_conversation SET used = max(used, ?) WHERE id = ? AND owner = ?",
            (self.now(), response.conversation, owner),
        )
        if db.changes():
            items = list_items(db, "response", response.id)
            insert_items(db, owner, "conversation", response.conversation, items)


def _find(db: Connection, principal: Principal, id: str, since: int) -> StoredResponse:
    row = first_row(
        db, f"SELECT {_COLUMNS} FROM api_response WHERE id = ? AND owner = ? AND used >= ?", (id, principal.id, since)
    )
    if row is None:
        raise NotFound(f"There is no response {id!r}; it was not stored, was deleted or has expired.")
    return _response(row)


def _append(db: Connection, chunks: Sequence[ResponseEvents], lock: str) -> None:
    """Add events to the logs of responses that are being written, but where that would leave a gap.

    `lock` is the database's lock of rows.
    """
    db.executemany(
        "INSERT INTO api_event (response, last, lines) SELECT ?1, ?2, ?3"
        f" FROM (SELECT id FROM api_response WHERE id = ?1 AND status = 'in_progress'{lock}) AS found"
        " WHERE ?4 <= 0 OR EXISTS (SELECT 1 FROM api_event WHERE response = ?1 AND last >= ?4 - 1)"
        " ON CONFLICT DO NOTHING",  # stored already, where nobody knew whether the first attempt was committed
        [(chunk.response, chunk.last, chunk.lines, chunk.first) for chunk in chunks],
    )


def _has_event(db: Connection, response: str, number: int) -> bool:
    found = "SELECT 1 FROM api_event WHERE response = ? AND last >= ?"
    return first_row(db, found, (response, number)) is not None


@row_decoder
def _response(row: Sequence[Any]) -> StoredResponse:
    id, process, status, body, background, previous, conversation = row
    return StoredResponse(
        id=id,
        process=process,
        status=status,
        body=decode_object(body),
        background=bool(background),
        previous=previous,
        conversation=conversation,
    )


@row_decoder
def _events(row: Sequence[Any]) -> ResponseEvents:
    response, last, lines = row
    return ResponseEvents(response, last, lines)
