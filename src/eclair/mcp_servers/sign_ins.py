"""Sign-ins of people at MCP servers: begun here, continued in a browser, and finished with what that brings back.

What is between is in the database, encrypted, so that any server of Éclair's can finish it.
"""

from __future__ import annotations

import base64
import hashlib
from asyncio import to_thread
from dataclasses import dataclass
from importlib import import_module
from typing import TypedDict

import orjson

from eclair.errors import Conflict, EngineBroken, NotFound, SettingsError, TooBusy
from eclair.mcp_servers.server_views import McpServer
from eclair.mcp_servers.service import McpService
from eclair.mcp_servers.sign_in_client import RedirectTarget, choose_target
from eclair.mcp_servers.sign_in_keeper import SignInKeeper
from eclair.schema.ids import Clock
from eclair.schema.principal import Principal
from eclair.storage.secrets import Vault
from eclair.storage.sign_in_states import SignInState, SignInStateStore

MAX_PENDING_S = 600.0
"""A person has so long to sign in at the other side."""
MAX_PENDING = 4
"""Sign-ins of one person that have begun and not ended."""
MAX_ALL_PENDING = 10_000


@dataclass(frozen=True, slots=True)
class SignInAnswer:
    """Parameters with which an authorization server sends a browser back: a code, or an error."""

    state: str
    code: str = ""
    issuer: str | None = None
    error: str = ""


class _PendingSignIn(TypedDict):
    """A sign-in that waits for its person: at which server, and a `BegunMcpSignIn`, encrypted."""

    server: str
    url: str
    sealed: str


class McpSignIns:
    """Begins, finishes and ends sign-ins."""

    def __init__(
        self,
        servers: McpService,
        keeper: SignInKeeper,
        states: SignInStateStore,
        vault: Vault,
        clock: Clock,
    ) -> None:
        self._servers = servers
        self._keeper = keeper
        self._states = states
        self._vault = vault
        self._clock = clock

    async def begin(self, principal: Principal, id: str, redirect_uri: str, document_url: str | None = None) -> str:
        """Begin a sign-in; return the address to which the person's browser goes.

        `document_url` is where Éclair describes itself as a client, if it has a public address. Raises NotFound,
        RightMissing, Conflict where the server wants none, TooBusy, Refused, EngineUnavailable and EngineBroken.
        """
        await to_thread(import_module, "eclair.mcp_servers.sign_in_flow")  # slow to import
        from eclair.mcp_servers.sign_in_flow import McpSignInFlow
        from eclair.mcp_servers.sign_in_tokens import wanted_scope

        now = int(self._clock() * 1000)
        _, begun = await self._states.count_sign_in_states("mcp", now, principal.id)
        if begun >= MAX_PENDING:
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
        address, state, flow_state = await flow.begin()
        sealed = self._vault.encrypt(flow_state, _bound_to(principal, server.id, server.config.url))
        pending = _PendingSignIn(server=server.id, url=server.config.url, sealed=base64.b64encode(sealed).decode())
        found = SignInState(
            kind="mcp",
            person=principal.id,
            address=principal.id,  # by which they are counted
            state=orjson.dumps(pending).decode(),
            expires=now + int(MAX_PENDING_S * 1000),
        )
        await self._states.add_sign_in_state(_digest(state), found, now, MAX_ALL_PENDING)
        return address

    async def finish(self, principal: Principal, answer: SignInAnswer) -> McpServer:
        """Finish a sign-in; return its server. Raises NotFound, Refused, EngineUnavailable and EngineBroken."""
        await to_thread(import_module, "eclair.mcp_servers.sign_in_flow")  # slow to import
        from eclair.mcp_servers.sign_in_flow import BegunMcpSignIn, McpSignInFlow

        pending = await self._take(principal, answer.state)
        server = await self._servers.find(principal, pending["server"])
        if answer.error or not answer.code or server.config.url != pending["url"]:
            why = " ".join(answer.error.split())[:200] or "no code came back"
            raise EngineBroken(f"The MCP server {server.name!r} did not let you in: {why}; sign in again.")
        sealed = base64.b64decode(pending["sealed"])
        try:
            opened = self._vault.decrypt(sealed, _bound_to(principal, server.id, pending["url"]))
        except SettingsError:  # by a server of Éclair's that has another secret
            raise _ended() from None
        begun = BegunMcpSignIn.model_validate_json(opened)
        http = self._servers.sign_in_transport(principal, server)
        place = self._keeper.place(principal, server)
        flow = McpSignInFlow(server.name, pending["url"], http, RedirectTarget(begun.redirect_uri), place.add)
        await flow.finish(begun, answer.code, answer.issuer)
        await self._servers.disconnect(principal, server.id)
        return await self._servers.check(principal, server.id)

    async def end(self, principal: Principal, id: str) -> McpServer:
        """Forget a sign-in, and have its tokens revoked. Raises NotFound and RightMissing."""
        server = await self._servers.find(principal, id)
        await self._keeper.end(principal, server, self._servers.sign_in_transport(principal, server))
        await self._servers.disconnect(principal, id)
        return await self._servers.get(principal, id)

    async def _take(self, principal: Principal, state: str) -> _PendingSignIn:
        """Take a sign-in of the principal's, which counts once. Raises NotFound."""
        found = await self._states.find_sign_in_state(_digest(state))
        if found is None or (found.kind, found.person) != ("mcp", principal.id):
            raise _ended()
        taken = await self._states.take_sign_in_state(_digest(state))
        if taken is None or taken.expires <= self._clock() * 1000:
            raise _ended()
        pending: _PendingSignIn = orjson.loads(taken.state)
        return pending


def _ended() -> NotFound:
    return NotFound("This sign-in has ended, or somebody else began it; begin again.")


def _digest(state: str) -> bytes:
    return hashlib.sha256(state.encode("utf-8", "surrogatepass")).digest()


def _bound_to(principal: Principal, server: str, url: str) -> str:
    return f"mcp-sign-in-begun:{principal.id}:{server}:{url}"
