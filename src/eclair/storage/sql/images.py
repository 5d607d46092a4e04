"""Generated images in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields, replace
from typing import Any

from eclair.errors import NotFound
from eclair.schema.images import GeneratedImage
from eclair.schema.principal import Principal
from eclair.storage.images import ImagePage
from eclair.storage.sql import conversations
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.messages import parse_words, require_message
from eclair.storage.sql.shared_messages import erase_image
from eclair.storage.sql.store import SQLStore, first_row, read, read_planned, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

_NAMES = [field.name for field in fields(GeneratedImage)]
_COLUMNS = ", ".join(f"picture.{name}" for name in _NAMES)
_VISIBLE = (
    "FROM picture LEFT JOIN conversation ON conversation.id = picture.conversation"
    " WHERE picture.owner = ? AND conversation.deleted IS NULL"
)


class SQLImageStore(SQLStore):
    """Implements `ImageStore`."""

    @write
    def add_image(
        self, db: Connection, principal: Principal, picture: GeneratedImage, message: str | None = None
    ) -> None:
        if picture.conversation is not None:
            conversations.find(db, principal, picture.conversation)
            if message is not None:
                require_message(db, picture.conversation, message)
        marks = ", ".join("?" for _ in _NAMES)
        db.execute(
            f"INSERT INTO picture ({', '.join(_NAMES)}, message) VALUES ({marks}, ?)",
            (*astuple(replace(picture, owner=principal.id)), message),
        )
        self.database.text_index.put_image(db, picture.id, picture.prompt)

    @read
    def get_image(self, db: Connection, principal: Principal, id: str) -> GeneratedImage:
        return _find(db, principal, id)

    @read_planned
    def list_images(
        self, db: Connection, principal: Principal, limit: int, *, words: str = "", before: str | None = None
    ) -> ImagePage:
        values: list[Any] = [principal.id]
        more = ""
        if words.strip():
            if not (terms := parse_words(words)):
                return ImagePage([], None)
            condition, value = self.database.text_index.image_condition(terms)
            more += f" AND {condition}"
            values.append(value)
        if before is not None:
            more += " AND picture.id < ?"
            values.append(before)
        rows = db.execute(f"SELECT {_COLUMNS} {_VISIBLE}{more} ORDER BY picture.id DESC LIMIT ?", (*values, limit + 1))
        found = decode_rows(rows, _image, self.database.damage.noting("images"))
        return ImagePage(found[:limit], found[limit - 1].id if len(found) > limit else None)

    async def delete_image(self, principal: Principal, id: str) -> None:
        await self._delete(principal, id)
        await self.empty_log()

    @write
    def _delete(self, db: Connection, principal: Principal, id: str) -> None:
        _find(db, principal, id)
        db.execute("DELETE FROM picture WHERE id = ?", (id,))
        erase_image(db, id)

    @read
    def list_orphaned_blobs(self, db: Connection) -> list[str]:
        rows = db.execute(
            "SELECT blob FROM picture_gone WHERE NOT EXISTS (SELECT 1 FROM picture WHERE blob = picture_gone.blob)"
            " AND NOT EXISTS (SELECT 1 FROM picture WHERE thumbnail = picture_gone.blob)"
        )
        return [blob for (blob,) in rows]

    @write
    def forget_blobs(self, db: Connection, blobs: Sequence[str]) -> None:
        db.executemany("DELETE FROM picture_gone WHERE blob = ?", [(blob,) for blob in blobs])

    @read
    def list_blobs(self, db: Connection) -> set[str]:
        return {blob for (blob,) in db.execute("SELECT blob FROM picture UNION SELECT thumbnail FROM picture")}


def _find(db: Connection, principal: Principal, id: str) -> GeneratedImage:
    row = first_row(db, f"SELECT {_COLUMNS} {_VISIBLE} AND picture.id = ?", (principal.id, id))
    if row is None:
        raise NotFound(f"There is no image {id!r}.")
    return _image(row)


@row_decoder
def _image(row: Sequence[Any]) -> GeneratedImage:
    return GeneratedImage(*row)
