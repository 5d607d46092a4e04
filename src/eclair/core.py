"""The product without a door: settings in, everything that answers out. Server and CLI open it alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from eclair.archive.imports import Imports
from eclair.changes import Changes
from eclair.idle import Idle
from eclair.keeping import Keeping
from eclair.preferences import Preferred
from eclair.pulls import Pulls
from eclair.registry import Registry, build
from eclair.runs import Runs
from eclair.settings import Settings
from eclair.store.base import Store
from eclair.store.sql import SQLStore
from eclair.titles import Titles
from eclair.tuner import Tuner
from eclair.turns import Turns

OWNER = "local"
"""Who owns what is kept, until there are accounts."""


@dataclass(frozen=True, slots=True)
class Core:
    settings: Settings
    store: Store
    registry: Registry
    preferences: Preferred
    runs: Runs
    turns: Turns
    changes: Changes
    keeping: Keeping
    imports: Imports
    idle: Idle
    pulls: Pulls

    async def end_streams(self) -> None:
        """End what followers wait for, so that their connections close by themselves."""
        await self.runs.close()
        await self.changes.close()


@asynccontextmanager
async def open_core(settings: Settings) -> AsyncGenerator[Core]:
    """Open the store, start the engines, mark what dead processes left; close all of it at the end.

    Raises SetupError. An engine that cannot start does not keep this from opening: its health says why.
    """
    async with AsyncExitStack() as stack:
        store = await asyncio.to_thread(SQLStore.open, settings.data_dir)
        stack.push_async_callback(store.close)
        registry = build(settings)
        stack.push_async_callback(registry.close)
        changes = Changes(store)
        stack.push_async_callback(changes.close)
        idle = Idle()
        runs = Runs(store, changes, idle)
        await runs.start()
        stack.push_async_callback(runs.close)
        keeping = Keeping(store, runs, changes)
        await keeping.start()
        stack.push_async_callback(keeping.close)
        imports = Imports(store, settings.data_dir / "imports", changes)
        stack.callback(imports.close)
        titles = Titles(store, changes, idle) if settings.titles else None
        if titles is not None:
            await titles.start()
            stack.push_async_callback(titles.close)
        if settings.tune and registry.local is not None:
            tuner = Tuner(settings, registry.local, idle)
            await tuner.start()
            stack.push_async_callback(tuner.close)
        preferences = Preferred(store)
        await preferences.read(OWNER)
        turns = Turns(settings, store, registry, preferences, runs, idle, titles)
        pulls = Pulls(settings, registry)
        stack.push_async_callback(pulls.close)
        yield Core(settings, store, registry, preferences, runs, turns, changes, keeping, imports, idle, pulls)
