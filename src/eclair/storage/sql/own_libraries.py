"""Libraries of projects and assistants: each holds the files of one of them."""

from __future__ import annotations

from itertools import count

from eclair.storage.libraries import Library
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.sharing import SharedTable
from eclair.storage.sql.store import first_row


def open_own_library(db: Connection, table: SharedTable, id: str, owner: str, new: Library) -> str:
    """Give a row of the table, which has none, a library, and return its id.

    It is the owner's library of the new one's id, or else the new one, with a number where its name is taken.
    """
    if first_row(db, "SELECT 1 FROM library WHERE id = ? AND owner = ?", (new.id, owner)) is None:
        taken = {name for (name,) in db.execute("SELECT name FROM library WHERE owner = ?", (owner,))}
        names = (new.name if number == 1 else f"{new.name}-{number}" for number in count(1))
        name = next(name for name in names if name not in taken)
        values = (new.id, owner, name, new.created)
        db.execute("INSERT INTO library (id, owner, name, created) VALUES (?, ?, ?, ?)", values)
    db.execute(f"UPDATE {table.name} SET library = ? WHERE id = ?", (new.id, id))
    return new.id
