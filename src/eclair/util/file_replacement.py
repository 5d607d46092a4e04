"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from eclair.util.private_files import PRIVATE_UMASK


@contextmanager
def replace_file(path: Path, umask: int = PRIVATE_UMASK) -> Generator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends well. If the block fails, `path` is unchanged.

    The mode of a file that was there stays; a new one has the mode that `umask` leaves. Pipes and devices are written
    directly. Raises OSError, for a folder before the block.
    """
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else 0o666 & ~umask
    fresh = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with fresh.open("xb") as file:
            yield file
        with contextlib.suppress(PermissionError):  # on a memory stick: its file system has no modes
            fresh.chmod(mode)
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
