"""Libraries: added, named, listed with what is in them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import astuple

import apsw

from eclair.errors import Conflict, NotFound
from eclair.storage.documents import Library, ListedLibrary, State
from eclair.storage.statements.rows import first, one_view

_COLUMNS = "id, owner, name, created"


def add(db: apsw.Connection, library: Library) -> None:
    if first(db, "SELECT 1 FROM library WHERE id = ?", (library.id,)) is not None:
        raise Conflict(f"The id {library.id!r} is taken; leave it out to be given one.")
    _refuse_taken(db, library.owner, library.name, library.id)
    db.execute(f"INSERT INTO library ({_COLUMNS}) VALUES (?, ?, ?, ?)", astuple(library))


def owned(db: apsw.Connection, owner: str, id: str) -> Library:
    row = first(db, f"SELECT {_COLUMNS} FROM library WHERE id = ? AND owner = ?", (id, owner))
    if row is None:
        raise NotFound(f"There is no library {id!r}.")
    return Library(*row)


def named(db: apsw.Connection, owner: str, name: str) -> Library:
    row = first(db, f"SELECT {_COLUMNS} FROM library WHERE owner = ? AND name = ?", (owner, name))
    if row is None:
        raise NotFound(f"There is no library {name!r}.")
    return Library(*row)


def listed(db: apsw.Connection, owner: str) -> list[ListedLibrary]:
    with one_view(db):
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
        states: dict[str, dict[State, int]] = defaultdict(dict)
        sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
        for library, state, count, *more in rows:
            states[library][state] = count
            sums[library] = [one + other for one, other in zip(sums[library], more, strict=True)]
    found: list[ListedLibrary] = []
    for library in libraries:
        bytes, chunks, embedded = sums[library.id]
        of = states[library.id]
        found.append(ListedLibrary(library, sum(of.values()), bytes, of, chunks, embedded))
    return found


def rename(db: apsw.Connection, owner: str, id: str, name: str) -> Library:
    owned(db, owner, id)
    _refuse_taken(db, owner, name, id)
    db.execute("UPDATE library SET name = ? WHERE id = ?", (name, id))
    return owned(db, owner, id)


def some_files(db: apsw.Connection, id: str, limit: int) -> list[str]:
    return [file for (file,) in db.execute("SELECT id FROM file WHERE library = ? LIMIT ?", (id, limit))]


def delete(db: apsw.Connection, owner: str, id: str) -> bool:
    """Delete it if it is empty; whether it was."""
    owned(db, owner, id)
    if some_files(db, id, 1):
        return False
    db.execute("DELETE FROM library WHERE id = ?", (id,))
    return True


def _refuse_taken(db: apsw.Connection, owner: str, name: str, id: str) -> None:
    if first(db, "SELECT 1 FROM library WHERE owner = ? AND name = ? AND id <> ?", (owner, name, id)) is not None:
        raise Conflict(f"There is a library {name!r} already; choose another name.")
