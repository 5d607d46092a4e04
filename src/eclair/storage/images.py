"""The store port of pictures that were made: whose they are and how. Their bytes are elsewhere (`storage/blobs.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eclair.schema.images import Picture


@dataclass(frozen=True, slots=True)
class ListedPictures:
    """A page of the list. `next` is where the next one begins, if there is one."""

    pictures: list[Picture]
    next: str | None


class PictureStore(Protocol):
    async def add(self, picture: Picture, message: str | None = None) -> None:
        """Keep one, with the message that it is part of and goes with. Raises NotFound where the owner has no such
        conversation, or that has no such message."""
        ...

    async def picture(self, owner: str, id: str) -> Picture:
        """Raises NotFound where there is none, or its conversation is deleted."""
        ...

    async def pictures(self, owner: str, limit: int, *, words: str = "", before: str | None = None) -> ListedPictures:
        """Newest first; of those that were to show each of the words, or one that begins so. `before` is the `next` of
        the page before."""
        ...

    async def delete(self, owner: str, id: str) -> None:
        """Raises NotFound."""
        ...

    async def gone(self) -> list[str]:
        """The names of blobs that no picture has any more."""
        ...

    async def forget(self, blobs: Sequence[str]) -> None:
        """They are deleted."""
        ...

    async def held(self) -> set[str]:
        """The names of all blobs that pictures have."""
        ...
