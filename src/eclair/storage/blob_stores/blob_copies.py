"""Temporary files with the bytes of blobs, for worker processes that read files."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, AsyncIterable
from pathlib import Path

from eclair.errors import StoreError
from eclair.util.file_opening import open_file
from eclair.util.scratch import ScratchFolder

MAX_KEPT_BYTES = 512 << 20
"""Copies that nobody uses are kept up to this size, as the pages of a document are shown one by one."""


class BlobCopies:
    """Copies in a folder that goes with the process."""

    def __init__(self) -> None:
        self._folder: ScratchFolder | None = None
        self._users: dict[str, int] = {}
        self._sizes: dict[str, int] = {}
        self._writing: dict[str, asyncio.Lock] = {}

    @contextlib.asynccontextmanager
    async def open(self, name: str, source: AsyncIterable[bytes], *, keep: bool) -> AsyncGenerator[Path]:
        """Have a file with the bytes of `source` within the block, with `keep` also after it. Raises StoreError."""
        self._users[name] = self._users.get(name, 0) + 1
        try:
            async with self._writing.setdefault(name, asyncio.Lock()):
                path = await self._write(name, source)
            yield path
        finally:
            self._users[name] -= 1
            if not self._users[name]:
                del self._users[name]
                await asyncio.to_thread(self._drop, name, keep=keep)

    async def _write(self, name: str, source: AsyncIterable[bytes]) -> Path:
        try:
            if self._folder is None:
                self._folder = await asyncio.to_thread(ScratchFolder, "blob")
                weakref.finalize(self, self._folder.remove)
            path = self._folder.path / name
            if name not in self._sizes:
                file = await open_file(path, "wb")
                with file:
                    async for piece in source:
                        await asyncio.to_thread(file.write, piece)
                self._sizes[name] = path.stat().st_size
        except OSError as error:
            raise StoreError(f"A temporary file cannot be written: {error.strerror}; free some space.") from error
        self._sizes[name] = self._sizes.pop(name)  # the newest is last
        return path

    def _drop(self, name: str, *, keep: bool) -> None:
        """Remove a copy that nobody uses, or as many of the oldest as are too much."""
        unused = [each for each in self._sizes if each not in self._users]
        if not keep:
            gone = [name] if name in unused else []
        else:
            gone, size = [], sum(self._sizes[each] for each in unused)
            while size > MAX_KEPT_BYTES:
                gone.append(unused.pop(0))
                size -= self._sizes[gone[-1]]
        for each in gone:
            self._sizes.pop(each, None)
            self._writing.pop(each, None)
            if self._folder is not None:
                (self._folder.path / each).unlink(missing_ok=True)
