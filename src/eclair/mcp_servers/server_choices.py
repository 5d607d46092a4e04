"""States of MCP servers for somebody: switched on or off, allowed or held, and waiting for a sign-in or not."""

from __future__ import annotations

from typing import Literal

from eclair.schema.mcp_servers import McpOrigin
from eclair.storage.mcp_servers import McpChoices, McpListings, StoredMcpServer
from eclair.storage.mcp_sign_ins import SignedInServers

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


def is_known_to_want_sign_in(server: StoredMcpServer, signed_in: SignedInServers) -> bool:
    """Tell if others sign in at a server, the person doesn't, and no fixed token stands in for that."""
    has_token = "authorization" in map(str.lower, server.secret_names)
    return server.id in signed_in.others and server.id not in signed_in.mine and not has_token
