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

from eclair.errors import StoreError
from eclair.schema.images import GeneratedImage
from eclair.schema.principal import Principal
from eclair.storage.blobs import BlobEntry, Blobs, FoundBlob
from eclair.storage.images import ImagePage, ImageStore

SHARED_SWEEP_INTERVAL_S = 30.0
MIN_UNKNOWN_AGE_S = 3600.0
"""Younger bytes in a shared store may belong to an image that is being added."""

log = logging.getLogger(__name__)


class Gallery:
    """Generated images and their bytes. Call `start` before use, and `close` after it."""

    def __init__(self, store: ImageStore, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs
        self._changing = asyncio.Lock()
        self._sweeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Set aside bytes that no image has, and take back those that one misses. Raises StoreError.

        For bytes in a bucket that happens in the background: there may be very many.
        """
        await asyncio.to_thread(self._blobs.remove_partial)
        if self._blobs.is_shared:
            self._sweeping = asyncio.create_task(self._sweep_forever(), name="erase images")
        else:
            await self._tidy()

    async def close(self) -> None:
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)

    async def _tidy(self) -> None:
        await self.delete_orphans()
        async with self._locked():
            here = await self._blobs.list_blobs()
            held, names = await self._store.list_blobs(), {each.name for each in here}
            unknown = self._find_unknown(here, held)
            for name in unknown:
                await self._blobs.set_aside(name)
            missing = held - names
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

    async def find_blob(self, image: GeneratedImage, *, thumbnail: bool = False) -> FoundBlob:
        """Find its bytes, or those of its thumbnail, so that they can be sent.

        Raises NotFound where it was deleted meanwhile, and StoreError where they are missing or were changed.
        """
        try:
            return await self._blobs.find(image.thumbnail if thumbnail else image.blob)
        except StoreError:
            await self._store.get_image(Principal(image.owner), image.id)
            raise

    async def read_thumbnail(self, image: GeneratedImage) -> bytes:
        """Read its thumbnail. Raises as `read_bytes` does."""
        return await self._blobs.get(image.thumbnail)

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

    async def _sweep_forever(self) -> None:
        """Erase the shared bytes of images that were deleted a minute ago, again and again."""

        async def is_needed(name: str) -> bool:
            return name in await self._store.list_blobs()

        is_tidy = False
        while True:
            try:
                if not is_tidy:
                    await self._tidy()
                    is_tidy = True
                await self._blobs.sweep(is_needed)
            except StoreError as error:
                log.warning("deleted images wait to be erased: %s", error.message)
            await asyncio.sleep(SHARED_SWEEP_INTERVAL_S)

    def _find_unknown(self, here: list[BlobEntry], held: set[str]) -> set[str]:
        """Return the names of bytes that no image has.

        In a store that other machines use, new ones may be on their way into the database; and where that knows none
        at all, it isn't the one that the store belongs to.
        """
        unknown = {each.name for each in here} - held
        if not self._blobs.is_shared:
            return unknown
        if unknown and not held & {each.name for each in here}:
            log.warning("The database doesn't know any of the %d files of images; they are left there.", len(unknown))
            return set()
        return {each.name for each in here if each.name in unknown and each.age_s > MIN_UNKNOWN_AGE_S}

    @asynccontextmanager
    async def _locked(self) -> AsyncGenerator[None]:
        """Keep this and other processes from adding and deleting images."""
        async with self._changing, self._blobs.lock():
            yield
