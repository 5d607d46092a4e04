"""Replaces a damaged database with a repaired one, and keeps the damaged one in `lost/`."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import apsw

from eclair.errors import NotFound, StoreError
from eclair.storage.base import RepairReport, ReportSteps
from eclair.storage.lost import DATABASE_FOLDER, LOST_FOLDER
from eclair.storage.sqlite.database import translated
from eclair.storage.sqlite.lease import UNCLEAN_FILE, hold_alone
from eclair.storage.sqlite.open import DATABASE_FILE, LEASES_FOLDER, open_readonly
from eclair.storage.sqlite.salvage.salvage import salvage_database
from eclair.util.disk_sync import sync_path
from eclair.util.humanize import format_size

SUFFIXES = ("", "-wal", "-shm")
NEW_FILE = f"{DATABASE_FILE}.repaired"


def repair_database(folder: Path, progress: ReportSteps) -> RepairReport:
    """Repair the database of a data folder; the damaged one is moved to `lost/`, a sound one is left alone. Blocks.

    Raises Conflict while another process uses the folder, NotFound where there is no database, and StoreError; nothing
    has changed then.
    """
    database, new = folder / DATABASE_FILE, folder / NEW_FILE
    if not database.is_file():
        raise NotFound(f"There is no database in {folder}.")
    with translated(database), hold_alone(folder / LEASES_FOLDER, "repair"):
        _require_room(folder, database)
        try:
            for suffix in ("", "-journal", "-wal", "-shm"):
                new.with_name(new.name + suffix).unlink(missing_ok=True)
            report = salvage_database(database, new, _blob_finder(folder), progress)
            sync_path(new)
            aside = None
            if report.lost or report.mended or not _is_sound(database):
                aside = _set_aside(folder, database)
                new.replace(database)
                sync_path(folder)
        finally:
            new.unlink(missing_ok=True)
        (folder / LEASES_FOLDER / UNCLEAN_FILE).unlink(missing_ok=True)
    return RepairReport(report.saved, report.lost, report.mended, aside)


def _is_sound(database: Path) -> bool:
    try:
        with open_readonly(database) as db:
            return db.pragma("integrity_check") == "ok"
    except (StoreError, apsw.SQLError):  # the text of a schema may be damaged
        return False


def _require_room(folder: Path, database: Path) -> None:
    needed = sum(path.stat().st_size for path in _files(database))
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StoreError(
            f"Repairing the database needs {format_size(needed)}, and {folder} has {format_size(free)} free; "
            "free some space and try again."
        )


def _set_aside(folder: Path, database: Path) -> Path:
    """Move the damaged database with its log, and return where it is now; links keep it in place until then."""
    parent = folder / LOST_FOLDER / date.today().isoformat()
    names = (DATABASE_FOLDER, *(f"{DATABASE_FOLDER}-{number}" for number in range(2, 1000)))
    target = next(parent / name for name in names if not (parent / name).exists())
    target.mkdir(parents=True)
    try:
        os.link(database, target / database.name)
    except OSError:  # a file system without hard links
        shutil.copy2(database, target / database.name)
        sync_path(target / database.name)
    for path in _files(database):
        if path != database:  # the new database must not meet a log that isn't its own
            path.replace(target / path.name)
    sync_path(target)
    return target


def _files(database: Path) -> list[Path]:
    return [path for suffix in SUFFIXES if (path := database.with_name(database.name + suffix)).exists()]


def _blob_finder(folder: Path) -> Callable[[int], str | None]:
    """Return a function that finds the only uploaded file of a size that no other document may have."""
    sizes: dict[int, list[str]] = {}
    for path in (folder / "files").glob("[0-9a-f][0-9a-f]/*"):
        if len(path.name) == 64:
            sizes.setdefault(path.stat().st_size, []).append(path.name)

    def find(size: int) -> str | None:
        found = sizes.get(size, [])
        return found[0] if len(found) == 1 else None

    return find
