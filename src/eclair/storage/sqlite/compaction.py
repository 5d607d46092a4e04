"""Gives space that a database no longer uses back to the disk.

A new database has `auto_vacuum = INCREMENTAL`: unused pages are freed in small steps. One of an earlier version gets it
when it is rewritten: a small one at its end or in a quiet hour, a larger one in a calm time, a very large one by
`eclair doctor --compact`, since nobody can write while a large one is put in place.
"""

from __future__ import annotations

import logging
import shutil
from pathlib import Path

import apsw

from eclair.errors import NotFound, StoreError
from eclair.storage.sqlite.lease import hold_alone
from eclair.util.disk_sync import sync_path
from eclair.util.humanize import format_size

INCREMENTAL = 2
"""SQLite's number for the mode of `PRAGMA auto_vacuum`."""
MAX_COMPACTED_BYTES = 32 << 20
"""A larger database isn't rewritten as a matter of course, since nobody could write meanwhile."""
MAX_REWRITTEN_BYTES = 256 << 20
"""A larger one isn't rewritten while Éclair runs; to put one of this size in place takes a second or two."""
MIN_UNUSED_PAGES = 256
"""Fewer are left to what is written next."""
FREED_PAGES_PER_STEP = 128

log = logging.getLogger(__name__)


def is_shrinkable(connection: apsw.Connection) -> bool:
    """Tell whether unused pages of a database can be freed one by one."""
    return _count(connection, "auto_vacuum") == INCREMENTAL


def is_too_large(connection: apsw.Connection) -> bool:
    """Tell whether the database isn't shrinkable, and too large to be rewritten while Éclair runs."""
    return not is_shrinkable(connection) and _size(connection) > MAX_REWRITTEN_BYTES


def unused_bytes(connection: apsw.Connection) -> int:
    return _count(connection, "freelist_count") * _count(connection, "page_size")


def prepare(connection: apsw.Connection) -> None:
    """Let a new database be shrinkable, and another one once it is rewritten."""
    if not is_shrinkable(connection):
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")


def has_unused_space(connection: apsw.Connection) -> bool:
    """Tell whether there are so many unused pages that can be freed that it is worth it."""
    return is_shrinkable(connection) and _count(connection, "freelist_count") > MIN_UNUSED_PAGES


def free_pages(connection: apsw.Connection) -> bool:
    """Free some unused pages; return whether there are more."""
    list(connection.execute(f"PRAGMA incremental_vacuum({FREED_PAGES_PER_STEP})"))
    return _count(connection, "freelist_count") > 0


def compact_small(connection: apsw.Connection) -> bool:
    """Rewrite the database unless it is large, which takes traces of erased rows from its pages; return True."""
    if _size(connection) <= MAX_COMPACTED_BYTES:
        connection.execute("VACUUM")
    return True


def make_shrinkable(connection: apsw.Connection) -> bool:
    """Rewrite a database that isn't shrinkable, unless it is very large; return False where there is no room for that.

    Raises apsw.InterruptError where it was interrupted; nothing has changed then.
    """
    if is_shrinkable(connection) or is_too_large(connection):
        return True
    path = Path(connection.filename)
    if shutil.disk_usage(path.parent).free < 2 * _size(connection):
        return False
    connection.execute("VACUUM")
    log.info("%s was rewritten: it now shrinks when conversations are erased.", path)
    return True


def compact_database(path: Path, leases: Path) -> tuple[int, int]:
    """Rewrite a database that no process has open, whatever its size; return its bytes before and after. Blocks.

    Raises Conflict while another process uses it, NotFound where there is none, StoreError where there is no room for
    a copy, and apsw.Error; nothing has changed then.
    """
    if not path.is_file():
        raise NotFound(f"There is no database in {path.parent}.")
    new = path.with_name(f"{path.name}.compacted")
    with hold_alone(leases, "compact"):
        new.unlink(missing_ok=True)
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        try:
            list(connection.execute("PRAGMA wal_checkpoint(TRUNCATE)"))
            size, free = path.stat().st_size, shutil.disk_usage(path.parent).free
            if free < size:
                raise StoreError(
                    f"Compacting the database needs {format_size(size)}, and {path.parent} has {format_size(free)} "
                    "free; free some space and try again."
                )
            prepare(connection)
            connection.execute("VACUUM INTO ?", (str(new),))
        except BaseException:
            new.unlink(missing_ok=True)
            raise
        finally:
            connection.close()
        sync_path(new)
        new.replace(path)
        sync_path(path.parent)
    return size, path.stat().st_size


def _size(connection: apsw.Connection) -> int:
    return _count(connection, "page_count") * _count(connection, "page_size")


def _count(connection: apsw.Connection, name: str) -> int:
    count = connection.pragma(name)
    assert isinstance(count, int)
    return count
