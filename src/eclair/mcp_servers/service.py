"""MCP servers for people: who may add, see and use which, which tools were allowed, and calls of those.

Servers of the house are for everybody whom the rights let use them; administrators alone change them. A person may add
servers of their own by address. The tools of a server are offered once somebody has looked at them, and as long as
they are described as they were then.
"""

from __future__ import annotations

import shutil
import time
from asyncio import to_thread
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.errors import Conflict, EclairError, Forbidden, InvalidInput, NotFound, RightMissing, RoleMissing
from eclair.live_settings import LiveSettings
from eclair.mcp_servers.connection_pool import ConnectionPool, import_library
from eclair.mcp_servers.server_choices import (
    NO_WISH,
    McpWish,
    is_known_to_want_sign_in,
    is_offered,
    is_on,
    origin_of,
    renewed_tools,
    state_of,
)
from eclair.mcp_servers.server_config import (
    McpServerChange,
    change_server,
    check_server_name,
    configured_server,
    read_secrets,
)
from eclair.mcp_servers.server_views import McpOffer, McpServer
from eclair.mcp_servers.sign_in_keeper import SignInKeeper
from eclair.mcp_servers.tool_listing import check_listing
from eclair.network.gate import OutboundGate
from eclair.schema.ids import Clock, new_id
from eclair.schema.mcp_servers import McpListing, McpSecrets, McpServerConfig, tool_name
from eclair.schema.principal import Principal
from eclair.storage.mcp_servers import McpChoices, McpListings, McpServerStore, McpSwitch, StoredMcpServer
from eclair.storage.mcp_sign_ins import SignedInServers
from eclair.storage.secrets import Vault

if TYPE_CHECKING:
    from eclair.mcp_servers.connection import McpConnection, OpenTransport
    from eclair.mcp_servers.results import McpResult
    from eclair.mcp_servers.sign_in_requests import SignedRequests
    from eclair.mcp_servers.sign_in_transport import SignInTransport

T = TypeVar("T")

OWN_SERVERS = "mcp"
"""The right to add servers of one's own."""

CALL_TIMEOUT_S = 60.0
LISTING_MAX_AGE_MS = 600_000
"""After that, a server is asked again what its tools are before one is called."""


class McpService:
    """Lists, changes and calls MCP servers. Call `close` at the end."""

    def __init__(
        self,
        settings: LiveSettings,
        store: McpServerStore,
        vault: Vault,
        sign_ins: SignInKeeper,
        gate: OutboundGate,
        rights: RightRules = OPEN_RULES,
        clock: Clock = time.time,
    ) -> None:
        self._sign_ins = sign_ins
        self._settings = settings
        self._store = store
        self._vault = vault
        self._gate = gate
        self._rights = rights
        self._clock = clock
        self._pool = ConnectionPool()

    async def close(self) -> None:
        await self._pool.close()
        await self._sign_ins.close()

    async def list(self, principal: Principal, wish: McpWish = NO_WISH) -> list[McpServer]:
        """List the servers that somebody may use, and for administrators all of the house."""
        choices = await self._choices(principal)
        signed_in = await self._sign_ins.list_servers(principal, choices.servers)
        return [
            self._shown(principal, server, choices, signed_in, wish)
            for server in choices.servers
            if principal.role == "admin" or self._may_use(principal, server)
        ]

    async def get(self, principal: Principal, id: str, wish: McpWish = NO_WISH) -> McpServer:
        """Return a server. Raises NotFound."""
        for server in await self.list(principal, wish):
            if server.id == id:
                return server
        raise _missing(id)

    async def add(self, principal: Principal, name: str, change: McpServerChange) -> McpServer:
        """Add a server: an administrator for the house, anybody else by address for themselves.

        Raises InvalidInput, Conflict where its name is taken, RoleMissing, RightMissing and SettingsError.
        """
        name = check_server_name(name)
        is_house = principal.role == "admin"
        if not is_house:
            self._require_own(principal, change)
        if name in self._settings.current.mcp_servers:
            raise Conflict(f"The name {name!r} is taken by an MCP server of the settings; choose another.")
        owner = None if is_house else principal.id
        blank = StoredMcpServer(
            new_id("mcp", self._clock), owner, name, McpServerConfig(), None, int(self._clock() * 1000)
        )
        server = change_server(blank, change, self._vault)
        self._require_bounds(server.config)
        await self._store.add_mcp_server(principal, server)
        return await self.get(principal, server.id)

    async def change(self, principal: Principal, id: str, change: McpServerChange) -> McpServer:
        """Change a server; its connections end. Raises what `add` raises, and NotFound."""
        server = await self._changeable(principal, id)
        if server.owner is not None:
            self._require_own(principal, change)
        edited = await self._store.edit_mcp_server(
            principal, id, lambda stored: change_server(stored, change, self._vault)
        )
        self._require_bounds(edited.config)
        await self._pool.end(id)
        return await self.get(principal, id)

    async def remove(self, principal: Principal, id: str) -> None:
        """Remove a server, with what it keeps. Raises NotFound, Conflict for one of the settings, and RoleMissing."""
        await self._changeable(principal, id)
        await self._store.delete_mcp_server(principal, id)
        await self._pool.end(id)
        await to_thread(shutil.rmtree, self._cache_folder(id), ignore_errors=True)

    async def check(self, principal: Principal, id: str) -> McpServer:
        """Connect to a server at once, and ask for its tools. Faults are in what is returned. Raises NotFound."""
        server = await self._find(principal, id)
        self._require_use(principal, server)
        try:
            async with self._connected(principal, server, again=True):
                pass
        except EclairError as error:
            shown = await self.get(principal, id)
            return replace(shown, state="down", fault=shown.fault or error.message)
        return await self.get(principal, id)

    async def approve(self, principal: Principal, id: str, fingerprint: str) -> McpServer:
        """Allow the tools of a server as they were last seen. Raises NotFound, Conflict and RoleMissing.

        What people have allowed to those of them that are new or changed counts no more.
        """
        server = await self._find(principal, id)
        self._require_change(principal, server)
        listings = (await self._choices(principal)).listings.get(id, McpListings())
        renewed = [tool_name(server.name, tool) for tool in renewed_tools(listings)]
        await self._store.approve_mcp_listing(principal, id, fingerprint, renewed)
        return await self.get(principal, id)

    async def switch(self, principal: Principal, id: str, *, is_on: bool, conversation: str | None = None) -> McpServer:
        """Keep somebody's choice, for a conversation or for all others. Raises NotFound and RightMissing."""
        server = await self._find(principal, id)
        self._require_use(principal, server)
        await self._store.switch_mcp_server(principal, McpSwitch(id, conversation, is_on))
        return await self.get(principal, id, McpWish(conversation))

    async def offered(self, principal: Principal, wish: McpWish = NO_WISH) -> list[McpOffer]:
        """Return the tools that a model may call for somebody in a conversation, sorted by the names of servers."""
        choices = await self._choices(principal)
        found: list[McpOffer] = []
        for server in sorted(choices.servers, key=lambda server: server.name):
            listings = choices.listings.get(server.id, McpListings())
            if (
                listings.approved is not None
                and state_of(listings) == "ready"
                and is_on(server, choices, wish)
                and self._may_use(principal, server)
                and (server.owner is None or self._rights.may(principal, OWN_SERVERS))
            ):
                described = listings.seen or listings.approved
                found.append(McpOffer(server, listings.approved.tools, described.has_resources))
        return found

    async def call(
        self, principal: Principal, server: StoredMcpServer, tool: str, arguments: dict[str, Any]
    ) -> tuple[McpResult, int]:
        """Call a tool that was offered; return its result, and the bytes that left for it.

        Raises EngineUnavailable, EngineBroken, Refused, and Conflict where the tools have changed.
        """
        result, sent_bytes = await self.ask(
            principal, server, lambda connection: connection.call_tool(tool, arguments, CALL_TIMEOUT_S)
        )
        from eclair.mcp_servers.results import read_result  # slow to import

        return read_result(result), sent_bytes

    async def ask(
        self, principal: Principal, server: StoredMcpServer, ask: Callable[[McpConnection], Awaitable[T]]
    ) -> tuple[T, int]:
        """Ask a server something over its connection; return what `ask` does, and the bytes that left for it.

        Raises as `call` does.
        """
        key = (server.id, principal.id)
        async with self._connected(principal, server) as connection:
            before = connection.sent_bytes
            try:
                result = await ask(connection)
            except EclairError as error:
                await self._pool.failed(key, error)
                raise
            self._pool.succeeded(key)
            return result, connection.sent_bytes - before

    async def usable(self, principal: Principal, id: str) -> StoredMcpServer:
        """Return a server that somebody may have something read from. Raises NotFound and RightMissing."""
        server = await self._find(principal, id)
        self._require_use(principal, server)
        return server

    @asynccontextmanager
    async def _connected(
        self, principal: Principal, server: StoredMcpServer, *, again: bool = False
    ) -> AsyncGenerator[McpConnection]:
        """Yield a connection to a server whose tools are those that were allowed; `again` only looks at them.

        Raises as `call` does.
        """
        await to_thread(import_library)
        from eclair.mcp_servers.connection import CONNECT_TIMEOUT_S, FIRST_CONNECT_TIMEOUT_S

        key = (server.id, principal.id)
        secrets = self._secrets(server)
        auth = await self._sign_ins.find_auth(principal, server, lambda: self.sign_in_transport(principal, server))
        timeout_s = FIRST_CONNECT_TIMEOUT_S if again and server.config.network else CONNECT_TIMEOUT_S
        async with self._pool.using(
            key, server, lambda: self._transport(principal, server, secrets, auth), timeout_s, again=again
        ) as (connection, is_new):
            listings = (await self._choices(principal)).listings.get(server.id, McpListings())
            now = int(self._clock() * 1000)
            is_old = listings.seen is None or now - listings.seen.moment > LISTING_MAX_AGE_MS
            if is_new or again or is_old or connection.has_new_tools:
                listings = McpListings(listings.approved, await self._list_tools(principal, server, connection, now))
            if not again and state_of(listings) != "ready":
                raise Conflict(
                    f"The tools of the MCP server {server.name!r} are described otherwise than when they were "
                    "allowed; somebody has to look at them first, in the settings under MCP servers."
                )
            yield connection

    async def _list_tools(
        self, principal: Principal, server: StoredMcpServer, connection: McpConnection, now: int
    ) -> McpListing:
        """Ask a server what its tools are, and keep that."""
        key = (server.id, principal.id)
        try:
            tools, contents = await connection.list_tools(), await connection.has_contents()
            seen = replace(check_listing(tools, now), has_resources=contents[0], has_prompts=contents[1])
        except EclairError as error:
            await self._pool.failed(key, error)
            raise
        self._pool.succeeded(key)
        await self._store.save_mcp_listing(principal, server.id, seen)
        return seen

    def _transport(
        self, principal: Principal, server: StoredMcpServer, secrets: McpSecrets, auth: SignedRequests | None
    ) -> OpenTransport:
        from eclair.mcp_servers.command_transport import ServerProgram  # slow to import
        from eclair.mcp_servers.connection import ProgramTransport, UrlTransport
        from eclair.network.mcp_http import McpHttpTransport

        config = server.config
        if config.url is not None and auth is not None:
            return UrlTransport(config.url, self.sign_in_transport(principal, server), auth)
        if config.url is not None:
            http = McpHttpTransport(
                config.url, principal, self._gate, headers=secrets.headers, guarded=server.owner is not None
            )
            return UrlTransport(config.url, http)
        self._require_bounds(config)
        program = ServerProgram(
            config.command,
            secrets.variables,
            config.folders,
            config.readable,
            config.network,
            self._cache_folder(server.id) if config.network else None,
        )
        return ProgramTransport(program)

    async def find(self, principal: Principal, id: str) -> StoredMcpServer:
        """Return a server that somebody may use, as it is stored. Raises NotFound and RightMissing."""
        server = await self._find(principal, id)
        self._require_use(principal, server)
        return server

    def sign_in_transport(self, principal: Principal, server: StoredMcpServer) -> SignInTransport:
        """Return the way to a server with an address, and to what it names for sign-ins, without a fixed token."""
        from eclair.mcp_servers.sign_in_transport import SignInTransport  # slow to import

        kept = self._secrets(server).headers.items()
        headers = {name: value for name, value in kept if name.lower() != "authorization"}
        guarded = server.owner is not None
        return SignInTransport(server.config.url or "", principal, self._gate, headers=headers, guarded=guarded)

    def find_client(self, server: StoredMcpServer) -> tuple[str, str] | None:
        """Return id and secret of the client that somebody has registered where people sign in; None without one."""
        id = server.config.client_id
        return None if id is None else (id, self._secrets(server).client_secret)

    async def disconnect(self, principal: Principal, id: str) -> None:
        """End the connection of one person to a server."""
        await self._pool.end(id, principal.id)

    def _require_bounds(self, config: McpServerConfig) -> None:
        """Raise Forbidden where a command would connect to others, and the policy can't let it: it isn't asked."""
        if config.network and self._gate.policy.mode in ("offline", "eu"):
            raise Forbidden(
                f"The policy for outgoing calls is `{self._gate.policy.mode}`, and nothing can hold a command to it; "
                "take its network away, or choose another policy with `egress`."
            )
        for folder in (*config.folders, *config.readable):
            path, data = Path(folder), self._settings.current.data_dir
            if path == data or path in data.parents or data in path.parents:
                raise InvalidInput(f"{folder} holds what Éclair keeps; choose another folder.", param="folders")

    def _cache_folder(self, id: str) -> Path:
        return self._settings.current.data_dir / "mcp" / id

    async def _choices(self, principal: Principal) -> McpChoices:
        """Return the servers of the settings and those that were added."""
        added = await self._store.list_mcp_servers(principal)
        configured = [configured_server(name, each)[0] for name, each in self._settings.current.mcp_servers.items()]
        names = {server.name for server in configured}
        house = {server.name for server in added.servers if server.owner is None}
        kept = [
            server
            for server in added.servers
            if server.name not in names and (server.owner is None or server.name not in house)
        ]
        return McpChoices((*configured, *kept), added.listings, added.switches)

    async def _find(self, principal: Principal, id: str) -> StoredMcpServer:
        for server in (await self._choices(principal)).servers:
            if server.id == id:
                return server
        raise _missing(id)

    async def _changeable(self, principal: Principal, id: str) -> StoredMcpServer:
        server = await self._find(principal, id)
        self._require_change(principal, server)
        if origin_of(server) == "file":
            raise Conflict(f"The MCP server {server.name!r} is in the settings; change it there.")
        return server

    def _secrets(self, server: StoredMcpServer) -> McpSecrets:
        given = self._settings.current.mcp_servers.get(server.name) if origin_of(server) == "file" else None
        return configured_server(server.name, given)[1] if given is not None else read_secrets(server, self._vault)

    def _shown(
        self,
        principal: Principal,
        server: StoredMcpServer,
        choices: McpChoices,
        signed_in: SignedInServers,
        wish: McpWish,
    ) -> McpServer:
        listings = choices.listings.get(server.id, McpListings())
        key = (server.id, principal.id)
        fault = self._pool.fault(key)
        may_change = server.owner == principal.id or principal.role == "admin"
        return McpServer(
            id=server.id,
            name=server.name,
            origin=origin_of(server),
            is_own=server.owner is not None,
            config=server.config if may_change else McpServerConfig(url=server.config.url),
            secret_names=server.secret_names if may_change else (),
            state="down" if fault is not None else state_of(listings),
            fault=fault,
            is_on=is_on(server, choices, wish),
            is_offered=is_offered(server, wish),
            approved=listings.approved,
            seen=listings.seen,
            may_change=may_change,
            log=self._pool.log(key) if may_change else (),
            signed_in=server.id in signed_in.mine,
            signed_in_as=signed_in.accounts.get(server.id),
            wants_sign_in=self._pool.wants_sign_in(key) or is_known_to_want_sign_in(server, signed_in),
        )

    def _may_use(self, principal: Principal, server: StoredMcpServer) -> bool:
        return server.owner == principal.id or self._rights.may(principal, f"tool:{server.name}")

    def _require_use(self, principal: Principal, server: StoredMcpServer) -> None:
        if principal.role != "admin" and not self._may_use(principal, server):
            raise RightMissing(f"You may not use the MCP server {server.name!r}; ask an administrator.")

    def _require_own(self, principal: Principal, change: McpServerChange) -> None:
        self._rights.require(
            principal, OWN_SERVERS, "You may not add MCP servers of your own; ask an administrator to add them."
        )
        if change.command is not None or (change.url is None and change.secrets is None and change.by_default is None):
            raise RoleMissing("Only an administrator may add MCP servers that are commands; give an address.")

    @staticmethod
    def _require_change(principal: Principal, server: StoredMcpServer) -> None:
        if server.owner is None and principal.role != "admin":
            raise RoleMissing("Only an administrator may change MCP servers of the house; ask one of yours.")


def _missing(id: str) -> NotFound:
    return NotFound(f"There is no MCP server {id!r}; `eclair mcp` lists them.")
