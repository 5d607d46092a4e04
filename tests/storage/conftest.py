"""Fixtures of the contract suite, which runs on every implementation of the storage port."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest

from eclair.schema.ids import Clock
from eclair.storage.base import Storage
from eclair.storage.open import open_storage
from eclair.storage.postgres.open import open_postgres
from tests.postgres import TestDatabases, databases
from tests.support import lay_database

__all__ = ["databases"]


class Opener(Protocol):
    """Opens the storage of that name, the same one each time, as another process would."""

    def __call__(self, name: str = "store", clock: Clock = time.time) -> Storage: ...


def open_migrated(folder: Path, clock: Clock) -> Storage:
    lay_database(folder)
    return open_storage(folder, clock)


@pytest.fixture(params=["sqlite", "postgres"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """One implementation after another."""
    if request.param == "sqlite":
        return lambda name="store", clock=time.time: open_migrated(tmp_path / name, clock)
    databases: TestDatabases = request.getfixturevalue("databases")
    urls: dict[str, str] = {}

    def open_on_server(name: str = "store", clock: Clock = time.time) -> Storage:
        if name not in urls:
            urls[name] = databases.create()
        return open_postgres(urls[name], clock)

    return open_on_server


@pytest.fixture
def open_fresh(opener: Opener) -> Callable[[Clock], Storage]:
    """Opens an empty storage at each call, for tests with many examples."""
    numbers = count()
    return lambda clock: opener(f"fresh_{next(numbers)}", clock)


@pytest.fixture
async def storage(opener: Opener) -> AsyncGenerator[Storage]:
    storage = opener()
    yield storage
    await storage.close()


@pytest.fixture
async def other(storage: Storage, opener: Opener) -> AsyncGenerator[Storage]:
    """The same storage opened by another process, as far as the database can tell."""
    other = opener()
    yield other
    await other.close()
