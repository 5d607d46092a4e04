"""Port of permissions that people gave to tools, or refused them: for a conversation, or for all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class ToolPermission:
    """A person's permission for further calls of a tool with this `scope`, such as a host; all calls if it is empty.

    It counts in `conversation`, or in all if that is None. `created` is in milliseconds. One that `is_denied` is a
    refusal: the calls are declined without asking.
    """

    id: str
    tool: str
    scope: str
    conversation: str | None
    created: int
    is_denied: bool = False


class ToolPermissionStore(Protocol):
    """Permissions of a person, which nobody else sees."""

    async def list_permissions(self, principal: Principal) -> list[ToolPermission]:
        """List a person's permissions, newest first."""
        ...

    async def add_permission(self, principal: Principal, permission: ToolPermission) -> None:
        """Add a permission or a refusal, in place of one for the same calls."""
        ...

    async def delete_permission(self, principal: Principal, id: str) -> None:
        """Delete a permission. Raises NotFound."""
        ...
