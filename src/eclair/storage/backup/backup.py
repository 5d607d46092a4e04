"""Makes, checks and restores backups of a data folder; a server may write to it meanwhile."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import eclair
from eclair.errors import Conflict, NotFound, StoreError
from eclair.storage import lost
from eclair.storage.backup.repository import BackupEntry, BackupRepository, BackupSnapshot
from eclair.storage.open import copy_database, has_database, inspect_database, list_named_blobs
from eclair.storage.sqlite.open import DATABASE_FILE

BLOB_FOLDERS = lost.BLOB_FOLDERS
EXTRA_FILES = ("secret.key", "session.key", "signing.key")
EXTRA_FOLDERS = ("marks",)
"""Further files that can't be made again. Models can be downloaded again."""

ReportCopied = Callable[[int, int], None]
"""Takes the number of files that are done, and of all."""


@dataclass(frozen=True, slots=True)
class BackupResult:
    """A finished backup: its snapshot, and how many files and bytes were new to the repository."""

    snapshot: BackupSnapshot
    new_files: int
    new_bytes: int


def back_up(
    data_dir: Path,
    repository: BackupRepository,
    progress: ReportCopied = lambda done, total: None,
    *,
    bucket: str | None = None,
) -> BackupResult:
    """Add a snapshot of a data folder to a repository, and check it by opening its database.

    Files are copied before the database, and those that came meanwhile after it, so that every file that the copied
    database names is there. Those in a `bucket` are left to whoever runs that. Blocks. Raises StoreError, Conflict
    while another backup runs, and NotFound where there is no database.
    """
    if not has_database(data_dir):
        raise NotFound(f"There is nothing to back up in {data_dir}.")
    with (
        _translated(f"The backup into {repository.folder}"),
        repository.lock(),
        tempfile.TemporaryDirectory(dir=repository.folder, prefix="copying-") as folder,
    ):
        copying = _Copying(data_dir, repository, progress)
        copying.add(_files(data_dir))
        copy = Path(folder, DATABASE_FILE)
        copy_database(data_dir, copy)
        report = inspect_database(Path(folder))
        if report is None or report.damage is not None:
            raise StoreError("The database is damaged, so it was not backed up; `eclair doctor` says more.")
        copying.add(_files(data_dir))
        copying.add_file(copy, DATABASE_FILE)
        named = list_named_blobs(Path(folder)) if bucket is None else set[str]()
        present = {entry.path for entry in copying.entries.values()}
        snapshot = BackupSnapshot(
            f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%SZ}",
            eclair.__version__,
            report.version,
            tuple(copying.entries[path] for path in sorted(copying.entries)),
            tuple(sorted(named - present)),
            bucket,
        )
        repository.add_snapshot(snapshot)
    return BackupResult(snapshot, copying.new_files, copying.new_bytes)


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
    data_dir: Path,
    progress: ReportCopied = lambda done, total: None,
) -> None:
    """Write a snapshot into a data folder that has no database and no files yet; the database comes last.

    Blocks. Raises Conflict for a folder in use, and StoreError for a damaged backup; what was written then stays, and
    the folder has no database.
    """
    if has_database(data_dir) or lost.count_blobs(data_dir):
        raise Conflict(
            f"{data_dir} is in use already; move it away, or restore into another folder with ECLAIR_DATA_DIR."
        )
    with _translated(f"Restoring into {data_dir}"):
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    entries = sorted(snapshot.entries, key=lambda entry: (entry.path == DATABASE_FILE, entry.path))
    for number, entry in enumerate(entries, 1):
        target = data_dir / entry.path
        if not target.resolve().is_relative_to(data_dir.resolve()):
            raise StoreError(f"{entry.path!r} in the backup leads out of the data folder; it was not restored.")
        repository.write_out(entry, target)
        progress(number, len(entries))


@contextlib.contextmanager
def _translated(doing: str) -> Generator[None]:
    """Turn the disk's errors into StoreErrors."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{doing} failed: {error.strerror}.") from error


class _Copying:
    """Puts files into a repository, each path once."""

    def __init__(self, data_dir: Path, repository: BackupRepository, progress: ReportCopied) -> None:
        self.entries: dict[str, BackupEntry] = {}
        self.new_files = self.new_bytes = 0
        self._data_dir = data_dir
        self._repository = repository
        self._progress = progress

    def add(self, paths: Iterator[Path]) -> None:
        missing = [path for path in paths if str(path.relative_to(self._data_dir)) not in self.entries]
        for number, path in enumerate(missing, 1):
            with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                self.add_file(path, str(path.relative_to(self._data_dir)))
            self._progress(number, len(missing))

    def add_file(self, path: Path, name: str) -> None:
        """Add a file. Raises FileNotFoundError and StoreError."""
        sha256, size, is_new = self._repository.put(path)
        self.entries[name] = BackupEntry(name, sha256, size)
        self.new_files += is_new
        self.new_bytes += size if is_new else 0


def _files(data_dir: Path) -> Iterator[Path]:
    """Yield the files of a data folder that can't be made again, without the database."""
    for folder in BLOB_FOLDERS:
        yield from (path for path in (data_dir / folder).glob("[0-9a-f][0-9a-f]/*") if path.is_file())
    for folder in (*EXTRA_FOLDERS, lost.LOST_FOLDER):
        yield from (path for path in (data_dir / folder).rglob("*") if path.is_file())
    yield from (path for name in EXTRA_FILES if (path := data_dir / name).is_file())
