"""Copies of a SQLite database in PostgreSQL: whole, resumed, refused."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from eclair.errors import Conflict, NotFound, StoreError
from eclair.schema.ids import new_id
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import ReportSteps, Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.open import open_storage
from eclair.storage.postgres import copying
from eclair.storage.postgres.connection import RawConnection
from eclair.storage.postgres.copying import copy_to_postgres
from eclair.storage.postgres.database import connect
from eclair.storage.postgres.open import open_postgres
from tests.postgres import TestDatabases
from tests.storage.helpers import ME, read
from tests.support import conversation, new_turn

VECTOR = np.full((1, 384), 384**-0.5, np.float32)


def copy_in_thread(folder: Path, url: str, progress: ReportSteps = lambda done, total: None) -> dict[str, int]:
    """Copy as a command does, outside of the test's loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(copy_to_postgres, folder, url, progress).result()


async def fill(folder: Path, count: int = 30) -> None:
    """Make conversations with questions, and a document with vectors."""
    storage = open_storage(folder)
    try:
        for number in range(count):
            id = f"conv_{number:03}"
            await conversation(storage, id)
            turn, _ = new_turn(storage, lambda kind: new_id(kind), id, f"How many croissants, {number}?")
            await storage.runs.open_turn(turn)
        await read(storage, ["An apple pie, crème brûlée.", "A pear."])
        chunks = await storage.chunks.list_unembedded("e5", 9)
        assert await storage.chunks.add_vectors("e5", chunks, np.repeat(VECTOR, len(chunks), axis=0))
    finally:
        await storage.close()


async def test_what_is_copied_is_found(tmp_path: Path, databases: TestDatabases) -> None:
    await fill(tmp_path)
    url = databases.create()
    steps: list[tuple[int, int | None]] = []
    counts = copy_in_thread(tmp_path, url, lambda done, total: steps.append((done, total)))
    assert counts["conversation"] == 30
    assert steps[-1][0] == steps[-1][1]
    before, after = open_storage(tmp_path), open_postgres(url, time.time)
    try:
        for each in ("conv_000", "conv_029"):
            assert await after.conversations.get_tree(LOCAL_PRINCIPAL, each) == await before.conversations.get_tree(
                LOCAL_PRINCIPAL, each
            )
        here, there = [
            await storage.conversations.search_messages(LOCAL_PRINCIPAL, "croissant 17", 5)
            for storage in (before, after)
        ]
        assert [hit.message for hit in here] == [hit.message for hit in there]
        assert await found(before) == await found(after) == [0]
        await conversation(after, "conv_new")
    finally:
        await before.close()
        await after.close()


async def found(storage: Storage) -> list[int]:
    scope = SearchScope(ME, ("file_a",))
    near = await storage.chunks.search_vectors(scope, "e5", VECTOR[0], 5)
    assert near
    return [hit.number for hit in await storage.chunks.search_words(scope, "creme", 5)]


async def test_one_that_was_cut_short_goes_on(
    tmp_path: Path, databases: TestDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(tmp_path)
    url = databases.create()
    monkeypatch.setattr(copying, "MAX_BATCH_ROWS", 7)

    def cut_short(done: int, total: int | None) -> None:
        if total is not None and done > total // 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copy_in_thread(tmp_path, url, cut_short)
    await fill(tmp_path / "other", 1)
    with pytest.raises(Conflict, match="holds a part of a copy"):
        copy_in_thread(tmp_path / "other", url)
    assert copy_in_thread(tmp_path, url)["message"] == 60


async def test_one_that_was_cut_short_among_vectors_goes_on_and_has_the_same_indexes(
    tmp_path: Path, databases: TestDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill(tmp_path)
    empty, url = databases.create(), databases.create()
    raw, before = await connect(url), await connect(empty)

    async def refuse(raw: RawConnection) -> None:
        raise KeyboardInterrupt

    listed = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'vector' ORDER BY 1"
    try:
        with monkeypatch.context() as patched:
            patched.setattr(copying, "make_indexes", refuse)
            with pytest.raises(KeyboardInterrupt):
                copy_in_thread(tmp_path, url)
        assert len(await raw.fetch(listed)) < len(await before.fetch(listed))
        copy_in_thread(tmp_path, url)
        assert await raw.fetch(listed) == await before.fetch(listed)
    finally:
        await raw.close()
        await before.close()


async def test_one_is_refused_where_it_would_do_harm(tmp_path: Path, databases: TestDatabases) -> None:
    url = databases.create()
    with pytest.raises(NotFound, match="There is no database in"):
        copy_in_thread(tmp_path, url)
    await fill(tmp_path, 2)
    storage = open_storage(tmp_path)
    try:
        with pytest.raises(Conflict, match="running"):
            copy_in_thread(tmp_path, url)
    finally:
        await storage.close()
    used = open_postgres(databases.create(), time.time)
    await conversation(used)
    await used.close()
    with pytest.raises(Conflict, match=r"holds data already \(conversation\); choose an empty one\."):
        copy_in_thread(tmp_path, databases.last)


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("conversation", "UPDATE conversation SET title = 'another' WHERE id = 'conv_001'"),
        ("message_text", "UPDATE message_text SET length = 1 WHERE number = (SELECT min(number) FROM message_text)"),
        ("piece_text", "UPDATE piece_text SET length = 1 WHERE id = (SELECT max(id) FROM piece_text)"),
        ("piece_text", "DELETE FROM piece_text WHERE id = (SELECT max(id) FROM piece_text)"),
        ("vector", "UPDATE vector SET embedding = embedding + embedding WHERE id = (SELECT max(id) FROM vector)"),
        ("vector", "DELETE FROM vector WHERE id = (SELECT max(id) FROM vector)"),
    ],
)
async def test_a_copy_that_differs_is_not_accepted(
    tmp_path: Path, databases: TestDatabases, monkeypatch: pytest.MonkeyPatch, table: str, change: str
) -> None:
    await fill(tmp_path, 2)
    url = databases.create()
    monkeypatch.setattr(copying, "_set_sequences", None)  # not reached
    real = copying._copy_vectors  # pyright: ignore[reportPrivateUsage]

    async def disturb(source: object, target: object, report: object) -> None:
        await real(source, target, report)  # pyright: ignore[reportArgumentType]
        assert await target.execute(change) != "UPDATE 0"  # pyright: ignore

    monkeypatch.setattr(copying, "_copy_vectors", disturb)
    with pytest.raises(StoreError, match=f"The copy of the table {table} differs"):
        copy_in_thread(tmp_path, url)
