"""Shows photos to vision models: each is prepared once, and cached with its file.

The sandbox opens and prepares a photo; `generation.prompt` puts it into the prompt.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import get_args

import orjson

from eclair.documents.document_parser import Parser
from eclair.documents.readers.file_type import HEAD_BYTES, image_type
from eclair.errors import NotFound, TooLarge, UnreadableFile
from eclair.generation.prompt import NO_IMAGES, PreparedImages
from eclair.generation.untrusted import neutralize, neutralize_line
from eclair.llm.base import PromptImage
from eclair.schema.documents import DESCRIPTION, PLACE, Page, Prepared, Shed
from eclair.schema.events import Notice
from eclair.schema.messages import Message
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.storage.files import StoredFile
from eclair.util.scratch import ScratchFolder

_MAGIC = b"S"
_LENGTH = struct.Struct(">I")

METADATA_NAMES: Mapping[Shed, str] = {
    "place": "the place where it was taken",
    "serial": "the serial number of the camera",
    "name": "a name",
}


class VisionService:
    """Prepares photos. A prepared one is stored beside the bytes of its file, and deleted with them."""

    def __init__(self, storage: Storage, blobs: Blobs, parser: Parser) -> None:
        self._storage = storage
        self._blobs = blobs
        self._parser = parser

    async def prepare_images(self, principal: Principal, messages: Sequence[Message], model: Model) -> PreparedImages:
        """See `ImageSource.prepare_images`. A photo that can't be prepared is left out; reading it reports why."""
        photos = await self.list_photos(principal, messages)
        if not photos:
            return NO_IMAGES
        new = {file.id for file in messages[-1].files}
        if model.vision_pixels is None:
            return PreparedImages(notices=_not_seen_notice(model) if any(photo.id in new for photo in photos) else ())
        pictures: dict[str, PromptImage] = {}
        notices: list[Notice] = []
        for photo in photos:
            try:
                prepared = await self.prepare(photo.sha256, photo.name, model.vision_pixels)
            except (UnreadableFile, TooLarge, NotFound):
                continue
            pictures[photo.id] = PromptImage(prepared.media, prepared.data, prepared.width, prepared.height)
            if prepared.shed and model.location != "machine" and photo.id in new:
                notices.append(Notice("left_out", _removed_metadata_notice(photo.name, prepared.shed)))
        return PreparedImages(pictures, tuple(notices))

    async def list_photos(self, principal: Principal, messages: Sequence[Message]) -> list[StoredFile]:
        """List the photos of the messages, each once."""
        asked = dict.fromkeys(file.id for message in messages for file in message.files)
        return [file for id in asked if (file := await self._find_photo(principal, id)) is not None]

    async def prepare(self, sha256: str, name: str, side: int) -> Prepared:
        """Return the photo with at most `side` pixels on its longer side. Raises what the parser raises."""
        derivative = f"seen-{side}"
        stored = await self._blobs.get_derived(sha256, derivative)
        if stored is not None:
            try:
                return _decode(stored)
            except (ValueError, TypeError, struct.error):
                pass  # damaged on the disk: prepare it again
        async with self._blobs.open_path(sha256, check=False) as path:
            prepared = await self._parser.prepare_image(path, name, side)
        await self._blobs.put_derived(sha256, derivative, _encode(prepared))
        return prepared

    async def get_description(self, principal: Principal, id: str) -> str | None:
        """Return the description of a photo that was read; None for other files. Raises NotFound."""
        document = (await self._storage.files.get_file(principal, id)).document
        pages = await self._storage.documents.list_pages(document.sha256, 2, 2)
        return next((stored.page.text for stored in pages if stored.page.label == DESCRIPTION), None)

    async def prepare_bytes(self, data: bytes, name: str, side: int) -> Prepared:
        """Prepare a photo that isn't stored. Raises what the parser raises."""
        async with _temporary_file(data) as path:
            return await self._parser.prepare_image(path, name, side)

    async def describe_bytes(self, data: bytes, name: str) -> str:
        """Return the text in a photo that isn't stored, and a description without its location.

        Raises UnreadableFile and TooLarge.
        """
        texts: list[str] = []
        async with _temporary_file(data) as path, aclosing(self._parser.read(path, name)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Page) and piece.label != PLACE and piece.text:
                    head = f"{name}, {piece.label}" if piece.label else f"{name}, the text in it"
                    texts.append(f"{neutralize_line(head)}:\n{neutralize(piece.text)}")
        return "\n\n".join(texts)

    async def _find_photo(self, principal: Principal, id: str) -> StoredFile | None:
        """Return the file if it exists and is an image by its first bytes."""
        try:
            file = (await self._storage.files.get_file(principal, id)).file
            media = image_type(await self._blobs.read_head(file.sha256, HEAD_BYTES))
        except NotFound:
            return None
        return file if media is not None else None


@asynccontextmanager
async def _temporary_file(data: bytes) -> AsyncGenerator[Path]:
    """Write data to a file that exists within the block."""
    folder = await asyncio.to_thread(ScratchFolder, "photo")
    try:
        path = folder.path / "picture"
        await asyncio.to_thread(path.write_bytes, data)
        yield path
    finally:
        await asyncio.to_thread(folder.remove)


def _encode(prepared: Prepared) -> bytes:
    """Serialize a prepared photo: the length of its header, the header as JSON, and its bytes."""
    head = orjson.dumps([prepared.media, prepared.width, prepared.height, prepared.shed])
    return _MAGIC + _LENGTH.pack(len(head)) + head + prepared.data


def _decode(data: bytes) -> Prepared:
    """Deserialize a prepared photo. Raises ValueError, TypeError and struct.error for damaged data."""
    if not data.startswith(_MAGIC):
        raise ValueError("not a prepared photo")
    start = len(_MAGIC) + _LENGTH.size
    (length,) = _LENGTH.unpack(data[len(_MAGIC) : start])
    media, width, height, shed = orjson.loads(data[start : start + length])
    if media not in ("image/jpeg", "image/png") or not set(shed) <= {*get_args(Shed)}:
        raise ValueError("not a prepared photo")
    return Prepared(media, int(width), int(height), tuple(shed), data[start + length :])


def _not_seen_notice(model: Model) -> tuple[Notice, ...]:
    return (
        Notice(
            "not_seen",
            f"{model.name} does not see images; it was given the text that was read and a simple description.",
        ),
    )


def _removed_metadata_notice(name: str, shed: Sequence[Shed]) -> str:
    names = [METADATA_NAMES[each] for each in shed]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"{name} was shown to a model on another machine without what its file says beside the image: {listed}."
