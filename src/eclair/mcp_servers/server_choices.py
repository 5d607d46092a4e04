"""States of MCP servers for somebody: switched on or off, allowed or held, and waiting for a sign-in or not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Literal

from eclair.schema.mcp_servers import MCP_NAME_SEPARATOR, McpOrigin
from eclair.storage.mcp_servers import McpChoices, McpListings, StoredMcpServer
from eclair.storage.mcp_sign_ins import SignedInServers

McpState = Literal["ready", "unseen", "held", "down"]
"""Tools can be called; nobody has allowed any yet; they have changed since; or the server can't be reached."""


@dataclass(frozen=True, slots=True)
class McpWish:
    """A wish for one conversation, which may be None for a temporary one.

    `switched` are choices for a single turn, by the ids of servers. `tools` are those that its assistant or project
    names, None where any may be called; servers of named tools are on, and others aren't offered.
    """

    conversation: str | None = None
    switched: Mapping[str, bool] = field(default_factory=dict[str, bool])
    tools: Collection[str] | None = None


NO_WISH = McpWish()


def is_on(server: StoredMcpServer, choices: McpChoices, wish: McpWish = NO_WISH) -> bool:
    """Tell if somebody has a server on.

    The turn decides, then the conversation, its assistant or project, the person, and at last the house.
    """
    if (switched := wish.switched.get(server.id)) is not None:
        return switched
    mine = {switch.conversation: switch.is_on for switch in choices.switches if switch.server == server.id}
    if wish.conversation is not None and wish.conversation in mine:
        return mine[wish.conversation]
    if wish.tools is not None and is_offered(server, wish):
        return True
    return mine.get(None, server.config.by_default or server.owner is not None)


def is_offered(server: StoredMcpServer, wish: McpWish) -> bool:
    """Tell if the assistant or project of a conversation offers tools of a server, or names none at all."""
    return wish.tools is None or any(tool.startswith(f"{server.name}{MCP_NAME_SEPARATOR}") for tool in wish.tools)


def renewed_tools(listings: McpListings) -> list[str]:
    """Return the names of the tools that were never allowed, that are described otherwise now, or that are gone."""
    allowed = {} if listings.approved is None else {tool.name: tool for tool in listings.approved.tools}
    seen = {} if listings.seen is None else {tool.name: tool for tool in listings.seen.tools}
    return [name for name in sorted({*allowed, *seen}) if allowed.get(name) != seen.get(name)]


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
