"""Files that were set aside: blobs that the database doesn't know and damaged databases; only their owner erases them.

A database that was put back from an older copy knows fewer blobs than there are; they may be all that is left.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from eclair.errors import StoreError
from eclair.storage.blob_stores.blob_store import BlobStore

LOST_FOLDER = "lost"
DATABASE_FOLDER = "database"
"""Holds a damaged database that was repaired; a second one of the same day has a number."""
BLOB_FOLDERS = ("files", "pictures")
_BLOB_PATTERN = "[0-9a-f][0-9a-f]/" + "[0-9a-f]" * 64


@dataclass(frozen=True, slots=True)
class LostBlobs:
    """Files that were set aside on one `day` (ISO 8601) from one `folder`: how many, and their bytes."""

    day: str
    folder: str
    count: int
    size: int


def set_aside(blob: Path) -> None:
    """Move a blob, and what is derived from it, from its folder into `lost/` beside that. Raises OSError."""
    folder = blob.parents[1]
    target = folder.parent / LOST_FOLDER / date.today().isoformat() / folder.name / blob.parent.name
    target.mkdir(parents=True, exist_ok=True)
    for path in (*blob.parent.glob(f"{blob.name}.*"), blob):
        path.replace(target / path.name)


def take_back(blob: Path) -> bool:
    """Move a blob back to its place if it was set aside; return whether it was. Raises OSError."""
    folder = blob.parents[1]
    for day in sorted((folder.parent / LOST_FOLDER).glob("*"), reverse=True):
        place = day / folder.name / blob.parent.name
        if (place / blob.name).is_file():
            blob.parent.mkdir(parents=True, exist_ok=True)
            for path in (*place.glob(f"{blob.name}.*"), place / blob.name):
                path.replace(blob.parent / path.name)
            return True
    return False


def list_lost(data_dir: Path) -> list[LostBlobs]:
    """List what was set aside in a data folder, oldest first."""
    found: list[LostBlobs] = []
    for folder in sorted((data_dir / LOST_FOLDER).glob("*/*")):
        is_database = folder.name.startswith(DATABASE_FOLDER)
        sizes = [path.stat().st_size for path in folder.glob("*" if is_database else _BLOB_PATTERN)]
        if sizes:
            found.append(LostBlobs(folder.parent.name, folder.name, len(sizes), sum(sizes)))
    return found


def erase_lost(data_dir: Path) -> None:
    """Erase what was set aside, for good. Raises StoreError."""
    folder = data_dir / LOST_FOLDER
    with contextlib.suppress(FileNotFoundError):
        try:
            shutil.rmtree(folder)
        except PermissionError as error:
            raise StoreError(f"{folder} cannot be erased; check who owns the file and its folder.") from error


async def list_lost_in(store: BlobStore) -> list[LostBlobs]:
    """List the blobs that were set aside in a store, oldest first. Raises StoreError."""
    sizes: dict[tuple[str, str], list[int]] = {}
    async for each in store.list_objects(LOST_FOLDER):
        parts = each.key.split("/")
        if len(parts) == 5:  # lost, day, folder, beginning of the name, name
            sizes.setdefault((parts[1], parts[2]), []).append(each.size)
    return [LostBlobs(day, folder, len(found), sum(found)) for (day, folder), found in sorted(sizes.items())]


async def erase_lost_in(store: BlobStore) -> None:
    """Erase the blobs that were set aside in a store, for good. Raises StoreError."""
    await store.delete([each.key async for each in store.list_objects(LOST_FOLDER)])


def count_blobs(data_dir: Path) -> int:
    """Count the blobs in a data folder that were not set aside."""
    return sum(1 for folder in BLOB_FOLDERS for _ in (data_dir / folder).glob(_BLOB_PATTERN))


def set_all_aside(data_dir: Path) -> int:
    """Set aside all blobs of a data folder, whose database is gone; return their number. Raises StoreError."""
    blobs = [path for folder in BLOB_FOLDERS for path in (data_dir / folder).glob(_BLOB_PATTERN)]
    try:
        for blob in blobs:
            set_aside(blob)
    except OSError as error:
        raise StoreError(f"{data_dir} cannot be changed: {error.strerror}.") from error
    return len(blobs)
