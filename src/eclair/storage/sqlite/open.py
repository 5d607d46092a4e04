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
from eclair.storage.sql.announcements import SQLAnnouncementStore
from eclair.storage.sql.api_conversations import SQLApiConversationStore
from eclair.storage.sql.api_keys import SQLApiKeyStore, has_keys
from eclair.storage.sql.assistants import SQLAssistantStore
from eclair.storage.sql.audit import SQLAuditStore
from eclair.storage.sql.audit_destinations import SQLAuditDestinationStore, list_destinations
from eclair.storage.sql.batches import SQLBatchStore
from eclair.storage.sql.branding import SQLBrandingStore
from eclair.storage.sql.budgets import SQLBudgetStore, has_budgets
from eclair.storage.sql.canvases import SQLCanvasStore
from eclair.storage.sql.chunks import SQLChunkStore
from eclair.storage.sql.compliance_settings import SQLComplianceSettingsStore, read_compliance_settings
from eclair.storage.sql.conversations import SQLConversationStore
from eclair.storage.sql.documents import SQLDocumentStore
from eclair.storage.sql.egress import SQLEgressStore
from eclair.storage.sql.elicitations import SQLElicitationStore
from eclair.storage.sql.emergency_reads import SQLEmergencyReadStore
from eclair.storage.sql.feeds import SQLFeedStore
from eclair.storage.sql.files import SQLFileStore
from eclair.storage.sql.grants import SQLGrantStore
from eclair.storage.sql.groups import SQLGroupStore
from eclair.storage.sql.images import SQLImageStore
from eclair.storage.sql.libraries import SQLLibraryStore
from eclair.storage.sql.literacy import SQLLiteracyStore
from eclair.storage.sql.mcp_servers import SQLMcpServerStore
from eclair.storage.sql.mcp_sign_ins import SQLMcpSignInStore
from eclair.storage.sql.memories import SQLMemoryStore
from eclair.storage.sql.owned_names import SQLOwnedNameStore
from eclair.storage.sql.passkeys import SQLPasskeyStore
from eclair.storage.sql.people import SQLPeopleStore
from eclair.storage.sql.personal_data import SQLPersonalDataStore
from eclair.storage.sql.policy import SQLPolicyStore, read_policy
from eclair.storage.sql.preferences import SQLPreferenceStore
from eclair.storage.sql.projects import SQLProjectStore
from eclair.storage.sql.prompts import SQLPromptStore
from eclair.storage.sql.ratings import SQLRatingStore
from eclair.storage.sql.responses import SQLResponseStore
from eclair.storage.sql.retention import SQLRetentionStore
from eclair.storage.sql.runs import SQLRunStore
from eclair.storage.sql.schedules import SQLScheduleStore, count_schedules
from eclair.storage.sql.scim import SQLScimStore
from eclair.storage.sql.servers import SQLServerStore, list_servers
from eclair.storage.sql.sessions import SQLSessionStore
from eclair.storage.sql.shares import SQLShareStore
from eclair.storage.sql.skills import SQLSkillStore
from eclair.storage.sql.store import first_row
from eclair.storage.sql.stored_rows import skip_unreadable
from eclair.storage.sql.tool_permissions import SQLToolPermissionStore
from eclair.storage.sql.usage import SQLUsageStore
from eclair.storage.sql.web import SQLWebStore
from eclair.storage.sql.web_settings import SQLWebSettingsStore, read_web_settings
from eclair.storage.sql.workspaces import SQLWorkspaceStore
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

    chunks = SQLChunkStore(database)
    documents = SQLDocumentStore(database, chunks)
    processes = SQLiteProcessStore(database, lease, leases)
    return Storage(
        announcements=SQLAnnouncementStore(database, clock),
        api_conversations=SQLApiConversationStore(database, clock),
        api_keys=SQLApiKeyStore(database),
        assistants=SQLAssistantStore(database),
        audit=SQLAuditStore(database),
        audit_destinations=SQLAuditDestinationStore(database),
        batches=SQLBatchStore(database, clock),
        branding=SQLBrandingStore(database),
        budgets=SQLBudgetStore(database),
        canvases=SQLCanvasStore(database, clock),
        chunks=chunks,
        compliance_settings=SQLComplianceSettingsStore(database),
        conversations=SQLConversationStore(database, clock),
        documents=documents,
        egress=SQLEgressStore(database, processes),
        elicitations=SQLElicitationStore(database),
        emergency_reads=SQLEmergencyReadStore(database),
        feeds=SQLFeedStore(database),
        files=SQLFileStore(database, documents),
        images=SQLImageStore(database),
        integrity=SQLiteIntegrityStore(database, leases),
        projects=SQLProjectStore(database),
        grants=SQLGrantStore(database),
        groups=SQLGroupStore(database),
        libraries=SQLLibraryStore(database, documents),
        literacy=SQLLiteracyStore(database),
        owned_names=SQLOwnedNameStore(database),
        mcp_servers=SQLMcpServerStore(database),
        mcp_sign_ins=SQLMcpSignInStore(database),
        skills=SQLSkillStore(database),
        memories=SQLMemoryStore(database),
        passkeys=SQLPasskeyStore(database),
        people=SQLPeopleStore(database, clock),
        personal_data=SQLPersonalDataStore(database),
        policy=SQLPolicyStore(database),
        preferences=SQLPreferenceStore(database),
        processes=processes,
        prompts=SQLPromptStore(database),
        ratings=SQLRatingStore(database),
        responses=SQLResponseStore(database, clock),
        retention=SQLRetentionStore(database, clock),
        runs=SQLRunStore(database, lease.name, clock),
        schedules=SQLScheduleStore(database, clock),
        scim=SQLScimStore(database),
        servers=SQLServerStore(database),
        sessions=SQLSessionStore(database),
        shares=SQLShareStore(database),
        tool_permissions=SQLToolPermissionStore(database),
        usage=SQLUsageStore(database, clock),
        web=SQLWebStore(database),
        web_settings=SQLWebSettingsStore(database),
        workspaces=SQLWorkspaceStore(database),
        close=close,
    )


def read_added_servers(folder: Path) -> list[StoredServer]:
    """Read the added servers without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return []
    with open_readonly(path) as db:
        columns = {name for (name,) in db.execute("SELECT name FROM pragma_table_info('server')")}
        return list_servers(db, lambda: None, migrated="api" in columns) if columns else []


def read_stored_destinations(folder: Path) -> list[StoredDestination]:
    """Read the destinations of the audit log without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return []
    with open_readonly(path) as db:
        exists = first_row(db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", ("audit_destination",))
        return list_destinations(db, lambda: None) if exists is not None else []


def read_stored_schedule_counts(folder: Path) -> dict[str, int]:
    """Count the schedules by state without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return {}
    with open_readonly(path) as db:
        exists = first_row(db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", ("schedule",))
        return count_schedules(db) if exists is not None else {}


def read_stored_web_settings(folder: Path) -> StoredWebSettings:
    """Read the web settings without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return StoredWebSettings()
    with open_readonly(path) as db:
        exists = first_row(db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", ("web_settings",))
        return read_web_settings(db, lambda: None) if exists is not None else StoredWebSettings()


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
        query = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?"
        exists = first_row(db, query, ("compliance_settings",))
        return read_compliance_settings(db, lambda: None) if exists is not None else {}


def read_feed_urls(folder: Path) -> list[str]:
    """Read the URLs of all active feeds without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return []
    with open_readonly(path) as db:
        exists = first_row(db, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?", ("feed",))
        if exists is None:
            return []
        rows = db.execute("SELECT url FROM feed WHERE active AND NOT gone ORDER BY host")
        return [url for (url,) in skip_unreadable(rows, lambda: None) if isinstance(url, str)]


def has_api_keys(folder: Path) -> bool:
    """Tell whether there are API keys, without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return False
    with open_readonly(path) as db:
        return has_keys(db)


def has_stored_budgets(folder: Path) -> bool:
    """Tell whether there are budgets, without creating, locking or migrating anything. Raises StoreError."""
    path = folder / DATABASE_FILE
    if not path.exists():
        return False
    with open_readonly(path) as db:
        return has_budgets(db)


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
    """Copy the database to a new file, as it is at one moment, while others write. Raises StoreError."""
    with open_readonly(folder / DATABASE_FILE) as db:
        db.execute("VACUUM INTO ?", (str(target),))


def list_named_blobs(folder: Path) -> set[str]:
    """List the blobs that a database names, as paths in the data folder. Raises StoreError."""
    with open_readonly(folder / DATABASE_FILE) as db:
        images = [name for row in db.execute("SELECT blob, thumbnail FROM picture") for name in row]
        files = [
            row[0]
            for row in db.execute("SELECT DISTINCT sha256 FROM file JOIN document ON document.number = file.document")
        ]
    return {
        *(f"pictures/{name[:2]}/{name}" for name in images if isinstance(name, str)),
        *(f"files/{name[:2]}/{name}" for name in files if isinstance(name, str)),
    }


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
