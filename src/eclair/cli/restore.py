"""`eclair restore`: restores a backup into an empty data folder, database and bucket."""

from __future__ import annotations

import argparse
import asyncio

from eclair.cli._arguments import load_settings
from eclair.cli._audit import add_act
from eclair.cli._backup import open_bucket, open_repository
from eclair.cli._progress import ProgressCounter
from eclair.cli._terminal import Terminal
from eclair.errors import NotFound
from eclair.settings import Settings
from eclair.storage.backup.backup import restore
from eclair.storage.backup.repository import BackupRepository, BackupSnapshot
from eclair.util.humanize import format_size


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    repository = open_repository(arguments, settings)
    names = repository.list_snapshots()
    if not names:
        raise NotFound(f"{repository.folder} has no snapshots yet.")
    snapshot = repository.read_snapshot(arguments.snapshot or names[-1])
    there = asyncio.run(_restore(settings, repository, snapshot, terminal))
    places = [str(settings.data_dir), *(["the database"] if settings.database_url is not None else [])]
    places += [settings.blobs_url] if settings.blobs_url is not None else []
    terminal.line(
        f"{snapshot.name} was restored into {' and '.join(places)}: {len(snapshot.entries):,} files, "
        f"{format_size(snapshot.size)}. Models are downloaded again when they are needed."
    )
    if there:
        terminal.warn(
            f"{there:,} of them were in {settings.blobs_url} already. Let no other Éclair use that place any more: "
            "what one deletes, the other loses."
        )
    if snapshot.missing:
        terminal.warn(f"{len(snapshot.missing):,} files were missing when it was made, such as {snapshot.missing[0]}.")
    return 0


async def _restore(
    settings: Settings, repository: BackupRepository, snapshot: BackupSnapshot, terminal: Terminal
) -> int:
    """Return how many files the bucket had already."""
    progress = ProgressCounter(terminal, "Restoring").show
    async with open_bucket(settings, is_restoring=True) as bucket:
        there = await asyncio.to_thread(restore, repository, snapshot, settings, progress, bucket=bucket)
    await add_act(settings, "backup.restored", snapshot.name)
    return there
