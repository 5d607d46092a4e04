"""Sign-ins of people at MCP servers: begun here, continued in a browser, and finished with what that brings back."""

from __future__ import annotations

import time
from asyncio import to_thread
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from eclair.errors import Conflict, EngineBroken, NotFound, TooBusy
from eclair.mcp_servers.server_views import McpServer
from eclair.mcp_servers.service import McpService
from eclair.mcp_servers.sign_in_client import choose_target
from eclair.mcp_servers.sign_in_keeper import SignInKeeper
from eclair.schema.ids import Clock
from eclair.schema.principal import Principal
from eclair.storage.mcp_servers import StoredMcpServer

if TYPE_CHECKING:
    from eclair.mcp_servers.sign_in_flow import McpSignInFlow

MAX_PENDING_S = 600.0
"""A person has so long to sign in at the other side."""
MAX_PENDING = 4
"""Sign-ins of one person that have begun and not ended."""


@dataclass(frozen=True, slots=True)
class SignInAnswer:
    """Parameters with which an authorization server sends a browser back: a code, or an error."""

    state: str
    code: str = ""
    issuer: str | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class _PendingSignIn:
    """A sign-in that waits for its person until a second."""

    person: str
    server: StoredMcpServer
    flow: McpSignInFlow
    until: float


class McpSignIns:
    """Begins, finishes and ends sign-ins. Call `close` at the end."""

    def __init__(self, servers: McpService, keeper: SignInKeeper, clock: Clock = time.time) -> None:
        self._servers = servers
        self._keeper = keeper
        self._clock = clock
        self._pending: dict[str, _PendingSignIn] = {}

    async def close(self) -> None:
        for each in self._pending.values():
            await each.flow.close()
        self._pending.clear()

    async def begin(self, principal: Principal, id: str, redirect_uri: str, document_url: str | None = None) -> str:
        """Begin a sign-in; return the address to which the person's browser goes.

        `document_url` is where Éclair describes itself as a client, if it has a public address. Raises NotFound,
        RightMissing, Conflict where the server wants none, TooBusy, Refused, EngineUnavailable and EngineBroken.
        """
        await to_thread(import_module, "eclair.mcp_servers.sign_in_flow")  # slow to import
        from eclair.mcp_servers.sign_in_flow import McpSignInFlow
        from eclair.mcp_servers.sign_in_tokens import wanted_scope

        await self._drop_old()
        if sum(each.person == principal.id for each in self._pending.values()) >= MAX_PENDING:
            raise TooBusy("You have begun several sign-ins; finish one of them, or wait ten minutes.")
        server = await self._servers.find(principal, id)
        if server.config.url is None:
            raise Conflict(f"The MCP server {server.name!r} is a command; one signs in at addresses only.")
        target = await choose_target(redirect_uri, document_url)
        place = self._keeper.place(principal, server)
        kept = await place.read()
        flow = McpSignInFlow(
            *(server.name, server.config.url, self._servers.sign_in_transport(principal, server), target, place.add),
            scope=None if kept is None else wanted_scope(kept),
            client=self._servers.find_client(server),
        )
        try:
            address, state = await flow.begin()
        except BaseException:
            await flow.close()
            raise
        self._pending[state] = _PendingSignIn(principal.id, server, flow, self._clock() + MAX_PENDING_S)
        return address

    async def finish(self, principal: Principal, answer: SignInAnswer) -> McpServer:
        """Finish a sign-in; return its server. Raises NotFound, Refused, EngineUnavailable and EngineBroken."""
        await self._drop_old()
        found = self._pending.get(answer.state)
        if found is None or found.person != principal.id:
            raise NotFound("This sign-in has ended, or somebody else began it; begin again.")
        del self._pending[answer.state]
        server = await self._servers.find(principal, found.server.id)
        if answer.error or not answer.code or server.config.url != found.server.config.url:
            await found.flow.close()
            why = " ".join(answer.error.split())[:200] or "no code came back"
            raise EngineBroken(f"The MCP server {server.name!r} did not let you in: {why}; sign in again.")
        await found.flow.finish(answer.code, answer.state, answer.issuer)
        await self._servers.disconnect(principal, server.id)
        return await self._servers.check(principal, server.id)

    async def end(self, principal: Principal, id: str) -> McpServer:
        """Forget a sign-in, and have its tokens revoked. Raises NotFound and RightMissing."""
        server = await self._servers.find(principal, id)
        await self._keeper.end(principal, server, self._servers.sign_in_transport(principal, server))
        await self._servers.disconnect(principal, id)
        return await self._servers.get(principal, id)

    async def _drop_old(self) -> None:
        for state, each in list(self._pending.items()):
            if each.until < self._clock() or each.flow.has_ended:
                del self._pending[state]
                await each.flow.close()
