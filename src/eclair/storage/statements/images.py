"""Pictures that were made: added, listed, found by what they were to show, deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, fields
from typing import Any

import apsw

from eclair.errors import NotFound
from eclair.schema.images import Picture
from eclair.storage.images import ListedPictures
from eclair.storage.statements.conversations import holds
from eclair.storage.statements.conversations import owned as conversation_of
from eclair.storage.statements.rows import first
from eclair.storage.statements.trees import matching

_NAMES = [field.name for field in fields(Picture)]
_COLUMNS = ", ".join(f"picture.{name}" for name in _NAMES)
_SEEN = (
    "FROM picture LEFT JOIN conversation ON conversation.id = picture.conversation"
    " WHERE picture.owner = ? AND conversation.deleted IS NULL"
)


def add(db: apsw.Connection, picture: Picture, message: str | None) -> None:
    if picture.conversation is not None:
        conversation_of(db, picture.owner, picture.conversation)
        if message is not None:
            holds(db, picture.conversation, message)
    marks = ", ".join("?" for _ in _NAMES)
    db.execute(f"INSERT INTO picture ({', '.join(_NAMES)}, message) VALUES ({marks}, ?)", (*astuple(picture), message))


def owned(db: apsw.Connection, owner: str, id: str) -> Picture:
    row = first(db, f"SELECT {_COLUMNS} {_SEEN} AND picture.id = ?", (owner, id))
    if row is None:
        raise NotFound(f"There is no picture {id!r}.")
    return Picture(*row)


def page(db: apsw.Connection, owner: str, limit: int, words: str, before: str | None) -> ListedPictures:
    values: list[Any] = [owner]
    more = ""
    if words.strip():
        if not (query := matching(words)):
            return ListedPictures([], None)
        more += " AND picture.number IN (SELECT rowid FROM picture_text WHERE picture_text MATCH ?)"
        values.append(query)
    if before is not None:
        more += " AND picture.id < ?"
        values.append(before)
    rows = db.execute(f"SELECT {_COLUMNS} {_SEEN}{more} ORDER BY picture.id DESC LIMIT ?", (*values, limit + 1))
    found = [Picture(*row) for row in rows]
    return ListedPictures(found[:limit], found[limit - 1].id if len(found) > limit else None)


def delete(db: apsw.Connection, owner: str, id: str) -> None:
    owned(db, owner, id)
    db.execute("DELETE FROM picture WHERE id = ?", (id,))


def gone(db: apsw.Connection) -> list[str]:
    rows = db.execute(
        "SELECT blob FROM picture_gone WHERE NOT EXISTS (SELECT 1 FROM picture WHERE blob = picture_gone.blob)"
        " AND NOT EXISTS (SELECT 1 FROM picture WHERE thumbnail = picture_gone.blob)"
    )
    return [blob for (blob,) in rows]


def forget(db: apsw.Connection, blobs: Sequence[str]) -> None:
    db.executemany("DELETE FROM picture_gone WHERE blob = ?", [(blob,) for blob in blobs])


def held(db: apsw.Connection) -> set[str]:
    return {blob for (blob,) in db.execute("SELECT blob FROM picture UNION SELECT thumbnail FROM picture")}
