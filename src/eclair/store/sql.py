"""The store on SQLite: what each table means and every statement that touches it."""

from __future__ import annotations

import contextlib
import re
import time
import unicodedata
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import apsw
import orjson
from pydantic import TypeAdapter

from eclair.errors import Conflict, NotFound
from eclair.ids import Clock
from eclair.messages import Conversation, Hit, Message
from eclair.store.base import Chunk, Edit, Listed, NewTurn, Place, RunRecord, Share
from eclair.store.database import Database, translated
from eclair.store.lease import Lease, held

_MESSAGE: TypeAdapter[Message] = TypeAdapter(Message)
_CONVERSATION = "id, owner, title, created, updated, leaf, pinned, archived, tags"
_SHARE = "id, owner, conversation, title, created, expires"
_RUN = "id, conversation, message, process, status"
FOREVER = 0
"""When that was deleted which nobody can bring back."""
_NAMELESS = "id = ? AND owner = ? AND deleted IS NULL AND NOT named"
_SHARED = "EXISTS (SELECT 1 FROM conversation WHERE conversation.id = share.conversation AND deleted IS NULL)"
_WORD = re.compile(r"\w+")
MOST_WORDS = 32
"""Words of a search that are looked for; each costs, and no one types more."""


class SQLStore:
    """Implements `Store`; see there for what each method promises."""

    def __init__(self, database: Database, lease: Lease, leases: Path, clock: Clock = time.time) -> None:
        self._database = database
        self._lease = lease
        self._leases = leases
        self._clock = clock

    @classmethod
    def open(cls, folder: Path, clock: Clock = time.time) -> SQLStore:
        """Open the database in `folder`, making both if need be. Raises StoreError."""
        leases = folder / "leases"
        with translated(leases):
            lease = Lease.take(leases)
        try:
            return cls(Database.open(folder / "eclair.db"), lease, leases, clock)
        except BaseException:
            lease.release()
            raise

    @property
    def process(self) -> str:
        return self._lease.name

    def alive(self, process: str) -> bool:
        return process == self.process or held(self._leases, process)

    async def close(self) -> None:
        await self._database.close()
        self._lease.release()

    async def add_conversation(self, conversation: Conversation) -> Conversation:
        return await self._database.write(lambda db: _begun(db, conversation))

    async def conversation(self, owner: str, id: str) -> Conversation:
        return await self._database.read(lambda db: _owned(db, owner, id))

    async def conversations(
        self, owner: str, limit: int, *, archived: bool = False, tag: str | None = None, before: Place | None = None
    ) -> Listed:
        def work(db: apsw.Connection) -> Listed:
            with _one_view(db):  # what is pinned meanwhile is in one of the two, not in both or none
                first = before is None and not archived
                pinned = _shelf(db, owner, "pinned", tag, None, -1) if first else []
                found = _shelf(db, owner, "archive" if archived else "list", tag, before, limit + 1)
            page = found[:limit]
            return Listed(pinned, page, Place(page[-1].updated, page[-1].id) if len(found) > limit else None)

        return await self._database.read(work)

    async def conversation_ids(self, owner: str) -> list[str]:
        def work(db: apsw.Connection) -> list[str]:
            rows = db.execute(
                "SELECT id FROM conversation WHERE owner = ? AND deleted IS NULL ORDER BY created, id", (owner,)
            )
            return [id for (id,) in rows]

        return await self._database.read(work)

    async def tags(self, owner: str, *, archived: bool = False) -> dict[str, int]:
        def work(db: apsw.Connection) -> dict[str, int]:
            rows = db.execute(
                "SELECT value, count(*) FROM conversation, json_each(tags)"
                " WHERE owner = ? AND deleted IS NULL AND archived = ? GROUP BY value",
                (owner, archived),
            )
            return dict(sorted(rows, key=lambda row: (row[0].casefold(), row[0])))

        return await self._database.read(work)

    async def change_conversation(self, owner: str, id: str, edit: Edit) -> Conversation:
        def work(db: apsw.Connection) -> Conversation:
            _owned(db, owner, id)
            if edit.leaf is not None:
                _belongs(db, edit.leaf, id)
            tags = None if edit.tags is None else orjson.dumps(edit.tags).decode()
            db.execute(
                "UPDATE conversation SET title = coalesce(?1, title), named = named OR ?1 IS NOT NULL,"
                " leaf = coalesce(?2, leaf), pinned = coalesce(?3, pinned), archived = coalesce(?4, archived),"
                " tags = coalesce(?5, tags) WHERE id = ?6",
                (edit.title, edit.leaf, edit.pinned, edit.archived, tags, id),
            )
            return _owned(db, owner, id)

        return await self._database.write(work)

    async def may_be_named(self, owner: str, id: str) -> bool:
        def work(db: apsw.Connection) -> bool:
            return _first(db, f"SELECT 1 FROM conversation WHERE {_NAMELESS}", (id, owner)) is not None

        return await self._database.read(work)

    async def name_conversation(self, owner: str, id: str, title: str) -> bool:
        def work(db: apsw.Connection) -> bool:
            db.execute(f"UPDATE conversation SET title = ? WHERE {_NAMELESS}", (title, id, owner))
            return db.changes() > 0

        return await self._database.write(work)

    async def add_tree(self, conversation: Conversation, messages: Sequence[Message]) -> bool:
        def work(db: apsw.Connection) -> bool:
            db.execute("DELETE FROM conversation WHERE id = ? AND deleted IS NOT NULL", (conversation.id,))
            if _begun(db, conversation) is not conversation:
                return False
            for message in messages:
                _insert(db, message)
            if conversation.leaf is not None:
                _belongs(db, conversation.leaf, conversation.id)
            return True

        return await self._database.write(work)

    async def delete_conversation(self, owner: str, id: str, *, forever: bool = False) -> None:
        def work(db: apsw.Connection) -> None:
            if not forever:
                _owned(db, owner, id)
            _refuse_while_busy(
                db, "conversation IN (SELECT id FROM conversation WHERE id = ? AND owner = ?)", (id, owner)
            )
            db.execute(
                "UPDATE conversation SET deleted = ? WHERE id = ? AND owner = ?",
                (FOREVER if forever else int(self._clock() * 1000), id, owner),
            )
            if not db.changes():
                raise NotFound(f"There is no conversation {id!r}.")

        await self._database.write(work)

    async def delete_all(self, owner: str) -> None:
        def work(db: apsw.Connection) -> None:
            _refuse_while_busy(db, "conversation IN (SELECT id FROM conversation WHERE owner = ?)", (owner,))
            db.execute("UPDATE conversation SET deleted = ? WHERE owner = ?", (FOREVER, owner))

        await self._database.write(work)

    async def restore_conversation(self, owner: str, id: str, since: int) -> Conversation:
        def work(db: apsw.Connection) -> Conversation:
            db.execute(
                "UPDATE conversation SET deleted = NULL WHERE id = ? AND owner = ? AND deleted >= ?", (id, owner, since)
            )
            try:
                return _owned(db, owner, id)
            except NotFound:
                raise NotFound(
                    f"There is no conversation {id!r} to bring back; what was deleted stays for ten minutes."
                ) from None

        return await self._database.write(work)

    async def erase_deleted(self, before: int) -> None:
        def due(db: apsw.Connection) -> list[str]:
            return [id for (id,) in db.execute("SELECT id FROM conversation WHERE deleted < ?", (before,))]

        def erase(id: str) -> Callable[[apsw.Connection], object]:
            return lambda db: db.execute("DELETE FROM conversation WHERE id = ? AND deleted < ?", (id, before))

        ids = await self._database.read(due)
        for id in ids:  # each by itself: others write in between
            await self._database.write(erase(id))
        if ids:  # the write-ahead log holds it still
            await self._database.read(lambda db: list(db.execute("PRAGMA wal_checkpoint(TRUNCATE)")))

    async def delete_message(self, owner: str, id: str, message: str) -> Conversation:
        def work(db: apsw.Connection) -> Conversation:
            kept = _owned(db, owner, id)
            _belongs(db, message, id)
            _refuse_while_busy(db, "conversation = ?", (id,))
            (parent,) = _first(db, "SELECT parent FROM message WHERE id = ?", (message,))
            db.execute(
                "WITH RECURSIVE below (id) AS (VALUES (?) UNION ALL"
                " SELECT message.id FROM message JOIN below ON message.parent = below.id)"
                " DELETE FROM message WHERE id IN (SELECT id FROM below)",
                (message,),
            )
            if kept.leaf is not None and _first(db, "SELECT 1 FROM message WHERE id = ?", (kept.leaf,)) is None:
                leaf = _newest_leaf(db, id, parent)
                db.execute("UPDATE conversation SET leaf = ? WHERE id = ?", (leaf, id))
            return _owned(db, owner, id)

        return await self._database.write(work)

    async def version(self) -> int:
        def work(db: apsw.Connection) -> int:
            version = db.pragma("data_version")
            assert isinstance(version, int)
            return version

        return await self._database.write(work)  # to the connection that writes, what it writes is no change

    async def tree(self, owner: str, id: str) -> tuple[Conversation, list[Message]]:
        def work(db: apsw.Connection) -> tuple[Conversation, list[Message]]:
            conversation = _owned(db, owner, id)
            rows = db.execute("SELECT body FROM message WHERE conversation = ? ORDER BY number", (id,))
            return conversation, [_MESSAGE.validate_json(body) for (body,) in rows]

        return await self._database.read(work)

    async def search(self, owner: str, words: str, limit: int) -> list[Hit]:
        wanted = _WORD.findall(unicodedata.normalize("NFC", words))[:MOST_WORDS]
        query = " ".join(f'"{word}"*' for word in wanted)
        if not query:
            return []

        def work(db: apsw.Connection) -> list[Hit]:
            rows = db.execute(
                "SELECT conversation.id, conversation.title, message.id, message.body ->> 'role',"
                " message.body ->> 'created', snippet(message_text, 0, char(0xE000), char(0xE001), '…', 16)"
                " FROM message_text JOIN message ON message.number = message_text.rowid"
                " JOIN conversation ON conversation.id = message.conversation"
                " WHERE message_text MATCH ? AND owner = ? AND deleted IS NULL ORDER BY message_text.rank LIMIT ?",
                (query, owner, limit),
            )
            return [Hit(*row) for row in rows]

        return await self._database.read(work)

    async def open_turn(self, turn: NewTurn) -> RunRecord:
        return await self._database.write(lambda db: _open_turn(db, turn, int(self._clock() * 1000)))

    async def append(self, chunks: list[Chunk]) -> None:
        await self._database.write(lambda db: _append(db, chunks))

    async def close_run(self, run: RunRecord, message: Message, rest: Chunk | None) -> None:
        def work(db: apsw.Connection) -> None:
            db.execute("UPDATE run SET status = ? WHERE id = ? AND status = 'running'", (message.status, run.id))
            if not db.changes():  # another process ended it first
                return
            if rest is not None:
                _append(db, [rest])
            db.execute(
                "UPDATE message SET text = ?, body = ? WHERE id = ?",
                (message.text, _json(message), message.id),
            )
            db.execute(
                "UPDATE conversation SET updated = max(updated, ?) WHERE id = ?",
                (int(self._clock() * 1000), run.conversation),
            )

        await self._database.write(work)

    async def run(self, owner: str, id: str) -> RunRecord:
        def work(db: apsw.Connection) -> RunRecord:
            row = _first(
                db,
                "SELECT run.id, conversation, message, process, status FROM run"
                " JOIN conversation ON conversation.id = run.conversation"
                " WHERE run.id = ? AND owner = ? AND deleted IS NULL",
                (id, owner),
            )
            if row is None:
                raise NotFound(f"There is no run {id!r}.")
            return RunRecord(*row)

        return await self._database.read(work)

    async def chunks(self, run: str, after: int) -> list[Chunk]:
        def work(db: apsw.Connection) -> list[Chunk]:
            rows = db.execute("SELECT last, lines FROM chunk WHERE run = ? AND last > ? ORDER BY last", (run, after))
            return [Chunk(run, last, lines.encode()) for last, lines in rows]

        return await self._database.read(work)

    async def running(self, conversation: str | None = None) -> list[RunRecord]:
        def work(db: apsw.Connection) -> list[RunRecord]:
            rows = db.execute(
                f"SELECT {_RUN} FROM run WHERE status = 'running' AND coalesce(conversation = ?, true)",
                (conversation,),
            )
            return [RunRecord(*row) for row in rows]

        return await self._database.read(work)

    async def add_share(self, share: Share, body: str) -> None:
        def work(db: apsw.Connection) -> None:
            _owned(db, share.owner, share.conversation)
            db.execute(
                f"INSERT INTO share ({_SHARE}, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
                (share.id, share.owner, share.conversation, share.title, share.created, share.expires, body),
            )

        await self._database.write(work)

    async def shares(self, owner: str) -> list[Share]:
        def work(db: apsw.Connection) -> list[Share]:
            rows = db.execute(
                f"SELECT {_SHARE} FROM share WHERE owner = ? AND {_SHARED} ORDER BY created DESC, id DESC", (owner,)
            )
            return [Share(*row) for row in rows]

        return await self._database.read(work)

    async def share(self, id: str) -> tuple[Share, str]:
        def work(db: apsw.Connection) -> tuple[Share, str]:
            row = _first(db, f"SELECT {_SHARE}, body FROM share WHERE id = ? AND {_SHARED}", (id,))
            if row is None:
                raise NotFound("There is nothing shared at this address; ask for a new link.")
            *values, body = row
            return Share(*values), body

        return await self._database.read(work)

    async def delete_share(self, owner: str, id: str) -> None:
        def work(db: apsw.Connection) -> None:
            db.execute("DELETE FROM share WHERE id = ? AND owner = ?", (id, owner))
            if not db.changes():
                raise NotFound(f"There is no share {id!r}.")

        await self._database.write(work)

    async def preferences(self, owner: str) -> tuple[int, str]:
        return await self._database.read(lambda db: _preferences(db, owner))

    async def change_preferences(self, owner: str, version: int, body: str) -> int:
        def work(db: apsw.Connection) -> int:
            if _preferences(db, owner)[0] != version:
                raise Conflict("The preferences were changed elsewhere meanwhile; read them again.")
            db.execute(
                "INSERT INTO preference (owner, version, body) VALUES (?1, ?2, ?3)"
                " ON CONFLICT (owner) DO UPDATE SET version = ?2, body = ?3",
                (owner, version + 1, body),
            )
            return version + 1

        return await self._database.write(work)


@contextlib.contextmanager
def _one_view(db: apsw.Connection) -> Generator[None]:
    """What is read within is of one moment."""
    db.execute("BEGIN")
    try:
        yield
    finally:
        db.execute("COMMIT")


def _first(db: apsw.Connection, statement: str, values: tuple[Any, ...]) -> Any:
    return next(iter(db.execute(statement, values)), None)


def _json(message: Message) -> str:
    return orjson.dumps(message).decode()


def _conversation(row: tuple[Any, ...]) -> Conversation:
    id, owner, title, created, updated, leaf, pinned, archived, tags = row
    return Conversation(
        id, owner, title, created, updated, leaf, bool(pinned), bool(archived), tuple(orjson.loads(tags))
    )


def _owned(db: apsw.Connection, owner: str, id: str) -> Conversation:
    row = _first(
        db, f"SELECT {_CONVERSATION} FROM conversation WHERE id = ? AND owner = ? AND deleted IS NULL", (id, owner)
    )
    if row is None:
        raise NotFound(f"There is no conversation {id!r}.")
    return _conversation(row)


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
        f"SELECT {_CONVERSATION} FROM conversation WHERE owner = ? AND shelf = ?{more}"
        " ORDER BY updated DESC, id DESC LIMIT ?",
        (*values, limit),
    )
    return [_conversation(row) for row in rows]


def _begun(db: apsw.Connection, new: Conversation) -> Conversation:
    """The conversation, made unless it is there."""
    row = _first(db, f"SELECT deleted, {_CONVERSATION} FROM conversation WHERE id = ?", (new.id,))
    if row is None:
        db.execute(
            f"INSERT INTO conversation ({_CONVERSATION}, named) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?3 <> '')",
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


def _preferences(db: apsw.Connection, owner: str) -> tuple[int, str]:
    row = _first(db, "SELECT version, body FROM preference WHERE owner = ?", (owner,))
    return (0, "{}") if row is None else (row[0], row[1])


def _refuse_while_busy(db: apsw.Connection, which: str, values: tuple[Any, ...]) -> None:
    """Raise Conflict where one of these runs is at work."""
    busy = _first(db, f"SELECT id FROM run WHERE status = 'running' AND {which} LIMIT 1", values)
    if busy is not None:
        raise Conflict("This conversation is still answering; stop that answer or wait for it.", run=busy[0])


def _newest_leaf(db: apsw.Connection, conversation: str, parent: str | None) -> str | None:
    """The end of the newest branch under `parent`, which may be `parent` itself."""
    leaf = parent
    while True:
        below = _first(
            db,
            "SELECT id FROM message WHERE conversation = ? AND parent IS ? ORDER BY number DESC LIMIT 1",
            (conversation, leaf),
        )
        if below is None:
            return leaf
        leaf = below[0]


def _belongs(db: apsw.Connection, message: str, conversation: str) -> None:
    if _first(db, "SELECT 1 FROM message WHERE id = ? AND conversation = ?", (message, conversation)) is None:
        raise NotFound(f"There is no message {message!r} in this conversation.")


def _append(db: apsw.Connection, chunks: list[Chunk]) -> None:
    db.executemany(
        "INSERT INTO chunk (run, last, lines) SELECT ?1, ?2, ?3"
        " WHERE EXISTS (SELECT 1 FROM run WHERE id = ?1)",  # it may have been deleted meanwhile
        [(chunk.run, chunk.last, chunk.lines.decode()) for chunk in chunks],
    )


def _insert(db: apsw.Connection, message: Message) -> None:
    if _first(db, "SELECT 1 FROM message WHERE id = ?", (message.id,)) is not None:
        raise Conflict(f"The id {message.id!r} is taken; leave it out to be given one.")
    if message.parent is not None:
        _belongs(db, message.parent, message.conversation)
    db.execute(
        "INSERT INTO message (id, conversation, parent, text, body) VALUES (?, ?, ?, ?, ?)",
        (message.id, message.conversation, message.parent, message.text, _json(message)),
    )


def _open_turn(db: apsw.Connection, turn: NewTurn, now: int) -> RunRecord:
    conversation = _begun(db, turn.begins) if turn.begins else _owned(db, turn.owner, turn.run.conversation)
    if turn.question is not None:
        repeated = _first(
            db,
            "SELECT run.id, run.conversation, message, process, status FROM run"
            " JOIN message ON message.id = run.message WHERE message.parent = ? AND run.conversation = ?"
            " ORDER BY message.number LIMIT 1",
            (turn.question.id, conversation.id),
        )
        if repeated is not None:
            return RunRecord(*repeated)
    _refuse_while_busy(db, "conversation = ?", (conversation.id,))
    if turn.question is not None:
        _insert(db, turn.question)
    _insert(db, turn.answer)
    db.execute(
        f"INSERT INTO run ({_RUN}) VALUES (?, ?, ?, ?, ?)",
        (turn.run.id, turn.run.conversation, turn.run.message, turn.run.process, turn.run.status),
    )
    _append(db, [turn.first])
    db.execute(
        "UPDATE conversation SET leaf = ?, updated = max(updated, ?), title = iif(title = '', ?, title) WHERE id = ?",
        (turn.answer.id, now, turn.title, conversation.id),
    )
    return turn.run
