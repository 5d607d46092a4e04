"""Presence in SQL."""

from __future__ import annotations

from collections.abc import Collection

from eclair.schema.principal import Principal
from eclair.storage.presence import Present
from eclair.storage.sql.connection import Connection, Database
from eclair.storage.sql.store import SQLStore, read_brief, write_brief


class SQLPresenceStore(SQLStore):
    """Implements `PresenceStore` for one process."""

    def __init__(self, database: Database, process: str) -> None:
        super().__init__(database)
        self._process = process

    @write_brief
    def change_presence(self, db: Connection, added: Collection[Present], removed: Collection[Present]) -> None:
        for each in removed:
            db.execute(
                "DELETE FROM presence WHERE process = ? AND conversation = ? AND person = ?",
                (self._process, each.conversation, each.person),
            )
        for each in added:
            db.execute(
                "INSERT INTO presence (process, conversation, person) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
                (self._process, each.conversation, each.person),
            )

    @read_brief
    def list_own_presence(self, db: Connection) -> set[Present]:
        rows = db.execute("SELECT conversation, person FROM presence WHERE process = ?", (self._process,))
        return {Present(conversation, person) for conversation, person in rows}

    @read_brief
    def list_present(self, db: Connection, conversation: str) -> list[tuple[str, str]]:
        rows = db.execute("SELECT person, process FROM presence WHERE conversation = ?", (conversation,))
        return [(person, process) for person, process in rows]

    @read_brief
    def list_open(self, db: Connection, principal: Principal) -> list[str]:
        rows = db.execute("SELECT DISTINCT conversation FROM presence WHERE person = ?", (principal.id,))
        return [conversation for (conversation,) in rows]

    @read_brief
    def list_presence_processes(self, db: Connection) -> list[str]:
        return [process for (process,) in db.execute("SELECT DISTINCT process FROM presence")]

    @write_brief
    def remove_presence_of(self, db: Connection, process: str) -> list[str]:
        rows = db.execute("DELETE FROM presence WHERE process = ? RETURNING conversation", (process,))
        return sorted({conversation for (conversation,) in rows})
