"""Choices about MCP servers: whether somebody has one on, and whether its tools are those that were allowed."""

from __future__ import annotations

from typing import Literal

from eclair.schema.mcp_servers import McpOrigin
from eclair.storage.mcp_servers import McpChoices, McpListings, StoredMcpServer

McpState = Literal["ready", "unseen", "held", "down"]
"""Tools can be called; nobody has allowed any yet; they have changed since; or the server can't be reached."""


def is_on(server: StoredMcpServer, choices: McpChoices, conversation: str | None) -> bool:
    """Tell if somebody has a server on: in the conversation, or else for all, or else by the choice of the house."""
    mine = [switch for switch in choices.switches if switch.server == server.id]
    for place in dict.fromkeys((conversation, None)):
        for switch in mine:
            if switch.conversation == place:
                return switch.is_on
    return server.config.by_default or server.owner is not None


def state_of(listings: McpListings) -> McpState:
    """Return the state of a server that can be reached."""
    if listings.approved is None:
        return "unseen"
    if listings.seen is not None and listings.seen.fingerprint != listings.approved.fingerprint:
        return "held"
    return "ready"


def origin_of(server: StoredMcpServer) -> McpOrigin:
    """Tell servers of the settings from added ones."""
    return "file" if server.id.startswith("settings.") else "added"
