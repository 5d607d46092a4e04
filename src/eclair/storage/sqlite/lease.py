"""A lease on being alive: a locked file, which the system unlocks."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from eclair.schema.ids import new_id
from eclair.util.file_lock import HeldLock, hold, is_locked


class Lease:
    """Held from `acquire` to `release` or the process's death. `is_held` tells of any process's lease."""

    def __init__(self, path: Path, lock: HeldLock) -> None:
        self._path = path
        self._lock = lock

    @classmethod
    def acquire(cls, folder: Path) -> Self:
        """Acquire a lease under a fresh name, and remove those that dead processes left."""
        folder.mkdir(parents=True, exist_ok=True)
        with hold(folder / "lock"):  # else a lease could be swept before it is locked
            for stale in folder.glob("*.lease"):
                if not is_locked(stale):
                    stale.unlink(missing_ok=True)
            path = folder / f"{new_id('process')}.lease"
            return cls(path, hold(path))

    @property
    def name(self) -> str:
        return self._path.stem

    def release(self) -> None:
        self._path.unlink(missing_ok=True)
        self._lock.release()


def is_held(folder: Path, name: str) -> bool:
    """Return True while the process of that name lives."""
    return is_locked(folder / f"{name}.lease")
