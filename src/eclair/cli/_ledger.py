"""The ledger of commands that answer without a database: it is opened only where budgets limit them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from eclair.accounts.budgets import Budgets
from eclair.cli._storage import opened_storage
from eclair.generation.usage import UsageLedger
from eclair.live_settings import LiveSettings
from eclair.settings import Settings
from eclair.storage.open import has_budgets


@asynccontextmanager
async def open_ledger(settings: Settings) -> AsyncGenerator[UsageLedger | None]:
    """Open the ledger; None where there are no budgets. Raises StoreError."""
    if not settings.budgets and not await asyncio.to_thread(has_budgets, settings):
        yield None
        return
    async with opened_storage(settings) as storage:
        budgets = Budgets(storage.budgets, storage.processes, LiveSettings(settings))
        yield UsageLedger(settings, storage.usage, budgets)
