"""A lease on being alive: a locked file, which the system unlocks."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator
from pathlib import Path
from typing import Self

from eclair.errors import Conflict
from eclair.schema.ids import new_id
from eclair.util.file_lock import HeldLock, hold, is_locked

UNCLEAN_FILE = "unclean"
"""Is there from the moment when a dead process's lease is found until the database has been checked."""

log = logging.getLogger(__name__)


class Lease:
    """Held from `acquire` to `release` or the process's death. `is_held` tells of any process's lease."""

    def __init__(self, path: Path, lock: HeldLock, *, is_alone: bool) -> None:
        self._path = path
        self._lock = lock
        self.is_alone = is_alone
        """True if no other process had a lease when this one was acquired."""

    @classmethod
    def acquire(cls, folder: Path) -> Self:
        """Acquire a lease under a fresh name, and remove those that dead processes left."""
        folder.mkdir(parents=True, exist_ok=True)
        with hold(folder / "lock"):  # else a lease could be swept before it is locked
            is_alone = True
            for other in folder.glob("*.lease"):
                if is_locked(other):
                    is_alone = False
                else:
                    (folder / UNCLEAN_FILE).touch()
                    other.unlink(missing_ok=True)
            path = folder / f"{new_id('process')}.lease"
            return cls(path, hold(path), is_alone=is_alone)

    @property
    def name(self) -> str:
        return self._path.stem

    def release(self) -> None:
        """Release it. Its file stays where it can't be removed, as on a read-only disk; a later lease sweeps it."""
        try:
            self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("%s cannot be removed: %s", self._path, error.strerror)
        self._lock.release()


def is_held(folder: Path, name: str) -> bool:
    """Return True while the process of that name lives."""
    return is_locked(folder / f"{name}.lease")


@contextlib.contextmanager
def hold_alone(leases: Path, purpose: str) -> Generator[None]:
    """Keep other processes from opening the database within the block. Raises Conflict where one has it open."""
    leases.mkdir(exist_ok=True)
    with hold(leases / "lock"):
        if any(is_locked(lease) for lease in leases.glob("*.lease")):
            raise Conflict(f"Éclair is running on this folder; stop it, then {purpose} the database.")
        yield
