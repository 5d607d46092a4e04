"""Conversations in SQL.

`deleted` is the millisecond at which a conversation was deleted. No two deletions share one, so it names what was
deleted together.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, replace
from typing import Any

import apsw
import orjson

from eclair.errors import Conflict, NotFound
from eclair.schema.messages import Conversation, Hit, Message, NameHit
from eclair.schema.principal import Principal
from eclair.storage.conversations import (
    ConversationCursor,
    ConversationEdit,
    ConversationPage,
    Deletion,
    InactiveConversations,
    ProjectScope,
)
from eclair.storage.sql import bulk_erasure
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.messages import (
    find_newest_leaf,
    insert_message,
    list_messages,
    parse_words,
    require_message,
)
from eclair.storage.sql.name_search import find_names
from eclair.storage.sql.projects import require_project
from eclair.storage.sql.retention import HELD
from eclair.storage.sql.shared_messages import erase_messages
from eclair.storage.sql.store import (
    MAX_INTEGER,
    SQLStore,
    erase,
    first_row,
    overwrite,
    paced,
    read,
    read_brief,
    search,
    snapshot,
    write,
    write_brief,
)
from eclair.storage.sql.stored_rows import decode_list, decode_rows, row_decoder, skip_unreadable

FOREVER = 0
"""The moment of a deletion that nobody can undo."""

EXPIRED_PER_STEP = 500

_CHOICES = "model, mode, web, temperature, max_tokens, system"
_MORE = "branched_from, project_id, memory, unread, assistant_id"
_COLUMNS = f"id, owner, title, created, updated, leaf, pinned, archived, tags, {_CHOICES}, {_MORE}"
_UNTITLED = "id = ? AND owner = ? AND deleted IS NULL AND NOT named"
_INACTIVE = f"updated < ? AND deleted IS NULL AND NOT pinned AND NOT {HELD}"


class SQLConversationStore(SQLStore):
    """Implements `ConversationStore`."""

    @write_brief
    def add_conversation(self, db: Connection, principal: Principal, conversation: Conversation) -> Conversation:
        return find_or_add(db, principal, conversation)

    @overwrite
    def add_tree(
        self, db: Connection, principal: Principal, conversation: Conversation, messages: Sequence[Message]
    ) -> bool:
        db.execute(
            "DELETE FROM conversation WHERE id = ? AND owner = ? AND deleted IS NOT NULL",
            (conversation.id, principal.id),
        )
        if find_or_add(db, principal, conversation) is not conversation:
            return False
        for message in messages:
            insert_message(db, self.database.text_index, message)
        if conversation.leaf is not None:
            require_message(db, conversation.id, conversation.leaf)
        return True

    @read_brief
    def get_conversation(self, db: Connection, principal: Principal, id: str) -> Conversation:
        return find(db, principal, id)

    @read
    def get_tree(self, db: Connection, principal: Principal, id: str) -> tuple[Conversation, list[Message]]:
        conversation = find(db, principal, id)
        messages = list_messages(db, id, self.database.damage.noting("messages"))
        if conversation.leaf is not None and all(message.id != conversation.leaf for message in reversed(messages)):
            self.database.damage.note_row("conversations")
            conversation = replace(conversation, leaf=messages[-1].id if messages else None)
        return conversation, messages

    @read
    def list_conversations(
        self,
        db: Connection,
        principal: Principal,
        limit: int,
        *,
        archived: bool = False,
        tag: str | None = None,
        project_id: str | None = None,
        before: ConversationCursor | None = None,
    ) -> ConversationPage:
        with snapshot(db):  # what is pinned meanwhile is in one of the two lists, not in both or none
            shelves = ("archive",) if archived else ("list",) if project_id is None else ("list", "pinned")
            has_pinned = before is None and shelves == ("list",)
            pinned, _ = (
                self._list_section(db, principal, ("pinned",), tag, None, None, -1) if has_pinned else ([], False)
            )
            found, has_more = self._list_section(db, principal, shelves, tag, project_id, before, limit)
        more = ConversationCursor(found[-1].updated, found[-1].id) if found and has_more else None
        return ConversationPage(pinned, found, more)

    @read
    def list_conversation_ids(self, db: Connection, principal: Principal) -> list[str]:
        rows = db.execute(
            "SELECT id FROM conversation WHERE owner = ? AND deleted IS NULL ORDER BY created, id", (principal.id,)
        )
        ids = skip_unreadable(rows, self.database.damage.noting("conversations"))
        return [id for (id,) in ids if isinstance(id, str)]

    @read
    def count_conversations(self, db: Connection, principal: Principal) -> int:
        (found,) = first_row(
            db, "SELECT count(*) FROM conversation WHERE owner = ? AND shelf <> 'deleted'", (principal.id,)
        )
        return found

    @read
    def count_inactive(self, db: Connection, principal: Principal, before: int) -> InactiveConversations:
        row = first_row(
            db,
            "SELECT count(*) FILTER (WHERE NOT pinned), min(updated) FILTER (WHERE NOT pinned),"
            " max(updated) FILTER (WHERE NOT pinned), count(*) FILTER (WHERE pinned) FROM conversation"
            " WHERE owner = ? AND shelf IN ('list', 'archive', 'pinned') AND updated < ?",
            (principal.id, before),
        )
        return InactiveConversations(*row)

    async def expire_conversations(self, before: int) -> int:
        ids = await self._list_inactive(before)
        return sum(
            [
                await paced(lambda batch=batch: self._expire(batch, before))
                for batch in bulk_erasure.batches(ids, EXPIRED_PER_STEP)
            ]
        )

    @read
    def _list_inactive(self, db: Connection, before: int) -> list[str]:
        return [id for (id,) in db.execute(f"SELECT id FROM conversation WHERE {_INACTIVE}", (before,))]

    @write
    def _expire(self, db: Connection, ids: Sequence[str], before: int) -> int:
        expired = 0
        for id in ids:
            db.execute(
                f"UPDATE conversation SET deleted = {FOREVER} WHERE {_INACTIVE} AND id = ? AND NOT EXISTS"
                " (SELECT 1 FROM run WHERE run.conversation = conversation.id AND status = 'running')",
                (before, id),
            )
            expired += db.changes()
        return expired

    @read
    def count_tags(self, db: Connection, principal: Principal, *, archived: bool = False) -> dict[str, int]:
        rows = db.execute(
            "SELECT value, count(*) FROM conversation, json_each(tags)"
            " WHERE owner = ? AND deleted IS NULL AND archived = ? AND tags <> '[]' AND json_valid(tags)"
            " GROUP BY value",
            (principal.id, archived),
        )
        tags = skip_unreadable(rows, self.database.damage.noting("conversations"))
        named = [row for row in tags if isinstance(row[0], str)]
        return dict(sorted(named, key=lambda row: (row[0].casefold(), row[0])))

    @search
    def search_messages(
        self, db: Connection, principal: Principal, words: str, limit: int, project: ProjectScope | None = None
    ) -> list[Hit]:
        if not (terms := parse_words(words)):
            return []
        note = self.database.damage.noting("messages")
        id = None if project is None else project.id
        return self.database.text_index.find_messages(db, principal, terms, limit, note, id)

    @search
    def search_names(
        self, db: Connection, principal: Principal, words: str, limit: int, project: ProjectScope | None = None
    ) -> list[NameHit]:
        note = self.database.damage.noting("conversations")
        return find_names(db, self.database.text_index, principal, words, limit, note, project)

    @overwrite
    def edit_conversation(self, db: Connection, principal: Principal, id: str, edit: ConversationEdit) -> Conversation:
        find(db, principal, id)
        if edit.leaf is not None:
            require_message(db, id, edit.leaf)
        if edit.project_id is not None:
            require_project(db, principal, edit.project_id)
        changed = {field.name: value for field in fields(edit) if (value := getattr(edit, field.name)) is not None}
        changed |= dict.fromkeys(changed.pop("cleared"))
        if edit.title is not None:
            changed["named"] = True
        if edit.tags is not None:
            changed["tags"] = orjson.dumps(edit.tags).decode()
        if "project_id" in changed:
            db.execute(
                "DELETE FROM project_conversation WHERE conversation = ? AND project <> ?", (id, edit.project_id or "")
            )
        if changed:
            columns = ", ".join(f"{name} = ?" for name in changed)
            db.execute(f"UPDATE conversation SET {columns} WHERE id = ?", (*changed.values(), id))
        return find(db, principal, id)

    @read_brief
    def is_untitled(self, db: Connection, principal: Principal, id: str) -> bool:
        return first_row(db, f"SELECT 1 FROM conversation WHERE {_UNTITLED}", (id, principal.id)) is not None

    @overwrite
    def set_generated_title(self, db: Connection, principal: Principal, id: str, title: str) -> bool:
        db.execute(f"UPDATE conversation SET title = ? WHERE {_UNTITLED}", (title, id, principal.id))
        return db.changes() > 0

    @erase
    def delete_message(self, db: Connection, principal: Principal, id: str, message: str) -> Conversation:
        kept = find(db, principal, id, self.database.row_lock)  # so that no answer begins below what is deleted
        require_message(db, id, message)
        refuse_while_running(db, "conversation = ?", (id,))
        (parent,) = first_row(db, "SELECT parent FROM message WHERE id = ?", (message,))
        rows = db.execute(
            "WITH RECURSIVE below (id) AS (SELECT id FROM message WHERE id = ? UNION ALL"
            " SELECT message.id FROM message JOIN below ON message.parent = below.id) SELECT id FROM below",
            (message,),
        )
        erased = {row[0] for row in rows}
        db.executemany("DELETE FROM message WHERE id = ?", [(each,) for each in erased])
        erase_messages(db, id, erased)
        if kept.leaf is not None and first_row(db, "SELECT 1 FROM message WHERE id = ?", (kept.leaf,)) is None:
            leaf = find_newest_leaf(db, id, parent)
            db.execute("UPDATE conversation SET leaf = ? WHERE id = ?", (leaf, id))
        return find(db, principal, id)

    @write
    def delete_conversation(self, db: Connection, principal: Principal, id: str, *, forever: bool = False) -> None:
        if not forever:
            find(db, principal, id)
        refuse_while_running(
            db, "conversation IN (SELECT id FROM conversation WHERE id = ? AND owner = ?)", (id, principal.id)
        )
        db.execute(
            "UPDATE conversation SET deleted = ? WHERE id = ? AND owner = ?",
            (FOREVER if forever else _free_moment(db, self.now()), id, principal.id),
        )
        if not db.changes():
            raise NotFound(f"There is no conversation {id!r}.")
        append_act(db, principal, "conversation.deleted", id)

    @write
    def delete_all_conversations(self, db: Connection, principal: Principal, *, forever: bool = False) -> Deletion:
        refuse_while_running(db, "conversation IN (SELECT id FROM conversation WHERE owner = ?)", (principal.id,))
        moment = _free_moment(db, self.now())
        mine = f"owner = ? AND NOT {HELD}"
        db.execute(f"UPDATE conversation SET deleted = ? WHERE {mine} AND deleted IS NULL", (moment, principal.id))
        count = db.changes()
        held = f"SELECT count(*) FROM conversation WHERE owner = ? AND deleted IS NULL AND {HELD}"
        if forever:
            db.execute(f"UPDATE conversation SET deleted = ? WHERE {mine}", (FOREVER, principal.id))
        append_act(db, principal, "conversation.deleted", details={"all": True, "count": count, "forever": forever})
        return Deletion(count, moment, first_row(db, held, (principal.id,))[0])

    @write
    def restore_conversation(self, db: Connection, principal: Principal, id: str, since: int) -> Conversation:
        db.execute(
            "UPDATE conversation SET deleted = NULL WHERE id = ? AND owner = ? AND deleted >= ?",
            (id, principal.id, since),
        )
        if db.changes():
            append_act(db, principal, "conversation.restored", id)
        try:
            return find(db, principal, id)
        except NotFound:
            raise NotFound(
                f"Conversation {id!r} cannot be restored; that is possible for ten minutes after deletion."
            ) from None

    @write
    def restore_deletion(self, db: Connection, principal: Principal, moment: int, since: int) -> int:
        db.execute(
            "UPDATE conversation SET deleted = NULL WHERE owner = ? AND deleted = ? AND deleted >= ?",
            (principal.id, moment, since),
        )
        if not db.changes():
            raise NotFound("Nothing is left to restore; that is possible for ten minutes after deletion.")
        restored = db.changes()
        append_act(db, principal, "conversation.restored", details={"all": True, "count": restored})
        return restored

    async def erase_deleted(self, before: int, report: Callable[[int, int], None] | None = None) -> None:
        ids = await self._list_deleted(before)
        is_bulk = len(ids) > bulk_erasure.MAX_CONVERSATIONS_ONE_BY_ONE
        size = bulk_erasure.CONVERSATIONS_PER_BATCH if is_bulk else 1
        done = 0
        for round in bulk_erasure.rounds(ids):
            for batch in bulk_erasure.batches(round, size):
                await paced(lambda batch=batch: self._erase(batch, before, is_bulk=is_bulk))
                done += len(batch)
                if report is not None:
                    report(done, len(ids))
            await self._merge_index()
        await self._merge_index()  # another process, or this one before it was ended, may have left it
        if ids:
            await self.empty_log()

    async def erase_conversation(self, id: str) -> None:
        await self._erase([id], FOREVER + 1, is_bulk=False)
        await self.empty_log()

    async def _merge_index(self) -> None:
        """Drop from the index what was erased in bulk, if anything was."""
        while (due := await self._get_merge_due()) is not None:
            await paced(self._begin_merge)
            while await paced(lambda due=due: self._go_on_merging(due)):
                pass

    @read
    def _list_deleted(self, db: Connection, before: int) -> list[str]:
        return [id for (id,) in db.execute(f"SELECT id FROM conversation WHERE deleted < ? AND NOT {HELD}", (before,))]

    @read
    def _get_merge_due(self, db: Connection) -> int | None:
        return self.database.text_index.get_merge_due(db)

    @write
    def _erase(self, db: Connection, ids: Sequence[str], before: int, *, is_bulk: bool) -> None:
        with self.database.text_index.erasing_many(db) if is_bulk else contextlib.nullcontext():
            bulk_erasure.erase_conversations(db, ids, before)

    @write
    def _begin_merge(self, db: Connection) -> None:
        self.database.text_index.begin_merge(db)

    @write
    def _go_on_merging(self, db: Connection, due: int) -> bool:
        return self.database.text_index.go_on_merging(db, due)

    def _list_section(
        self,
        db: Connection,
        principal: Principal,
        shelves: Sequence[str],
        tag: str | None,
        project_id: str | None,
        before: ConversationCursor | None,
        limit: int,
    ) -> tuple[list[Conversation], bool]:
        """List the conversations on `shelves` ("pinned", "list", "archive"), latest change first.

        Returns up to `limit`, all for -1, without those that are damaged, and whether there are more.
        """
        values: list[Any] = [principal.id, *shelves]
        more = ""
        if project_id is not None:
            more += " AND project_id = ?"
            values.append(project_id)
        if tag is not None:
            more += " AND EXISTS (SELECT 1 FROM json_each(iif(json_valid(tags), tags, '[]')) WHERE value = ?)"
            values.append(tag)
        if before is not None:
            more += " AND (updated, id) < (?, ?)"
            values += [before.updated, before.id]
        on = "shelf = ?" if len(shelves) == 1 else f"shelf IN ({', '.join('?' * len(shelves))})"
        order = f"FROM conversation WHERE owner = ? AND {on}{more} ORDER BY updated DESC, id DESC LIMIT ?"
        values.append(limit + 1 if limit >= 0 else MAX_INTEGER)
        note = self.database.damage.noting("conversations")
        seen = 0

        def read_rows() -> Iterator[Any]:
            nonlocal seen
            try:
                for row in skip_unreadable(db.execute(f"SELECT {_COLUMNS} {order}", values), note):
                    seen += 1
                    if seen <= limit or limit < 0:
                        yield row
            except apsw.CorruptError:
                if tag is not None or project_id is not None:  # the index doesn't have them
                    raise
                seen = -1

        found = decode_rows(read_rows(), _conversation, note)
        if seen < 0:
            return self._list_by_index(db, order, values, limit)
        return found, 0 <= limit < seen

    def _list_by_index(
        self, db: Connection, order: str, values: Sequence[Any], limit: int
    ) -> tuple[list[Conversation], bool]:
        """List as `_list_section` does where a page of the table is damaged: row by row, from the index."""
        note = self.database.damage.noting("conversations")
        numbers = [number for (number,) in db.execute(f"SELECT rowid {order}", values)]
        found: list[Conversation] = []
        for number in numbers[:limit] if limit >= 0 else numbers:
            try:
                rows = db.execute(f"SELECT {_COLUMNS} FROM conversation WHERE rowid = ?", (number,))
                found += decode_rows(rows, _conversation, note)
            except apsw.CorruptError:
                note()
        return found, 0 <= limit < len(numbers)


def find(db: Connection, principal: Principal, id: str, lock: str = "") -> Conversation:
    """Return a conversation of the principal, and lock its row if `lock` is that of the database. Raises NotFound."""
    row = first_row(
        db,
        f"SELECT {_COLUMNS} FROM conversation WHERE id = ? AND owner = ? AND deleted IS NULL{lock}",
        (id, principal.id),
    )
    if row is None:
        raise NotFound(f"There is no conversation {id!r}.")
    return _conversation(row)


def list_newest(db: Connection, principal: Principal, limit: int) -> list[Conversation]:
    """List the principal's newest conversations, archived ones too."""
    rows = db.execute(
        f"SELECT {_COLUMNS} FROM conversation WHERE owner = ? AND deleted IS NULL ORDER BY updated DESC LIMIT ?",
        (principal.id, limit),
    )
    return [_conversation(row) for row in rows]


def find_or_add(
    db: Connection, principal: Principal, new: Conversation, lock: str = "", *, is_named: bool | None = None
) -> Conversation:
    """Return the stored conversation of that id, locked as `find` does, or `new` itself once added. Raises Conflict.

    `is_named` tells if somebody gave it its title; if not said, if it has one.
    """
    is_named = bool(new.title) if is_named is None else is_named
    select = f"SELECT deleted, {_COLUMNS} FROM conversation WHERE id = ?{lock}"
    while not _add(db, principal, new, is_named=is_named):
        if (row := first_row(db, select, (new.id,))) is None:
            continue  # erased in between
        deleted, *values = row
        kept = _conversation(tuple(values))
        if kept.owner != principal.id:
            raise Conflict(f"The id {new.id!r} is taken; leave it out to be given one.")
        if deleted is not None:
            raise Conflict(f"The conversation {new.id!r} was deleted; restore it, or leave the id out for a new one.")
        return kept
    return new


def _add(db: Connection, principal: Principal, new: Conversation, *, is_named: bool) -> bool:
    """Add a conversation; return False where its id is taken, whose triggers don't fire."""
    db.execute(
        f"INSERT INTO conversation ({_COLUMNS}, named)"
        " SELECT ?1, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?"
        " WHERE NOT EXISTS (SELECT 1 FROM conversation WHERE id = ?1) ON CONFLICT (id) DO NOTHING",
        (
            new.id,
            principal.id,
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
            new.temperature,
            new.max_tokens,
            new.system,
            new.branched_from,
            new.project_id,
            new.memory,
            new.unread,
            new.assistant_id,
            is_named,
        ),
    )
    return bool(db.changes())


def refuse_while_running(db: Connection, which: str, values: tuple[Any, ...]) -> None:
    """Raise Conflict where one of the runs that `which` selects is at work."""
    busy = first_row(db, f"SELECT id FROM run WHERE status = 'running' AND {which} LIMIT 1", values)
    if busy is not None:
        raise still_answering(busy[0])


def still_answering(run: str) -> Conflict:
    """Return the error that a run at work stands for."""
    return Conflict("This conversation is still answering; stop that answer or wait for it.", run=run)


@row_decoder
def _conversation(row: tuple[Any, ...]) -> Conversation:
    id, owner, title, created, updated, leaf, pinned, archived, tags, *choices, unread, assistant = row
    flags = bool(pinned), bool(archived)
    later: Any = {"unread": bool(unread), "assistant_id": assistant}
    return Conversation(id, owner, title, created, updated, leaf, *flags, decode_list(tags), *choices, **later)


def _free_moment(db: Connection, now: int) -> int:
    """Return the first millisecond from `now` on at which nothing else was deleted."""
    while first_row(db, "SELECT 1 FROM conversation WHERE deleted = ?", (now,)) is not None:
        now += 1
    return now
