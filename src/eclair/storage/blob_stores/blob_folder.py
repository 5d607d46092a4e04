"""Blobs in a folder of this machine, as files."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from pathlib import Path

from eclair.errors import StoreError
from eclair.storage.blob_stores.blob_store import HEAD_BYTES, StoredObject
from eclair.util.file_opening import open_file

READ_BYTES = 1 << 20
MAX_REMEMBERED_FILES = 10_000
"""Files that needn't be compared with their names again."""


class BlobFolder:
    """Implements `BlobStore` by the files of a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._compared: dict[str, tuple[int, int, int]] = {}

    @property
    def description(self) -> str:
        return str(self.folder)

    def path(self, key: str) -> Path:
        """Return the file of a key."""
        return self.folder / key

    async def write(self, key: str, source: Path, *, replace: bool = False) -> None:
        def place() -> None:
            path = self.path(key)
            path.parent.mkdir(parents=True, exist_ok=True)
            source.replace(path)

        with self._translated():
            await asyncio.to_thread(place)

    async def open(self, key: str) -> StoredObject:
        def look() -> StoredObject:
            with self.path(key).open("rb") as file:
                stat = os.fstat(file.fileno())
                return StoredObject(key, stat.st_size, stat.st_mtime, "", file.read(HEAD_BYTES))

        with self._translated_reading(key):
            return await asyncio.to_thread(look)

    async def read(self, found: StoredObject, start: int, end: int) -> AsyncGenerator[bytes, None]:
        with self._translated_reading(found.key):
            file = await open_file(self.path(found.key), "rb")
        with file:
            with self._translated_reading(found.key):
                await asyncio.to_thread(file.seek, start)
            while start < end:
                with self._translated_reading(found.key):
                    piece = await asyncio.to_thread(file.read, min(READ_BYTES, end - start))
                if not piece:
                    return
                start += len(piece)
                yield piece

    async def list_objects(self, prefix: str) -> AsyncGenerator[StoredObject, None]:
        with self._translated():
            found = await asyncio.to_thread(lambda: list(self._walk(prefix)))
        for each in found:
            yield each

    async def delete(self, keys: Sequence[str]) -> None:
        def delete() -> None:
            for key in keys:
                self.path(key).unlink(missing_ok=True)

        with self._translated():
            await asyncio.to_thread(delete)

    async def move(self, key: str, target: str) -> None:
        def move() -> None:
            self.path(target).parent.mkdir(parents=True, exist_ok=True)
            self.path(key).replace(self.path(target))

        with self._translated_reading(key):
            await asyncio.to_thread(move)

    async def check(self) -> None:
        """Do nothing: the data folder and its disk have checks of their own."""

    async def compare(self, key: str, sha256: str) -> bool:
        """Tell whether a file has that hash; it is only read if it is another than when that was last asked.

        Raises FileNotFoundError and StoreError.
        """

        def compare() -> bool:
            with self.path(key).open("rb") as file:
                stat = os.fstat(file.fileno())
                seen = stat.st_ino, stat.st_mtime_ns, stat.st_size
                if self._compared.get(key) == seen:
                    return True
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    return False
            if len(self._compared) >= MAX_REMEMBERED_FILES:
                self._compared.clear()
            self._compared[key] = seen
            return True

        with self._translated_reading(key):
            return await asyncio.to_thread(compare)

    def _walk(self, prefix: str) -> Iterator[StoredObject]:
        for path in sorted((self.folder / prefix).rglob("*")):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                if path.is_file():
                    yield StoredObject(path.relative_to(self.folder).as_posix(), stat.st_size, stat.st_mtime)

    @contextlib.contextmanager
    def _translated(self) -> Generator[None]:
        """Turn the disk's errors into StoreErrors."""
        try:
            yield
        except OSError as error:
            raise StoreError(f"A file cannot be kept in {self.folder}: {error.strerror}.") from error

    @contextlib.contextmanager
    def _translated_reading(self, key: str) -> Generator[None]:
        """Turn the disk's errors into StoreErrors, but for a missing file."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(
                f"{self.path(key)} cannot be read: {error.strerror}; restore a backup (`eclair restore`)."
            ) from error
