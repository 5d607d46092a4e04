"""`eclair restore`: restores a backup into an empty data folder."""

from __future__ import annotations

import argparse
import asyncio

from eclair.cli._arguments import load_settings
from eclair.cli._audit import add_act
from eclair.cli._backup import open_repository
from eclair.cli._progress import ProgressCounter
from eclair.cli._terminal import Terminal
from eclair.errors import NotFound
from eclair.storage.backup.backup import restore
from eclair.util.humanize import format_size


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    repository = open_repository(arguments, settings)
    names = repository.list_snapshots()
    if not names:
        raise NotFound(f"{repository.folder} has no snapshots yet.")
    snapshot = repository.read_snapshot(arguments.snapshot or names[-1])
    restore(repository, snapshot, settings.data_dir, ProgressCounter(terminal, "Restoring").show)
    asyncio.run(add_act(settings, "backup.restored", snapshot.name))
    terminal.line(
        f"{snapshot.name} was restored into {settings.data_dir}: {len(snapshot.entries):,} files, "
        f"{format_size(snapshot.size)}. Models are downloaded again when they are needed."
    )
    if snapshot.missing:
        terminal.warn(f"{len(snapshot.missing):,} files were missing when it was made, such as {snapshot.missing[0]}.")
    return 0
