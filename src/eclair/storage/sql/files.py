"""Files in SQL: in libraries, attached, and read as documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import Principal
from eclair.storage.documents import FILE_NAME_MARK, DocumentState
from eclair.storage.files import FilePage, FileState, StoredFile, Upload
from eclair.storage.sharing import Access
from eclair.storage.sql import libraries
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection, Database
from eclair.storage.sql.document_rows import (
    DOCUMENT_COLUMNS,
    document_state,
    find_number,
    queue_document,
    release_document,
)
from eclair.storage.sql.documents import SQLDocumentStore
from eclair.storage.sql.shared_messages import erase_file
from eclair.storage.sql.sharing import FILE_THERE, LIBRARIES, OWNED, describe
from eclair.storage.sql.store import SQLStore, first_row, overwrite, read, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

_FILE_COLUMNS = (
    "file.id, file.owner, file.name, file.size, document.sha256, file.media, file.created, file.library, file.path,"
    " file.mtime_ns"
)
_FROM = "FROM file JOIN document ON document.number = file.document"
_SHARES: dict[Access, str] = {
    "own": "",
    "edit": f" OR file.library IN {LIBRARIES.editable}",
    "view": f" OR file.library IN {LIBRARIES.usable}",
}
_WIDTH = _FILE_COLUMNS.count(",") + 1


class SQLFileStore(SQLStore):
    """Implements `FileStore`."""

    def __init__(self, database: Database, documents: SQLDocumentStore) -> None:
        super().__init__(database)
        self._documents = documents

    @write
    def add_file(
        self, db: Connection, principal: Principal, file: StoredFile, reader: int, *, is_urgent: bool = False
    ) -> DocumentState:
        return _add(db, principal, file, reader, is_urgent=is_urgent)

    async def replace_file(
        self, principal: Principal, id: str, file: StoredFile, reader: int, *, is_urgent: bool = False
    ) -> tuple[DocumentState, str | None]:
        state, blob = await self._replace(principal, id, file, reader, is_urgent=is_urgent)
        if blob is not None:
            await self._documents.erase_orphans()
        return state, blob

    @overwrite
    def _replace(
        self, db: Connection, principal: Principal, old: str, file: StoredFile, reader: int, *, is_urgent: bool
    ) -> tuple[DocumentState, str | None]:
        """Add the new file before deleting the old one, so that a document which both have stays."""
        db.execute("UPDATE file SET path = NULL WHERE id = ? AND owner = ?", (old, principal.id))
        state = _add(db, principal, file, reader, is_urgent=is_urgent)
        return state, _delete(db, principal, old)

    @read
    def get_file(self, db: Connection, principal: Principal, id: str) -> FileState:
        return _find(db, principal, id, needs="view")

    @read
    def get_name(self, db: Connection, sha256: str) -> str:
        row = first_row(db, f"SELECT file.name {_FROM} WHERE document.sha256 = ? ORDER BY file.id LIMIT 1", (sha256,))
        if row is None:
            raise NotFound("No file has these bytes any more.")
        return str(row[0])

    @read
    def list_files(
        self,
        db: Connection,
        principal: Principal,
        limit: int,
        *,
        library: str | None = None,
        before: str | None = None,
    ) -> FilePage:
        values: list[Any] = [principal.id]
        which = "owner = ?"
        if library is not None:
            values = [libraries.find_usable(db, principal, library).id]
            which = "library = ?"
        more = ""
        if before is not None:
            more += " AND id < ?"
            values.append(before)
        rows = db.execute(
            f"SELECT {_FILE_COLUMNS}, {DOCUMENT_COLUMNS} {_FROM} WHERE {which}{more} ORDER BY id DESC LIMIT ?",
            (*values, limit + 1),
        )
        found = decode_rows(rows, _with_state, self.database.damage.noting("files"))
        return FilePage(found[:limit], found[limit - 1].file.id if len(found) > limit else None)

    @read
    def list_watched_files(self, db: Connection, principal: Principal, library: str) -> list[StoredFile]:
        libraries.find(db, principal, library)
        rows = db.execute(f"SELECT {_FILE_COLUMNS} {_FROM} WHERE library = ? AND path IS NOT NULL", (library,))
        return decode_rows(rows, _file, self.database.damage.noting("files"))

    @overwrite
    def edit_file(
        self,
        db: Connection,
        principal: Principal,
        id: str,
        *,
        name: str | None = None,
        library: str | None = None,
        mtime_ns: int | None = None,
    ) -> FileState:
        file = _find(db, principal, id, needs="edit" if library is None else "own").file
        if library is not None:
            libraries.find(db, principal, library)
            _refuse_taken_path(db, replace(file, library=library))
        db.execute(
            "UPDATE file SET name = coalesce(?, name), library = coalesce(?, library),"
            " mtime_ns = coalesce(?, mtime_ns) WHERE id = ?",
            (name, library, mtime_ns, id),
        )
        return _find(db, principal, id, needs="edit")

    async def delete_file(self, principal: Principal, id: str) -> str | None:
        blob = await self._delete(principal, id)
        if blob is not None:
            await self._documents.erase_orphans()
        return blob

    @overwrite
    def _delete(self, db: Connection, principal: Principal, id: str) -> str | None:
        blob = _delete(db, principal, id)
        append_act(db, principal, "file.deleted", id)
        return blob

    @write
    def attach_files(self, db: Connection, principal: Principal, message: str, ids: Sequence[str]) -> None:
        attach_files(db, principal, message, ids)

    @read
    def list_attached_files(
        self, db: Connection, principal: Principal, conversation: str
    ) -> dict[str, list[StoredFile]]:
        rows = db.execute(
            f"SELECT attached.message, {_FILE_COLUMNS} {_FROM} JOIN attached ON attached.file = file.id"
            " JOIN message ON message.id = attached.message"
            " WHERE message.conversation = ? AND file.owner = ? ORDER BY attached.number",
            (conversation, principal.id),
        )
        files: dict[str, list[StoredFile]] = {}
        for message, *row in rows:
            files.setdefault(message, []).extend(decode_rows([row], _file, self.database.damage.noting("files")))
        return files

    @write
    def note_upload(self, db: Connection, principal: Principal, id: str, upload: Upload) -> None:
        _find(db, principal, id)
        db.execute(
            "INSERT INTO upload (file, expires, purpose) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (file) DO UPDATE SET expires = ?2, purpose = ?3",
            (id, upload.expires, upload.purpose),
        )

    @read
    def list_uploads(self, db: Connection, principal: Principal, ids: Sequence[str]) -> dict[str, Upload]:
        rows = db.execute(
            "SELECT upload.file, purpose, expires FROM upload JOIN file ON file.id = upload.file"
            " WHERE owner = ? AND file.id IN (SELECT value FROM json_each(?))",
            (principal.id, orjson.dumps([*ids]).decode()),
        )
        return {str(id): Upload(str(purpose), expires) for id, purpose, expires in rows}

    @read
    def list_uploaded_files(self, db: Connection, principal: Principal) -> list[StoredFile]:
        rows = db.execute(
            f"SELECT {_FILE_COLUMNS} {_FROM} JOIN upload ON upload.file = file.id WHERE owner = ? ORDER BY file.id",
            (principal.id,),
        )
        return decode_rows(rows, _file, self.database.damage.noting("files"))

    @read
    def list_expired_files(self, db: Connection, now: int) -> list[StoredFile]:
        rows = db.execute(
            f"SELECT {_FILE_COLUMNS} {_FROM} JOIN upload ON upload.file = file.id WHERE expires <= ? ORDER BY file.id",
            (now,),
        )
        return decode_rows(rows, _file, self.database.damage.noting("files"))

    @read
    def list_unattached_files(self, db: Connection, before: int) -> list[StoredFile]:
        rows = db.execute(
            f"SELECT {_FILE_COLUMNS} {_FROM} WHERE library IS NULL AND created < ?"
            " AND NOT EXISTS (SELECT 1 FROM attached WHERE attached.file = file.id) ORDER BY file.id",
            (before,),
        )
        return decode_rows(rows, _file, self.database.damage.noting("files"))


def attach_files(db: Connection, principal: Principal, message: str, files: Sequence[str]) -> None:
    """Attach files to a message. Raises NotFound for a message or file that is not the principal's."""
    theirs = "SELECT 1 FROM message JOIN conversation ON conversation.id = message.conversation"
    if (
        first_row(db, f"{theirs} WHERE message.id = ? AND owner = ? AND deleted IS NULL", (message, principal.id))
        is None
    ):
        raise NotFound(f"There is no message {message!r}.")
    for file in files:
        _find(db, principal, file)
        db.execute("INSERT INTO attached (message, file) VALUES (?, ?) ON CONFLICT DO NOTHING", (message, file))


def _add(db: Connection, principal: Principal, file: StoredFile, reader: int, *, is_urgent: bool) -> DocumentState:
    if first_row(db, "SELECT 1 FROM file WHERE id = ?", (file.id,)) is not None:
        raise Conflict(f"The id {file.id!r} is taken; leave it out to be given one.")
    owner = principal.id
    if file.library is not None:
        owner = libraries.find(db, principal, file.library, needs="edit").owner
    _refuse_taken_path(db, file)
    found = find_number(db, file.sha256)
    priority = int(is_urgent or file.library is None)
    if found is None:
        number = queue_document(db, file.sha256, reader, priority)
    else:
        number = found
        db.execute("UPDATE document SET priority = ? WHERE number = ? AND priority < ?", (priority, number, priority))
    db.execute(
        "INSERT INTO file (id, owner, library, name, size, document, media, created, path, mtime_ns)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            file.id,
            owner,
            file.library,
            file.name,
            file.size,
            number,
            file.media,
            file.created,
            file.path,
            file.mtime_ns,
        ),
    )
    return _find(db, principal, file.id, needs="edit").document


def _delete(db: Connection, principal: Principal, id: str) -> str | None:
    """Delete a file; return the hash of its document if that is to be erased with it."""
    sha256 = _find(db, principal, id, needs="edit").file.sha256
    db.execute("DELETE FROM file WHERE id = ?", (id,))
    erase_file(db, id)
    return release_document(db, sha256)


def _find(db: Connection, principal: Principal, id: str, *, needs: Access = "own") -> FileState:
    """Return a file of the principal's, or one of a library to which they have that access. Raises NotFound."""
    row = first_row(
        db,
        f"SELECT {_FILE_COLUMNS}, {DOCUMENT_COLUMNS} {_FROM} WHERE file.id = ?2 AND ({OWNED}{_SHARES[needs]})"
        f" AND {FILE_THERE}",
        (describe(principal), id),
    )
    if row is None:
        raise NotFound(f"There is no file {id!r}.")
    return _with_state(row)


@row_decoder
def _file(row: Sequence[Any]) -> StoredFile:
    id, owner, name, size, sha256, media, created, library, path, mtime_ns = row
    return StoredFile(
        id=id,
        owner=owner,
        name=name,
        size=size,
        sha256=sha256,
        media=media,
        created=created,
        library=library,
        path=path,
        mtime_ns=mtime_ns,
    )


@row_decoder
def _with_state(row: tuple[Any, ...]) -> FileState:
    file, document = _file(row[:_WIDTH]), document_state(row[_WIDTH:])
    if document.fault is not None or document.remarks:
        document = _with_name(document, file.name)
    return FileState(file, document)


def _with_name(document: DocumentState, name: str) -> DocumentState:
    """Return the state of a document as it is said of the file of that name."""
    fault = document.fault
    if fault is not None:
        fault = replace(fault, message=fault.message.replace(FILE_NAME_MARK, name))
    remarks = tuple(remark.replace(FILE_NAME_MARK, name) for remark in document.remarks)
    return replace(document, fault=fault, remarks=remarks)


def _refuse_taken_path(db: Connection, file: StoredFile) -> None:
    taken = "SELECT 1 FROM file WHERE library = ? AND path = ? AND id <> ?"
    if file.path is not None and first_row(db, taken, (file.library, file.path, file.id)) is not None:
        raise Conflict(f"The library has a file {file.path} already; delete that one first.")
