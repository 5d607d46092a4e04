"""Tables in files: cut by content, compared when they are restored, and restored into the format that they had."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import orjson
import pytest

from eclair.errors import Conflict, StoreError
from eclair.schema.messages import Conversation
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.open import TABLES_FILE
from eclair.storage.postgres import table_files
from eclair.storage.postgres.database import MIGRATION_LOCK, connect, migrations
from eclair.storage.postgres.open import open_postgres
from eclair.storage.postgres.table_files import copy_to_files, fill_from_files
from tests.postgres import TestDatabases
from tests.storage.helpers import read
from tests.storage.postgres.test_copying import found
from tests.support import conversation

VECTOR = np.full((1, 384), 384**-0.5, np.float32)
TEXT = "Tab\t, line\nend, \\, return\r, \\N, ünïcödé and \U0001f950"


class Files(dict[str, bytes]):
    """The files of a database, by path."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        copy_to_files(
            url, folder, lambda path, name: self.__setitem__(name, path.read_bytes()), lambda done, total: None
        )

    def fill(self, url: str) -> None:
        with ThreadPoolExecutor(1) as thread:
            thread.submit(fill_from_files, url, list(self), self._open).result()

    @contextlib.contextmanager
    def _open(self, path: str) -> Generator[Path]:
        file = self._folder / "restored"
        file.write_bytes(self[path])
        yield file


async def fill(url: str, count: int) -> None:
    storage = open_postgres(url, time.time)
    try:
        for number in range(count):
            each = Conversation(f"conv_{number:04}", "local", f"{number}: {TEXT}", 1, 1)
            await storage.conversations.add_conversation(LOCAL_PRINCIPAL, each)
        await read(storage, ["An apple pie, crème brûlée.", "A pear."])
        chunks = await storage.chunks.list_unembedded("e5", 9)
        assert await storage.chunks.add_vectors("e5", chunks, np.repeat(VECTOR, len(chunks), axis=0))
    finally:
        await storage.close()


async def test_rows_words_vectors_and_numbers_come_back(tmp_path: Path, databases: TestDatabases) -> None:
    url, target = databases.create(), databases.create_empty()
    await fill(url, 30)
    Files(tmp_path, url).fill(target)
    before, after = open_postgres(url, time.time), open_postgres(target, time.time)
    try:
        for id in ("conv_0000", "conv_0029"):
            tree = await after.conversations.get_tree(LOCAL_PRINCIPAL, id)
            assert tree == await before.conversations.get_tree(LOCAL_PRINCIPAL, id)
            assert tree[0].title.endswith(TEXT)
        assert await found(after) == await found(before) == [0]
        await read(after, ["A cherry."], "file_b", "b" * 64)  # numbers go on
    finally:
        await before.close()
        await after.close()
    with pytest.raises(Conflict, match="was used by Éclair already; restore into an empty one"):
        Files(tmp_path, url).fill(target)


async def test_a_change_leaves_most_files_as_they_were(
    tmp_path: Path, databases: TestDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table_files, "MIN_PIECE_BYTES", 2000)
    monkeypatch.setattr(table_files, "CUT_MASK", 3)
    url = databases.create()
    await fill(url, 300)
    first = Files(tmp_path, url)
    storage = open_postgres(url, time.time)
    await conversation(storage, "conv_0003a")
    await storage.close()
    second = Files(tmp_path, url)
    names = [path for path in second if "/conversation/" in path]
    assert len(names) > 10
    assert len({second[path] for path in names} - set(first.values())) <= 3
    target = databases.create_empty()
    second.fill(target)
    assert {path: data for path, data in Files(tmp_path, target).items() if path != TABLES_FILE} == {
        path: data for path, data in second.items() if path != TABLES_FILE
    }


async def test_rows_that_differ_are_not_accepted(tmp_path: Path, databases: TestDatabases) -> None:
    url, target = databases.create(), databases.create_empty()
    await fill(url, 3)
    files = Files(tmp_path, url)
    path = "database/conversation/000000.copy"
    whole = files[path]
    files[path] = whole.replace(b"ret", b"rat")
    with pytest.raises(StoreError, match="The table conversation differs from the backup"):
        files.fill(target)
    files[path] = whole
    tables = orjson.loads(files[TABLES_FILE])
    files[TABLES_FILE] = orjson.dumps(tables | {"format": max(migrations()) + 1})
    with pytest.raises(StoreError, match="made by a newer Éclair; update Éclair"):
        files.fill(target)
    files[TABLES_FILE] = b"{"
    with pytest.raises(StoreError, match="is damaged; restore another snapshot"):
        files.fill(target)
    files[TABLES_FILE] = orjson.dumps(tables)
    files.fill(target)  # nothing was left of the tries before


async def test_an_older_format_is_updated(
    tmp_path: Path, databases: TestDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, target = databases.create(), databases.create_empty()
    await fill(url, 3)
    files = Files(tmp_path, url)
    scripts = migrations()
    newer = {**scripts, max(scripts) + 1: "ALTER TABLE conversation ADD COLUMN added bigint NOT NULL DEFAULT 7"}
    for module in ("table_files", "database"):
        monkeypatch.setattr(f"eclair.storage.postgres.{module}.migrations", lambda: newer)
    files.fill(target)
    await open_postgres(target, time.time).close()
    assert b"\t7\n" in Files(tmp_path, target)["database/conversation/000000.copy"]


async def somebody_waits(url: str) -> None:
    """Return once a connection waits for an advisory lock of a database."""
    raw = await connect(url)
    waiting = (
        "SELECT count(*) FROM pg_locks JOIN pg_database d ON d.oid = database"
        " WHERE locktype = 'advisory' AND NOT granted AND datname = current_database()"
    )
    async with asyncio.timeout(30):
        while not await raw.fetchval(waiting):  # noqa: ASYNC110  another connection waits
            await asyncio.sleep(0.02)
    await raw.close()


async def test_an_update_waits_for_a_backup_and_nobody_for_the_update(
    tmp_path: Path, databases: TestDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = databases.create()
    await fill(url, 3)
    begun, finish = threading.Event(), threading.Event()

    def add(path: Path, name: str) -> None:
        begun.set()
        finish.wait(60)

    older = open_postgres(url, time.time)
    copying = asyncio.create_task(asyncio.to_thread(copy_to_files, url, tmp_path, add, lambda done, total: None))
    try:
        assert await asyncio.to_thread(begun.wait, 60)
        await open_postgres(url, time.time).close()  # there is nothing to update
        scripts = migrations()
        newer = {**scripts, max(scripts) + 1: "ALTER TABLE conversation ADD COLUMN added bigint"}
        monkeypatch.setattr("eclair.storage.postgres.database.migrations", lambda: newer)
        with monkeypatch.context() as patch:
            patch.setattr("eclair.storage.postgres.database.UPDATE_TIMEOUT_S", 0.05)
            with pytest.raises(StoreError, match="has to be updated, but a backup"):
                await asyncio.to_thread(open_postgres, url, time.time)
        updating = asyncio.create_task(asyncio.to_thread(open_postgres, url, time.time))
        await somebody_waits(url)
        await older.conversations.add_conversation(LOCAL_PRINCIPAL, Conversation("conv_new", "local", "New", 1, 1))
        assert not updating.done()
    finally:
        finish.set()
        await copying
        await older.close()
    await (await updating).close()


async def test_a_backup_that_waited_for_an_update_has_the_rows(tmp_path: Path, databases: TestDatabases) -> None:
    url = databases.create()
    await fill(url, 3)
    raw = await connect(url)
    async with raw.transaction(isolation="read_committed"):
        await raw.execute("SELECT pg_advisory_xact_lock($1)", MIGRATION_LOCK)
        copying = asyncio.create_task(asyncio.to_thread(Files, tmp_path, url))
        await somebody_waits(url)
        await raw.execute("ALTER TABLE conversation ADD COLUMN added float DEFAULT random()")  # rewrites the table
    await raw.close()
    assert (await copying)["database/conversation/000000.copy"].count(b"\n") == 3
