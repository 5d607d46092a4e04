"""Folders of conversations on SQLite."""

from __future__ import annotations

from typing import Any

import apsw

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import Principal
from eclair.storage.folders import Folder, FolderSummary
from eclair.storage.sqlite.store import SQLiteStore, first_row, overwrite, read, snapshot, write
from eclair.storage.sqlite.stored_rows import decode_rows, row_decoder

_COLUMNS = "id, owner, name, created"


class SQLiteFolderStore(SQLiteStore):
    """Implements `FolderStore`."""

    @write
    def add_folder(self, db: apsw.Connection, principal: Principal, folder: Folder) -> None:
        if first_row(db, "SELECT 1 FROM folder WHERE id = ?", (folder.id,)) is not None:
            raise Conflict(f"The id {folder.id!r} is taken; leave it out to be given one.")
        _refuse_taken_name(db, principal, folder.name, folder.id)
        db.execute(
            f"INSERT INTO folder ({_COLUMNS}) VALUES (?, ?, ?, ?)",
            (folder.id, principal.id, folder.name, folder.created),
        )

    @read
    def list_folders(self, db: apsw.Connection, principal: Principal) -> list[FolderSummary]:
        with snapshot(db):
            rows = db.execute(f"SELECT {_COLUMNS} FROM folder WHERE owner = ? ORDER BY name", (principal.id,))
            folders = decode_rows(rows, _folder, self.database.damage.noting("conversations"))
            counts: dict[Any, int] = dict(
                db.execute(
                    "SELECT folder, count(*) FROM conversation WHERE owner = ? AND folder IS NOT NULL"
                    " AND shelf IN ('list', 'pinned') GROUP BY folder",
                    (principal.id,),
                )
            )
        folders.sort(key=lambda folder: (folder.name.casefold(), folder.name))
        return [FolderSummary(folder, counts.get(folder.id, 0)) for folder in folders]

    @overwrite
    def rename_folder(self, db: apsw.Connection, principal: Principal, id: str, name: str) -> Folder:
        require_folder(db, principal, id)
        _refuse_taken_name(db, principal, name, id)
        db.execute("UPDATE folder SET name = ? WHERE id = ?", (name, id))
        return require_folder(db, principal, id)

    @overwrite
    def delete_folder(self, db: apsw.Connection, principal: Principal, id: str) -> None:
        require_folder(db, principal, id)
        db.execute("UPDATE conversation SET folder = NULL WHERE owner = ? AND folder = ?", (principal.id, id))
        db.execute("DELETE FROM folder WHERE id = ?", (id,))


def require_folder(db: apsw.Connection, principal: Principal, id: str) -> Folder:
    """Return a folder of the principal. Raises NotFound."""
    row = first_row(db, f"SELECT {_COLUMNS} FROM folder WHERE id = ? AND owner = ?", (id, principal.id))
    if row is None:
        raise NotFound(f"There is no folder {id!r}.")
    return _folder(row)


def _refuse_taken_name(db: apsw.Connection, principal: Principal, name: str, id: str) -> None:
    values = (principal.id, name, id)
    if first_row(db, "SELECT 1 FROM folder WHERE owner = ? AND name = ? AND id <> ?", values) is not None:
        raise Conflict(f"There is already a folder {name!r}; choose another name.")


@row_decoder
def _folder(row: tuple[Any, ...]) -> Folder:
    return Folder(*row)
