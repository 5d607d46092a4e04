"""Files: added, listed, attached to messages, deleted. What they hold is the affair of `chunks`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import apsw

from eclair.errors import Conflict, NotFound
from eclair.storage.documents import DocumentState, FileState, ListedFiles, StoredFile
from eclair.storage.statements import libraries
from eclair.storage.statements.pieces import DOCUMENT, document, known, queue
from eclair.storage.statements.rows import first

_FILE = (
    "file.id, file.owner, file.name, file.size, document.sha256, file.media, file.created, file.library, file.path,"
    " file.mtime_ns"
)
_FROM = "FROM file JOIN document ON document.number = file.document"
_WIDTH = _FILE.count(",") + 1


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


def _with_state(row: tuple[Any, ...]) -> FileState:
    return FileState(_file(row[:_WIDTH]), document(row[_WIDTH:]))


def owned(db: apsw.Connection, owner: str, id: str) -> FileState:
    row = first(db, f"SELECT {_FILE}, {DOCUMENT} {_FROM} WHERE file.id = ? AND owner = ?", (id, owner))
    if row is None:
        raise NotFound(f"There is no file {id!r}.")
    return _with_state(row)


def page(db: apsw.Connection, owner: str, limit: int, library: str | None, before: str | None) -> ListedFiles:
    values: list[Any] = [owner]
    more = ""
    if library is not None:
        libraries.owned(db, owner, library)
        more += " AND library = ?"
        values.append(library)
    if before is not None:
        more += " AND id < ?"
        values.append(before)
    rows = db.execute(
        f"SELECT {_FILE}, {DOCUMENT} {_FROM} WHERE owner = ?{more} ORDER BY id DESC LIMIT ?", (*values, limit + 1)
    )
    found = [_with_state(row) for row in rows]
    return ListedFiles(found[:limit], found[limit - 1].file.id if len(found) > limit else None)


def watched(db: apsw.Connection, owner: str, library: str) -> list[StoredFile]:
    libraries.owned(db, owner, library)
    rows = db.execute(f"SELECT {_FILE} {_FROM} WHERE library = ? AND path IS NOT NULL", (library,))
    return [_file(row) for row in rows]


def add(db: apsw.Connection, file: StoredFile, reader: int) -> DocumentState:
    if first(db, "SELECT 1 FROM file WHERE id = ?", (file.id,)) is not None:
        raise Conflict(f"The id {file.id!r} is taken; leave it out to be given one.")
    if file.library is not None:
        libraries.owned(db, file.owner, file.library)
    _refuse_taken_path(db, file)
    found = known(db, file.sha256)
    number = queue(db, file.sha256, reader) if found is None else found
    db.execute(
        "INSERT INTO file (id, owner, library, name, size, document, media, created, path, mtime_ns)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            file.id,
            file.owner,
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
    return owned(db, file.owner, file.id).document


def put_in_place(db: apsw.Connection, old: str, file: StoredFile, reader: int) -> tuple[DocumentState, str | None]:
    """The new one comes first, so that bytes which both have stay read."""
    db.execute("UPDATE file SET path = NULL WHERE id = ? AND owner = ?", (old, file.owner))
    state = add(db, file, reader)
    return state, delete(db, file.owner, old)


def change(
    db: apsw.Connection, owner: str, id: str, name: str | None, library: str | None, mtime_ns: int | None
) -> FileState:
    file = owned(db, owner, id).file
    if library is not None:
        libraries.owned(db, owner, library)
        _refuse_taken_path(db, replace(file, library=library))
    db.execute(
        "UPDATE file SET name = coalesce(?, name), library = coalesce(?, library), mtime_ns = coalesce(?, mtime_ns)"
        " WHERE id = ?",
        (name, library, mtime_ns, id),
    )
    return owned(db, owner, id)


def delete(db: apsw.Connection, owner: str, id: str) -> str | None:
    """The hash that no file has any more, which is taken from what was read, so that it is erased."""
    sha256 = owned(db, owner, id).file.sha256
    db.execute("DELETE FROM file WHERE id = ?", (id,))
    db.execute(
        "UPDATE document SET sha256 = NULL WHERE sha256 = ?"
        " AND NOT EXISTS (SELECT 1 FROM file WHERE file.document = document.number)",
        (sha256,),
    )
    return sha256 if db.changes() else None


def name_of(db: apsw.Connection, sha256: str) -> str:
    row = first(
        db,
        f"SELECT file.name {_FROM} WHERE document.sha256 = ? ORDER BY file.id LIMIT 1",
        (sha256,),
    )
    if row is None:
        raise NotFound("No file has these bytes any more.")
    return str(row[0])


def attach(db: apsw.Connection, owner: str, message: str, files: Sequence[str]) -> None:
    theirs = "SELECT 1 FROM message JOIN conversation ON conversation.id = message.conversation"
    if first(db, f"{theirs} WHERE message.id = ? AND owner = ? AND deleted IS NULL", (message, owner)) is None:
        raise NotFound(f"There is no message {message!r}.")
    for file in files:
        owned(db, owner, file)
        db.execute("INSERT INTO attached (message, file) VALUES (?, ?) ON CONFLICT DO NOTHING", (message, file))


def attached(db: apsw.Connection, owner: str, conversation: str) -> dict[str, list[StoredFile]]:
    rows = db.execute(
        f"SELECT attached.message, {_FILE} {_FROM} JOIN attached ON attached.file = file.id"
        " JOIN message ON message.id = attached.message"
        " WHERE message.conversation = ? AND file.owner = ? ORDER BY attached.number",
        (conversation, owner),
    )
    files: dict[str, list[StoredFile]] = {}
    for message, *row in rows:
        files.setdefault(message, []).append(_file(row))
    return files


def loose(db: apsw.Connection, before: int) -> list[StoredFile]:
    rows = db.execute(
        f"SELECT {_FILE} {_FROM} WHERE library IS NULL AND created < ?"
        " AND NOT EXISTS (SELECT 1 FROM attached WHERE attached.file = file.id) ORDER BY file.id",
        (before,),
    )
    return [_file(row) for row in rows]


def _refuse_taken_path(db: apsw.Connection, file: StoredFile) -> None:
    taken = "SELECT 1 FROM file WHERE library = ? AND path = ? AND id <> ?"
    if file.path is not None and first(db, taken, (file.library, file.path, file.id)) is not None:
        raise Conflict(f"The library has a file {file.path} already; delete that one first.")
