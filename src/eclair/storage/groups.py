"""Port of groups of people. Concerns the installation; only `accounts/` changes them, for the principal that acts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from eclair.schema.people import Person, PersonGroup
from eclair.schema.principal import Principal


class GroupStore(Protocol):
    async def add_group(self, principal: Principal, group: PersonGroup) -> None:
        """Add a group. Raises Conflict where its origin has one of that name."""
        ...

    async def get_group(self, id: str) -> PersonGroup:
        """Return a group. Raises NotFound."""
        ...

    async def find_group(self, origin: str, name: str) -> PersonGroup | None: ...

    async def list_groups(self, limit: int, query: str = "", after: str | None = None) -> list[PersonGroup]:
        """List groups by name whose name has `query` in it, from the one after the id `after`."""
        ...

    async def rename_group(self, principal: Principal, id: str, name: str) -> None:
        """Rename a group. Raises NotFound, and Conflict where the name is taken."""
        ...

    async def delete_group(self, principal: Principal, id: str) -> None:
        """Delete a group; its members stay. Raises NotFound."""
        ...

    async def list_members(self, id: str, limit: int, after: str | None = None) -> list[Person]:
        """List the members of a group by name, from the one after the id `after`."""
        ...

    async def list_member_ids(self, id: str) -> list[str]:
        """List the ids of the people in a group; nobody is in one that isn't there."""
        ...

    async def list_groups_of(self, person: str) -> list[PersonGroup]: ...

    async def add_members(self, principal: Principal, id: str, people: Sequence[str]) -> None:
        """Add people to a group. Raises NotFound for a group or person that doesn't exist."""
        ...

    async def remove_member(self, principal: Principal, id: str, person: str) -> None:
        """Remove a person from a group, if they are in it."""
        ...

    async def sync_groups(self, principal: Principal, person: str, origin: str, names: Sequence[str], now: int) -> bool:
        """Let a person be in the groups of one origin that are named, and in no others of it; True if that changed.

        Groups that don't exist yet are made.
        """
        ...

    async def set_members(self, principal: Principal, id: str, people: Sequence[str]) -> None:
        """Let exactly these people be in a group. Raises NotFound as `add_members` does."""
        ...
