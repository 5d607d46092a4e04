"""Port of shares: snapshots of conversations, readable by whoever knows their id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class Share:
    """A shared snapshot. Times are in milliseconds; `expires` is None for one that never does.

    `readings` counts how often it was opened. One for the `house` is read by people who are signed in here alone.
    `reviewer` is the person who reviewed it and answers for it, if any.
    """

    id: str
    owner: str
    conversation: str
    title: str
    created: int
    expires: int | None
    readings: int = 0
    house: bool = False
    reviewer: str | None = None


class ShareStore(Protocol):
    async def add_share(self, principal: Principal, share: Share, body: str) -> None:
        """Add a snapshot; `body` is a JSON list of messages. Raises NotFound for another's conversation.

        The messages have their ids; what is erased of a message, a file or an image leaves the snapshot too.
        """
        ...

    async def get_share(self, id: str) -> tuple[Share, str]:
        """Return a snapshot and its body, whoever asks. Raises NotFound, also once its conversation was deleted."""
        ...

    async def count_reading(self, id: str) -> None:
        """Count that a snapshot was opened, whoever did; a missing one is no error."""
        ...

    async def list_shares(self, principal: Principal) -> list[Share]:
        """List snapshots, newest first, expired ones included, but none of a deleted conversation."""
        ...

    async def delete_share(self, principal: Principal, id: str) -> None:
        """Delete a snapshot. Raises NotFound."""
        ...
