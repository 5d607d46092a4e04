"""Keeps sign-ins at MCP servers encrypted, bound to person, server and address, and signs requests with them.

All changes of a sign-in are made one after another, by whichever process: the claims of background work see to that.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import orjson

from eclair.errors import EngineUnavailable, SettingsError
from eclair.schema.principal import Principal
from eclair.storage.jobs import JobStore, hold_when_free
from eclair.storage.mcp_servers import StoredMcpServer
from eclair.storage.mcp_sign_ins import McpSignInStore, SignedInServers
from eclair.storage.processes import ProcessStore
from eclair.storage.secrets import Vault
from eclair.util.tasks import UncancelledTasks

if TYPE_CHECKING:
    from eclair.mcp_servers.sign_in_requests import SignedRequests
    from eclair.mcp_servers.sign_in_transport import SignInTransport

RENEWAL_TIMEOUT_S = 30.0
"""For the reply that has the new tokens."""
CLAIM_TIMEOUT_S = 60.0
"""Longer than a renewal takes."""
CLOSE_TIMEOUT_S = RENEWAL_TIMEOUT_S + 5.0
"""So long a renewal that has begun may take until its tokens are kept."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptPlace:
    """Implements `SignInPlace`: the place of one person's sign-in at one server, at its present address."""

    store: McpSignInStore
    jobs: JobStore
    processes: ProcessStore
    vault: Vault
    principal: Principal
    server: StoredMcpServer

    @asynccontextmanager
    async def changing(self) -> AsyncGenerator[None]:
        """See `SignInPlace.changing`."""
        subject = f"{self.principal.id} {self.server.id}"
        async with hold_when_free(self.jobs, self.processes, "sign-in", subject, CLAIM_TIMEOUT_S) as ours:
            if not ours:
                raise EngineUnavailable(
                    f"The sign-in at the MCP server {self.server.name!r} is being changed; try again in a minute."
                )
            yield

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
        """Keep a new sign-in. Raises EngineUnavailable as `changing` does."""
        sealed = self.vault.encrypt(kept, self._bound_to)
        async with self.changing():
            await self.store.add_mcp_sign_in(self.principal, self.server, sealed)

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
    """Keeps and reads sign-ins. Call `close` at the end."""

    def __init__(self, store: McpSignInStore, jobs: JobStore, processes: ProcessStore, vault: Vault) -> None:
        self._store = store
        self._jobs = jobs
        self._processes = processes
        self._vault = vault
        self._renewals = UncancelledTasks(CLOSE_TIMEOUT_S)

    async def close(self) -> None:
        """Wait for renewals that have begun."""
        await self._renewals.close()

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
        return KeptPlace(self._store, self._jobs, self._processes, self._vault, principal, server)

    async def find_auth(
        self, principal: Principal, server: StoredMcpServer, open_http: Callable[[], SignInTransport]
    ) -> SignedRequests | None:
        """Return what signs somebody's requests to a server; None where they aren't signed in at that address.

        `open_http` opens the connections over which tokens are renewed.
        """
        place = self.place(principal, server)
        kept = await place.read()
        if kept is None or server.config.url is None:
            return None
        from eclair.mcp_servers.sign_in_requests import SignedRequests  # slow to import
        from eclair.mcp_servers.sign_in_tokens import KeptSignIn, TokenRenewer

        renewer = TokenRenewer(place, open_http, self._renewals)
        return SignedRequests(server.config.url, KeptSignIn.model_validate_json(kept), renewer)

    async def end(self, principal: Principal, server: StoredMcpServer, http: SignInTransport) -> None:
        """Forget a sign-in, and have its tokens revoked. Raises NotFound, and EngineUnavailable as `changing` does."""
        place = self.place(principal, server)
        async with place.changing():
            kept = await place.read()
            await self._store.delete_mcp_sign_in(principal, server)
        if kept is not None:
            from eclair.mcp_servers.sign_in_tokens import revoke  # slow to import

            if (fault := await revoke(kept, http)) is not None:
                log.warning("the MCP server %s did not revoke a person's tokens: %s", server.name, fault)
