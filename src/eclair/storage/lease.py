"""A lease on being alive: a locked file that the system unlocks when its process ends, however it ends."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import Self

from eclair.schema.ids import new_id


class Lease:
    """Held from `take` to `release` or the process's death. `held` tells of any process's lease."""

    def __init__(self, path: Path, handle: int) -> None:
        self._path = path
        self._handle = handle

    @classmethod
    def take(cls, folder: Path) -> Self:
        """Take a lease under a fresh name, and sweep away those that the dead left."""
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as door:
            fcntl.flock(door, fcntl.LOCK_EX)  # else a lease could be swept before it is locked
            for stale in folder.glob("*.lease"):
                if not held(folder, stale.stem):
                    stale.unlink(missing_ok=True)
            path = folder / f"{new_id('process')}.lease"
            handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
            fcntl.flock(handle, fcntl.LOCK_EX)
        return cls(path, handle)

    @property
    def name(self) -> str:
        return self._path.stem

    def release(self) -> None:
        self._path.unlink(missing_ok=True)
        os.close(self._handle)


def held(folder: Path, name: str) -> bool:
    """Whether the process of that name still lives."""
    try:
        handle = os.open(folder / f"{name}.lease", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
