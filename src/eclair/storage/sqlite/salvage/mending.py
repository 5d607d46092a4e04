"""Makes salvaged rows refer to each other again: what a lost row leaves without it is given another, or a new one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import apsw
import orjson
from pydantic import TypeAdapter, ValidationError

from eclair.schema.events import decode, fold
from eclair.schema.messages import Message, Role
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.sql.encoding import unpacked_blocks, unpacked_text, unpacked_words
from eclair.storage.sql.messages import damaged_message
from eclair.storage.sql.store import first_row

MAX_TITLE_CHARS = 60

_JSON_LISTS = (("conversation", "tags"), ("document", "remarks"), ("server", "models"), ("piece", "heading"))
"""Columns that hold lists, which are emptied where they are damaged."""
_JSON_OBJECTS = (
    *(("preference", dict), ("probe", dict), ("share", list), ("web_settings", dict)),
    *(("api_response", dict), ("api_item", dict)),
)
"""Tables whose `body` is all there is to a row, and its type."""
_OF_CONVERSATIONS = ("message", "run", "share", "web_page", "picture", "canvas", "workspace_file", "python_state")

_MESSAGE = TypeAdapter(Message)

LinkedBlob = Callable[[int], str | None]
"""Takes the size of a file whose hash is lost; returns the one stored file of that size that nothing else names."""


class Mender:
    """Mends a database whose foreign keys are off. `counts` says what was mended and lost, by table."""

    def __init__(self, db: apsw.Connection, find_blob: LinkedBlob) -> None:
        self._db = db
        self._find_blob = find_blob
        self.mended = Counter[str]()
        self.lost = Counter[str]()

    def run(self) -> None:
        """Raises apsw.Error."""
        self._mend_json()
        self._add_answers()
        self._add_conversations()
        self._mend_messages()
        self._add_runs()
        self._mend_leaves()
        self._mend_files()
        self._reread_documents()
        self._db.execute("UPDATE picture SET message = NULL WHERE message NOT IN (SELECT id FROM message)")
        self._remove_dangling()

    def _mend_json(self) -> None:
        for table, column in _JSON_LISTS:
            self._clear(table, column, list, "[]")
        self._clear("document", "fault", list, None)
        self._clear("api_conversation", "metadata", dict, "{}")
        for table, kind in _JSON_OBJECTS:
            rows = self._db.execute(f"SELECT rowid, body FROM {table}")
            self._remove(table, [rowid for rowid, body in list(rows) if not _is_json(body, kind)])

    def _clear(self, table: str, column: str, kind: type, empty: str | None) -> None:
        rows = list(self._db.execute(f"SELECT rowid, {column} FROM {table} WHERE {column} IS NOT NULL"))
        for rowid, text in rows:
            if not _is_json(text, kind):
                self._db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (empty, rowid))
                self.mended[table] += 1

    def _add_conversations(self) -> None:
        """Add a conversation for each that was lost, so that what it holds can be found."""
        owners = [owner for (owner,) in self._db.execute("SELECT DISTINCT owner FROM conversation")]
        owner = owners[0] if len(owners) == 1 else LOCAL_PRINCIPAL.id
        ids = " UNION ".join(f"SELECT conversation AS id FROM {table}" for table in _OF_CONVERSATIONS)
        rows = self._db.execute(f"SELECT id FROM ({ids}) WHERE id NOT NULL AND id NOT IN (SELECT id FROM conversation)")
        for (id,) in list(rows):
            first = first_row(
                self._db,
                "SELECT text FROM message WHERE conversation = ? AND text <> '' ORDER BY number LIMIT 1",
                (id,),
            )
            title = (str(first[0]).strip().splitlines() or [""])[0][:MAX_TITLE_CHARS] if first is not None else ""
            theirs = first_row(
                self._db,
                "SELECT owner FROM share WHERE conversation = ?1 UNION SELECT owner FROM picture"
                " WHERE conversation = ?1",
                (id,),
            )
            self._db.execute(
                "INSERT INTO conversation (id, owner, title, created, updated) VALUES (?, ?, ?, ?, ?)",
                (id, owner if theirs is None else theirs[0], title, *self._times(id)),
            )
            self.mended["conversation"] += 1

    def _times(self, conversation: str) -> tuple[int, int]:
        """Return when a conversation began and changed last, by its messages that can be read."""
        rows = self._db.execute("SELECT body FROM message WHERE conversation = ?", (conversation,))
        times = [message.created for (body,) in rows if (message := _message(body)) is not None]
        return (min(times), max(times)) if times else (0, 0)

    def _mend_messages(self) -> None:
        """Give each message a parent that is there and a body that can be read."""
        rows = list(self._db.execute("SELECT number, id, conversation, parent, text FROM message ORDER BY number"))
        seen: dict[str, str] = {}
        last: dict[str, str] = {}
        roles: dict[str, Role] = {}
        for number, id, conversation, parent, text in rows:
            (body,) = first_row(self._db, "SELECT body FROM message WHERE number = ?", (number,))
            message = _message(body)
            wanted = parent if parent is None or seen.get(parent) == conversation else last.get(conversation)
            if message is None:
                message = self._rebuild(id, conversation, wanted, text, roles)
            whole = replace(message, id=id, conversation=conversation, parent=wanted)
            if whole != _message(body) or wanted != parent:
                self._db.execute(
                    "UPDATE message SET parent = ?, body = ? WHERE number = ?",
                    (wanted, orjson.dumps(whole).decode(), number),
                )
                self.mended["message"] += 1
            seen[id], last[conversation], roles[id] = conversation, id, whole.role

    def _rebuild(self, id: str, conversation: str, parent: str | None, text: str, roles: dict[str, Role]) -> Message:
        """Rebuild a message from its run's log, or else from the words by which it is searched."""
        run = first_row(self._db, "SELECT id FROM run WHERE message = ?", (id,))
        folded = self._fold(run[0]) if run is not None else None
        if folded is not None and len(folded.text) >= len(text):
            return folded
        role: Role = "user" if parent is None or roles.get(parent) == "assistant" else "assistant"
        return damaged_message(id, conversation, parent, role, text)

    def _add_answers(self) -> None:
        """Add the answers that are lost, but for the logs of their runs."""
        runs = self._db.execute("SELECT id, message FROM run WHERE message NOT IN (SELECT id FROM message)")
        for run, id in list(runs):
            folded = self._fold(run)
            if folded is None or folded.id != id:
                continue
            after = first_row(self._db, "SELECT number + 1 FROM message WHERE id = ?", (folded.parent,))
            taken = after is None or first_row(self._db, "SELECT 1 FROM message WHERE number = ?", after) is not None
            self._db.execute(
                "INSERT INTO message (number, id, conversation, parent, text, body) VALUES (?, ?, ?, ?, ?, ?)",
                (
                    None if taken or after is None else after[0],
                    id,
                    folded.conversation,
                    folded.parent,
                    folded.text,
                    orjson.dumps(folded).decode(),
                ),
            )
            self.mended["message"] += 1

    def _fold(self, run: str) -> Message | None:
        """Fold the log of a run, if its beginning is there."""
        lines = self._db.execute("SELECT lines FROM chunk WHERE run = ? ORDER BY last", (run,))
        try:
            folded = fold(decode(line) for (chunk,) in list(lines) for line in chunk.split("\n"))
        except (ValueError, LookupError):
            return None
        return replace(folded, status="interrupted") if folded.is_open else folded

    def _add_runs(self) -> None:
        """Add the run of each answer whose log is there without one."""
        runs = list(self._db.execute("SELECT DISTINCT run FROM chunk WHERE run NOT IN (SELECT id FROM run)"))
        for (run,) in runs:
            row = first_row(
                self._db,
                "SELECT id, conversation, body ->> 'status', body ->> 'created' FROM message"
                " WHERE body ->> 'run' = ? AND id NOT IN (SELECT message FROM run)",
                (run,),
            )
            if row is not None:
                message, conversation, status, created = row
                self._db.execute(
                    "INSERT OR IGNORE INTO run (id, conversation, message, process, status, ended)"
                    " VALUES (?, ?, ?, '', ?, ?)",
                    (run, conversation, message, status, created),
                )
                self.mended["run"] += self._db.changes()

    def _mend_leaves(self) -> None:
        """Let a conversation whose shown branch is lost show its newest message."""
        self._db.execute(
            "UPDATE conversation SET leaf = (SELECT id FROM message WHERE message.conversation = conversation.id"
            " ORDER BY number DESC LIMIT 1) WHERE leaf NOT IN (SELECT id FROM message WHERE message.conversation ="
            " conversation.id) OR leaf IS NULL AND EXISTS (SELECT 1 FROM message WHERE message.conversation ="
            " conversation.id)"
        )
        self.mended["conversation"] += self._db.changes()

    def _mend_files(self) -> None:
        """Find the bytes of files whose document is lost, by their size."""
        rows = self._db.execute(
            "SELECT id, size, document FROM file WHERE document NOT IN"
            " (SELECT number FROM document WHERE sha256 NOT NULL)"
        )
        for id, size, document in list(rows):
            blob = self._find_blob(size)
            if blob is None or first_row(self._db, "SELECT 1 FROM document WHERE sha256 = ?", (blob,)) is not None:
                continue
            self._db.execute("DELETE FROM document WHERE number = ?", (document,))
            self._db.execute(
                "INSERT INTO document (number, sha256, state, reader) VALUES (?, ?, 'queued', 0)", (document, blob)
            )
            self._db.execute("UPDATE file SET document = ? WHERE id = ?", (document, id))
            self.mended["file"] += 1
        self._db.execute("UPDATE file SET library = NULL WHERE library NOT IN (SELECT id FROM library)")
        self._db.execute("UPDATE conversation SET project_id = NULL WHERE project_id NOT IN (SELECT id FROM project)")

    def _reread_documents(self) -> None:
        """Queue each document whose contents are incomplete; they are made again from the file."""
        rows = self._db.execute("SELECT number, pages_read, chunks, embedded FROM document WHERE state <> 'queued'")
        for number, pages, chunks, embedded in list(rows):
            ids = (number << 24, (number << 24) + 0xFFFFFF)
            if not self._is_whole(ids, pages, chunks):
                self._db.execute(
                    "UPDATE document SET state = 'queued', pages_read = 0, characters = 0, chunks = 0, embedded = 0,"
                    " embedder = NULL, fault = NULL, remarks = '[]' WHERE number = ?",
                    (number,),
                )
                for table in ("page", "piece", "vector"):
                    self._db.execute(f"DELETE FROM {table} WHERE id BETWEEN ? AND ?", ids)
                self.mended["document"] += 1
            elif first_row(self._db, "SELECT total(count) FROM vector WHERE id BETWEEN ? AND ?", ids)[0] != embedded:
                self._db.execute("UPDATE document SET embedded = 0, embedder = NULL WHERE number = ?", (number,))
                self._db.execute("DELETE FROM vector WHERE id BETWEEN ? AND ?", ids)
        for table in ("page", "piece", "vector"):
            self._db.execute(
                f"DELETE FROM {table} WHERE id >> 24 NOT IN (SELECT number FROM document WHERE state <> 'queued')"
            )

    def _is_whole(self, ids: tuple[int, int], pages: int, chunks: int) -> bool:
        found = first_row(self._db, "SELECT count(*) FROM page WHERE id BETWEEN ? AND ?", ids)[0]
        if (found, first_row(self._db, "SELECT count(*) FROM piece WHERE id BETWEEN ? AND ?", ids)[0]) != (
            pages,
            chunks,
        ):
            return False
        try:
            for text, blocks, words in self._db.execute(
                "SELECT text, blocks, words FROM page WHERE id BETWEEN ? AND ?", ids
            ):
                unpacked_text(text)
                unpacked_blocks(blocks)
                unpacked_words(words)
        except Exception:  # whatever bytes that were changed lead to
            return False
        return True

    def _remove_dangling(self) -> None:
        """Remove rows whose owner is lost, but no image: its bytes would go with it."""
        while rows := list(
            self._db.execute('SELECT "table", rowid FROM pragma_foreign_key_check WHERE "table" <> \'picture\'')
        ):
            for table in {str(table) for table, _ in rows}:
                numbers = [rowid for name, rowid in rows if name == table]
                if None in numbers:
                    self._remove_orphans(table)
                else:
                    self._remove(table, numbers)

    def _remove_orphans(self, table: str) -> None:
        """Remove the rows of a table without row numbers of which any owner is lost."""
        owners = list(self._db.execute('SELECT "from", "table", "to" FROM pragma_foreign_key_list(?)', (table,)))
        for column, parent, key in owners:
            self._db.execute(f"DELETE FROM {table} WHERE {column} NOT IN (SELECT {key or 'id'} FROM {parent})")
            self.lost[table] += self._db.changes()

    def _remove(self, table: str, rowids: Iterable[int]) -> None:
        for rowid in set(rowids):
            self._db.execute(f"DELETE FROM {table} WHERE rowid = ?", (rowid,))
            self.lost[table] += 1


def _message(body: str) -> Message | None:
    try:
        return _MESSAGE.validate_json(body)
    except ValidationError:
        return None


def _is_json(text: Any, kind: type) -> bool:
    try:
        return isinstance(orjson.loads(text), kind)
    except orjson.JSONDecodeError:
        return False
