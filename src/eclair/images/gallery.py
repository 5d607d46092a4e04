"""The gallery stores generated images whole or not at all.

An image's bytes are written before its row and deleted after it, both under a lock. Bytes without a row are set aside
at the next start and never deleted: the row may be in a database that is put back later.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from eclair.errors import StoreError
from eclair.schema.images import GeneratedImage
from eclair.schema.principal import Principal
from eclair.storage.blobs import Blobs
from eclair.storage.images import ImagePage, ImageStore

log = logging.getLogger(__name__)


class Gallery:
    """Generated images and their bytes. Call `start` before use."""

    def __init__(self, store: ImageStore, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Set aside bytes that no image has, and take back those that one misses. Raises StoreError."""
        await asyncio.to_thread(self._blobs.remove_partial)
        await self.delete_orphans()
        async with self._locked():
            held, here = await self._store.list_blobs(), set(await self._blobs.list_names())
            unknown, missing = here - held, held - here
            for name in unknown:
                await self._blobs.set_aside(name)
            found = [name for name in missing if await self._blobs.take_back(name)]
        if unknown:
            log.warning("The database doesn't know %d files of images; they were set aside in lost/.", len(unknown))
        if found:
            log.warning("%d files of images were taken back from lost/.", len(found))

    async def add(
        self, principal: Principal, image: GeneratedImage, data: bytes, thumbnail: bytes, message: str | None = None
    ) -> GeneratedImage:
        """Store an image with its bytes, and return it with their names filled in.

        Raises NotFound where its conversation or message doesn't exist, and StoreError when the disk is full.
        """
        async with self._locked():
            stored = replace(
                image,
                size=len(data),
                blob=await self._blobs.put(data),
                thumbnail=await self._blobs.put(thumbnail),
            )
            try:
                await self._store.add_image(principal, stored, message)
            except BaseException:
                held = await self._store.list_blobs()
                for name in {stored.blob, stored.thumbnail} - held:
                    await self._blobs.delete(name)
                raise
        return stored

    async def get_image(self, principal: Principal, id: str) -> GeneratedImage:
        """Return an image. Raises NotFound."""
        return await self._store.get_image(principal, id)

    async def list_images(
        self, principal: Principal, limit: int, *, words: str = "", before: str | None = None
    ) -> ImagePage:
        """Return a page of images as `ImageStore.list_images` does."""
        return await self._store.list_images(principal, limit, words=words, before=before)

    async def read_bytes(self, image: GeneratedImage) -> bytes:
        """Read its bytes. Raises NotFound where it was deleted meanwhile, and StoreError where the file was changed."""
        return await self._blobs.get(image.blob)

    async def checked_path(self, image: GeneratedImage, *, thumbnail: bool = False) -> Path:
        """Return the file with its bytes, or with those of its thumbnail.

        Raises NotFound where it was deleted meanwhile, and StoreError where the file is missing or was changed.
        """
        try:
            return await self._blobs.checked_path(image.thumbnail if thumbnail else image.blob)
        except StoreError:
            await self._store.get_image(Principal(image.owner), image.id)
            raise

    async def delete(self, principal: Principal, id: str) -> None:
        """Delete an image and its bytes. Raises NotFound."""
        await self._store.delete_image(principal, id)
        await self.delete_orphans()

    async def delete_orphans(self) -> None:
        """Delete the bytes of images that the store has deleted. Raises StoreError."""
        if not await self._store.list_orphaned_blobs():
            return
        async with self._locked():
            gone = await self._store.list_orphaned_blobs()
            for name in gone:
                await self._blobs.delete(name)
            await self._store.forget_blobs(gone)

    @asynccontextmanager
    async def _locked(self) -> AsyncGenerator[None]:
        """Keep this and other processes from adding and deleting images."""
        async with self._changing, self._blobs.lock():
            yield
