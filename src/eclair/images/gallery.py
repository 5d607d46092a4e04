"""The gallery: pictures that were made are kept whole or not at all, and their bytes go with them.

A picture's bytes are written before the store knows of it, and deleted after the store has forgotten it, each while
nobody else does either: whatever a process leaves that dies between the two is found and deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from eclair.schema.images import Picture
from eclair.schema.principal import Principal
from eclair.storage.blobs import Blobs
from eclair.storage.images import ImagePage, ImageStore


class Gallery:
    """`start` before use."""

    def __init__(self, store: ImageStore, blobs: Blobs) -> None:
        self._store = store
        self._blobs = blobs
        self._changing = asyncio.Lock()

    async def start(self) -> None:
        """Delete what a dead process left. Raises StoreError."""
        await asyncio.to_thread(self._blobs.remove_partial)
        async with self._alone():
            held = await self._store.list_blobs()
            for name in await self._blobs.list_names():
                if name not in held:
                    await self._blobs.delete(name)
        await self.sweep()

    async def add(
        self, principal: Principal, picture: Picture, image: bytes, thumbnail: bytes, message: str | None = None
    ) -> Picture:
        """Keep a picture with its bytes, whose names are filled in. Raises NotFound as the store does, and StoreError
        when the disk is full."""
        async with self._alone():
            kept = replace(
                picture,
                size=len(image),
                blob=await self._blobs.put(image),
                thumbnail=await self._blobs.put(thumbnail),
            )
            try:
                await self._store.add_image(principal, kept, message)
            except BaseException:
                held = await self._store.list_blobs()
                for name in {kept.blob, kept.thumbnail} - held:
                    await self._blobs.delete(name)
                raise
        return kept

    async def picture(self, principal: Principal, id: str) -> Picture:
        """Raises NotFound."""
        return await self._store.get_image(principal, id)

    async def pictures(
        self, principal: Principal, limit: int, *, words: str = "", before: str | None = None
    ) -> ImagePage:
        """As `PictureStore.pictures` has it."""
        return await self._store.list_images(principal, limit, words=words, before=before)

    async def bytes(self, picture: Picture) -> bytes:
        """Raises NotFound where it was deleted meanwhile, and StoreError where it was changed on the disk."""
        return await self._blobs.get(picture.blob)

    def path(self, picture: Picture, *, small: bool = False) -> Path:
        """The file that has its bytes, or those of its thumbnail."""
        return self._blobs.path(picture.thumbnail if small else picture.blob)

    async def delete(self, principal: Principal, id: str) -> None:
        """Erase one. Raises NotFound."""
        await self._store.delete_image(principal, id)
        await self.sweep()

    async def sweep(self) -> None:
        """Delete the bytes of pictures that the store has forgotten. Raises StoreError."""
        if not await self._store.list_orphaned_blobs():
            return
        async with self._alone():
            gone = await self._store.list_orphaned_blobs()
            for name in gone:
                await self._blobs.delete(name)
            await self._store.forget_blobs(gone)

    @asynccontextmanager
    async def _alone(self) -> AsyncGenerator[None]:
        """Within, nobody adds or deletes pictures, in this process or another."""
        async with self._changing, self._blobs.lock():
            yield
