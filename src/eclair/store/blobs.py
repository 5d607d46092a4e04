"""Blobs on disk under the hash of their content: what is kept twice is stored once."""

from __future__ import annotations

import asyncio
import hashlib
import os
import tempfile
from pathlib import Path

from eclair.errors import NotFound, StoreError


class Blobs:
    """A folder of blobs. A blob's name is the SHA-256 of its bytes, in hex."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, data: bytes) -> str:
        """Keep `data`, whole or not at all; its name comes back. Raises StoreError when the disk is full."""
        return await asyncio.to_thread(self._put, data)

    async def get(self, name: str) -> bytes:
        """Raises NotFound, and StoreError when the bytes are no longer those that were kept."""
        return await asyncio.to_thread(self._get, name)

    async def delete(self, name: str) -> None:
        """Forget it; to forget what is not there is no error."""
        await asyncio.to_thread(self._path(name).unlink, missing_ok=True)

    def _path(self, name: str) -> Path:
        if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
            raise NotFound(f"{name!r} is no name of a blob.")
        return self._folder / name[:2] / name

    def _put(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        path = self._path(name)
        if path.exists():
            return name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=path.parent) as folder:
                whole = Path(folder) / name
                with whole.open("wb") as handle:
                    handle.write(data)
                    handle.flush()
                    os.fsync(handle.fileno())
                whole.rename(path)
        except OSError as error:
            raise StoreError(f"A file cannot be kept in {self._folder}: {error.strerror}.") from error
        return name

    def _get(self, name: str) -> bytes:
        try:
            data = self._path(name).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"There is no blob {name}.") from None
        if hashlib.sha256(data).hexdigest() != name:
            raise StoreError(f"The blob {name} was changed on disk; restore {self._folder} from a backup.")
        return data
