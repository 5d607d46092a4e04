"""Opens the storage, on SQLite in the data folder or on PostgreSQL; nothing else knows which it is.

A `place` is a data folder, whose database is SQLite's, or settings, which may name another.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from eclair.errors import Conflict, StoreError
from eclair.schema.ids import Clock
from eclair.settings import Settings
from eclair.storage import lost
from eclair.storage.audit_destinations import StoredDestination
from eclair.storage.base import DatabaseCopy, DatabaseReport, RepairReport, ReportSteps, Storage
from eclair.storage.compliance_settings import ComplianceValues
from eclair.storage.policy import StoredPolicy
from eclair.storage.servers import StoredServer
from eclair.storage.sqlite import open as sqlite
from eclair.storage.sqlite.database import translated
from eclair.storage.stand_in import stand_in
from eclair.storage.web_settings import StoredWebSettings
from eclair.util.file_systems import network_file_system
from eclair.util.loopback import is_loopback
from eclair.util.private_files import make_private

log = logging.getLogger(__name__)

StoragePlace = Path | Settings

TABLES_FOLDER = "database"
TABLES_FILE = f"{TABLES_FOLDER}/tables.json"
"""The files of a backup that hold a PostgreSQL database; that of SQLite is one file."""


def _folder(place: StoragePlace) -> Path:
    return place.data_dir if isinstance(place, Settings) else place


def _url(place: StoragePlace) -> str | None:
    return place.database_url if isinstance(place, Settings) else None


def _describe_backup(settings: Settings) -> str:
    """Tell in a sentence how old the newest regular backup is."""
    from eclair.storage.backup.schedule import newest_snapshot  # which opens the storage itself

    if (folder := settings.backup_folder) is None:
        return "There are no regular backups (backup_folder) to go back to."
    try:
        made = newest_snapshot(folder)
    except StoreError as error:
        return error.message
    if made is None:
        return f"There is no backup in {folder}."
    return f"The newest backup in {folder} is {(time.time() - made.timestamp()) / 3600:,.1f} hours old."


def open_storage(place: StoragePlace, clock: Clock = time.time, *, backup_days: int = 0) -> Storage:
    """Open the storage, creating and migrating it as needed; a data folder is closed to other accounts.

    Backups older than `backup_days` are removed; 0 keeps them. Blocks. Raises StoreError.
    """
    folder = _folder(place)
    if isinstance(place, Settings) and (url := place.database_url) is not None:
        with translated(folder):
            _close_to_others(folder)
        from eclair.storage.postgres.open import open_postgres  # its libraries, which others need not load

        return open_postgres(url, clock, lambda: _describe_backup(place), place.database_connections)
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


def open_storage_for_reading(place: StoragePlace) -> Storage:
    """Open the storage as `open_storage` does, or a copy of it where the folder takes no writes.

    The copy is in the system's folder for temporary files until the storage is closed; what is written to it is lost.
    Blocks. Raises StoreError.
    """
    if _url(place) is not None:
        return open_storage(place)
    folder = _folder(place)
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


def find_unencrypted_host(place: StoragePlace) -> str | None:
    """Return the host of a database to which the connection may be without TLS; None where it can't be."""
    if (url := _url(place)) is None:
        return None
    parts = urlsplit(url)
    options = parse_qs(parts.query)
    if options.get("sslmode", [""])[-1] in ("require", "verify-ca", "verify-full"):
        return None
    named = parts.netloc.rpartition("@")[2] or options.get("host", [""])[-1]
    for each in filter(None, unquote(named).split(",")):
        host = each.partition("]")[0].removeprefix("[") if each.startswith("[") else each.partition(":")[0]
        if not (host.startswith("/") or is_loopback(host)):
            return host
    return None


def read_added_servers(place: StoragePlace) -> list[StoredServer]:
    """Read the added servers without creating, locking or migrating anything. Raises StoreError."""
    if (url := _url(place)) is not None:
        from eclair.storage.postgres import reading as postgres

        return postgres.read_added_servers(url)
    return sqlite.read_added_servers(_folder(place))


def read_audit_destinations(place: StoragePlace) -> list[StoredDestination]:
    """Read the destinations of the audit log without creating, locking or migrating anything. Raises StoreError."""
    if (url := _url(place)) is not None:
        from eclair.storage.postgres import reading as postgres

        return postgres.read_audit_destinations(url)
    return sqlite.read_stored_destinations(_folder(place))


def read_schedule_counts(place: StoragePlace) -> dict[str, int]:
    """Count the schedules by state, without creating, locking or migrating anything. Raises StoreError."""
    if (url := _url(place)) is not None:
        from eclair.storage.postgres import reading as postgres

        return postgres.read_schedule_counts(url)
    return sqlite.read_stored_schedule_counts(_folder(place))


def read_web_settings(place: StoragePlace) -> StoredWebSettings:
    """Read the web settings without creating, locking or migrating anything. Raises StoreError."""
    if (url := _url(place)) is not None:
        from eclair.storage.postgres import reading as postgres

        return postgres.read_stored_web_settings(url)
    return sqlite.read_stored_web_settings(_folder(place))


def read_compliance_settings(place: StoragePlace) -> ComplianceValues:
    """Read the compliance settings without creating, locking or migrating anything. Raises StoreError."""
    if (url := _url(place)) is not None:
        from eclair.storage.postgres import reading as postgres

        return postgres.read_stored_compliance_settings(url)
    return sqlite.read_stored_compliance_settings(_folder(place))


def read_transcriber(place: StoragePlace) -> str | None:
    """Read the chosen transcriber without creating, locking or migrating anything; None if there is none.

    Raises StoreError.
    """
    if (url := _url(place)) is not None:
        from eclair.storage.postgres import reading as postgres

        return postgres.read_stored_transcriber(url)
    return sqlite.read_stored_transcriber(_folder(place))


def read_policy(place: StoragePlace) -> StoredPolicy | None:
    """Read the policy without creating, locking or migrating anything.

    None where the database isn't of this version. Raises StoreError.
    """
    if (url := _url(place)) is not None:
        from eclair.storage.postgres import reading as postgres

        return postgres.read_stored_policy(url)
    return sqlite.read_stored_policy(_folder(place))


def read_feed_urls(place: StoragePlace) -> list[str]:
    """Read the URLs of all active feeds without creating, locking or migrating anything. Raises StoreError."""
    if (url := _url(place)) is not None:
        from eclair.storage.postgres import reading as postgres

        return postgres.read_feed_urls(url)
    return sqlite.read_feed_urls(_folder(place))


def has_api_keys(place: StoragePlace) -> bool:
    """Tell whether there are API keys, without creating, locking or migrating anything. Raises StoreError."""
    if (url := _url(place)) is not None:
        from eclair.storage.postgres import reading as postgres

        return postgres.has_api_keys(url)
    return sqlite.has_api_keys(_folder(place))


def has_budgets(place: StoragePlace) -> bool:
    """Tell whether there are budgets, without creating, locking or migrating anything. Raises StoreError."""
    if (url := _url(place)) is not None:
        from eclair.storage.postgres import reading as postgres

        return postgres.has_stored_budgets(url)
    return sqlite.has_stored_budgets(_folder(place))


def has_database(place: StoragePlace) -> bool:
    """Tell whether there is a database that isn't empty; one on PostgreSQL is made before Éclair starts."""
    return _url(place) is not None or sqlite.has_database(_folder(place))


def is_in_tables(paths: Iterable[str]) -> bool:
    """Tell whether files of `copy_database` with these paths are of a PostgreSQL database."""
    return TABLES_FILE in paths


def is_of_database(path: str) -> bool:
    """Tell whether a path is that of a file of `copy_database`."""
    return path == sqlite.DATABASE_FILE or path.startswith(f"{TABLES_FOLDER}/")


def copy_database(
    place: StoragePlace, folder: Path, add: Callable[[Path, str], None], progress: ReportSteps
) -> DatabaseCopy:
    """Copy the database, as it is at one moment, to files in `folder`; each is handed to `add` with its path. Blocks.

    Raises NotFound where there is none, StoreError also where it is damaged, and what `add` raises.
    """
    if (url := _url(place)) is not None:
        from eclair.storage.postgres import table_files

        return table_files.copy_to_files(url, folder, add, progress)
    copy = folder / sqlite.DATABASE_FILE
    sqlite.copy_database(_folder(place), copy)
    report = sqlite.inspect_database(folder)
    if report is None or report.damage is not None:
        raise StoreError("The database is damaged, so it was not backed up; `eclair doctor` says more.")
    add(copy, sqlite.DATABASE_FILE)
    return DatabaseCopy(report.version, frozenset(sqlite.list_named_blobs(folder)))


def restore_database(
    place: StoragePlace, paths: Sequence[str], read: Callable[[str], AbstractContextManager[Path]]
) -> None:
    """Restore the files of `copy_database` with these paths, of which `read` has each within a block. Blocks.

    Raises Conflict where there is a database, or where they are another kind's, and StoreError.
    """
    if (url := _url(place)) is not None:
        from eclair.storage.postgres import table_files

        table_files.fill_from_files(url, paths, read)
        return
    with read(sqlite.DATABASE_FILE) as file:
        file.replace(_folder(place) / sqlite.DATABASE_FILE)


def describe_database(place: StoragePlace) -> str:
    """Name the place of the database for people, without a password."""
    if (url := _url(place)) is not None:
        from eclair.storage.postgres.database import describe_url

        return describe_url(url)
    return str(_folder(place))


def inspect_database(place: StoragePlace) -> DatabaseReport | None:
    """Report format and faults of the database, None where there is none yet. Changes nothing. Raises StoreError."""
    if (url := _url(place)) is not None:
        from eclair.storage.postgres import reading as postgres

        return postgres.inspect_database(url)
    return sqlite.inspect_database(_folder(place))


def compact_database(place: StoragePlace) -> tuple[int, int]:
    """Rewrite the database so that it takes no more room than it needs; return its bytes before and after. Blocks.

    Raises Conflict on PostgreSQL and while another process uses the folder, NotFound where there is no database, and
    StoreError.
    """
    refuse_postgres(place, "compacts")
    return sqlite.compact_database(_folder(place))


def repair_database(place: StoragePlace, progress: ReportSteps = lambda done, total: None) -> RepairReport:
    """Save what can be read of a damaged database into a new one, which takes its place; see `RepairReport`. Blocks.

    Raises Conflict on PostgreSQL and while another process uses the folder, NotFound where there is no database, and
    StoreError.
    """
    from eclair.storage.sqlite.repair import repair_database  # rarely needed

    refuse_postgres(place, "repairs")
    return repair_database(_folder(place), progress)


def refuse_postgres(place: StoragePlace, verb: str) -> None:
    """Raise Conflict for what PostgreSQL does by its own tools: `verb` says what."""
    if _url(place) is not None:
        raise Conflict(f"The database is PostgreSQL's, which {verb} it by its own tools; ask who runs it.")
