"""Keeps sign-ins at MCP servers encrypted, bound to person, server and address, and signs requests with them."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson

from eclair.errors import SettingsError
from eclair.schema.principal import Principal
from eclair.storage.mcp_servers import StoredMcpServer
from eclair.storage.mcp_sign_ins import McpSignInStore, SignedInServers
from eclair.storage.secrets import Vault

if TYPE_CHECKING:
    import httpx2

    from eclair.mcp_servers.sign_in_transport import SignInTransport

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptPlace:
    """Implements `SignInPlace`: the place of one person's sign-in at one server, at its present address."""

    store: McpSignInStore
    vault: Vault
    principal: Principal
    server: StoredMcpServer

    async def read(self) -> str | None:
        """Return the sign-in; None where there is none for this address."""
        sealed = await self.store.find_mcp_sign_in(self.principal, self.server.id)
        if sealed is None:
            return None
        try:
            return self.vault.decrypt(sealed, self._bound_to)
        except SettingsError:  # for another address, or with another secret: the person signs in again
            return None

    async def add(self, kept: str) -> None:
        """Keep a new sign-in."""
        await self.store.add_mcp_sign_in(self.principal, self.server, self.vault.encrypt(kept, self._bound_to))

    async def renew(self, kept: str) -> None:
        """See `SignInPlace.renew`."""
        sealed = self.vault.encrypt(kept, self._bound_to)
        await self.store.renew_mcp_sign_in(self.principal, self.server.id, sealed)

    async def forget(self) -> None:
        """See `SignInPlace.forget`."""
        log.info("the MCP server %s takes a person's sign-in no more", self.server.name)
        await self.store.delete_mcp_sign_in(self.principal, self.server, is_withdrawn=True)

    @property
    def _bound_to(self) -> str:
        return f"mcp-sign-in:{self.principal.id}:{self.server.id}:{self.server.config.url}"


class SignInKeeper:
    """Keeps and reads sign-ins."""

    def __init__(self, store: McpSignInStore, vault: Vault) -> None:
        self._store = store
        self._vault = vault

    async def list_servers(self, principal: Principal, servers: Iterable[StoredMcpServer] = ()) -> SignedInServers:
        """Return at which servers somebody is signed in, and at which others are; of `servers` also as whom."""
        found = await self._store.list_mcp_sign_ins(principal)
        accounts: dict[str, str] = {}
        for server in servers:
            if server.id in found.mine and (kept := await self.place(principal, server).read()) is not None:
                account = orjson.loads(kept).get("account")
                accounts |= {server.id: account} if isinstance(account, str) else {}
        return replace(found, accounts=accounts)

    def place(self, principal: Principal, server: StoredMcpServer) -> KeptPlace:
        """Return the place of somebody's sign-in at a server."""
        return KeptPlace(self._store, self._vault, principal, server)

    async def find_auth(self, principal: Principal, server: StoredMcpServer) -> httpx2.Auth | None:
        """Return what signs somebody's requests to a server; None where they aren't signed in at that address."""
        place = self.place(principal, server)
        kept = await place.read()
        if kept is None or server.config.url is None:
            return None
        from eclair.mcp_servers.sign_in_requests import KeptSignIn, SignedRequests  # slow to import

        return SignedRequests(server.config.url, KeptSignIn.model_validate_json(kept), place)

    async def end(self, principal: Principal, server: StoredMcpServer, http: SignInTransport) -> None:
        """Forget a sign-in, and have its tokens revoked. Raises NotFound."""
        kept = await self.place(principal, server).read()
        await self._store.delete_mcp_sign_in(principal, server)
        if kept is not None:
            from eclair.mcp_servers.sign_in_requests import revoke  # slow to import

            if (fault := await revoke(kept, http)) is not None:
                log.warning("the MCP server %s did not revoke a person's tokens: %s", server.name, fault)
