"""Acts of commands that have no write of their own in the database."""

from __future__ import annotations

from eclair.cli._storage import opened_storage
from eclair.schema.audit import ActDetails, AuditAction
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.open import has_database


async def add_act(
    settings: Settings, action: AuditAction, object: str | None = None, details: ActDetails | None = None
) -> None:
    """Add an act of whoever sits at the machine, where there is a database. Raises StoreError."""
    if not has_database(settings):
        return
    async with opened_storage(settings) as storage:
        await storage.audit.add_act(LOCAL_PRINCIPAL, action, object, details=details)
