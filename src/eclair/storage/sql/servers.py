"""Added servers and probes in SQL."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

import orjson
from pydantic import TypeAdapter, ValidationError

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import Principal
from eclair.settings import EndpointSettings
from eclair.storage.servers import StoredServer
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, overwrite, read, upsert, write
from eclair.storage.sql.stored_rows import MalformedRow, decode_list, decode_rows, row_decoder, skip_unreadable

_COLUMNS = "name, url, key, models, context, country, created, api, endpoints"
_ENDPOINTS = TypeAdapter(tuple[EndpointSettings, ...])


class SQLServerStore(SQLStore):
    """Implements `ServerStore`."""

    @read
    def list_servers(self, db: Connection) -> list[StoredServer]:
        return list_servers(db, self.database.damage.noting("engines"))

    @write
    def add_server(self, db: Connection, principal: Principal, server: StoredServer) -> None:
        add_server(db, principal, server)

    @overwrite
    def edit_server(
        self, db: Connection, principal: Principal, name: str, edit: Callable[[StoredServer], StoredServer]
    ) -> StoredServer:
        return edit_server(db, principal, name, edit)

    @overwrite
    def delete_server(self, db: Connection, principal: Principal, name: str) -> None:
        delete_server(db, principal, name)

    @read
    def list_probes(self, db: Connection) -> dict[str, str]:
        rows = db.execute("SELECT server, body FROM probe WHERE json_valid(body)")  # the next probe replaces others
        return dict(skip_unreadable(rows, self.database.damage.noting("engines")))

    @write
    def save_probe(self, db: Connection, name: str, body: str) -> None:
        db.execute(upsert("probe", "server, body", "server"), (name, body))


def add_server(db: Connection, principal: Principal, server: StoredServer) -> None:
    if first_row(db, "SELECT 1 FROM server WHERE name = ?", (server.name,)) is not None:
        raise Conflict(f"There is an engine {server.name!r} already; choose another name, or remove that one first.")
    _put(db, server)
    append_act(db, principal, "engine.added", server.name)


def edit_server(
    db: Connection, principal: Principal, name: str, edit: Callable[[StoredServer], StoredServer]
) -> StoredServer:
    row = first_row(db, f"SELECT {_COLUMNS} FROM server WHERE name = ?", (name,))
    if row is None:
        raise _missing(name)
    edited = edit(_server(row))
    _put(db, edited)
    append_act(db, principal, "engine.changed", name)
    return edited


def delete_server(db: Connection, principal: Principal, name: str) -> None:
    db.execute("DELETE FROM server WHERE name = ?", (name,))
    if not db.changes():
        raise _missing(name)
    db.execute("DELETE FROM probe WHERE server = ?", (name,))
    append_act(db, principal, "engine.removed", name)


def list_servers(db: Connection, note: Callable[[], None], there: Collection[str] | None = None) -> list[StoredServer]:
    """List the servers; call `note` for damaged ones, which are left out.

    `there` are the columns of a database that may not have been migrated yet.
    """
    columns = ", ".join(name if there is None or name in there else "NULL" for name in _COLUMNS.split(", "))
    return decode_rows(db.execute(f"SELECT {columns} FROM server ORDER BY created, name"), _server, note)


def _put(db: Connection, server: StoredServer) -> None:
    row = (
        *(server.name, server.url, server.key, orjson.dumps(server.models).decode()),
        *(server.context, server.country, server.created, server.api),
        _ENDPOINTS.dump_json(server.endpoints).decode() if server.endpoints else None,
    )
    db.execute(upsert("server", _COLUMNS, "name"), row)


@row_decoder
def _server(row: Any) -> StoredServer:
    name, url, key, models, context, country, created, api, endpoints = row
    try:
        further = () if endpoints is None else _ENDPOINTS.validate_json(endpoints)
    except ValidationError as error:
        raise MalformedRow("no endpoints") from error
    return StoredServer(name, url, key, decode_list(models), context, country, created, api, further)


def _missing(name: str) -> NotFound:
    return NotFound(f"No engine {name!r} was added; `eclair engines` lists them.")
