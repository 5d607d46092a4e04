"""Servers that were added, and what was found out about servers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, replace
from typing import Any

import apsw
import orjson

from eclair.errors import Conflict, NotFound
from eclair.storage.statements.rows import first
from eclair.storage.types import AddedServer

_COLUMNS = "name, url, key, models, context, country, created"


def listed(db: apsw.Connection) -> list[AddedServer]:
    return [_server(row) for row in db.execute(f"SELECT {_COLUMNS} FROM server ORDER BY created, name")]


def add(db: apsw.Connection, server: AddedServer) -> None:
    if first(db, "SELECT 1 FROM server WHERE name = ?", (server.name,)) is not None:
        raise Conflict(f"There is an engine {server.name!r} already; choose another name, or remove that one first.")
    _put(db, server)


def change(db: apsw.Connection, name: str, edit: Callable[[AddedServer], AddedServer]) -> AddedServer:
    row = first(db, f"SELECT {_COLUMNS} FROM server WHERE name = ?", (name,))
    if row is None:
        raise _missing(name)
    changed = edit(_server(row))
    _put(db, changed)
    return changed


def delete(db: apsw.Connection, name: str) -> None:
    db.execute("DELETE FROM server WHERE name = ?", (name,))
    if not db.changes():
        raise _missing(name)
    db.execute("DELETE FROM probe WHERE server = ?", (name,))


def probes(db: apsw.Connection) -> dict[str, str]:
    return {row[0]: row[1] for row in db.execute("SELECT server, body FROM probe")}


def keep_probe(db: apsw.Connection, name: str, body: str) -> None:
    db.execute("INSERT OR REPLACE INTO probe (server, body) VALUES (?, ?)", (name, body))


def _put(db: apsw.Connection, server: AddedServer) -> None:
    values = astuple(replace(server, models=()))
    models = orjson.dumps(server.models).decode()
    db.execute(
        f"INSERT OR REPLACE INTO server ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", (*values[:3], models, *values[4:])
    )


def _server(row: Any) -> AddedServer:
    name, url, key, models, *rest = row
    return AddedServer(name, url, key, tuple(orjson.loads(models)), *rest)


def _missing(name: str) -> NotFound:
    return NotFound(f"No engine {name!r} was added; `eclair engines` lists those that there are.")
