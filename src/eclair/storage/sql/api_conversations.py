"""Conversations of the Responses API in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from eclair.errors import NotFound
from eclair.schema.principal import Principal
from eclair.storage.api_conversations import ApiConversation
from eclair.storage.responses import ItemCursor, ItemPage, StoredItem
from eclair.storage.sql.api_items import decode_item, insert_items, list_item_page, list_items
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, erase, first_row, overwrite, read, snapshot, write
from eclair.storage.sql.stored_rows import decode_object, row_decoder

_COLUMNS = "id, created, metadata"


class SQLApiConversationStore(SQLStore):
    """Implements `ApiConversationStore`."""

    @write
    def add_conversation(
        self, db: Connection, principal: Principal, conversation: ApiConversation, items: Sequence[StoredItem]
    ) -> None:
        metadata = orjson.dumps(conversation.metadata).decode()
        db.execute(
            f"INSERT INTO api_conversation ({_COLUMNS}, owner, used) VALUES (?, ?, ?, ?, ?)",
            (conversation.id, conversation.created, metadata, principal.id, self.now()),
        )
        insert_items(db, principal.id, "conversation", conversation.id, items)

    @read
    def get_conversation(self, db: Connection, principal: Principal, id: str, since: int) -> ApiConversation:
        return _find(db, principal, id, since)

    @overwrite
    def set_metadata(
        self, db: Connection, principal: Principal, id: str, since: int, metadata: dict[str, str]
    ) -> ApiConversation:
        _find(db, principal, id, since)
        db.execute(
            "UPDATE api_conversation SET metadata = ?, used = max(used, ?) WHERE id = ?",
            (orjson.dumps(metadata).decode(), self.now(), id),
        )
        return _find(db, principal, id, since)

    @erase
    def delete_conversation(self, db: Connection, principal: Principal, id: str, since: int) -> None:
        _find(db, principal, id, since)
        db.execute("DELETE FROM api_conversation WHERE id = ?", (id,))

    @write
    def add_items(self, db: Connection, principal: Principal, id: str, since: int, items: Sequence[StoredItem]) -> None:
        _find(db, principal, id, since)
        insert_items(db, principal.id, "conversation", id, items)
        db.execute("UPDATE api_conversation SET used = max(used, ?) WHERE id = ?", (self.now(), id))

    @read
    def list_items(
        self, db: Connection, principal: Principal, id: str, since: int, cursor: ItemCursor | None
    ) -> ItemPage:
        with snapshot(db):
            _find(db, principal, id, since)
            if cursor is None:
                return ItemPage(list_items(db, "conversation", id), has_more=False)
            return list_item_page(db, "conversation", id, cursor)

    @read
    def get_item(self, db: Connection, principal: Principal, id: str, since: int, item: str) -> StoredItem:
        with snapshot(db):
            _find(db, principal, id, since)
            return _find_item(db, id, item)

    @erase
    def delete_item(self, db: Connection, principal: Principal, id: str, since: int, item: str) -> ApiConversation:
        conversation = _find(db, principal, id, since)
        _find_item(db, id, item)
        db.execute("DELETE FROM api_item WHERE conversation = ? AND id = ?", (id, item))
        return conversation


def _find(db: Connection, principal: Principal, id: str, since: int) -> ApiConversation:
    row = first_row(
        db,
        f"SELECT {_COLUMNS} FROM api_conversation WHERE id = ? AND owner = ? AND used >= ?",
        (id, principal.id, since),
    )
    if row is None:
        raise NotFound(f"There is no conversation {id!r}; it was deleted or has expired.", param="conversation")
    return _conversation(row)


def _find_item(db: Connection, conversation: str, id: str) -> StoredItem:
    row = first_row(db, "SELECT id, body FROM api_item WHERE conversation = ? AND id = ?", (conversation, id))
    if row is None:
        raise NotFound(f"There is no item {id!r} in this conversation.")
    return decode_item(row)


@row_decoder
def _conversation(row: Sequence[Any]) -> ApiConversation:
    id, created, metadata = row
    return ApiConversation(id, created, decode_object(metadata))
