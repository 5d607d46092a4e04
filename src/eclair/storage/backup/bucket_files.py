"""The blobs of an object store for a thread that blocks, as backups read and restore them."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

from eclair.storage.blob_stores.blob_store import BlobStore, StoredObject, is_blob_name
from eclair.storage.lost import BLOB_FOLDERS, LOST_FOLDER

T = TypeVar("T")


class BucketFiles:
    """Blobs and what was set aside of them, as they are stored; keys are the paths that they have in a data folder.

    Calls run on the loop that made this, so its thread must not be the one that blocks. All raise StoreError.
    """

    def __init__(self, store: BlobStore) -> None:
        self._store = store
        self._loop = asyncio.get_running_loop()

    def list_files(self) -> list[StoredObject]:
        """List all of them, in the order of their keys."""
        return self._run(self._list())

    def fetch(self, key: str, target: Path) -> None:
        """Write one to a file. Raises FileNotFoundError where it isn't there any more."""
        self._run(self._fetch(key, target))

    def add(self, key: str, source: Path) -> None:
        """Store a file, which may be moved away."""
        self._run(self._store.write(key, source))

    async def _list(self) -> list[StoredObject]:
        return sorted(
            [
                each
                for folder in (*BLOB_FOLDERS, LOST_FOLDER)
                async for each in self._store.list_objects(folder)
                if is_blob_name(each.key.rpartition("/")[2])
            ],
            key=lambda each: each.key,
        )

    async def _fetch(self, key: str, target: Path) -> None:
        found = await self._store.open(key)
        with target.open("wb") as file:
            async with aclosing(self._store.read(found, 0, found.size)) as pieces:
                async for piece in pieces:
                    await asyncio.to_thread(file.write, piece)

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
