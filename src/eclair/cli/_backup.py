"""Backup repositories and buckets as arguments and settings name them."""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from eclair.errors import InvalidInput
from eclair.network.blob_calls import open_bucket_files
from eclair.network.egress_log import open_gate
from eclair.settings import Settings
from eclair.storage.backup.bucket_files import BucketFiles
from eclair.storage.backup.repository import BackupRepository, read_passphrase


def open_repository(arguments: argparse.Namespace, settings: Settings, *, create: bool = False) -> BackupRepository:
    """Open the repository of the arguments, or else of the settings. Raises InvalidInput, NotFound and StoreError."""
    folder: Path | None = arguments.folder or settings.backup_folder
    if folder is None:
        raise InvalidInput("Name a folder for backups, or set backup_folder.")
    file: Path | None = arguments.passphrase_file or settings.backup_passphrase_file
    passphrase = read_passphrase(file) if file is not None else None
    return (BackupRepository.create_or_open if create else BackupRepository.open)(folder, passphrase)


@asynccontextmanager
async def open_bucket(settings: Settings, *, is_restoring: bool = False) -> AsyncGenerator[BucketFiles | None]:
    """Open the bucket of the settings; None where blobs are in the data folder. Raises SettingsError."""
    async with open_gate(settings, is_restoring=is_restoring) as gate:
        yield open_bucket_files(settings, gate)
