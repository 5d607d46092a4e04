"""Views of MCP servers: as somebody sees one, and as a model is offered what it has."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.mcp_servers.server_choices import McpState
from eclair.schema.mcp_servers import McpListing, McpOrigin, McpServerConfig, McpTool
from eclair.storage.mcp_servers import StoredMcpServer


@dataclass(frozen=True, slots=True)
class McpServer:
    """A server as it is displayed, without its secrets. `fault` says why it can't be used, if it can't.

    `is_own` tells a person's own from those of the house. `is_on` is the person's choice, or else that of the house.
    """

    id: str
    name: str
    origin: McpOrigin
    is_own: bool
    config: McpServerConfig
    secret_names: tuple[str, ...]
    state: McpState
    fault: str | None
    is_on: bool
    approved: McpListing | None
    seen: McpListing | None
    may_change: bool
    log: tuple[str, ...] = ()
    signed_in: bool = False
    signed_in_as: str | None = None
    wants_sign_in: bool = False
    is_offered: bool = True


@dataclass(frozen=True, slots=True)
class McpOffer:
    """The tools of a server that a model may call for somebody; its resources may be read, too, if it has any."""

    server: StoredMcpServer
    tools: tuple[McpTool, ...]
    has_resources: bool = False
