"""Sharing: what people own (libraries, projects, prompts, assistants), opened to others as viewers or editors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from eclair.schema.principal import Principal

Access = Literal["own", "edit", "view"]
"""Access to what is shared: an editor changes what is in it, the owner alone shares and deletes it."""
SharedAccess = Literal["edit", "view"]


@dataclass(frozen=True, slots=True)
class AccessShare:
    """Something that is shared with a subject such as `group:ID`; see `Grant`. `created` is in milliseconds."""

    object: str
    subject: str
    access: SharedAccess
    created: int


class SharedStore(Protocol):
    """The methods shared by all stores of what people can share, such as `LibraryStore`."""

    async def share(self, principal: Principal, share: AccessShare) -> None:
        """Share what is the principal's, or change the access of those with whom it is shared.

        Raises NotFound for what isn't there, and for a person or group that doesn't exist.
        """
        ...

    async def unshare(self, principal: Principal, id: str, subject: str) -> None:
        """End a share at once. Raises NotFound for a thing or a share that isn't there."""
        ...

    async def list_shares(self, principal: Principal, id: str) -> list[AccessShare]:
        """List with whom something of the principal's is shared. Raises NotFound."""
        ...
