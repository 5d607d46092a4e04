"""Workspaces in SQL."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from eclair.errors import NotFound, TooLarge
from eclair.schema.principal import Principal
from eclair.storage.sql import conversations
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, erase, first_row, overwrite, read, snapshot, upsert
from eclair.storage.sql.stored_rows import decode_rows, row_decoder
from eclair.storage.workspaces import MAX_WORKSPACE_BYTES, NewWorkspaceFile, PythonState, WorkspaceFile
from eclair.util.humanize import format_size

_COLUMNS = ", ".join(field.name for field in fields(WorkspaceFile))


class SQLWorkspaceStore(SQLStore):
    """Implements `WorkspaceStore`."""

    @read
    def list_workspace_files(self, db: Connection, principal: Principal, conversation: str) -> list[WorkspaceFile]:
        with snapshot(db):
            conversations.find(db, principal, conversation)
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM workspace_file WHERE conversation = ? AND current ORDER BY name",
                (conversation,),
            )
            return decode_rows(rows, _file, self.database.damage.noting("workspaces"))

    @read
    def read_workspace_file(
        self, db: Connection, principal: Principal, conversation: str, name: str, version: int | None = None
    ) -> tuple[WorkspaceFile, bytes]:
        with snapshot(db):
            conversations.find(db, principal, conversation)
            row = first_row(
                db,
                f"SELECT {_COLUMNS}, data FROM workspace_file WHERE conversation = ? AND name = ?"
                " AND CASE WHEN CAST(?3 AS BIGINT) IS NULL THEN current ELSE version = ?3 END",
                (conversation, name, version),
            )
            if row is None:
                raise _no_file(name)
            return _file(row[:-1]), bytes(row[-1])

    @overwrite
    def update_workspace(
        self,
        db: Connection,
        principal: Principal,
        conversation: str,
        written: Sequence[NewWorkspaceFile],
        removed: Sequence[str],
        state: PythonState | None,
    ) -> list[WorkspaceFile]:
        conversations.find(db, principal, conversation)
        db.executemany(
            "UPDATE workspace_file SET current = FALSE WHERE conversation = ? AND name = ?",
            ((conversation, name) for name in removed),
        )
        stored = [self._store(db, conversation, file) for file in written]
        (total,) = first_row(
            db, "SELECT coalesce(sum(size), 0) FROM workspace_file WHERE conversation = ?", (conversation,)
        )
        if written and total > MAX_WORKSPACE_BYTES:
            raise TooLarge(
                f"The files of this conversation would be larger than {format_size(MAX_WORKSPACE_BYTES)}; delete some."
            )
        if state is not None:
            db.execute(
                upsert("python_state", "conversation, interpreter, data, number", "conversation"),
                (conversation, state.interpreter, state.data, state.number),
            )
        return stored

    @read
    def get_python_state(self, db: Connection, principal: Principal, conversation: str) -> PythonState | None:
        with snapshot(db):
            conversations.find(db, principal, conversation)
            row = first_row(
                db, "SELECT interpreter, data, number FROM python_state WHERE conversation = ?", (conversation,)
            )
            return None if row is None else PythonState(row[0], bytes(row[1]), row[2])

    @read
    def get_python_number(self, db: Connection, principal: Principal, conversation: str) -> int:
        with snapshot(db):
            conversations.find(db, principal, conversation)
            row = first_row(db, "SELECT number FROM python_state WHERE conversation = ?", (conversation,))
            return 0 if row is None else int(row[0])

    @erase
    def delete_workspace_file(self, db: Connection, principal: Principal, conversation: str, name: str) -> None:
        conversations.find(db, principal, conversation)
        db.execute("DELETE FROM workspace_file WHERE conversation = ? AND name = ?", (conversation, name))
        if not db.changes():
            raise _no_file(name)

    def _store(self, db: Connection, conversation: str, file: NewWorkspaceFile) -> WorkspaceFile:
        """Add a version, unless the current one has the same bytes."""
        digest = hashlib.sha256(file.data).hexdigest()
        key = (conversation, file.name)
        same = first_row(
            db,
            f"SELECT {_COLUMNS} FROM workspace_file WHERE conversation = ? AND name = ? AND current AND sha256 = ?",
            (*key, digest),
        )
        if same is not None:
            return _file(same)
        (last,) = first_row(
            db, "SELECT coalesce(max(version), 0) FROM workspace_file WHERE conversation = ? AND name = ?", key
        )
        db.execute("UPDATE workspace_file SET current = FALSE WHERE conversation = ? AND name = ?", key)
        stored = WorkspaceFile(
            file.name, last + 1, len(file.data), file.media, self.now(), digest, file.alt, current=True
        )
        db.execute(
            f"INSERT INTO workspace_file (conversation, data, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(conversation, file.data, stored.name, stored.version, stored.size, stored.media),
                *(stored.created, stored.sha256, stored.alt, stored.current),
            ),
        )
        return stored


def _no_file(name: str) -> NotFound:
    return NotFound(f"There is no file {name!r} in this conversation.")


@row_decoder
def _file(row: Sequence[Any]) -> WorkspaceFile:
    return WorkspaceFile(*row[:-1], current=bool(row[-1]))
