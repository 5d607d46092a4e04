"""Images to edit: a person's images, files and uploads, prepared in a sandbox."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eclair.documents.vision import VisionService
from eclair.errors import TooLarge
from eclair.images.gallery import Gallery
from eclair.images.inspect import ImageInspector
from eclair.schema.images import ImageModel, ImageRequest, is_image_id
from eclair.schema.principal import Principal
from eclair.storage.blobs import Blobs
from eclair.storage.files import FileStore

MAX_MASK_BYTES = 32 << 20


@dataclass(frozen=True, slots=True)
class ImageUploads:
    """Images sent with a request, by name, and a mask. They aren't stored."""

    images: tuple[tuple[str, bytes], ...] = ()
    mask: bytes | None = None


NO_UPLOADS = ImageUploads()


@dataclass(frozen=True, slots=True)
class PreparedInputs:
    """Images to edit as a model takes them, the size of the first, and a mask of that size."""

    images: tuple[bytes, ...] = ()
    size: tuple[int, int] | None = None
    mask: bytes | None = None


class ImageInputs:
    """Reads and prepares what a request names and brings."""

    def __init__(
        self, gallery: Gallery, stored_files: FileStore, files: Blobs, vision: VisionService, inspector: ImageInspector
    ) -> None:
        self._gallery = gallery
        self._stored_files = stored_files
        self._files = files
        self._vision = vision
        self._inspector = inspector

    async def prepare(
        self, principal: Principal, request: ImageRequest, uploads: ImageUploads, model: ImageModel
    ) -> PreparedInputs:
        """Prepare the inputs of a request for a model. Raises NotFound, UnreadableFile and TooLarge."""
        images: list[bytes] = []
        size: tuple[int, int] | None = None
        given = [*[await self.read(principal, id) for id in request.sources], *uploads.images]
        for name, data in given:
            seen = await self._vision.prepare_bytes(data, name, model.most)
            images.append(seen.data)
            size = size or (seen.width, seen.height)
        mask = uploads.mask
        if request.mask is not None:
            mask = (await self.read(principal, request.mask))[1]
        if mask is None or size is None:
            return PreparedInputs(tuple(images), size)
        if len(mask) > MAX_MASK_BYTES:
            raise TooLarge(f"The mask is larger than {MAX_MASK_BYTES >> 20} MiB; make it smaller.", param="mask")
        return PreparedInputs(tuple(images), size, await self._inspector.mask(mask, size, "The mask"))

    async def read(self, principal: Principal, id: str) -> tuple[str, bytes]:
        """Read an image or file: its name for people, and its bytes. Raises NotFound."""
        if is_image_id(id):
            return "The image", await self._gallery.read_bytes(await self._gallery.get_image(principal, id))
        file = (await self._stored_files.get_file(principal, id)).file
        return file.name, await self._files.get(file.sha256)


def upload_names(names: Sequence[str]) -> tuple[str, ...]:
    """Name the uploads for error messages; those without a name are numbered."""
    return tuple(name or f"Image {number}" for number, name in enumerate(names, 1))
