"""Files that no other account of the machine may read."""

from __future__ import annotations

import os
from pathlib import Path

PRIVATE_UMASK = 0o077
OPEN_TO_OTHERS = 0o077


def restrict_umask() -> int:
    """Let every file that this process and its children create be its account's alone; return the former umask."""
    return os.umask(PRIVATE_UMASK)


def make_private(folder: Path) -> bool:
    """Create a folder that this account alone may enter, or close it to others; return whether it was open to them.

    Raises OSError, PermissionError where the folder belongs to another account.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    mode = folder.stat().st_mode & 0o777
    if mode & OPEN_TO_OTHERS == 0:
        return False
    folder.chmod(mode & ~OPEN_TO_OTHERS)
    return True
