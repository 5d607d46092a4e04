"""Opens or inspects the storage of a data folder on SQLite."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Generator
from pathlib import Path
from urllib.parse import quote

import apsw

from eclair.schema.ids import Clock
from eclair.storage.audit_destinations import StoredDestination
from eclair.storage.base import DatabaseReport, Storage
from eclair.storage.compliance_settings import ComplianceValues
from eclair.storage.policy import StoredPolicy
from eclair.storage.servers import StoredServer
from eclair.storage.sql import named_blobs
from eclair.storage.sql.api_keys import has_keys
from eclair.storage.sql.audit_destinations import list_destinations
from eclair.storage.sql.budgets import has_budgets
from eclair.storage.sql.compliance_settings import read_compliance_settings
from eclair.storage.sql.feeds import list_active_urls
from eclair.storage.sql.policy import read_policy
from eclair.storage.sql.schedules import count_schedules
from eclair.storage.sql.servers import list_servers
from eclair.storage.sql.speech_settings import read_transcriber
from eclair.storage.sql.store import first_row
from eclair.storage.sql.stores import build_storage
from eclair.storage.sql.web_settings import read_web_settings
from eclair.storage.sqlite import compaction
from eclair.storage.sqlite.database import SQLiteDatabase, migrations, translated
from eclair.storage.sqlite.integrity import SQLiteIntegrityStore, describe_damage, list_damaged_tables
from eclair.storage.sqlite.lease import Lease
from eclair.storage.sqlite.processes import SQLiteProcessStore
from eclair.storage.web_settings import StoredWebSettings
from eclair.util.file_lock import is_locked

DATABASE_FILE = "eclair.db"
LEASES_FOLDER = "leases"
READONLY_BUSY_TIMEOUT_MS = 2000


def open_sqlite(folder: Path, clock: Clock, backup_days: int) -> Storage:
    """Open the database in `folder`, creating both as needed. Raises StoreError."""
    leases = folder / LEASES_FOLDER
    with translated(leases):
        lease = Lease.acquire(leases)
    try:
        database = SQLiteDatabase.open(folder / DATABASE_FILE, backup_days, is_alone=lease.is_alone)
    except BaseException:
        lease.release()
        raise

    async def close() -> None:
        await database.close()
        lease.release()

    processes = SQLiteProcessStore(database, lease, leases)
    return build_storage(database, clock, processes, SQLiteIntegrityStore(database, leases), close)


def read_added_servers(folder: Path) -> list[StoredServer]:
    """Read the added servers without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return []
    with open_readonly(path) as db:
        columns = {name for (name,) in db.execute("SELECT name FROM pragma_table_info('server')")}
        return list_servers(db, lambda: None, columns) if columns else []


def read_stored_destinations(folder: Path) -> list[StoredDestination]:
    """Read the destinations of the audit log without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return []
    with open_readonly(path) as db:
        return list_destinations(db, lambda: None) if _has_table(db, "audit_destination") else []


def read_stored_schedule_counts(folder: Path) -> dict[str, int]:
    """Count the schedules by state without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return {}
    with open_readonly(path) as db:
        return count_schedules(db) if _has_table(db, "schedule") else {}


def read_stored_web_settings(folder: Path) -> StoredWebSettings:
    """Read the web settings without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return StoredWebSettings()
    with open_readonly(path) as db:
        return read_web_settings(db, lambda: None) if _has_table(db, "web_settings") else StoredWebSettings()


def read_stored_policy(folder: Path) -> StoredPolicy | None:
    """Read the policy without creating, locking or migrating anything; None before a migration. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return StoredPolicy()
    with open_readonly(path) as db:
        return read_policy(db, lambda: None) if db.pragma("user_version") == len(migrations()) else None


def read_stored_compliance_settings(folder: Path) -> ComplianceValues:
    """Read the compliance settings without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return {}
    with open_readonly(path) as db:
        return read_compliance_settings(db, lambda: None) if _has_table(db, "compliance_settings") else {}


def read_stored_transcriber(folder: Path) -> str | None:
    """Read the chosen transcriber without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return None
    with open_readonly(path) as db:
        return read_transcriber(db) if _has_table(db, "speech_settings") else None


def read_feed_urls(folder: Path) -> list[str]:
    """Read the URLs of all active feeds without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return []
    with open_readonly(path) as db:
        return list_active_urls(db, lambda: None) if _has_table(db, "feed") else []


def has_api_keys(folder: Path) -> bool:
    """Tell whether there are API keys, without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return False
    with open_readonly(path) as db:
        return _has_table(db, "api_key") and has_keys(db)


def has_stored_budgets(folder: Path) -> bool:
    """Tell whether there are budgets, without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return False
    with open_readonly(path) as db:
        return _has_table(db, "budget") and has_budgets(db)


def _has_table(db: apsw.Connection, name: str) -> bool:
    return first_row(db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", (name,)) is not None


def has_database(folder: Path) -> bool:
    """Tell whether a folder has a database that isn't empty."""
    path = folder / DATABASE_FILE
    return path.is_file() and path.stat().st_size > 0


def is_in_use(folder: Path) -> bool:
    """Tell whether a process has the storage open."""
    return any(is_locked(lease) for lease in (folder / LEASES_FOLDER).glob("*.lease"))


def copy_closed_database(folder: Path, target: Path) -> None:
    """Copy the files of a database that nobody has open into another folder. Raises OSError."""
    for suffix in ("", "-wal"):
        path = folder / f"{DATABASE_FILE}{suffix}"
        if path.exists():
            shutil.copyfile(path, target / path.name)


def copy_database(folder: Path, target: Path) -> None:
    """Copy the database to a new file, as it is at one moment, while others write.

    Who has what open is left out. Raises StoreError.
    """
    with open_readonly(folder / DATABASE_FILE) as db:
        db.execute("VACUUM INTO ?", (str(target),))
    with contextlib.closing(apsw.Connection(str(target))) as copy, translated(target):
        if copy.table_exists("main", "presence"):
            copy.pragma("secure_delete", True)
            copy.execute("DELETE FROM presence")


def list_named_blobs(folder: Path) -> set[str]:
    """List the blobs that a database names, as paths in the data folder. Raises StoreError."""
    with open_readonly(folder / DATABASE_FILE) as db:
        return named_blobs.list_named_blobs(db)


def inspect_database(folder: Path) -> DatabaseReport | None:
    """Report format and faults of the database, None where there is none yet. Changes nothing. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return None
    with open_readonly(path) as db:
        try:
            version = db.pragma("user_version")
            tables = list_damaged_tables(db)
            space = compaction.unused_bytes(db), compaction.is_too_large(db)
        except apsw.SQLError as error:  # of a schema whose text is damaged
            raise apsw.CorruptError(str(error)) from error
    assert isinstance(version, int)
    damage = describe_damage(path, tables) if tables else None
    return DatabaseReport(path.stat().st_size, version, len(migrations()), damage, *space)


def compact_database(folder: Path) -> tuple[int, int]:
    """Rewrite the database while no process has it open; return its bytes before and after.

    Raises as `compaction.compact_database` does, and StoreError.
    """
    path = folder / DATABASE_FILE
    with translated(path):
        return compaction.compact_database(path, folder / LEASES_FOLDER)


@contextlib.contextmanager
def open_readonly(path: Path) -> Generator[apsw.Connection]:
    """Open a database for reading within the block. Raises StoreError."""
    with translated(path):
        uri = f"file:{quote(str(path))}?mode=ro"
        connection = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        try:
            connection.set_busy_timeout(READONLY_BUSY_TIMEOUT_MS)
            yield connection
        finally:
            connection.close()
