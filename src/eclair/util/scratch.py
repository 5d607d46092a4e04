"""Temporary folders that are removed even if their process is killed: a later one sweeps them."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Literal, Self, get_args

from eclair.util import file_lock

ScratchPurpose = Literal["mcp", "sandbox", "page", "photo", "question", "sound", "marks", "blob", "backup"]

MIN_SWEEP_AGE_S = 60.0
"""A younger folder may not have been locked by its process yet."""

_NAME = re.compile(rf"eclair-(?:{'|'.join(get_args(ScratchPurpose))})-[a-z0-9_]{{8}}")
_OPEN_TO_OTHERS = 0o077


class ScratchFolder:
    """A folder that this account alone may enter, until `remove` or the end of a `with` block.

    It is in `parent`, by default the system's folder for temporary files, and locked for as long as its process lives.
    Raises OSError.
    """

    def __init__(self, purpose: ScratchPurpose, parent: Path | None = None) -> None:
        self.path = Path(tempfile.mkdtemp(prefix=f"eclair-{purpose}-", dir=parent))
        self._held = contextlib.ExitStack()
        self._held.enter_context(file_lock.try_lock(self.path))

    def remove(self) -> None:
        """Remove the folder with everything in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.remove()


def sweep_scratch_folders(parent: Path | None = None) -> None:
    """Remove the scratch folders of this account's dead processes in `parent`, as of `ScratchFolder`."""
    for folder in (parent or Path(tempfile.gettempdir())).glob("eclair-*"):
        with contextlib.suppress(OSError):  # another process sweeps as well
            if _NAME.fullmatch(folder.name) and _is_left_behind(folder):
                shutil.rmtree(folder)


def _is_left_behind(folder: Path) -> bool:
    stat = folder.lstat()
    is_ours = folder.is_dir() and stat.st_uid == os.geteuid() and not stat.st_mode & _OPEN_TO_OTHERS
    return is_ours and time.time() - stat.st_mtime > MIN_SWEEP_AGE_S and not file_lock.is_locked(folder)
