"""Conversations: begun, listed, changed, named."""

from __future__ import annotations

from typing import Any

import apsw
import orjson

from eclair.errors import Conflict, NotFound
from eclair.schema.messages import Conversation
from eclair.storage.statements.rows import first, one_view
from eclair.storage.types import Edit, Listed, Place

_COLUMNS = "id, owner, title, created, updated, leaf, pinned, archived, tags, model, mode, web"
_NAMELESS = "id = ? AND owner = ? AND deleted IS NULL AND NOT named"


def _conversation(row: tuple[Any, ...]) -> Conversation:
    id, owner, title, created, updated, leaf, pinned, archived, tags, model, mode, web = row
    flags = bool(pinned), bool(archived)
    return Conversation(id, owner, title, created, updated, leaf, *flags, tuple(orjson.loads(tags)), model, mode, web)


def owned(db: apsw.Connection, owner: str, id: str) -> Conversation:
    row = first(db, f"SELECT {_COLUMNS} FROM conversation WHERE id = ? AND owner = ? AND deleted IS NULL", (id, owner))
    if row is None:
        raise NotFound(f"There is no conversation {id!r}.")
    return _conversation(row)


def holds(db: apsw.Connection, conversation: str, message: str) -> None:
    """Raise NotFound unless that message is in it."""
    if first(db, "SELECT 1 FROM message WHERE id = ? AND conversation = ?", (message, conversation)) is None:
        raise NotFound(f"There is no message {message!r} in this conversation.")


def begun(db: apsw.Connection, new: Conversation) -> Conversation:
    """The conversation, made unless it is there."""
    row = first(db, f"SELECT deleted, {_COLUMNS} FROM conversation WHERE id = ?", (new.id,))
    if row is None:
        db.execute(
            f"INSERT INTO conversation ({_COLUMNS}, named) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?3 <> '')",
            (
                new.id,
                new.owner,
                new.title,
                new.created,
                new.updated,
                new.leaf,
                new.pinned,
                new.archived,
                orjson.dumps(new.tags).decode(),
                new.model,
                new.mode,
                new.web,
            ),
        )
        return new
    deleted, *values = row
    kept = _conversation(tuple(values))
    if kept.owner != new.owner:
        raise Conflict(f"The id {new.id!r} is taken; leave it out to be given one.")
    if deleted is not None:
        raise Conflict(f"The conversation {new.id!r} was deleted; restore it, or leave the id out for a new one.")
    return kept


def page(
    db: apsw.Connection, owner: str, limit: int, *, archived: bool, tag: str | None, before: Place | None
) -> Listed:
    with one_view(db):  # what is pinned meanwhile is in one of the two, not in both or none
        pinned = _shelf(db, owner, "pinned", tag, None, -1) if before is None and not archived else []
        found = _shelf(db, owner, "archive" if archived else "list", tag, before, limit + 1)
    shown = found[:limit]
    return Listed(pinned, shown, Place(shown[-1].updated, shown[-1].id) if len(found) > limit else None)


def _shelf(
    db: apsw.Connection, owner: str, shelf: str, tag: str | None, before: Place | None, limit: int
) -> list[Conversation]:
    """Conversations of one shelf, newest change first; a `limit` of -1 is all of them."""
    values: list[Any] = [owner, shelf]
    more = ""
    if tag is not None:
        more += " AND EXISTS (SELECT 1 FROM json_each(tags) WHERE value = ?)"
        values.append(tag)
    if before is not None:
        more += " AND (updated, id) < (?, ?)"
        values += [before.updated, before.id]
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM conversation WHERE owner = ? AND shelf = ?{more}"
        " ORDER BY updated DESC, id DESC LIMIT ?",
        (*values, limit),
    )
    return [_conversation(row) for row in rows]


def ids(db: apsw.Connection, owner: str) -> list[str]:
    rows = db.execute("SELECT id FROM conversation WHERE owner = ? AND deleted IS NULL ORDER BY created, id", (owner,))
    return [id for (id,) in rows]


def count(db: apsw.Connection, owner: str) -> int:
    (found,) = first(db, "SELECT count(*) FROM conversation WHERE owner = ? AND shelf <> 'deleted'", (owner,))
    return found


def tags(db: apsw.Connection, owner: str, *, archived: bool) -> dict[str, int]:
    rows = db.execute(
        "SELECT value, count(*) FROM conversation, json_each(tags)"
        " WHERE owner = ? AND deleted IS NULL AND archived = ? GROUP BY value",
        (owner, archived),
    )
    return dict(sorted(rows, key=lambda row: (row[0].casefold(), row[0])))


def change(db: apsw.Connection, owner: str, id: str, edit: Edit) -> Conversation:
    owned(db, owner, id)
    if edit.leaf is not None:
        holds(db, id, edit.leaf)
    tags = None if edit.tags is None else orjson.dumps(edit.tags).decode()
    db.execute(
        "UPDATE conversation SET title = coalesce(?1, title), named = named OR ?1 IS NOT NULL,"
        " leaf = coalesce(?2, leaf), pinned = coalesce(?3, pinned), archived = coalesce(?4, archived),"
        " tags = coalesce(?5, tags), model = nullif(coalesce(?6, model), ''), mode = nullif(coalesce(?7, mode), ''),"
        " web = nullif(coalesce(?8, web), '') WHERE id = ?9",
        (edit.title, edit.leaf, edit.pinned, edit.archived, tags, edit.model, edit.mode, edit.web, id),
    )
    return owned(db, owner, id)


def may_be_named(db: apsw.Connection, owner: str, id: str) -> bool:
    return first(db, f"SELECT 1 FROM conversation WHERE {_NAMELESS}", (id, owner)) is not None


def name(db: apsw.Connection, owner: str, id: str, title: str) -> bool:
    db.execute(f"UPDATE conversation SET title = ? WHERE {_NAMELESS}", (title, id, owner))
    return db.changes() > 0
