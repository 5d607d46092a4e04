"""Temporary files with the bytes of blobs, for worker processes that read files."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from eclair.errors import StoreError
from eclair.util.file_opening import open_file
from eclair.util.scratch import ScratchFolder

MAX_KEPT_BYTES = 512 << 20
"""Copies that nobody uses are kept up to this size, as the pages of a document are shown one by one."""


@dataclass(frozen=True, slots=True)
class _Copy:
    path: Path
    size: int


class BlobCopies:
    """Copies in a folder that goes with the process."""

    def __init__(self) -> None:
        self._folder: ScratchFolder | None = None
        self._users: dict[str, int] = {}
        self._copies: dict[str, _Copy] = {}
        self._writing: dict[str, asyncio.Lock] = {}
        self._numbers = count()

    @contextlib.asynccontextmanager
    async def open(self, name: str, source: AsyncIterable[bytes], *, keep: bool) -> AsyncGenerator[Path]:
        """Have a file with the bytes of `source` within the block, with `keep` also after it. Raises StoreError."""
        self._users[name] = self._users.get(name, 0) + 1
        try:
            async with self._writing.setdefault(name, asyncio.Lock()):
                copy = self._copies.pop(name, None) or await self._write(name, source)
                self._copies[name] = copy  # the newest is last
            yield copy.path
        finally:
            self._users[name] -= 1
            if not self._users[name]:
                del self._users[name]
                if gone := self._take_unused(name, keep=keep):
                    await asyncio.to_thread(_remove, gone)

    async def _write(self, name: str, source: AsyncIterable[bytes]) -> _Copy:
        """Write a copy under a name that none has had: an older one may still be being removed."""
        try:
            if self._folder is None:
                self._folder = await asyncio.to_thread(ScratchFolder, "blob")
                weakref.finalize(self, self._folder.remove)
            path = self._folder.path / f"{name}-{next(self._numbers)}"
            try:
                file = await open_file(path, "wb")
                with file:
                    async for piece in source:
                        await asyncio.to_thread(file.write, piece)
                return _Copy(path, path.stat().st_size)
            except BaseException:
                path.unlink(missing_ok=True)
                raise
        except OSError as error:
            raise StoreError(f"A temporary file cannot be written: {error.strerror}; free some space.") from error

    def _take_unused(self, name: str, *, keep: bool) -> list[Path]:
        """Forget a copy that nobody uses, or as many of the oldest as are too much; return their paths."""
        unused = [each for each in self._copies if each not in self._users]
        if not keep:
            gone = [name] if name in unused else []
        else:
            gone, size = [], sum(self._copies[each].size for each in unused)
            while size > MAX_KEPT_BYTES:
                gone.append(unused.pop(0))
                size -= self._copies[gone[-1]].size
        for each in gone:
            self._writing.pop(each, None)
        return [self._copies.pop(each).path for each in gone]


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
