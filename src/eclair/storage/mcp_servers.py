"""Port of MCP servers: how they are set up, what their tools were when they were allowed, and who has them on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from eclair.schema.mcp_servers import McpListing, McpServerConfig
from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class StoredMcpServer:
    """An added server; `owner` is None for one of the house. `secrets` are encrypted, `secret_names` say of what.

    `created` is in milliseconds.
    """

    id: str
    owner: str | None
    name: str
    config: McpServerConfig
    secrets: bytes | None
    created: int
    secret_names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class McpListings:
    """The tools of a server when somebody allowed them, and when they were last asked for."""

    approved: McpListing | None = None
    seen: McpListing | None = None


@dataclass(frozen=True, slots=True)
class McpSwitch:
    """A person's choice to have a server on or off, in a conversation or, where that is None, in all others."""

    server: str
    conversation: str | None
    is_on: bool


@dataclass(frozen=True, slots=True)
class McpChoices:
    """Servers that a person may see: those of the house and their own, with the listings, and their choices."""

    servers: tuple[StoredMcpServer, ...]
    listings: dict[str, McpListings] = field(default_factory=dict[str, McpListings])
    switches: tuple[McpSwitch, ...] = ()


class McpServerStore(Protocol):
    """A person sees servers of the house and their own. Who may change those of the house is for the caller to decide.

    Listings and switches are by a server's id, which may be that of a server of the settings.
    """

    async def list_mcp_servers(self, principal: Principal) -> McpChoices:
        """List the servers with all that is known of them, oldest first."""
        ...

    async def add_mcp_server(self, principal: Principal, server: StoredMcpServer) -> None:
        """Add a server. Raises Conflict where the person sees one of that name already."""
        ...

    async def edit_mcp_server(
        self, principal: Principal, id: str, edit: Callable[[StoredMcpServer], StoredMcpServer]
    ) -> StoredMcpServer:
        """Replace a server with what `edit` returns for it. Raises NotFound, and any error of `edit`."""
        ...

    async def delete_mcp_server(self, principal: Principal, id: str) -> None:
        """Delete a server with its listings and switches. Raises NotFound."""
        ...

    async def save_mcp_listing(self, principal: Principal, id: str, listing: McpListing) -> None:
        """Keep what a server's tools are now."""
        ...

    async def approve_mcp_listing(
        self, principal: Principal, id: str, fingerprint: str, renewed: Sequence[str] = ()
    ) -> None:
        """Allow the tools that were seen last. Raises Conflict where they have another fingerprint by now.

        Permissions for the `renewed` tools, by the names that models call, are withdrawn from all who may use the
        server; refusals stay.
        """
        ...

    async def switch_mcp_server(self, principal: Principal, switch: McpSwitch) -> None:
        """Keep a person's choice. Raises NotFound for a conversation that isn't theirs."""
        ...
