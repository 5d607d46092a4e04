"""Libraries on SQLite."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple

import apsw

from eclair.errors import Conflict, NotFound
from eclair.storage.documents import DocumentStage
from eclair.storage.libraries import Library, LibrarySummary
from eclair.storage.sqlite.database import Database
from eclair.storage.sqlite.document_rows import release_document
from eclair.storage.sqlite.documents import SQLiteDocumentStore
from eclair.storage.sqlite.store import SQLiteStore, first_row, read, snapshot, write

MAX_FILES_PER_DELETION = 20
"""Files that are deleted in one transaction, so that no other write waits for long."""

_COLUMNS = "id, owner, name, created"


class SQLiteLibraryStore(SQLiteStore):
    """Implements `LibraryStore`."""

    def __init__(self, database: Database, documents: SQLiteDocumentStore) -> None:
        super().__init__(database)
        self._documents = documents

    @write
    def add_library(self, db: apsw.Connection, library: Library) -> None:
        if first_row(db, "SELECT 1 FROM library WHERE id = ?", (library.id,)) is not None:
            raise Conflict(f"The id {library.id!r} is taken; leave it out to be given one.")
        _refuse_taken_name(db, library.owner, library.name, library.id)
        db.execute(f"INSERT INTO library ({_COLUMNS}) VALUES (?, ?, ?, ?)", astuple(library))

    @read
    def get_library(self, db: apsw.Connection, owner: str, id: str) -> Library:
        return find(db, owner, id)

    @read
    def get_library_by_name(self, db: apsw.Connection, owner: str, name: str) -> Library:
        row = first_row(db, f"SELECT {_COLUMNS} FROM library WHERE owner = ? AND name = ?", (owner, name))
        if row is None:
            raise NotFound(f"There is no library {name!r}.")
        return Library(*row)

    @read
    def list_libraries(self, db: apsw.Connection, owner: str) -> list[LibrarySummary]:
        with snapshot(db):
            libraries = [
                Library(*row)
                for row in db.execute(f"SELECT {_COLUMNS} FROM library WHERE owner = ? ORDER BY name", (owner,))
            ]
            rows = db.execute(
                "SELECT file.library, document.state, count(*), sum(file.size), sum(document.chunks),"
                " sum(document.embedded) FROM file JOIN library ON library.id = file.library"
                " JOIN document ON document.number = file.document"
                " WHERE library.owner = ? GROUP BY 1, 2",
                (owner,),
            )
            stages: dict[str, dict[DocumentStage, int]] = defaultdict(dict)
            sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
            for library, stage, count, *more in rows:
                stages[library][stage] = count
                sums[library] = [one + other for one, other in zip(sums[library], more, strict=True)]
        return [
            LibrarySummary(library, sum(stages[library.id].values()), bytes, stages[library.id], chunks, embedded)
            for library in libraries
            for bytes, chunks, embedded in [sums[library.id]]
        ]

    @write
    def rename_library(self, db: apsw.Connection, owner: str, id: str, name: str) -> Library:
        find(db, owner, id)
        _refuse_taken_name(db, owner, name, id)
        db.execute("UPDATE library SET name = ? WHERE id = ?", (name, id))
        return find(db, owner, id)

    async def delete_library(self, owner: str, id: str) -> list[str]:
        blobs: list[str] = []
        while not await self._delete_if_empty(owner, id):
            blobs += await self._delete_some_files(owner, id)
        await self._documents.erase_orphans()
        return blobs

    @write
    def _delete_if_empty(self, db: apsw.Connection, owner: str, id: str) -> bool:
        find(db, owner, id)
        if first_row(db, "SELECT 1 FROM file WHERE library = ? LIMIT 1", (id,)) is not None:
            return False
        db.execute("DELETE FROM library WHERE id = ?", (id,))
        return True

    @write
    def _delete_some_files(self, db: apsw.Connection, owner: str, id: str) -> list[str]:
        """Delete up to MAX_FILES_PER_DELETION files; the blobs to delete."""
        find(db, owner, id)
        files = list(
            db.execute(
                "SELECT file.id, document.sha256 FROM file JOIN document ON document.number = file.document"
                " WHERE library = ? LIMIT ?",
                (id, MAX_FILES_PER_DELETION),
            )
        )
        db.executemany("DELETE FROM file WHERE id = ?", [(file,) for file, _ in files])
        return [blob for _, sha256 in files if (blob := release_document(db, sha256)) is not None]


def find(db: apsw.Connection, owner: str, id: str) -> Library:
    """Raises NotFound."""
    row = first_row(db, f"SELECT {_COLUMNS} FROM library WHERE id = ? AND owner = ?", (id, owner))
    if row is None:
        raise NotFound(f"There is no library {id!r}.")
    return Library(*row)


def _refuse_taken_name(db: apsw.Connection, owner: str, name: str, id: str) -> None:
    if first_row(db, "SELECT 1 FROM library WHERE owner = ? AND name = ? AND id <> ?", (owner, name, id)) is not None:
        raise Conflict(f"There is a library {name!r} already; choose another name.")
