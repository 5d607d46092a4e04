"""Port of generated images: whose they are and how they were made. `storage/blobs.py` keeps their bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from eclair.schema.images import GeneratedImage
from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class ImagePage:
    """A page of the list. `next` is the cursor of the page after it, if any."""

    pictures: list[GeneratedImage]
    next: str | None


class ImageStore(Protocol):
    async def add_image(self, principal: Principal, picture: GeneratedImage, message: str | None = None) -> None:
        """Add one, with the message that it is part of and goes with.

        Raises NotFound where the principal has no such conversation, or that has no such message.
        """
        ...

    async def get_image(self, principal: Principal, id: str) -> GeneratedImage:
        """Raises NotFound where there is none, or its conversation is deleted."""
        ...

    async def list_images(
        self, principal: Principal, limit: int, *, words: str = "", before: str | None = None
    ) -> ImagePage:
        """Newest first; only those whose prompt has each of `words`, or a word beginning with it.

        `before` is the `next` of the previous page.
        """
        ...

    async def delete_image(self, principal: Principal, id: str) -> None:
        """Raises NotFound."""
        ...

    async def list_orphaned_blobs(self) -> list[str]:
        """Names of blobs that no image has any more and that are still to be deleted."""
        ...

    async def forget_blobs(self, blobs: Sequence[str]) -> None:
        """Drop deleted blobs from the list of orphans."""
        ...

    async def list_blobs(self) -> set[str]:
        """Names of all blobs that images have."""
        ...
