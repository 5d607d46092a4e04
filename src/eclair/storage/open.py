"""Opens the storage of a data folder; only it knows which database that is."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from dataclasses import replace
from pathlib import Path

from eclair.errors import StoreError
from eclair.schema.ids import Clock
from eclair.storage import lost
from eclair.storage.audit_destinations import StoredDestination
from eclair.storage.base import DatabaseReport, RepairReport, ReportSteps, Storage
from eclair.storage.compliance_settings import ComplianceValues
from eclair.storage.policy import StoredPolicy
from eclair.storage.servers import StoredServer
from eclair.storage.sqlite import open as sqlite
from eclair.storage.sqlite.database import translated
from eclair.storage.stand_in import stand_in
from eclair.storage.web_settings import StoredWebSettings
from eclair.util.file_systems import network_file_system
from eclair.util.private_files import make_private

log = logging.getLogger(__name__)


def open_storage(folder: Path, clock: Clock = time.time, *, backup_days: int = 0) -> Storage:
    """Open the storage in `folder`, creating and migrating it as needed, closed to other accounts.

    Backups older than `backup_days` are removed; 0 keeps them. Blocks. Raises StoreError.
    """
    with translated(folder):
        _close_to_others(folder)
        if not sqlite.has_database(folder) and (count := lost.count_blobs(folder)):
            raise StoreError(
                f"{folder} holds {count:,} files of documents and images, but its database, {sqlite.DATABASE_FILE}, is "
                "missing or empty; put it back, restore a backup (`eclair restore`), or set them aside and begin with "
                "an empty database (`eclair lost --set-aside`)."
            )
        network = network_file_system(folder)
    if network is not None:
        log.warning(
            "%s is on a network file system (%s), where a crash, or a second machine, may damage the database; "
            "set ECLAIR_DATA_DIR to a folder on a disk of this machine.",
            folder,
            network,
        )
    return sqlite.open_sqlite(folder, clock, backup_days)


def open_storage_for_reading(folder: Path) -> Storage:
    """Open the storage as `open_storage` does, or a copy of it where the folder takes no writes.

    The copy is in the system's folder for temporary files until the storage is closed; what is written to it is lost.
    Blocks. Raises StoreError.
    """
    stack = contextlib.ExitStack()
    copy = stack.enter_context(stand_in(folder))
    if copy is None:
        return open_storage(folder)
    try:
        storage = open_storage(copy)
    except BaseException:
        stack.close()
        raise
    log.warning("%s takes no writes, so a copy of its database is read.", folder)

    async def close() -> None:
        try:
            await storage.close()
        finally:
            await asyncio.to_thread(stack.close)

    return replace(storage, close=close)


def _close_to_others(folder: Path) -> None:
    """Create the folder, or close it to other accounts. Raises OSError."""
    try:
        if make_private(folder):
            log.warning("%s was open to other accounts of this machine; it is closed to them now.", folder)
    except PermissionError:
        if not folder.is_dir():
            raise
        log.warning("%s is open to other accounts and belongs to one of them; have it closed.", folder)


def read_added_servers(folder: Path) -> list[StoredServer]:
    """Read the added servers of a data folder without creating, locking or migrating anything. Raises StoreError."""
    return sqlite.read_added_servers(folder)


def read_audit_destinations(folder: Path) -> list[StoredDestination]:
    """Read the destinations of the audit log without creating, locking or migrating anything. Raises StoreError."""
    return sqlite.read_stored_destinations(folder)


def read_schedule_counts(folder: Path) -> dict[str, int]:
    """Count the schedules of a data folder by state, without creating, locking or migrating anything.

    Raises StoreError.
    """
    return sqlite.read_stored_schedule_counts(folder)


def read_web_settings(folder: Path) -> StoredWebSettings:
    """Read the web settings of a data folder without creating, locking or migrating anything. Raises StoreError."""
    return sqlite.read_stored_web_settings(folder)


def read_compliance_settings(folder: Path) -> ComplianceValues:
    """Read the compliance settings of a data folder without creating, locking or migrating anything.

    Raises StoreError.
    """
    return sqlite.read_stored_compliance_settings(folder)


def read_policy(folder: Path) -> StoredPolicy | None:
    """Read the policy of a data folder without creating, locking or migrating anything.

    None where the database isn't of this version. Raises StoreError.
    """
    return sqlite.read_stored_policy(folder)


def read_feed_urls(folder: Path) -> list[str]:
    """Read the URLs of all active feeds without creating, locking or migrating anything. Raises StoreError."""
    return sqlite.read_feed_urls(folder)


def has_api_keys(folder: Path) -> bool:
    """Tell whether a data folder has API keys, without creating, locking or migrating anything. Raises StoreError."""
    return sqlite.has_api_keys(folder)


def has_budgets(folder: Path) -> bool:
    """Tell whether a data folder has budgets, without creating, locking or migrating anything. Raises StoreError."""
    return sqlite.has_stored_budgets(folder)


def has_database(folder: Path) -> bool:
    """Tell whether a data folder has a database that isn't empty."""
    return sqlite.has_database(folder)


def copy_database(folder: Path, target: Path) -> None:
    """Copy the database of a data folder to a new file, as it is at one moment. Raises StoreError."""
    sqlite.copy_database(folder, target)


def list_named_blobs(folder: Path) -> set[str]:
    """List the files of documents and images that a database names, as paths in the data folder. Raises StoreError."""
    return sqlite.list_named_blobs(folder)


def inspect_database(folder: Path) -> DatabaseReport | None:
    """Report format and faults of the database, None where there is none yet. Changes nothing. Raises StoreError."""
    return sqlite.inspect_database(folder)


def compact_database(folder: Path) -> tuple[int, int]:
    """Rewrite the database so that it takes no more room than it needs; return its bytes before and after. Blocks.

    Raises Conflict while another process uses the folder, NotFound where there is no database, and StoreError.
    """
    return sqlite.compact_database(folder)


def repair_database(folder: Path, progress: ReportSteps = lambda done, total: None) -> RepairReport:
    """Save what can be read of a damaged database into a new one, which takes its place; see `RepairReport`. Blocks.

    Raises Conflict while another process uses the folder, NotFound where there is no database, and StoreError.
    """
    from eclair.storage.sqlite.repair import repair_database  # rarely needed

    return repair_database(folder, progress)
