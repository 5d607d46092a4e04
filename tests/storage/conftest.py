"""Fixtures of the contract suite, which runs on every implementation of the storage port."""

from __future__ import annotations

import shutil
import time
from collections.abc import AsyncGenerator, Callable, Iterator
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

    def forget(self) -> None:
        """Have every storage be new when it is opened next; all are closed."""
        ...


class SQLiteOpener:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._opened = set[Path]()

    def __call__(self, name: str = "store", clock: Clock = time.time) -> Storage:
        folder = self._folder / name
        self._opened.add(folder)
        lay_database(folder)
        return open_storage(folder, clock)

    def forget(self) -> None:
        for folder in self._opened:
            shutil.rmtree(folder)
        self._opened.clear()


class PostgresOpener:
    def __init__(self, databases: TestDatabases) -> None:
        self._databases = databases
        self._urls: dict[str, str] = {}

    def __call__(self, name: str = "store", clock: Clock = time.time) -> Storage:
        if name not in self._urls:
            self._urls[name] = self._databases.create()
        return open_postgres(self._urls[name], clock)

    def forget(self) -> None:
        for url in self._urls.values():
            self._databases.give_back(url)
        self._urls.clear()


@pytest.fixture(params=["sqlite", "postgres"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """One implementation after another."""
    if request.param == "sqlite":
        opener: Opener = SQLiteOpener(tmp_path)
    else:
        opener = PostgresOpener(request.getfixturevalue("databases"))
    yield opener
    opener.forget()


@pytest.fixture
def open_fresh(opener: Opener) -> Callable[[Clock], Storage]:
    """Opens an empty storage at each call, for tests with many examples, once the one before is closed."""

    def open_next(clock: Clock) -> Storage:
        opener.forget()
        return opener("fresh", clock)

    return open_next


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
