"""Space that isn't used any more goes back to the disk, also from databases of earlier versions."""

# ruff: noqa: ASYNC110 (what is waited for here happens in a thread)

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import NamedTuple

import apsw
import pytest

from eclair.doctor import Check, examine
from eclair.errors import Conflict, NotFound
from eclair.schema.messages import Conversation, Message, Part
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import LoadedSettings, Settings
from eclair.storage.open import compact_database, open_storage
from eclair.storage.sqlite import compaction, database, erasure
from eclair.storage.sqlite.database import SQLiteDatabase
from tests.cli.test_cli import Eclair


class Usage(NamedTuple):
    total: int
    used: int
    free: int


async def fill(folder: Path) -> Path:
    """Write a megabyte, erase most of it, and give the database the format of an earlier version."""
    storage = open_storage(folder)
    for number in range(10):
        id = f"conv_{number}"
        message = Message(f"msg_{number}", id, None, "user", (Part("text", "bread " * 40_000),), 1)
        await storage.conversations.add_tree(LOCAL_PRINCIPAL, Conversation(id, "local", "", 1, 1), [message])
    await storage.close()
    path = folder / "eclair.db"
    with contextlib.closing(apsw.Connection(str(path))) as db:
        db.execute("PRAGMA journal_mode = DELETE")
        db.execute("PRAGMA auto_vacuum = NONE")
        db.execute("VACUUM")
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM conversation WHERE id <> 'conv_3'")
    assert mode(path) == 0
    return path


def mode(path: Path) -> object:
    with contextlib.closing(apsw.Connection(str(path))) as db:
        return db.pragma("auto_vacuum")


def texts(path: Path) -> list[str]:
    with contextlib.closing(apsw.Connection(str(path))) as db:
        return [text for (text,) in db.execute("SELECT text FROM message")]


async def test_a_new_database_can_shrink(tmp_path: Path) -> None:
    await open_storage(tmp_path).close()
    assert mode(tmp_path / "eclair.db") == compaction.INCREMENTAL


async def test_a_small_one_of_an_earlier_version_is_rewritten_at_its_end(tmp_path: Path) -> None:
    path = await fill(tmp_path)
    size = path.stat().st_size
    await open_storage(tmp_path).close()
    assert mode(path) == compaction.INCREMENTAL
    assert path.stat().st_size < size / 2
    assert len(texts(path)) == 1


async def test_a_larger_one_is_rewritten_in_a_calm_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "MAX_COMPACTED_BYTES", 0)
    monkeypatch.setattr(erasure, "REWRITE_INTERVAL_S", 0.05)
    path = await fill(tmp_path)
    size = path.stat().st_size
    storage = open_storage(tmp_path)
    await asyncio.sleep(0.3)
    assert mode(path) == 0, "it was opened only now"
    await storage.close()
    monkeypatch.setattr(database, "CALM_S", 0.0)

    def nearly_full(_: Path) -> Usage:
        return Usage(size, size, size)

    with monkeypatch.context() as full:
        full.setattr(compaction.shutil, "disk_usage", nearly_full)
        storage = open_storage(tmp_path)
        await asyncio.sleep(0.3)
        assert mode(path) == 0, "there is no room for it"
        await storage.close()
    storage = open_storage(tmp_path)
    async with asyncio.timeout(10):
        while mode(path) == 0 or path.stat().st_size > size / 2:
            await asyncio.sleep(0.02)
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_3")).id == "conv_3"
    await storage.close()


async def test_a_write_ends_what_is_done_in_a_calm_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "CALM_S", 0.0)
    opened = SQLiteDatabase.open(tmp_path / "eclair.db")
    begun = asyncio.Event()
    loop = asyncio.get_running_loop()

    def endless(db: apsw.Connection) -> bool:
        loop.call_soon_threadsafe(begun.set)
        list(
            db.execute("WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n) SELECT 1 FROM n WHERE i < 0")
        )
        return True

    working = asyncio.create_task(asyncio.to_thread(opened.keep_up, endless, in_calm=True))
    async with asyncio.timeout(5):
        await begun.wait()
        await opened.write(lambda db: None)
        with pytest.raises(apsw.InterruptError):
            await working
    await opened.close()


async def test_a_very_large_one_is_rewritten_by_the_doctor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Eclair(tmp_path / "home")
    folder = run.folder
    with pytest.raises(NotFound):
        compact_database(folder)
    path = await fill(folder)
    size = path.stat().st_size
    monkeypatch.setattr(compaction, "MAX_REWRITTEN_BYTES", 0)
    settings = Settings(data_dir=folder, embedded=False, scripted=True, port=0)
    checks = (await examine(LoadedSettings(settings, {}, folder / "eclair.toml"))).checks
    (found,) = [check for check in checks if check.name == "Database"]
    assert isinstance(found, Check)
    assert found.state == "note"
    assert "can't shrink yet" in found.detail
    assert found.remedy == "Stop Éclair once, and run `eclair doctor --compact`."
    monkeypatch.setattr(compaction, "MAX_COMPACTED_BYTES", 0)
    storage = open_storage(folder)
    with pytest.raises(Conflict, match="stop it, then compact"):
        compact_database(folder)
    await storage.close()
    assert mode(path) == 0
    done = await asyncio.to_thread(run, "doctor", "--compact")
    assert done.returncode == 0, done
    assert done.stdout.startswith("The database had ")
    assert mode(path) == compaction.INCREMENTAL
    assert path.stat().st_size < size / 2
    assert len(texts(path)) == 1
    assert [each.name for each in folder.glob("*.compacted*")] == []
