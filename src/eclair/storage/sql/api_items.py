"""Items of the Responses API in SQL, whether they are a response's or a conversation's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import orjson

from eclair.errors import NotFound
from eclair.schema.principal import Principal
from eclair.storage.responses import ItemCursor, ItemPage, StoredItem
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import first_row
from eclair.storage.sql.stored_rows import decode_object, row_decoder

Holder = Literal["response", "conversation"]
"""The column that says in what an item is."""


def insert_items(
    db: Connection, owner: str, holder: Holder, id: str, items: Sequence[StoredItem], *, are_input: bool = False
) -> None:
    """Add items at the end of a response or conversation."""
    db.executemany(
        f"INSERT INTO api_item (owner, id, {holder}, input, body) VALUES (?, ?, ?, ?, ?)",
        [(owner, item.id, id, are_input, orjson.dumps(item.body).decode()) for item in items],
    )


def list_items(db: Connection, holder: Holder, id: str, *, are_input: bool | None = None) -> list[StoredItem]:
    """List the items, oldest first: the input, or what is not, if that is asked for."""
    rows = db.execute(
        f"SELECT id, body FROM api_item WHERE {holder} = ? AND coalesce(input = ?, true) ORDER BY number",
        (id, are_input),
    )
    return [decode_item(row) for row in rows]


def list_item_page(
    db: Connection, holder: Holder, id: str, cursor: ItemCursor, *, are_input: bool | None = None
) -> ItemPage:
    """List a page of items. Raises NotFound for the cursor's item."""
    of_holder = f"{holder} = ? AND coalesce(input = ?, true)"
    values: list[Any] = [id, are_input]
    beyond = ""
    if cursor.after is not None:
        row = first_row(db, f"SELECT number FROM api_item WHERE {of_holder} AND id = ?", (*values, cursor.after))
        if row is None:
            raise NotFound(f"There is no item {cursor.after!r}.", param="after")
        beyond = f" AND number {'<' if cursor.descending else '>'} ?"
        values.append(row[0])
    direction = "DESC" if cursor.descending else "ASC"
    rows = db.execute(
        f"SELECT id, body FROM api_item WHERE {of_holder}{beyond} ORDER BY number {direction} LIMIT ?",
        (*values, cursor.limit + 1),
    )
    found = [decode_item(row) for row in rows]
    return ItemPage(found[: cursor.limit], len(found) > cursor.limit)


def find_item(db: Connection, principal: Principal, id: str, since: int) -> StoredItem | None:
    """Return the newest item of that id in any response or conversation that isn't gone."""
    row = first_row(
        db,
        "SELECT api_item.id, api_item.body FROM api_item"
        " LEFT JOIN api_response ON api_response.id = api_item.response"
        " LEFT JOIN api_conversation ON api_conversation.id = api_item.conversation"
        " WHERE api_item.owner = ? AND api_item.id = ? AND coalesce(api_response.used, api_conversation.used) >= ?"
        " ORDER BY number DESC LIMIT 1",
        (principal.id, id, since),
    )
    return None if row is None else decode_item(row)


@row_decoder
def decode_item(row: Sequence[Any]) -> StoredItem:
    id, body = row
    return StoredItem(id, decode_object(body))
