"""Opens the storage on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable

from eclair.schema.ids import Clock
from eclair.storage.base import Storage
from eclair.storage.postgres.database import MAX_CONNECTIONS, PostgresDatabase
from eclair.storage.postgres.integrity import PostgresIntegrityStore
from eclair.storage.postgres.processes import PostgresProcessStore
from eclair.storage.sql.stores import build_storage


def open_postgres(
    url: str, clock: Clock, describe_backup: Callable[[], str] = str, max_connections: int = MAX_CONNECTIONS
) -> Storage:
    """Open the database at a URL (`postgresql://…`) and migrate it. Blocks. Raises StoreError.

    Before it is migrated, the log tells of the newest backup, which `describe_backup` does in a sentence.
    """
    database = PostgresDatabase.open(url, describe_backup, max_connections)
    processes = PostgresProcessStore(database, clock)
    try:
        database.run_blocking(processes.begin())
    except BaseException:
        database.close_blocking()
        raise

    async def close() -> None:
        await database.finish_writes()
        await database.run(processes.end())
        await database.close()

    return build_storage(database, clock, processes, PostgresIntegrityStore(database), close)
