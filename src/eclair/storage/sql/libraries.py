"""Libraries in SQL."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import Principal
from eclair.storage.documents import DocumentStage
from eclair.storage.libraries import Library, LibrarySummary
from eclair.storage.sharing import Access
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection, Database
from eclair.storage.sql.document_rows import release_document
from eclair.storage.sql.documents import SQLDocumentStore
from eclair.storage.sql.shared_messages import erase_file
from eclair.storage.sql.sharing import LIBRARIES, OWNED, SQLSharedStore, describe, find_shared
from eclair.storage.sql.store import first_row, overwrite, read, snapshot, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

MAX_FILES_PER_DELETION = 20
"""Files that are deleted in one transaction, so that no other write waits for long."""

_COLUMNS = "id, owner, name, created"


class SQLLibraryStore(SQLSharedStore):
    """Implements `LibraryStore`."""

    table = LIBRARIES

    def __init__(self, database: Database, documents: SQLDocumentStore) -> None:
        super().__init__(database)
        self._documents = documents

    @write
    def add_library(self, db: Connection, principal: Principal, library: Library) -> None:
        if first_row(db, "SELECT 1 FROM library WHERE id = ?", (library.id,)) is not None:
            raise Conflict(f"The id {library.id!r} is taken; leave it out to be given one.")
        _refuse_taken_name(db, principal, library.name, library.id)
        db.execute(
            f"INSERT INTO library ({_COLUMNS}) VALUES (?, ?, ?, ?)",
            (library.id, principal.id, library.name, library.created),
        )

    @read
    def get_library(self, db: Connection, principal: Principal, id: str) -> Library:
        return find(db, principal, id, needs="view")

    @read
    def get_library_by_name(self, db: Connection, principal: Principal, name: str) -> Library:
        row = first_row(
            db,
            f"SELECT {_COLUMNS}, {LIBRARIES.access} FROM library WHERE name = ?2 AND {LIBRARIES.visible}"
            f" ORDER BY {OWNED} DESC, created LIMIT 1",
            (describe(principal), name),
        )
        if row is None:
            raise NotFound(f"There is no library {name!r}.")
        return _library(row)

    @read
    def list_libraries(self, db: Connection, principal: Principal) -> list[LibrarySummary]:
        caller = describe(principal)
        with snapshot(db):
            rows = db.execute(
                f"SELECT {_COLUMNS}, {LIBRARIES.access} FROM library WHERE {LIBRARIES.visible} ORDER BY name", (caller,)
            )
            libraries = decode_rows(rows, _library, self.database.damage.noting("libraries"))
            rows = db.execute(
                "SELECT file.library, document.state, count(*), sum(file.size), sum(document.chunks),"
                " sum(document.embedded) FROM library JOIN file ON file.library = library.id"
                " JOIN document ON document.number = file.document"
                f" WHERE {LIBRARIES.visible} GROUP BY 1, 2",
                (caller,),
            )
            stages: dict[str, dict[DocumentStage, int]] = defaultdict(dict)
            sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
            for library, stage, count, *more in rows:
                if any(type(number) is not int for number in more):
                    self.database.damage.note_row("files")
                    continue
                stages[library][stage] = count
                sums[library] = [one + other for one, other in zip(sums[library], more, strict=True)]
        return [
            LibrarySummary(library, sum(stages[library.id].values()), bytes, stages[library.id], chunks, embedded)
            for library in libraries
            for bytes, chunks, embedded in [sums[library.id]]
        ]

    @overwrite
    def rename_library(self, db: Connection, principal: Principal, id: str, name: str) -> Library:
        find(db, principal, id)
        _refuse_taken_name(db, principal, name, id)
        db.execute("UPDATE library SET name = ? WHERE id = ?", (name, id))
        return find(db, principal, id)

    async def delete_library(self, principal: Principal, id: str) -> list[str]:
        blobs: list[str] = []
        while not await self._delete_if_empty(principal, id):
            blobs += await self._delete_some_files(principal, id)
        await self._documents.erase_orphans()
        return blobs

    @overwrite
    def _delete_if_empty(self, db: Connection, principal: Principal, id: str) -> bool:
        _require_deletable(db, principal, id)
        if first_row(db, "SELECT 1 FROM file WHERE library = ? LIMIT 1", (id,)) is not None:
            return False
        db.execute("DELETE FROM library WHERE id = ?", (id,))
        append_act(db, principal, "library.deleted", id)
        return True

    @write
    def _delete_some_files(self, db: Connection, principal: Principal, id: str) -> list[str]:
        """Delete up to MAX_FILES_PER_DELETION files; return the blobs to delete."""
        _require_deletable(db, principal, id)
        files = list(
            db.execute(
                "SELECT file.id, document.sha256 FROM file JOIN document ON document.number = file.document"
                " WHERE library = ? LIMIT ?",
                (id, MAX_FILES_PER_DELETION),
            )
        )
        db.executemany("DELETE FROM file WHERE id = ?", [(file,) for file, _ in files])
        for file, _ in files:
            erase_file(db, file)
        return [blob for _, sha256 in files if (blob := release_document(db, sha256)) is not None]

    def require_own(self, db: Connection, principal: Principal, id: str) -> None:
        find(db, principal, id)


def find(db: Connection, principal: Principal, id: str, *, needs: Access = "own") -> Library:
    """Return a library to which the principal has that access. Raises NotFound, and Forbidden for less access."""
    return find_shared(db, principal, LIBRARIES, id, _COLUMNS, _library, needs=needs)


def find_usable(db: Connection, principal: Principal, id: str) -> Library:
    """Return a library whose files the principal may read, as no right denies it. Raises NotFound."""
    found = find(db, principal, id, needs="view")
    asked = (describe(principal), id)
    if found.access != "own" and first_row(db, f"SELECT 1 WHERE ?2 IN {LIBRARIES.usable}", asked) is None:
        raise NotFound(f"There is no library {id!r}.")
    return found


def _require_deletable(db: Connection, principal: Principal, id: str) -> None:
    """Raise as `find` does; the library of a deleted project is there to be erased."""
    find_shared(db, principal, replace(LIBRARIES, hidden=""), id, _COLUMNS, _library, needs="own")


@row_decoder
def _library(row: Any) -> Library:
    return Library(*row)


def _refuse_taken_name(db: Connection, principal: Principal, name: str, id: str) -> None:
    if (
        first_row(db, "SELECT 1 FROM library WHERE owner = ? AND name = ? AND id <> ?", (principal.id, name, id))
        is not None
    ):
        raise Conflict(f"There is a library {name!r} already; choose another name.")
