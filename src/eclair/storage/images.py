"""Port of generated images: owner and origin; bytes are blobs."""

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
        """Add an image, with the message that it is part of and is deleted with.

        Raises NotFound where the principal has no such conversation, or the conversation no such message.
        """
        ...

    async def get_image(self, principal: Principal, id: str) -> GeneratedImage:
        """Return an image. Raises NotFound, also while its conversation is deleted."""
        ...

    async def list_images(
        self, principal: Principal, limit: int, *, words: str = "", before: str | None = None
    ) -> ImagePage:
        """List images, newest first, whose prompt has each of `words`, or a word beginning with it.

        `before` is the `next` of the previous page.
        """
        ...

    async def delete_image(self, principal: Principal, id: str) -> None:
        """Delete an image. Raises NotFound."""
        ...

    async def list_orphaned_blobs(self) -> list[str]:
        """List the names of blobs that no image has any more and that are still to be deleted."""
        ...

    async def forget_blobs(self, blobs: Sequence[str]) -> None:
        """Drop deleted blobs from the list of orphans."""
        ...

    async def list_blobs(self) -> set[str]:
        """Return the names of all blobs of everyone's images, thumbnails included."""
        ...
