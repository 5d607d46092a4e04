"""A stand-in for a data folder that takes no writes, as on a full or read-only disk.

It is a folder for temporary files with a copy of the database and links to the files, so that what is done to it is
never done to the data folder. It is gone once it is no longer used.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

from eclair.storage import lost
from eclair.storage.sqlite import open as sqlite
from eclair.storage.sqlite.database import translated

PROBE_BYTES = 256 << 10
"""More than SQLite needs to open a database."""
COPIED_FILES = ("secret.key", "session.key", "signing.key")
LINKED_FOLDERS = ("models",)
"""Nothing writes there unless it is asked to."""
COPIED_FOLDERS = ("marks",)


@contextlib.contextmanager
def stand_in(folder: Path) -> Generator[Path | None]:
    """Make a stand-in, and delete it at the end. It is None where the folder takes writes, or nothing can be read.

    Blocks. Raises StoreError where there is no room for it either.
    """
    if not sqlite.has_database(folder) or takes_writes(folder) or sqlite.is_in_use(folder):
        yield None
        return
    with translated(Path(tempfile.gettempdir())):
        copy = Path(tempfile.mkdtemp(prefix="eclair-reading-"))
    try:
        with translated(copy):
            _fill(copy, folder)
        yield copy
    finally:
        shutil.rmtree(copy)


def takes_writes(folder: Path) -> bool:
    """Tell whether a file of some size can be written into the folder."""
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(bytes(PROBE_BYTES))
            probe.flush()
    except OSError:
        return False
    return True


def _fill(copy: Path, folder: Path) -> None:
    sqlite.copy_closed_database(folder, copy)
    for name in COPIED_FILES:
        if (folder / name).is_file():
            shutil.copy2(folder / name, copy / name)
    for name in COPIED_FOLDERS:
        if (folder / name).is_dir():
            shutil.copytree(folder / name, copy / name)
    for name in LINKED_FOLDERS:
        if (folder / name).is_dir():
            (copy / name).symlink_to((folder / name).absolute())
    for name in lost.BLOB_FOLDERS:
        for path in (folder / name).glob("*/*"):
            link = copy / path.relative_to(folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path.absolute())
