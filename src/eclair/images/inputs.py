"""What is edited: an owner's pictures and files, and what a request brings, each prepared in a bounded process."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eclair.documents.vision import Seeing
from eclair.errors import TooLarge
from eclair.images.gallery import Gallery
from eclair.images.inspect import ImageInspector
from eclair.schema.images import PictureModel
from eclair.schema.messages import Wish, is_picture
from eclair.schema.principal import Principal
from eclair.storage.blobs import Blobs
from eclair.storage.files import FileStore

MOST_MASK = 32 << 20
"""Bytes of a mask."""


@dataclass(frozen=True, slots=True)
class Brought:
    """Pictures that came with a request, by what people call them, and a mask; nothing of them is kept."""

    pictures: tuple[tuple[str, bytes], ...] = ()
    mask: bytes | None = None


NOTHING = Brought()


@dataclass(frozen=True, slots=True)
class Prepared:
    """The pictures that are edited as a model takes them, the size of the first, and the mask of that size."""

    pictures: tuple[bytes, ...] = ()
    size: tuple[int, int] | None = None
    mask: bytes | None = None


class Sources:
    def __init__(
        self, gallery: Gallery, stored_files: FileStore, files: Blobs, seeing: Seeing, inspector: ImageInspector
    ) -> None:
        self._gallery = gallery
        self._stored_files = stored_files
        self._files = files
        self._seeing = seeing
        self._inspector = inspector

    async def prepared(self, principal: Principal, wish: Wish, brought: Brought, model: PictureModel) -> Prepared:
        """Raises NotFound for what is not the owner's, UnreadableFile and TooLarge."""
        pictures: list[bytes] = []
        size: tuple[int, int] | None = None
        given = [*[await self._bytes(principal, id) for id in wish.sources], *brought.pictures]
        for name, data in given:
            seen = await self._seeing.given(data, name, model.most)
            pictures.append(seen.data)
            size = size or (seen.width, seen.height)
        mask = brought.mask
        if wish.mask is not None:
            mask = (await self._bytes(principal, wish.mask))[1]
        if mask is None or size is None:
            return Prepared(tuple(pictures), size)
        if len(mask) > MOST_MASK:
            raise TooLarge(f"The mask is larger than {MOST_MASK >> 20} MiB; make it smaller.", param="mask")
        return Prepared(tuple(pictures), size, await self._inspector.mask(mask, size, "The mask"))

    async def _bytes(self, principal: Principal, id: str) -> tuple[str, bytes]:
        """What people call a picture or file, and what is in it. Raises NotFound."""
        if is_picture(id):
            return "The picture", await self._gallery.bytes(await self._gallery.picture(principal, id))
        file = (await self._stored_files.get_file(principal, id)).file
        return file.name, await self._files.get(file.sha256)


def called(names: Sequence[str]) -> tuple[str, ...]:
    """What faults call pictures that came without a name."""
    return tuple(name or f"Picture {number}" for number, name in enumerate(names, 1))
