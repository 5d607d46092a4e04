"""What is deleted, brought back, and erased.

`deleted` is the millisecond at which a conversation was deleted. No two deletions have the same one, so that it names
what was deleted together.
"""

from __future__ import annotations

import apsw

from eclair.errors import NotFound
from eclair.schema.messages import Conversation
from eclair.storage.statements.conversations import holds, owned
from eclair.storage.statements.rows import first
from eclair.storage.statements.runs import refuse_while_busy
from eclair.storage.statements.trees import newest_leaf
from eclair.storage.types import Deleted

FOREVER = 0
"""When that was deleted which nobody can bring back."""


def delete(db: apsw.Connection, owner: str, id: str, now: int, *, forever: bool) -> None:
    if not forever:
        owned(db, owner, id)
    refuse_while_busy(db, "conversation IN (SELECT id FROM conversation WHERE id = ? AND owner = ?)", (id, owner))
    db.execute(
        "UPDATE conversation SET deleted = ? WHERE id = ? AND owner = ?",
        (FOREVER if forever else _moment(db, now), id, owner),
    )
    if not db.changes():
        raise NotFound(f"There is no conversation {id!r}.")


def delete_all(db: apsw.Connection, owner: str, now: int, *, forever: bool) -> Deleted:
    refuse_while_busy(db, "conversation IN (SELECT id FROM conversation WHERE owner = ?)", (owner,))
    moment = _moment(db, now)
    db.execute("UPDATE conversation SET deleted = ? WHERE owner = ? AND deleted IS NULL", (moment, owner))
    deleted = Deleted(db.changes(), moment)
    if forever:
        db.execute("UPDATE conversation SET deleted = ? WHERE owner = ?", (FOREVER, owner))
    return deleted


def restore(db: apsw.Connection, owner: str, id: str, since: int) -> Conversation:
    db.execute("UPDATE conversation SET deleted = NULL WHERE id = ? AND owner = ? AND deleted >= ?", (id, owner, since))
    try:
        return owned(db, owner, id)
    except NotFound:
        raise NotFound(
            f"There is no conversation {id!r} to bring back; what was deleted stays for ten minutes."
        ) from None


def restore_all(db: apsw.Connection, owner: str, moment: int, since: int) -> int:
    db.execute(
        "UPDATE conversation SET deleted = NULL WHERE owner = ? AND deleted = ? AND deleted >= ?",
        (owner, moment, since),
    )
    if not db.changes():
        raise NotFound("There is nothing of that deletion to bring back; what was deleted stays for ten minutes.")
    return db.changes()


def due(db: apsw.Connection, before: int) -> list[str]:
    """Those that are to be erased."""
    return [id for (id,) in db.execute("SELECT id FROM conversation WHERE deleted < ?", (before,))]


def erase(db: apsw.Connection, id: str, before: int) -> None:
    db.execute("DELETE FROM conversation WHERE id = ? AND deleted < ?", (id, before))


def empty_log(db: apsw.Connection) -> None:
    """The write-ahead log still holds what was erased."""
    list(db.execute("PRAGMA wal_checkpoint(TRUNCATE)"))


def delete_message(db: apsw.Connection, owner: str, id: str, message: str) -> Conversation:
    kept = owned(db, owner, id)
    holds(db, id, message)
    refuse_while_busy(db, "conversation = ?", (id,))
    (parent,) = first(db, "SELECT parent FROM message WHERE id = ?", (message,))
    db.execute(
        "WITH RECURSIVE below (id) AS (VALUES (?) UNION ALL"
        " SELECT message.id FROM message JOIN below ON message.parent = below.id)"
        " DELETE FROM message WHERE id IN (SELECT id FROM below)",
        (message,),
    )
    if kept.leaf is not None and first(db, "SELECT 1 FROM message WHERE id = ?", (kept.leaf,)) is None:
        leaf = newest_leaf(db, id, parent)
        db.execute("UPDATE conversation SET leaf = ? WHERE id = ?", (leaf, id))
    return owned(db, owner, id)


def _moment(db: apsw.Connection, now: int) -> int:
    """The first millisecond from now on at which nothing else was deleted."""
    while first(db, "SELECT 1 FROM conversation WHERE deleted = ?", (now,)) is not None:
        now += 1
    return now
