"""Backs up the data folder regularly while the server runs."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from pathlib import Path

from eclair.errors import EclairError
from eclair.settings import Settings
from eclair.storage.backup.backup import back_up
from eclair.storage.backup.repository import BackupRepository, read_passphrase
from eclair.util.humanize import format_size

START_DELAY_S = 60.0
"""A start isn't slowed down by a backup that is due."""
RETRY_S = 3600.0
"""After a failure."""

log = logging.getLogger(__name__)


class BackupSchedule:
    """Makes a backup when the newest snapshot is older than the settings' interval, and prunes old ones."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        if self._settings.backup_folder is not None:
            self._task = asyncio.create_task(self._run_forever(), name="backups")

    async def close(self) -> None:
        """Stop; a backup that is being made is finished first."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run_forever(self) -> None:
        await asyncio.sleep(START_DELAY_S)
        while True:
            work = asyncio.create_task(asyncio.to_thread(self.run_if_due), name="backup")
            try:
                wait_s = await asyncio.shield(work)
            except asyncio.CancelledError:
                await asyncio.wait([work])
                raise
            await asyncio.sleep(wait_s)

    def run_if_due(self) -> float:
        """Make a backup if one is due; return the seconds until the next. Failures are logged. Blocks."""
        folder, file = self._settings.backup_folder, self._settings.backup_passphrase_file
        assert folder is not None
        interval_s = self._settings.backup_hours * 3600
        try:
            passphrase = read_passphrase(file) if file is not None else None
            repository = BackupRepository.create_or_open(folder, passphrase)
            names = repository.list_snapshots()
            if names and (left_s := moment_of(names[-1]).timestamp() + interval_s - time.time()) > 0:
                return left_s
            done = back_up(self._settings.data_dir, repository)
            repository.prune(self._settings.backup_keep)
        except EclairError as error:
            log.error("The backup into %s failed: %s", folder, error.message)
            return min(RETRY_S, interval_s)
        log.info("Backed up into %s: %s new.", folder, format_size(done.new_bytes))
        return interval_s


def moment_of(name: str) -> datetime:
    """Return the time of a snapshot by its name."""
    return datetime.strptime(name, "%Y-%m-%dT%H-%M-%SZ").replace(tzinfo=UTC)


def newest_snapshot(folder: Path) -> datetime | None:
    """Return the time of the newest snapshot in a folder; None if there is none."""
    names = BackupRepository(folder, None).list_snapshots()
    return moment_of(names[-1]) if names else None
