"""Shares in SQL. They are readable while their conversation is there."""

from __future__ import annotations

from typing import Any

from eclair.errors import NotFound
from eclair.schema.principal import Principal
from eclair.storage.shares import Share
from eclair.storage.sql import conversations
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, erase, first_row, read, write
from eclair.storage.sql.stored_rows import decode_rows, require_json, row_decoder

_COLUMNS = "id, owner, conversation, title, created, expires, readings, house, reviewer"
_THERE = "EXISTS (SELECT 1 FROM conversation WHERE conversation.id = share.conversation AND deleted IS NULL)"


class SQLShareStore(SQLStore):
    """Implements `ShareStore`."""

    @write
    def add_share(self, db: Connection, principal: Principal, share: Share, body: str) -> None:
        conversations.find(db, principal, share.conversation)
        db.execute(
            f"INSERT INTO share ({_COLUMNS}, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                share.id,
                principal.id,
                share.conversation,
                share.title,
                share.created,
                share.expires,
                share.readings,
                share.house,
                share.reviewer,
                body,
            ),
        )
        details = {"conversation": share.conversation, "reviewed": share.reviewer is not None}
        append_act(db, principal, "share.made", share.id, details=details)

    @read
    def get_share(self, db: Connection, id: str) -> tuple[Share, str]:
        row = first_row(db, f"SELECT {_COLUMNS}, body FROM share WHERE id = ? AND {_THERE}", (id,))
        if row is None:
            raise NotFound("There is nothing shared at this address; ask for a new link.")
        *values, body = row
        return _share(values), require_json(body)

    @write
    def count_reading(self, db: Connection, id: str) -> None:
        db.execute("UPDATE share SET readings = readings + 1 WHERE id = ?", (id,))

    @read
    def list_shares(self, db: Connection, principal: Principal) -> list[Share]:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM share WHERE owner = ? AND {_THERE} ORDER BY created DESC, id DESC", (principal.id,)
        )
        return decode_rows(rows, _share, self.database.damage.noting("shared links"))

    @erase
    def delete_share(self, db: Connection, principal: Principal, id: str) -> None:
        db.execute("DELETE FROM share WHERE id = ? AND owner = ?", (id, principal.id))
        if not db.changes():
            raise NotFound(f"There is no share {id!r}.")
        append_act(db, principal, "share.revoked", id)


@row_decoder
def _share(row: Any) -> Share:
    *values, house, reviewer = row
    return Share(*values, house=bool(house), reviewer=reviewer)
