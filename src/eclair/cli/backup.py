"""`eclair backup`: backs up folder, database and bucket, lists the snapshots of a backup, or checks the newest."""

from __future__ import annotations

import argparse
import asyncio

from eclair.cli._arguments import load_settings
from eclair.cli._audit import add_act
from eclair.cli._backup import open_bucket, open_repository
from eclair.cli._progress import ProgressCounter
from eclair.cli._terminal import Terminal
from eclair.errors import NotFound, StoreError
from eclair.settings import Settings
from eclair.storage.backup.backup import BackupResult, back_up, check
from eclair.storage.backup.repository import BackupRepository
from eclair.util.cpu import lower_thread_priority
from eclair.util.humanize import format_size


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    is_reading = arguments.list or arguments.check
    repository = open_repository(arguments, settings, create=not is_reading)
    if arguments.list:
        _list(repository, terminal)
    elif arguments.check:
        _check(repository, terminal)
    else:
        asyncio.run(_back_up(settings, repository, arguments.keep, terminal))
    return 0


async def _back_up(settings: Settings, repository: BackupRepository, keep: int | None, terminal: Terminal) -> None:
    counter = ProgressCounter(terminal, "Backing up")

    def work() -> BackupResult:
        lower_thread_priority()  # people may be at work
        return back_up(settings, repository, counter.show, bucket=bucket, keep=keep)

    async with open_bucket(settings) as bucket:
        done = await asyncio.to_thread(work)
    await add_act(settings, "backup.made")
    snapshot = done.snapshot
    terminal.line(
        f"{snapshot.name}: {len(snapshot.entries):,} files, {format_size(snapshot.size)}, "
        f"of which {done.new_files:,} ({format_size(done.new_bytes)}) are new."
    )
    if snapshot.missing:
        terminal.warn(
            f"{len(snapshot.missing):,} files that the database names were not there, such as {snapshot.missing[0]}."
        )
    if done.pruned:
        terminal.line(f"{done.pruned:,} older snapshots were deleted.")


def _list(repository: BackupRepository, terminal: Terminal) -> None:
    names = repository.list_snapshots()
    for name in names:
        snapshot = repository.read_snapshot(name)
        terminal.line(
            f"{name}  {len(snapshot.entries):,} files, {format_size(snapshot.size)}, Éclair {snapshot.version}"
        )
    if not names:
        terminal.line(f"{repository.folder} has no snapshots yet.")


def _check(repository: BackupRepository, terminal: Terminal) -> None:
    names = repository.list_snapshots()
    if not names:
        raise NotFound(f"{repository.folder} has no snapshots yet.")
    snapshot = repository.read_snapshot(names[-1])
    damaged = check(repository, snapshot, ProgressCounter(terminal, "Checking").show)
    if damaged:
        raise StoreError(
            f"{len(damaged):,} of {len(snapshot.entries):,} files of {names[-1]} are damaged, such as {damaged[0]}; "
            "back up into another folder."
        )
    terminal.line(f"All {len(snapshot.entries):,} files of {names[-1]} are whole.")
