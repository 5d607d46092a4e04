"""Backs up the data folder, the database and the bucket regularly while the server runs."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from eclair.errors import BackupRunning, EclairError, InvalidInput
from eclair.settings import Settings
from eclair.storage.backup.backup import back_up
from eclair.storage.backup.bucket_files import BucketFiles
from eclair.storage.backup.repository import BackupRepository, BackupSnapshot, read_passphrase
from eclair.util.cpu import lower_thread_priority
from eclair.util.humanize import format_size
from eclair.util.log_context import log_admin_act

START_DELAY_S = 60.0
"""A start isn't slowed down by a backup that is due."""
RETRY_S = 3600.0
"""After a failure."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BackupStatus:
    """The state of regular backups: their `folder`, None if there are none, and the newest snapshot.

    `made` is its time in ms since 1970. `progress` is the share that is done of one that is being made. `problem` is
    why the last one failed.
    """

    folder: str | None
    hours: float
    made: int | None = None
    files: int = 0
    size: int = 0
    progress: float | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Problem:
    """Why no backup was made, in a sentence, and when that was noticed in ms since 1970."""

    sentence: str
    noticed: float


class BackupSchedule:
    """Makes a backup when the newest snapshot is older than the settings' interval, and prunes old ones."""

    def __init__(self, settings: Settings, bucket: BucketFiles | None = None) -> None:
        self._settings = settings
        self._bucket = bucket
        self._task: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="eclair-backup", initializer=lower_thread_priority)
        self._working = threading.Lock()
        self._requested: asyncio.Task[None] | None = None
        self._progress: float | None = None
        self._problem: _Problem | None = None
        self._newest: tuple[str, BackupSnapshot] | None = None

    def start(self) -> None:
        if self._settings.backup_folder is not None:
            self._task = asyncio.create_task(self._run_forever(), name="backups")

    async def close(self) -> None:
        """Stop; a backup that is being made is finished first."""
        if self._task is not None:
            self._task.cancel()
        tasks = [task for task in (self._task, self._requested) if task is not None]
        if tasks:
            await asyncio.wait(tasks)
        self._thread.shutdown()

    def run_now(self) -> None:
        """Begin a backup, unless one is being made. Raises InvalidInput where no folder is set."""
        if self._settings.backup_folder is None:
            raise InvalidInput("There is no folder for backups; set backup_folder, best on another disk.")
        if self._requested is None or self._requested.done():
            self._progress = 0.0
            self._requested = asyncio.create_task(self._make(), name="requested backup")

    async def status(self) -> BackupStatus:
        return await asyncio.to_thread(self._status)

    async def _make(self) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, self._run_requested)

    def _status(self) -> BackupStatus:
        folder, hours = self._settings.backup_folder, self._settings.backup_hours
        if folder is None:
            return BackupStatus(None, hours)
        snapshot, unreadable = None, None
        try:
            snapshot = self._read_newest(folder)
        except EclairError as error:
            unreadable = error.message
        made = round(moment_of(snapshot.name).timestamp() * 1000) if snapshot is not None else None
        problem = self._problem.sentence if self._problem is not None else unreadable
        if self._problem is not None and made is not None and made > self._problem.noticed:
            problem = unreadable
        files, size = (len(snapshot.entries), snapshot.size) if snapshot is not None else (0, 0)
        return BackupStatus(str(folder), hours, made, files, size, self._progress, problem)

    def _read_newest(self, folder: Path) -> BackupSnapshot | None:
        """Read the newest snapshot, once. Raises as `BackupRepository` does."""
        names = BackupRepository(folder, None).list_snapshots()
        if not names:
            return None
        if self._newest is None or self._newest[0] != names[-1]:
            self._newest = names[-1], BackupRepository.open(folder, self._passphrase()).read_snapshot(names[-1])
        return self._newest[1]

    def _passphrase(self) -> str | None:
        file = self._settings.backup_passphrase_file
        return read_passphrase(file) if file is not None else None

    async def _run_forever(self) -> None:
        await asyncio.sleep(START_DELAY_S)
        while True:
            work = asyncio.get_running_loop().run_in_executor(self._thread, self.run_if_due)
            try:
                wait_s = await asyncio.shield(work)
            except asyncio.CancelledError:
                await asyncio.wait([work])
                raise
            await asyncio.sleep(wait_s)

    def run_if_due(self) -> float:
        """Make a backup if one is due; return the seconds until the next. Failures are logged. Blocks."""
        folder, interval_s = self._settings.backup_folder, self._settings.backup_hours * 3600
        assert folder is not None
        with self._working:
            try:
                made = newest_snapshot(folder)
                if made is not None and (left_s := made.timestamp() + interval_s - time.time()) > 0:
                    return left_s
                self._back_up(folder)
            except BackupRunning as error:  # another server with these settings makes it
                log.info("No second backup: %s", error.message)
            except Exception as error:  # whatever it is, the next is tried
                self._note_failure(folder, error)
            else:
                return interval_s
        return min(RETRY_S, interval_s)

    def _run_requested(self) -> None:
        """Make a backup that somebody asked for. Failures are logged, and shown. Blocks."""
        folder = self._settings.backup_folder
        assert folder is not None
        with self._working:
            try:
                self._back_up(folder)
            except BackupRunning:
                self._note(f"Another server is backing up into {folder}; its snapshot is shown here once it is done.")
            except Exception as error:
                self._note_failure(folder, error)

    def _back_up(self, folder: Path) -> None:
        """Make a backup and prune. Blocks. Raises as `back_up` does."""
        self._progress = 0.0
        try:
            repository = BackupRepository.create_or_open(folder, self._passphrase())
            keep = self._settings.backup_keep
            done = back_up(self._settings, repository, self._report, bucket=self._bucket, keep=keep)
        finally:
            self._progress = None
        self._problem = None
        sentence = f"Backed up into {folder}: {format_size(done.new_bytes)} new."
        log_admin_act("backup.made", sentence, folder=str(folder), new_bytes=done.new_bytes)

    def _note_failure(self, folder: Path, error: Exception) -> None:
        if isinstance(error, EclairError):
            self._note(error.message)
            log.error("The backup into %s failed: %s", folder, error.message)
        else:
            self._note(f"The backup into {folder} failed because of an error in Éclair; its log says more.")
            log.error("The backup into %s failed.", folder, exc_info=error)

    def _note(self, sentence: str) -> None:
        self._problem = _Problem(sentence, time.time() * 1000)

    def _report(self, done: int, total: int) -> None:
        self._progress = done / total if total else 1.0


def moment_of(name: str) -> datetime:
    """Return the time of a snapshot by its name."""
    return datetime.strptime(name, "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC)


def newest_snapshot(folder: Path) -> datetime | None:
    """Return the time of the newest snapshot in a folder; None if there is none."""
    names = BackupRepository(folder, None).list_snapshots()
    return moment_of(names[-1]) if names else None
