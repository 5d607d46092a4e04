"""Reads of a PostgreSQL database without creating or migrating anything, as before a start."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from eclair.storage.audit_destinations import StoredDestination
from eclair.storage.base import DatabaseReport
from eclair.storage.compliance_settings import ComplianceValues
from eclair.storage.policy import StoredPolicy
from eclair.storage.postgres.bridge import run_bridged, run_in_thread
from eclair.storage.postgres.connection import PostgresConnection
from eclair.storage.postgres.database import connect, describe_url, find_format, is_usable, migrations, translated
from eclair.storage.servers import StoredServer
from eclair.storage.sql import compliance_settings, policy, speech_settings, web_settings
from eclair.storage.sql.api_keys import has_keys
from eclair.storage.sql.audit_destinations import list_destinations
from eclair.storage.sql.budgets import has_budgets
from eclair.storage.sql.connection import Work
from eclair.storage.sql.feeds import list_active_urls
from eclair.storage.sql.schedules import count_schedules
from eclair.storage.sql.servers import list_servers
from eclair.storage.web_settings import StoredWebSettings

T = TypeVar("T")


def read_added_servers(url: str) -> list[StoredServer]:
    return _read(url, lambda db: list_servers(db, _ignore), list)


def read_audit_destinations(url: str) -> list[StoredDestination]:
    return _read(url, lambda db: list_destinations(db, _ignore), list)


def read_schedule_counts(url: str) -> dict[str, int]:
    return _read(url, count_schedules, dict)


def read_stored_web_settings(url: str) -> StoredWebSettings:
    return _read(url, lambda db: web_settings.read_web_settings(db, _ignore), StoredWebSettings)


def read_stored_compliance_settings(url: str) -> ComplianceValues:
    return _read(url, lambda db: compliance_settings.read_compliance_settings(db, _ignore), dict)


def read_stored_transcriber(url: str) -> str | None:
    return _read(url, speech_settings.read_transcriber, lambda: None)


def read_stored_policy(url: str) -> StoredPolicy | None:
    return _read(url, lambda db: policy.read_policy(db, _ignore), lambda: None)


def read_feed_urls(url: str) -> list[str]:
    return _read(url, lambda db: list_active_urls(db, _ignore), list)


def has_api_keys(url: str) -> bool:
    return _read(url, has_keys, bool)


def has_stored_budgets(url: str) -> bool:
    return _read(url, has_budgets, bool)


def inspect_database(url: str) -> DatabaseReport | None:
    """Report size and format, None where Éclair has not used the database yet. Raises StoreError."""

    async def inspect() -> DatabaseReport | None:
        raw = await connect(url)
        try:
            with translated(describe_url(url)):
                if (format := await find_format(raw)) is None:
                    return None
                size = await raw.fetchval("SELECT pg_database_size(current_database())")
                latest = format if await is_usable(raw) else max(migrations())
            return DatabaseReport(size, format, latest, None, 0, needs_compaction=False)
        finally:
            await raw.close()

    return run_in_thread(inspect())


def _read(url: str, work: Work[T], missing: Callable[[], T]) -> T:
    """Run `work`; return what `missing` returns where the tables aren't those of this version. Raises StoreError."""

    async def read() -> T:
        raw = await connect(url)
        try:
            with translated(describe_url(url)):
                if not await is_usable(raw):
                    return missing()
                connection = PostgresConnection(raw)
                return await run_bridged(lambda: work(connection))
        finally:
            await raw.close()

    return run_in_thread(read())


def _ignore() -> None:
    pass
