"""Blobs on disk, named by the hash of their content."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from eclair.errors import NotFound, StoreError
from eclair.storage import lost
from eclair.util import file_lock

MIN_WRITE_BYTES = 1 << 20
"""Smaller pieces are gathered before they are written."""
MAX_REMEMBERED_BLOBS = 10_000
"""Blobs that needn't be compared with their names again."""
UPLOAD_LOCK_TIMEOUT_S = 60.0
"""An upload folder younger than this may not have been locked by its process yet."""


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """Name and size in bytes of a stored blob."""

    name: str
    size: int


class Blobs:
    """A folder of blobs. A blob's name is the SHA-256 of its bytes in hex."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._compared: dict[str, tuple[int, int, int]] = {}

    async def put(self, data: bytes) -> str:
        """Store `data` atomically and return its name. Raises StoreError when the disk is full."""
        return await asyncio.to_thread(self._put, data)

    async def put_stream(self, source: AsyncIterable[bytes]) -> StoredBlob:
        """Store a stream atomically. Raises StoreError when the disk is full, and any error of the source."""
        digest, size = hashlib.sha256(), 0
        with self._translated():
            folder = await asyncio.to_thread(self._temporary)
            coming = Path(folder.name) / "coming"
            handle = await asyncio.to_thread(coming.open, "wb")
        with file_lock.try_lock(Path(folder.name)):
            try:
                async for data in _gathered(source):
                    digest.update(data)
                    size += len(data)
                    with self._translated():
                        await asyncio.to_thread(handle.write, data)
                name = digest.hexdigest()
                with self._translated():
                    await asyncio.to_thread(_flush, handle)
                    await asyncio.to_thread(self._place, coming, name)
            finally:
                await asyncio.to_thread(handle.close)
                await asyncio.to_thread(folder.cleanup)
        return StoredBlob(name, size)

    def remove_partial(self) -> None:
        """Remove uploads that a dead process left unfinished."""
        for left in self._folder.glob("coming-*"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > UPLOAD_LOCK_TIMEOUT_S and not file_lock.is_locked(left):
                    shutil.rmtree(left)

    @contextlib.asynccontextmanager
    async def lock(self) -> AsyncGenerator[None]:
        """Keep other processes from adding and deleting files within the block. Raises StoreError."""
        async with contextlib.AsyncExitStack() as stack:
            with self._translated():
                await stack.enter_async_context(file_lock.lock(self._sibling("lock")))
            yield

    @contextlib.contextmanager
    def try_lock_reading(self, name: str) -> Generator[bool]:
        """Claim the reading of a blob within the block; False while another process has it."""
        with file_lock.try_lock(self._path(name)) as ours:
            yield ours

    @contextlib.contextmanager
    def try_lock_embedding(self) -> Generator[bool]:
        """Claim the embedding within the block; False while another process has it. Raises StoreError."""
        path = self._sibling("embedding")
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        with file_lock.try_lock(path) as ours:
            yield ours

    def is_being_read(self, name: str) -> bool:
        """Return True while a process holds the blob by `try_lock_reading`."""
        return file_lock.is_locked(self._path(name))

    def path(self, name: str) -> Path:
        """Return the blob's file, which is only to be read. Raises NotFound for an invalid name."""
        return self._path(name)

    async def checked_path(self, name: str) -> Path:
        """Return the blob's file, compared with its name if it is another file than when it was last compared.

        Raises NotFound for an invalid name, and StoreError for bytes that are missing or have changed on disk.
        """
        path = self._path(name)
        try:
            await asyncio.to_thread(self._compare, path)
        except FileNotFoundError:
            raise StoreError(f"{path} is missing; restore a backup (`eclair restore`).") from None
        return path

    async def get(self, name: str) -> bytes:
        """Read a blob. Raises NotFound, and StoreError when the bytes on disk have changed."""
        return await asyncio.to_thread(self._get, name)

    async def list_names(self) -> list[str]:
        """List the names of all blobs."""
        return await asyncio.to_thread(self._list_names)

    async def set_aside(self, name: str) -> None:
        """Move a blob that nobody knows to `lost/`. Raises StoreError."""
        with self._translated():
            await asyncio.to_thread(lost.set_aside, self._path(name))

    async def take_back(self, name: str) -> bool:
        """Bring a missing blob back from `lost/`; return whether it was there. Raises StoreError."""
        with self._translated():
            return await asyncio.to_thread(lost.take_back, self._path(name))

    async def delete(self, name: str) -> None:
        """Delete a blob and the data derived from it; a missing blob is no error."""
        await asyncio.to_thread(self._delete, name)

    def get_derived(self, name: str, kind: str) -> bytes | None:
        """Return the data of that kind derived from a blob and stored beside it, or None."""
        try:
            return self._derived(name, kind).read_bytes()
        except FileNotFoundError:
            return None

    def put_derived(self, name: str, kind: str, data: bytes) -> None:
        """Store data derived from a blob for as long as the blob exists. Raises StoreError when the disk is full."""
        with self._translated(), self._temporary() as folder:
            complete_file = Path(folder) / name
            complete_file.write_bytes(data)
            if self._path(name).exists():
                complete_file.replace(self._derived(name, kind))
        if not self._path(name).exists():
            self._derived(name, kind).unlink(missing_ok=True)

    def _list_names(self) -> list[str]:
        return [path.name for path in self._folder.glob("[0-9a-f][0-9a-f]/*") if len(path.name) == 64]

    def _delete(self, name: str) -> None:
        path = self._path(name)
        path.unlink(missing_ok=True)
        for derived in path.parent.glob(f"{name}.*"):
            derived.unlink(missing_ok=True)

    def _derived(self, name: str, kind: str) -> Path:
        return self._path(name).with_name(f"{name}.{kind}")

    def _sibling(self, suffix: str) -> Path:
        return self._folder.with_name(f"{self._folder.name}.{suffix}")

    def _path(self, name: str) -> Path:
        if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
            raise NotFound(f"{name!r} is not the name of a blob.")
        return self._folder / name[:2] / name

    def _put(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        with self._translated(), self._temporary() as folder:
            complete_file = Path(folder) / name
            with complete_file.open("wb") as handle:
                handle.write(data)
                _flush(handle)
            self._place(complete_file, name)
        return name

    def _temporary(self) -> tempfile.TemporaryDirectory[str]:
        """Create a temporary folder on the same disk, for files that are not complete yet."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=self._folder, prefix="coming-")

    def _place(self, complete_file: Path, name: str) -> None:
        path = self._path(name)
        path.parent.mkdir(exist_ok=True)
        complete_file.replace(path)

    @contextlib.contextmanager
    def _translated(self) -> Generator[None]:
        """Turn the disk's errors into StoreErrors."""
        try:
            yield
        except OSError as error:
            raise StoreError(f"A file cannot be kept in {self._folder}: {error.strerror}.") from error

    def _compare(self, path: Path) -> None:
        """Compare a file's bytes with its name, once. Raises FileNotFoundError and StoreError."""
        with self._translated_reading(path), path.open("rb") as file:
            stat = os.fstat(file.fileno())
            seen = stat.st_ino, stat.st_mtime_ns, stat.st_size
            if self._compared.get(path.name) == seen:
                return
            if hashlib.file_digest(file, "sha256").hexdigest() != path.name:
                raise _changed(path)
        if len(self._compared) >= MAX_REMEMBERED_BLOBS:
            self._compared.clear()
        self._compared[path.name] = seen

    @contextlib.contextmanager
    def _translated_reading(self, path: Path) -> Generator[None]:
        """Turn the disk's errors into StoreErrors, but for a missing file."""
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise StoreError(
                f"{path} cannot be read: {error.strerror}; restore a backup (`eclair restore`)."
            ) from error

    def _get(self, name: str) -> bytes:
        try:
            data = self._path(name).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"There is no blob {name}.") from None
        if hashlib.sha256(data).hexdigest() != name:
            raise _changed(self._path(name))
        return data


def _changed(path: Path) -> StoreError:
    return StoreError(f"{path} was changed on disk; restore a backup (`eclair restore`).")


def _flush(handle: IO[bytes]) -> None:
    handle.flush()
    os.fsync(handle.fileno())


async def _gathered(source: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """Join small pieces into larger ones."""
    gathered = bytearray()
    async for data in source:
        gathered += data
        if len(gathered) >= MIN_WRITE_BYTES:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)
