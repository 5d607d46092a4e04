"""Makes, checks and restores backups of a data folder, its database and its bucket, while a server writes to them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import eclair
from eclair.errors import Conflict, NotFound, StoreError
from eclair.settings import Settings
from eclair.storage import lost
from eclair.storage.backup.bucket_files import BucketFiles
from eclair.storage.backup.repository import BackupEntry, BackupRepository, BackupSnapshot
from eclair.storage.blob_stores.blob_store import StoredObject, is_blob_name
from eclair.storage.open import (
    StoragePlace,
    copy_database,
    describe_database,
    has_database,
    inspect_database,
    is_in_tables,
    is_of_database,
    restore_database,
)
from eclair.util.scratch import ScratchFolder, sweep_scratch_folders

BLOB_FOLDERS = lost.BLOB_FOLDERS
EXTRA_FILES = ("secret.key", "session.key", "signing.key")
EXTRA_FOLDERS = ("marks",)
"""Further files that can't be made again. Models can be downloaded again."""

ReportCopied = Callable[[int, int], None]
"""Takes the number of files that are done, and of all."""


@dataclass(frozen=True, slots=True)
class BackupResult:
    """A finished backup: its snapshot, how many files and bytes were new, and how many older snapshots were deleted."""

    snapshot: BackupSnapshot
    new_files: int
    new_bytes: int
    pruned: int


def back_up(
    place: StoragePlace,
    repository: BackupRepository,
    progress: ReportCopied = lambda done, total: None,
    *,
    bucket: BucketFiles | None = None,
    keep: int | None = None,
) -> BackupResult:
    """Add a snapshot of a data folder and its database to a repository; the copy of the database is checked.

    Files, those in a `bucket` too, are copied before the database, and those that came meanwhile after it, so that
    every file that the copied database names is there. Afterwards all but the newest `keep` snapshots are deleted.
    Blocks. Raises StoreError, BackupRunning while another one runs, and NotFound where there is no database.
    """
    data_dir = place if isinstance(place, Path) else place.data_dir
    if not has_database(place):
        raise NotFound(f"There is nothing to back up in {data_dir}.")
    with (
        _translated(f"The backup into {repository.folder}"),
        repository.lock(),
        _open_scratch(data_dir, repository) as scratch,
    ):
        copying = _Copying(data_dir, repository, scratch.path, bucket, progress)
        copying.add_new_files()
        copy = copy_database(place, scratch.path, copying.add_file, progress)
        copying.add_new_files()
        snapshot = BackupSnapshot(
            f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}",
            eclair.__version__,
            copy.format,
            tuple(copying.entries[path] for path in sorted(copying.entries)),
            tuple(sorted(copy.named_blobs - copying.entries.keys())),
        )
        repository.add_snapshot(snapshot)
        pruned = repository.prune(keep) if keep is not None else 0
    return BackupResult(snapshot, copying.new_files, copying.new_bytes, pruned)


def check(
    repository: BackupRepository, snapshot: BackupSnapshot, progress: ReportCopied = lambda done, total: None
) -> list[str]:
    """Read every file of a snapshot, and return the paths of those that are damaged or missing. Blocks."""
    damaged: list[str] = []
    for number, entry in enumerate(snapshot.entries, 1):
        if not repository.check(entry):
            damaged.append(entry.path)
        progress(number, len(snapshot.entries))
    return damaged


def restore(
    repository: BackupRepository,
    snapshot: BackupSnapshot,
    place: StoragePlace,
    progress: ReportCopied = lambda done, total: None,
    *,
    bucket: BucketFiles | None = None,
) -> int:
    """Write a snapshot to where there is no database and no file yet, blobs into the `bucket` if there is one.

    Return how many blobs the bucket had already; they are left as they are. The database comes last. Blocks. Raises
    Conflict for a place in use or another kind of database, and StoreError for a damaged backup; what was written then
    stays, without a database.
    """
    data_dir = place if isinstance(place, Path) else place.data_dir
    entries = {entry.path: entry for entry in snapshot.entries}
    _require_kind(place, entries)
    _require_unused(place, data_dir)
    there = {each.key for each in bucket.list_files()} if bucket is not None else set[str]()
    there &= entries.keys()
    with _translated(f"Restoring into {data_dir}"):
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=data_dir, prefix="restoring-") as folder:
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            progress(done, len(entries))

        @contextlib.contextmanager
        def read(path: str) -> Generator[Path]:
            file = Path(folder, "file")
            repository.write_out(entries[path], file)
            yield file
            file.unlink(missing_ok=True)
            count()

        for path in sorted(path for path in entries if not is_of_database(path)):
            if path in there:
                count()
                continue
            if bucket is not None and _belongs_in_bucket(path):
                with read(path) as file:
                    bucket.add(path, file)
                continue
            target = data_dir / path
            if not target.resolve().is_relative_to(data_dir.resolve()):
                raise StoreError(f"{path!r} in the backup leads out of the data folder; it was not restored.")
            repository.write_out(entries[path], target)
            count()
        restore_database(place, sorted(path for path in entries if is_of_database(path)), read)
    return len(there)


def _belongs_in_bucket(path: str) -> bool:
    """Tell whether a path is a blob's, or what is derived from one; a damaged database in `lost/` is neither."""
    folder, _, rest = path.partition("/")
    return folder in BLOB_FOLDERS or (folder == lost.LOST_FOLDER and is_blob_name(rest.rpartition("/")[2]))


def _require_kind(place: StoragePlace, paths: Iterable[str]) -> None:
    """Raise Conflict where the place has another kind of database than the snapshot."""
    is_for_postgres = isinstance(place, Settings) and place.database_url is not None
    if is_in_tables(paths) and not is_for_postgres:
        raise Conflict(
            "The backup holds a PostgreSQL database; name an empty one with ECLAIR_DATABASE_URL, and restore into that."
        )
    if is_for_postgres and not is_in_tables(paths):
        raise Conflict(
            "The backup holds a SQLite database; restore it without ECLAIR_DATABASE_URL, then run `eclair migrate`."
        )


def _require_unused(place: StoragePlace, data_dir: Path) -> None:
    """Raise Conflict where there are files or a database already."""
    if has_database(data_dir) or lost.count_blobs(data_dir):
        raise Conflict(
            f"{data_dir} is in use already; move it away, or restore into another folder with ECLAIR_DATA_DIR."
        )
    if isinstance(place, Settings) and inspect_database(place) is not None:
        raise Conflict(f"{describe_database(place)} was used by Éclair already; restore into an empty one.")


def _open_scratch(data_dir: Path, repository: BackupRepository) -> ScratchFolder:
    """Make a folder for plain copies in the data folder, and delete those of killed backups. Only within the lock."""
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    sweep_scratch_folders(data_dir)
    for left in repository.folder.glob("copying-*"):  # where they were once
        shutil.rmtree(left)
    return ScratchFolder("backup", data_dir)


@contextlib.contextmanager
def _translated(doing: str) -> Generator[None]:
    """Turn the disk's errors into StoreErrors."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{doing} failed: {error.strerror}.") from error


class _Copying:
    """Puts files into a repository, each path once."""

    def __init__(
        self,
        data_dir: Path,
        repository: BackupRepository,
        folder: Path,
        bucket: BucketFiles | None,
        progress: ReportCopied,
    ) -> None:
        self.entries: dict[str, BackupEntry] = {}
        self.new_files = self.new_bytes = 0
        self._data_dir = data_dir
        self._repository = repository
        self._folder = folder
        self._bucket = bucket
        self._progress = progress
        names = repository.list_snapshots() if bucket is not None else []
        self._earlier = {entry.path: entry for name in names[-1:] for entry in repository.read_snapshot(name).entries}

    def add_new_files(self) -> None:
        """Add the files of data folder and bucket that aren't there yet."""
        missing = [path for path in _files(self._data_dir) if str(path.relative_to(self._data_dir)) not in self.entries]
        objects = self._bucket.list_files() if self._bucket is not None else []
        objects = [each for each in objects if each.key not in self.entries]
        total = len(missing) + len(objects)
        for number, path in enumerate(missing, 1):
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                self.add_file(path, str(path.relative_to(self._data_dir)))
            self._progress(number, total)
        for number, found in enumerate(objects, len(missing) + 1):
            with contextlib.suppress(FileNotFoundError):
                self._add_object(found)
            self._progress(number, total)

    def add_file(self, path: Path, name: str) -> None:
        """Add a file. Raises FileNotFoundError and StoreError."""
        self._add(path, name, None)

    def _add_object(self, found: StoredObject) -> None:
        """Add an object of the bucket; one that is as it was in the snapshot before isn't fetched again."""
        assert self._bucket is not None
        earlier = self._earlier.get(found.key)
        is_unchanged = earlier is not None and (earlier.size, earlier.modified) == (found.size, found.modified)
        if earlier is not None and is_unchanged and self._repository.holds(earlier.sha256):
            self.entries[found.key] = earlier
            return
        copy = self._folder / "object"
        self._bucket.fetch(found.key, copy)
        self._add(copy, found.key, found.modified)

    def _add(self, path: Path, name: str, modified: float | None) -> None:
        sha256, size, is_new = self._repository.put(path)
        self.entries[name] = BackupEntry(name, sha256, size, modified)
        self.new_files += is_new
        self.new_bytes += size if is_new else 0


def _files(data_dir: Path) -> Iterator[Path]:
    """Yield the files of a data folder that can't be made again, without the database."""
    for folder in BLOB_FOLDERS:
        yield from (path for path in (data_dir / folder).glob("[0-9a-f][0-9a-f]/*") if path.is_file())
    for folder in (*EXTRA_FOLDERS, lost.LOST_FOLDER):
        yield from (path for path in (data_dir / folder).rglob("*") if path.is_file())
    yield from (path for name in EXTRA_FILES if (path := data_dir / name).is_file())
