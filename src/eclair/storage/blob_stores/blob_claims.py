"""Claims on blobs between the processes of one machine: on changing them, on reading one, on embedding."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

from eclair.errors import NotFound, StoreError
from eclair.storage.blob_stores.blob_store import is_blob_name
from eclair.util import file_lock


class BlobClaims:
    """Claims on the blobs of one folder; those on blobs that are elsewhere are files of their own beside it."""

    def __init__(self, folder: Path, *, is_shared: bool) -> None:
        self._folder = folder
        self._is_shared = is_shared

    @contextlib.asynccontextmanager
    async def lock(self) -> AsyncGenerator[None]:
        """Keep other processes of this machine from adding and deleting files within the block. Raises StoreError."""
        async with contextlib.AsyncExitStack() as stack:
            with self._translated():
                await stack.enter_async_context(file_lock.lock(self._sibling("lock")))
            yield

    @contextlib.contextmanager
    def try_lock_reading(self, name: str) -> Generator[bool]:
        """Claim the reading of a blob within the block; False while another process has it.

        Raises NotFound and StoreError.
        """
        path = self._file(name)
        if not self._is_shared:
            with file_lock.try_lock(path) as ours:
                yield ours
            return
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            held = file_lock.try_hold(path, remove=True)
        with held or contextlib.nullcontext():
            yield held is not None

    def is_being_read(self, name: str) -> bool:
        """Return True while a process of this machine has claimed the reading of a blob."""
        return file_lock.is_locked(self._file(name))

    @contextlib.contextmanager
    def try_lock_embedding(self) -> Generator[bool]:
        """Claim the embedding within the block; False while another process has it. Raises StoreError."""
        path = self._sibling("embedding")
        with self._translated():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        with file_lock.try_lock(path) as ours:
            yield ours

    def _file(self, name: str) -> Path:
        """Return the file to lock: the blob itself where it is here."""
        if not is_blob_name(name):
            raise NotFound(f"{name!r} is not the name of a blob.")
        return self._sibling("claims") / name if self._is_shared else self._folder / name[:2] / name

    def _sibling(self, suffix: str) -> Path:
        return self._folder.with_name(f"{self._folder.name}.{suffix}")

    @contextlib.contextmanager
    def _translated(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(f"{self._folder} cannot be locked: {error.strerror}.") from error
