"""Port of the counts of the literacy page: how often it was offered and confirmed as read. No person is named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

LiteracyEvent = Literal["offered", "read"]


@dataclass(frozen=True, slots=True)
class LiteracyCounts:
    """The numbers of times that the page was offered, and confirmed as read."""

    offered: int = 0
    read: int = 0


class LiteracyStore(Protocol):
    """The counts. They belong to the installation, not to a person, so no method takes a Principal."""

    async def count_literacy(self, event: LiteracyEvent) -> None:
        """Count one more."""
        ...

    async def get_literacy_counts(self) -> LiteracyCounts:
        """Return both counts."""
        ...
