"""Port of folders, in which a person keeps conversations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of conversations. `name` is unique for its owner; `created` is in milliseconds."""

    id: str
    owner: str
    name: str
    created: int


@dataclass(frozen=True, slots=True)
class FolderSummary:
    """A folder with the number of conversations in it, without archived ones."""

    folder: Folder
    conversations: int


class FolderStore(Protocol):
    async def add_folder(self, principal: Principal, folder: Folder) -> None:
        """Add a folder. Raises Conflict where the principal has one of that name, or the id is taken."""
        ...

    async def list_folders(self, principal: Principal) -> list[FolderSummary]:
        """List the folders by name."""
        ...

    async def rename_folder(self, principal: Principal, id: str, name: str) -> Folder:
        """Rename a folder. Raises NotFound, and Conflict where the principal has another one of that name."""
        ...

    async def delete_folder(self, principal: Principal, id: str) -> None:
        """Delete a folder and keep its conversations, which are in no folder then. Raises NotFound."""
        ...
