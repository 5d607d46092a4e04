"""Files that are written whole or not at all."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replace_file(path: Path) -> Generator[BinaryIO]:
    """Open a file that takes the place of `path` when the block ends well; where it fails, that stays as it was.

    What is no file, such as a pipe, is written to directly. Raises OSError.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    path = path.resolve()
    fresh = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with fresh.open("xb") as file:
            yield file
        fresh.replace(path)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
