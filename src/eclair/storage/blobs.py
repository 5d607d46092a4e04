"""Blobs on disk under the hash of their content: what is kept twice is stored once."""

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
from eclair.util.file_lock import alone, claim, claimed

PIECE = 1 << 20
"""Bytes that are gathered before they are written."""
FRESH = 60.0
"""Seconds for which a folder for what comes may be there before its process has claimed it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """A blob that is kept: its name and its bytes."""

    name: str
    size: int


class Blobs:
    """A folder of blobs. A blob's name is the SHA-256 of its bytes, in hex."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, data: bytes) -> str:
        """Keep `data`, whole or not at all; its name comes back. Raises StoreError when the disk is full."""
        return await asyncio.to_thread(self._put, data)

    async def take(self, source: AsyncIterable[bytes]) -> Kept:
        """Keep what comes, whole or not at all. Raises what the source raises, and StoreError when the disk is full."""
        digest, size = hashlib.sha256(), 0
        with self._said():
            folder = await asyncio.to_thread(self._room)
            coming = Path(folder.name) / "coming"
            handle = await asyncio.to_thread(coming.open, "wb")
        with claim(Path(folder.name)):
            try:
                async for data in _gathered(source):
                    digest.update(data)
                    size += len(data)
                    with self._said():
                        await asyncio.to_thread(handle.write, data)
                name = digest.hexdigest()
                with self._said():
                    await asyncio.to_thread(_flush, handle)
                    await asyncio.to_thread(self._place, coming, name)
            finally:
                await asyncio.to_thread(handle.close)
                await asyncio.to_thread(folder.cleanup)
        return Kept(name, size)

    def tidy(self) -> None:
        """Remove what came in part before a process died."""
        for left in self._folder.glob("coming-*"):
            with contextlib.suppress(OSError):
                if time.time() - left.stat().st_mtime > FRESH and not claimed(left):
                    shutil.rmtree(left)

    @contextlib.asynccontextmanager
    async def alone(self) -> AsyncGenerator[None]:
        """Within, no other process adds or deletes files. Raises StoreError."""
        async with contextlib.AsyncExitStack() as stack:
            with self._said():
                await stack.enter_async_context(alone(self._beside("lock")))
            yield

    @contextlib.contextmanager
    def read_alone(self, name: str) -> Generator[bool]:
        """Within, whether no other process reads the blob in this way."""
        with claim(self._path(name)) as ours:
            yield ours

    @contextlib.contextmanager
    def embed_alone(self) -> Generator[bool]:
        """Within, whether no other process embeds in this way. Raises StoreError."""
        path = self._beside("embedding")
        with self._said():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        with claim(path) as ours:
            yield ours

    def is_read(self, name: str) -> bool:
        """Whether a process has it by `read_alone`."""
        return claimed(self._path(name))

    def path(self, name: str) -> Path:
        """The file that holds it, for who only reads. Raises NotFound for what is no name of a blob."""
        return self._path(name)

    async def get(self, name: str) -> bytes:
        """Raises NotFound, and StoreError when the bytes are no longer those that were kept."""
        return await asyncio.to_thread(self._get, name)

    async def names(self) -> list[str]:
        """All that are kept."""
        return await asyncio.to_thread(self._names)

    async def delete(self, name: str) -> None:
        """Forget it, and what is kept beside it; to forget what is not there is no error."""
        await asyncio.to_thread(self._delete, name)

    def beside(self, name: str, what: str) -> bytes | None:
        """What was made of a blob and kept beside it under that name; None where nothing was."""
        try:
            return self._made(name, what).read_bytes()
        except FileNotFoundError:
            return None

    def keep_beside(self, name: str, what: str, data: bytes) -> None:
        """Keep what was made of a blob for as long as that is there. Raises StoreError when the disk is full."""
        with self._said(), self._room() as folder:
            whole = Path(folder) / name
            whole.write_bytes(data)
            if self._path(name).exists():
                whole.replace(self._made(name, what))
        if not self._path(name).exists():
            self._made(name, what).unlink(missing_ok=True)

    def _names(self) -> list[str]:
        return [path.name for path in self._folder.glob("[0-9a-f][0-9a-f]/*") if len(path.name) == 64]

    def _delete(self, name: str) -> None:
        path = self._path(name)
        path.unlink(missing_ok=True)
        for made in path.parent.glob(f"{name}.*"):
            made.unlink(missing_ok=True)

    def _made(self, name: str, what: str) -> Path:
        return self._path(name).with_name(f"{name}.{what}")

    def _beside(self, what: str) -> Path:
        return self._folder.with_name(f"{self._folder.name}.{what}")

    def _path(self, name: str) -> Path:
        if len(name) != 64 or not set(name) <= set("0123456789abcdef"):
            raise NotFound(f"{name!r} is no name of a blob.")
        return self._folder / name[:2] / name

    def _put(self, data: bytes) -> str:
        name = hashlib.sha256(data).hexdigest()
        with self._said(), self._room() as folder:
            whole = Path(folder) / name
            with whole.open("wb") as handle:
                handle.write(data)
                _flush(handle)
            self._place(whole, name)
        return name

    def _room(self) -> tempfile.TemporaryDirectory[str]:
        """A folder on the same disk, for what is not whole yet."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryDirectory(dir=self._folder, prefix="coming-")

    def _place(self, whole: Path, name: str) -> None:
        path = self._path(name)
        path.parent.mkdir(exist_ok=True)
        whole.replace(path)

    @contextlib.contextmanager
    def _said(self) -> Generator[None]:
        """The disk's errors in a sentence."""
        try:
            yield
        except OSError as error:
            raise StoreError(f"A file cannot be kept in {self._folder}: {error.strerror}.") from error

    def _get(self, name: str) -> bytes:
        try:
            data = self._path(name).read_bytes()
        except FileNotFoundError:
            raise NotFound(f"There is no blob {name}.") from None
        if hashlib.sha256(data).hexdigest() != name:
            raise StoreError(f"The blob {name} was changed on disk; restore {self._folder} from a backup.")
        return data


def _flush(handle: IO[bytes]) -> None:
    handle.flush()
    os.fsync(handle.fileno())


async def _gathered(source: AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    """The same bytes in larger pieces."""
    gathered = bytearray()
    async for data in source:
        gathered += data
        if len(gathered) >= PIECE:
            yield bytes(gathered)
            gathered.clear()
    yield bytes(gathered)
