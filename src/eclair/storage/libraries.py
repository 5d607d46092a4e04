"""Port of libraries: named collections of files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from eclair.schema.principal import Principal
from eclair.storage.documents import DocumentStage
from eclair.storage.sharing import Access, SharedStore


@dataclass(frozen=True, slots=True)
class Library:
    """A named collection of files. `name` is unique for its owner; `created` is in milliseconds.

    `access` is that of the principal for whom it was read: an editor adds and removes files, a viewer searches and
    reads them.
    """

    id: str
    owner: str
    name: str
    created: int
    access: Access = "own"


@dataclass(frozen=True, slots=True)
class LibrarySummary:
    """A library with the number and bytes of its files, the files at each stage, and its chunks, embedded or not."""

    library: Library
    files: int
    bytes: int
    states: dict[DocumentStage, int]
    chunks: int
    embedded: int

    @property
    def waiting(self) -> int:
        """The number of files that are not read yet."""
        return self.states.get("queued", 0) + self.states.get("reading", 0)


def own_library_name(of: str, kind: str) -> str:
    """Return the name of the library of a project or assistant: the words of its name, or else its `kind`."""
    return "-".join(re.findall(r"\w+", of)) or kind


class LibraryStore(SharedStore, Protocol):
    """Libraries are read by whoever has access to them; their owners alone rename, share and delete them."""

    async def add_library(self, principal: Principal, library: Library) -> None:
        """Add a library. Raises Conflict where the principal has one of that name, or the id is taken."""
        ...

    async def get_library(self, principal: Principal, id: str) -> Library:
        """Return a library. Raises NotFound."""
        ...

    async def get_library_by_name(self, principal: Principal, name: str) -> Library:
        """Return the library of that name, the principal's own before a shared one. Raises NotFound."""
        ...

    async def list_libraries(self, principal: Principal) -> list[LibrarySummary]:
        """List by name the principal's libraries, and those that are shared with them."""
        ...

    async def rename_library(self, principal: Principal, id: str, name: str) -> Library:
        """Rename a library. Raises NotFound, and Conflict where the principal has another one of that name."""
        ...

    async def delete_library(self, principal: Principal, id: str) -> list[str]:
        """Delete a library with its files, as `FileStore.delete_file` does; return the blobs to delete.

        Raises NotFound.
        """
        ...
