"""Fixtures of the tests that know the storage to be SQLite in a folder."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from eclair.storage.base import Storage
from eclair.storage.open import open_storage
from eclair.storage.sqlite.database import SQLiteDatabase
from tests.support import lay_database


@pytest.fixture
async def storage(tmp_path: Path) -> AsyncGenerator[Storage]:
    lay_database(tmp_path / "store")
    storage = open_storage(tmp_path / "store")
    yield storage
    await storage.close()


@pytest.fixture
async def database(storage: Storage, tmp_path: Path) -> AsyncGenerator[SQLiteDatabase]:
    """The database of `storage`, opened once more."""
    database = SQLiteDatabase.open(tmp_path / "store" / "eclair.db")
    yield database
    await database.close()
