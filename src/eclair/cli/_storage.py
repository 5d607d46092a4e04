"""Opens the storage for one command."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.open import open_storage


@asynccontextmanager
async def opened_storage(settings: Settings) -> AsyncGenerator[Storage]:
    """Open the storage for the block. Raises StoreError."""
    storage = await asyncio.to_thread(open_storage, settings)
    try:
        yield storage
    finally:
        await storage.close()
