"""MCP servers in SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import orjson
from pydantic import TypeAdapter

from eclair.errors import Conflict, NotFound
from eclair.schema.mcp_servers import McpListing, McpServerConfig
from eclair.schema.principal import Principal
from eclair.storage.mcp_servers import McpChoices, McpListings, McpSwitch, StoredMcpServer
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, overwrite, read, snapshot, upsert, write
from eclair.storage.sql.stored_rows import DECODING_ERRORS, decode_list, decode_rows, row_decoder, skip_unreadable

_COLUMNS = "id, owner, name, config, secrets, secret_names, created"
_CONFIG = TypeAdapter(McpServerConfig)
_LISTING = TypeAdapter(McpListing)
_VISIBLE = "(owner IS NULL OR owner = ?1)"
_HAS_ANY = (
    f"SELECT 1 WHERE EXISTS (SELECT 1 FROM mcp_server WHERE {_VISIBLE}) OR EXISTS (SELECT 1 FROM mcp_listing)"
    " OR EXISTS (SELECT 1 FROM mcp_switch WHERE owner = ?1)"
)
"""Selects something for who sees a server or a listing; most do not, and each answer asks for them."""


class SQLMcpServerStore(SQLStore):
    """Implements `McpServerStore`."""

    @read
    def list_mcp_servers(self, db: Connection, principal: Principal) -> McpChoices:
        note = self.database.damage.noting("MCP servers")
        if first_row(db, _HAS_ANY, (principal.id,)) is None:
            return McpChoices(())
        with snapshot(db):
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM mcp_server WHERE {_VISIBLE} ORDER BY created, id", (principal.id,)
            )
            servers = decode_rows(rows, _server, note)
            rows = db.execute(
                "SELECT server, approved, seen FROM mcp_listing WHERE NOT EXISTS"
                " (SELECT 1 FROM mcp_server WHERE id = server AND owner <> ?1)",
                (principal.id,),
            )
            listings: dict[str, McpListings] = {}
            for server, approved, seen in skip_unreadable(rows, note):
                try:
                    listings[server] = McpListings(_listing(approved), _listing(seen))
                except DECODING_ERRORS:  # somebody looks at the tools again
                    note()
            rows = db.execute(
                "SELECT server, conversation, is_on FROM mcp_switch WHERE owner = ? ORDER BY changed", (principal.id,)
            )
            return McpChoices(tuple(servers), listings, tuple(decode_rows(rows, _switch, note)))

    @write
    def add_mcp_server(self, db: Connection, principal: Principal, server: StoredMcpServer) -> None:
        taken = first_row(db, f"SELECT 1 FROM mcp_server WHERE {_VISIBLE} AND name = ?2", (principal.id, server.name))
        if taken is not None:
            raise Conflict(f"There is an MCP server {server.name!r} already; choose another name.")
        _put(db, server)
        append_act(db, principal, "mcp_server.added", server.name)

    @overwrite
    def edit_mcp_server(
        self, db: Connection, principal: Principal, id: str, edit: Callable[[StoredMcpServer], StoredMcpServer]
    ) -> StoredMcpServer:
        before = _require(db, principal, id)
        edited = edit(before)
        _put(db, edited)
        if edited.config.url != before.config.url:
            db.execute("DELETE FROM mcp_sign_in WHERE server = ?", (id,))
        append_act(db, principal, "mcp_server.changed", edited.name)
        return edited

    @overwrite
    def delete_mcp_server(self, db: Connection, principal: Principal, id: str) -> None:
        server = _require(db, principal, id)
        db.execute("DELETE FROM mcp_server WHERE id = ?", (id,))
        db.execute("DELETE FROM mcp_listing WHERE server = ?", (id,))
        db.execute("DELETE FROM mcp_switch WHERE server = ?", (id,))
        db.execute("DELETE FROM mcp_sign_in WHERE server = ?", (id,))
        append_act(db, principal, "mcp_server.removed", server.name)

    @overwrite
    def save_mcp_listing(self, db: Connection, principal: Principal, id: str, listing: McpListing) -> None:
        db.execute(
            "INSERT INTO mcp_listing (server, seen) VALUES (?1, ?2) ON CONFLICT (server) DO UPDATE SET seen = ?2",
            (id, _encode(listing)),
        )

    @overwrite
    def approve_mcp_listing(
        self, db: Connection, principal: Principal, id: str, fingerprint: str, renewed: Sequence[str] = ()
    ) -> None:
        row = first_row(db, "SELECT seen FROM mcp_listing WHERE server = ?", (id,))
        seen = _listing(row[0]) if row is not None else None
        if seen is None or seen.fingerprint != fingerprint:
            raise Conflict("The tools of this server have changed meanwhile; look at them again.")
        db.execute("UPDATE mcp_listing SET approved = seen WHERE server = ?", (id,))
        (owner,) = first_row(db, "SELECT owner FROM mcp_server WHERE id = ?", (id,)) or (None,)
        db.executemany(
            "DELETE FROM tool_permission"
            " WHERE tool = ?1 AND NOT is_denied AND (CAST(?2 AS TEXT) IS NULL OR owner = ?2)",
            [(tool, owner) for tool in renewed],
        )
        append_act(db, principal, "mcp_server.approved", id, details={"tools": len(seen.tools)})

    @write
    def switch_mcp_server(self, db: Connection, principal: Principal, switch: McpSwitch) -> None:
        if switch.conversation is not None:
            mine = first_row(
                db, "SELECT 1 FROM conversation WHERE id = ? AND owner = ?", (switch.conversation, principal.id)
            )
            if mine is None:
                raise NotFound(f"There is no conversation {switch.conversation!r}.")
        key = (principal.id, switch.server, switch.conversation)
        db.execute("DELETE FROM mcp_switch WHERE owner = ? AND server = ? AND conversation IS NOT DISTINCT FROM ?", key)
        db.execute(
            "INSERT INTO mcp_switch (owner, server, conversation, is_on, changed) VALUES (?, ?, ?, ?, ?)",
            (*key, switch.is_on, self.now()),
        )


def _require(db: Connection, principal: Principal, id: str) -> StoredMcpServer:
    row = first_row(db, f"SELECT {_COLUMNS} FROM mcp_server WHERE {_VISIBLE} AND id = ?2", (principal.id, id))
    if row is None:
        raise NotFound(f"There is no MCP server {id!r}; `eclair mcp` lists them.")
    return _server(row)


def _put(db: Connection, server: StoredMcpServer) -> None:
    db.execute(
        upsert("mcp_server", _COLUMNS, "id"),
        (
            *(server.id, server.owner, server.name, _encode(server.config), server.secrets),
            *(_encode(server.secret_names), server.created),
        ),
    )


def _encode(value: object) -> str:
    return orjson.dumps(value).decode()


def _listing(text: str | None) -> McpListing | None:
    return None if text is None else _LISTING.validate_json(text)


@row_decoder
def _server(row: Any) -> StoredMcpServer:
    id, owner, name, config, secrets, secret_names, created = row
    return StoredMcpServer(id, owner, name, _CONFIG.validate_json(config), secrets, created, decode_list(secret_names))


@row_decoder
def _switch(row: Any) -> McpSwitch:
    server, conversation, is_on = row
    return McpSwitch(server, conversation, bool(is_on))
