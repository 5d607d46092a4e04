"""Port of shares: snapshots of conversations, readable by whoever knows their id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class Share:
    """A shared snapshot. Times are in milliseconds; `expires` is None for one that never does."""

    id: str
    owner: str
    conversation: str
    title: str
    created: int
    expires: int | None


class ShareStore(Protocol):
    async def add_share(self, principal: Principal, share: Share, body: str) -> None:
        """Add a snapshot; `body` is JSON. Raises NotFound for a conversation that is not the principal's."""
        ...

    async def get_share(self, id: str) -> tuple[Share, str]:
        """Return a snapshot and its body, whoever asks. Raises NotFound, also once its conversation was deleted."""
        ...

    async def list_shares(self, principal: Principal) -> list[Share]:
        """List snapshots, newest first, expired ones included, but none of a deleted conversation."""
        ...

    async def delete_share(self, principal: Principal, id: str) -> None:
        """Delete a snapshot. Raises NotFound."""
        ...
