"""Port of sign-ins at MCP servers: what is kept of each person's at each server, encrypted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from eclair.schema.principal import Principal
from eclair.storage.mcp_servers import StoredMcpServer


@dataclass(frozen=True, slots=True)
class SignedInServers:
    """Ids of the servers at which a person is signed in, and of those at which others are.

    `accounts` has by id how some servers call the person.
    """

    mine: frozenset[str]
    others: frozenset[str]
    accounts: Mapping[str, str] = field(default_factory=dict[str, str])


class McpSignInStore(Protocol):
    """A person has at most one sign-in at a server, which may be one of the settings."""

    async def list_mcp_sign_ins(self, principal: Principal) -> SignedInServers:
        """Return at which servers people are signed in."""
        ...

    async def find_mcp_sign_in(self, principal: Principal, server: str) -> bytes | None:
        """Return what is kept of a person's sign-in; None where there is none."""
        ...

    async def add_mcp_sign_in(self, principal: Principal, server: StoredMcpServer, sealed: bytes) -> None:
        """Keep a new sign-in in place of an earlier one."""
        ...

    async def renew_mcp_sign_in(self, principal: Principal, server: str, sealed: bytes) -> None:
        """Keep what a sign-in has become, if it is still there."""
        ...

    async def delete_mcp_sign_in(
        self, principal: Principal, server: StoredMcpServer, *, is_withdrawn: bool = False
    ) -> None:
        """Delete a sign-in; with `is_withdrawn`, because the server takes it no more. Raises NotFound otherwise."""
        ...
