"""Claims: one process at a time does a thing. A claim is a lock on a file, which the system takes off when its process
ends, however it ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

AGAIN = 0.02
"""Seconds between two looks at whether another has finished."""


@contextlib.contextmanager
def claim(path: Path) -> Generator[bool]:
    """Within, whether the file at `path` is claimed here; not if another has it. What is not there nobody has."""
    handle = _opened(path)
    if handle is None:
        yield True
        return
    try:
        yield _locked(handle, fcntl.LOCK_EX)
    finally:
        os.close(handle)


def claimed(path: Path) -> bool:
    """Whether anybody has claimed the file."""
    handle = _opened(path)
    if handle is None:
        return False
    try:
        return not _locked(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


@contextlib.asynccontextmanager
async def alone(path: Path) -> AsyncGenerator[None]:
    """Wait for the others, and have the file, which is made where it is not there. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        while not _locked(handle, fcntl.LOCK_EX):  # noqa: ASYNC110  another process has it
            await asyncio.sleep(AGAIN)
        yield
    finally:
        os.close(handle)


def _opened(path: Path) -> int | None:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None


def _locked(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
