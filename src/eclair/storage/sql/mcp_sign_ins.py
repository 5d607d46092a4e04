"""Sign-ins at MCP servers in SQL."""

from __future__ import annotations

from eclair.errors import NotFound
from eclair.schema.principal import Principal
from eclair.storage.mcp_servers import StoredMcpServer
from eclair.storage.mcp_sign_ins import SignedInServers
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, overwrite, read, upsert


class SQLMcpSignInStore(SQLStore):
    """Implements `McpSignInStore`."""

    @read
    def list_mcp_sign_ins(self, db: Connection, principal: Principal) -> SignedInServers:
        rows = list(db.execute("SELECT server, owner = ? FROM mcp_sign_in", (principal.id,)))
        mine, others = (frozenset(str(server) for server, is_mine in rows if is_mine == each) for each in (1, 0))
        return SignedInServers(mine, others)

    @read
    def find_mcp_sign_in(self, db: Connection, principal: Principal, server: str) -> bytes | None:
        key = (principal.id, server)
        row = first_row(db, "SELECT sealed FROM mcp_sign_in WHERE owner = ? AND server = ?", key)
        return None if row is None else bytes(row[0])

    @overwrite
    def add_mcp_sign_in(self, db: Connection, principal: Principal, server: StoredMcpServer, sealed: bytes) -> None:
        db.execute(
            upsert("mcp_sign_in", "owner, server, sealed, changed", "owner, server"),
            (principal.id, server.id, sealed, self.now()),
        )
        append_act(db, principal, "mcp_server.signed_in", server.name)

    @overwrite
    def renew_mcp_sign_in(self, db: Connection, principal: Principal, server: str, sealed: bytes) -> None:
        db.execute(
            "UPDATE mcp_sign_in SET sealed = ?, changed = ? WHERE owner = ? AND server = ?",
            (sealed, self.now(), principal.id, server),
        )

    @overwrite
    def delete_mcp_sign_in(
        self, db: Connection, principal: Principal, server: StoredMcpServer, *, is_withdrawn: bool = False
    ) -> None:
        key = (principal.id, server.id)
        if first_row(db, "SELECT 1 FROM mcp_sign_in WHERE owner = ? AND server = ?", key) is None:
            if is_withdrawn:
                return
            raise NotFound(f"You are not signed in at the MCP server {server.name!r}.")
        db.execute("DELETE FROM mcp_sign_in WHERE owner = ? AND server = ?", key)
        append_act(db, principal, "mcp_server.signed_out", server.name, details={"withdrawn": is_withdrawn})
