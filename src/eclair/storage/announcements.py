"""Port of announcements. Concerns the installation; who may change them is up to the caller."""

from __future__ import annotations

from typing import Protocol

from eclair.schema.announcements import Announcement
from eclair.schema.principal import Principal


class AnnouncementStore(Protocol):
    async def list_announcements(self) -> list[Announcement]:
        """List all announcements, those that begin first ahead."""
        ...

    async def put_announcement(self, principal: Principal, announcement: Announcement) -> Announcement:
        """Store an announcement in place of the one with its id, and return it as changed now."""
        ...

    async def delete_announcement(self, principal: Principal, id: str) -> None:
        """Delete an announcement. Raises NotFound."""
        ...
