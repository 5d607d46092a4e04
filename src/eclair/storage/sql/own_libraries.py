"""Libraries of projects and assistants: each holds the files of one of them."""

from __future__ import annotations

from itertools import count

from eclair.errors import Conflict
from eclair.storage.libraries import Library
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.sharing import SharedTable
from eclair.storage.sql.store import first_row

_IS_TAKEN = "SELECT 1 FROM project WHERE library = ?1 UNION ALL SELECT 1 FROM assistant WHERE library = ?1"


def open_own_library(db: Connection, table: SharedTable, id: str, owner: str, new: Library) -> str:
    """Give a row of the table, which has none, a library, and return its id.

    It is the owner's library of the new one's id, or else the new one, with a number where its name is taken. Raises
    Conflict where a library of that id is somebody else's, or that of another project or assistant.
    """
    found = first_row(db, "SELECT owner FROM library WHERE id = ?", (new.id,))
    if found is not None and (found[0] != owner or first_row(db, _IS_TAKEN, (new.id,)) is not None):
        raise Conflict(f"The library {new.name!r} is in use elsewhere; choose another.")
    if found is None:
        taken = {name for (name,) in db.execute("SELECT name FROM library WHERE owner = ?", (owner,))}
        names = (new.name if number == 1 else f"{new.name}-{number}" for number in count(1))
        name = next(name for name in names if name not in taken)
        values = (new.id, owner, name, new.created)
        db.execute("INSERT INTO library (id, owner, name, created) VALUES (?, ?, ?, ?)", values)
    db.execute(f"UPDATE {table.name} SET library = ? WHERE id = ?", (new.id, id))
    return new.id
