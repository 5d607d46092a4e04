"""Writes files that tools made into a folder of the person's, beside what is there."""

from __future__ import annotations

import contextlib
import itertools
import re
from pathlib import Path

from eclair.errors import UserError

_NO_NAME = re.compile(r"[/\\\x00-\x1f\x7f-\x9f]")
"""Characters that a name may have in a workspace, but not in a folder."""


def write_made_file(folder: Path, name: str, data: bytes, umask: int) -> Path:
    """Write a new file with the person's `umask`, under a numbered name if its own is taken; return its path.

    Raises UserError.
    """
    plain = Path(_NO_NAME.sub("-", name).lstrip(".") or "file")
    numbered = (plain.with_stem(f"{plain.stem}-{number}") for number in itertools.count(2))
    path = folder / plain
    while True:
        try:
            with path.open("xb") as file:
                try:
                    file.write(data)
                    file.flush()
                except BaseException:
                    path.unlink()
                    raise
            with contextlib.suppress(PermissionError):  # on a memory stick: its file system has no modes
                path.chmod(0o666 & ~umask)
        except FileExistsError:
            path = folder / next(numbered)
            continue
        except OSError as error:
            raise UserError(f"{path} cannot be written: {error.strerror}.") from error
        return path
