"""File locks between processes; the system releases them on exit."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Self

RETRY_INTERVAL_S = 0.02


class HeldLock:
    """A lock that is held until `release`, the end of a `with` block, or the end of the process.

    With `remove`, its file is removed on release.
    """

    def __init__(self, handle: int, path: Path, *, remove: bool = False) -> None:
        self._handle = handle
        self._path = path
        self._remove = remove

    def release(self) -> None:
        if self._remove:
            self._path.unlink(missing_ok=True)
        os.close(self._handle)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def hold(path: Path) -> HeldLock:
    """Lock a file, creating it as needed, and wait for other holders. Blocks the thread. Raises OSError."""
    handle = _open_or_create(path)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except BaseException:
        os.close(handle)
        raise
    return HeldLock(handle, path)


def try_hold(path: Path, *, remove: bool = False) -> HeldLock | None:
    """Lock a file, creating it as needed; None while another holds it. Raises OSError.

    A file that its holder removed meanwhile is created again, so that two never hold different files of one name.
    """
    while True:
        handle = _open_or_create(path)
        if not _flock(handle, fcntl.LOCK_EX):
            os.close(handle)
            return None
        if _is_same_file(handle, path):
            return HeldLock(handle, path, remove=remove)
        os.close(handle)


@contextlib.contextmanager
def try_lock(path: Path) -> Generator[bool]:
    """Lock an existing file within the block; False if another holds it. True for a missing file: nobody can."""
    handle = _open(path)
    if handle is None:
        yield True
        return
    try:
        yield _flock(handle, fcntl.LOCK_EX)
    finally:
        os.close(handle)


def is_locked(path: Path) -> bool:
    """True while anybody holds the file; False where it is missing."""
    handle = _open(path)
    if handle is None:
        return False
    try:
        return not _flock(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


@contextlib.asynccontextmanager
async def lock(path: Path) -> AsyncGenerator[None]:
    """Lock a file within the block, creating it as needed; waits for other holders. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = _open_or_create(path)
    try:
        while not _flock(handle, fcntl.LOCK_EX):  # noqa: ASYNC110  another process holds it
            await asyncio.sleep(RETRY_INTERVAL_S)
        yield
    finally:
        os.close(handle)


def _open(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _open_or_create(path: Path) -> int:
    return os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)


def _flock(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_same_file(handle: int, path: Path) -> bool:
    try:
        return os.fstat(handle).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
