from __future__ import annotations

import asyncio
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import apsw
import pytest

from eclair.errors import NotFound, StoreError
from eclair.schema.messages import Conversation
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.open import open_storage
from eclair.storage.runs import EventChunk
from eclair.storage.sql.conversations import SQLConversationStore
from eclair.storage.sqlite import backups, database
from eclair.storage.sqlite.database import SQLiteDatabase
from tests.support import Ids, conversation, messages_of, new_turn


def version(path: Path) -> int:
    connection = apsw.Connection(str(path))
    found = connection.pragma("user_version")
    connection.close()
    assert isinstance(found, int)
    return found


def test_a_new_database_is_what_the_migrations_lead_to() -> None:
    migrated, created = apsw.Connection(":memory:"), apsw.Connection(":memory:")
    for script in database.migrations():
        migrated.execute(script)
    database.bring_forward(created)
    assert list_contents(created) == list_contents(migrated)
    assert created.pragma("user_version") == len(database.migrations())


def list_contents(db: apsw.Connection) -> tuple[list[Any], dict[str, list[Any]]]:
    """Return the schema of a database, and the rows of each table, those inside indexes of words too."""
    schema = list(db.execute("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name"))
    names = [str(name) for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    return schema, {name: list(db.execute(f'SELECT * FROM "{name}"')) for name in names}


async def test_an_older_format_is_backed_up_and_brought_forward(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = open_storage(tmp_path)
    await conversation(storage)
    await storage.runs.open_turn(new_turn(storage, Ids())[0])
    await storage.close()
    path = tmp_path / "eclair.db"
    today = database.migrations()
    assert version(path) == len(today)
    tomorrow = [*today, "ALTER TABLE conversation ADD COLUMN colour TEXT", "CREATE TABLE extra (a)"]
    monkeypatch.setattr(database, "migrations", lambda: tomorrow)
    storage = open_storage(tmp_path)
    assert [message.text for message in await messages_of(storage, "conv_a")] == ["Hello", ""]
    await storage.close()
    assert version(path) == len(tomorrow)
    (backup,) = (tmp_path / "backups").iterdir()
    assert f"format{len(today)}" in backup.name
    assert version(backup) == len(today)
    open_storage(tmp_path)
    assert len(list((tmp_path / "backups").iterdir())) == 1, "what is of today is not backed up"


async def test_an_older_eclair_does_not_write_to_a_newer_format(
    storage: Storage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await conversation(storage)
    tomorrow = [*database.migrations(), "CREATE TABLE extra (a)"]
    with monkeypatch.context() as newer:
        newer.setattr(database, "migrations", lambda: tomorrow)
        await open_storage(tmp_path / "store").close()
    with pytest.raises(StoreError, match=r"A newer Éclair has changed .* stop this one"):
        await conversation(storage, "conv_b")
    with pytest.raises(StoreError, match="A newer Éclair"):
        await storage.processes.check()
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")).id == "conv_a", "it still reads"


async def test_a_backup_that_cannot_be_whole_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await open_storage(tmp_path).close()
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "eclair-format1-20260101-000000.db.part").write_bytes(b"left by one that was killed")
    today = database.migrations()
    monkeypatch.setattr(database, "migrations", lambda: [*today, "CREATE TABLE extra (a)"])
    with monkeypatch.context() as patch:
        patch.setattr("shutil.disk_usage", full)
        with pytest.raises(StoreError, match=r"must be backed up before .* which needs \d.* free some space"):
            open_storage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(backups, "_check", fail)
        with pytest.raises(StoreError, match="is damaged or no database"):
            open_storage(tmp_path)
    assert list((tmp_path / "backups").iterdir()) == []
    await open_storage(tmp_path).close()
    assert [path.suffix for path in (tmp_path / "backups").iterdir()] == [".db"]


def full(_: Path) -> SimpleNamespace:
    return SimpleNamespace(free=4095)


def fail(path: Path) -> None:
    raise apsw.CorruptError(str(path))


async def test_the_first_format_is_brought_forward_and_its_titles_are_kept(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "eclair.db"))
    connection.execute(database.migrations()[0])
    connection.execute(
        "INSERT INTO conversation VALUES ('conv_a', 'local', 'Bread', 1, 2, 'msg_a');"
        "INSERT INTO conversation VALUES ('conv_b', 'local', '', 1, 1, NULL);"
        "INSERT INTO message VALUES (1, 'msg_a', 'conv_a', NULL, 'rye', '{}');"
        "PRAGMA user_version = 1"
    )
    connection.close()
    storage = open_storage(tmp_path)
    listed = await storage.conversations.list_conversations(LOCAL_PRINCIPAL, 9)
    assert listed.conversations == [
        Conversation("conv_a", "local", "Bread", 1, 2, "msg_a"),
        Conversation("conv_b", "local", "", 1, 1),
    ]
    await storage.close()


async def test_a_migration_that_fails_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await open_storage(tmp_path).close()
    today = database.migrations()
    monkeypatch.setattr(database, "migrations", lambda: [*today, "CREATE TABLE extra (a)", "NOT SQL"])
    with pytest.raises(apsw.SQLError):
        SQLiteDatabase.open(tmp_path / "eclair.db")
    assert version(tmp_path / "eclair.db") == len(today)


async def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    await open_storage(tmp_path).close()
    connection = apsw.Connection(str(tmp_path / "eclair.db"))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(StoreError, match=r"newer Éclair \(format 99.*ECLAIR_DATA_DIR"):
        open_storage(tmp_path)


async def test_a_locked_database_says_so_and_works_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_MS", 20)
    storage = open_storage(tmp_path)
    await conversation(storage)
    holder = apsw.Connection(str(tmp_path / "eclair.db"))
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(StoreError, match="locked by another program"):
        await conversation(storage, "conv_b")
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")).id == "conv_a", "readers go on"
    holder.execute("ROLLBACK")
    holder.close()
    await conversation(storage, "conv_b")
    assert len((await storage.conversations.list_conversations(LOCAL_PRINCIPAL, 9)).conversations) == 2
    await storage.close()


def test_a_folder_in_place_of_the_database(tmp_path: Path) -> None:
    (tmp_path / "eclair.db").mkdir()
    with pytest.raises(StoreError, match=r"cannot be written; check who owns"):
        open_storage(tmp_path)


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("hello")
    with pytest.raises(StoreError, match="cannot be"):
        open_storage(tmp_path / "data")


def test_a_file_in_place_of_the_leases(tmp_path: Path) -> None:
    (tmp_path / "leases").write_text("hello")
    with pytest.raises(StoreError, match="leases"):
        open_storage(tmp_path)


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "eclair.db").write_text("This is a shopping list. " * 100)
    with pytest.raises(StoreError, match="damaged or no database"):
        open_storage(tmp_path)
    assert (tmp_path / "eclair.db").read_text().startswith("This is"), "nothing of it is lost"


async def test_a_damaged_database(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    await conversation(storage)
    await storage.close()
    path = tmp_path / "eclair.db"
    whole = path.read_bytes()
    path.write_bytes(whole[:4096] + b"\xaa" * (len(whole) - 4096))
    with pytest.raises(StoreError, match="damaged"):
        await (await asyncio.to_thread(open_storage, tmp_path)).conversations.list_conversations(LOCAL_PRINCIPAL, 9)


async def test_a_database_that_may_only_be_read(tmp_path: Path) -> None:
    await open_storage(tmp_path).close()
    database = SQLiteDatabase.open(tmp_path / "eclair.db")
    database._writer.execute("PRAGMA query_only = 1")  # pyright: ignore[reportPrivateUsage]
    new = Conversation("conv_a", "local", "", 1, 1)
    with pytest.raises(StoreError, match="cannot be written"):
        await SQLConversationStore(database).add_conversation(LOCAL_PRINCIPAL, new)
    await database.close()


async def test_a_full_disk(tmp_path: Path) -> None:
    base = SQLiteDatabase.open(tmp_path / "a.db")
    await base.write(lambda db: db.execute("CREATE TABLE t (a)"))
    await base.write(lambda db: db.pragma("max_page_count", 1))
    with pytest.raises(StoreError, match="full; free some space"):
        await base.write(lambda db: db.execute("INSERT INTO t VALUES (zeroblob(1000000))"))
    await base.write(lambda db: db.pragma("max_page_count", 100_000))
    await base.write(lambda db: db.execute("INSERT INTO t VALUES (1)"))
    assert await base.read(lambda db: list(db.execute("SELECT a FROM t"))) == [(1,)]
    await base.close()


async def test_one_write_that_fails_takes_no_other_with_it(tmp_path: Path) -> None:
    base = SQLiteDatabase.open(tmp_path / "a.db")
    await base.write(lambda db: db.execute("CREATE TABLE t (a UNIQUE)"))

    def insert(value: int) -> None:
        if value % 10 == 3:
            raise NotFound("three")

    async def write(value: int) -> None:
        def work(db: apsw.Connection) -> None:
            db.execute("INSERT INTO t VALUES (?)", (value,))
            insert(value)

        await base.write(work)

    results = await asyncio.gather(*(write(value) for value in range(200)), return_exceptions=True)
    assert [value for value, result in enumerate(results) if result is not None] == list(range(3, 200, 10))
    rows = await base.read(lambda db: sorted(a for (a,) in db.execute("SELECT a FROM t")))
    assert rows == [value for value in range(200) if value % 10 != 3]
    await base.close()


async def test_a_write_that_was_given_up_is_done_all_the_same(tmp_path: Path) -> None:
    base = SQLiteDatabase.open(tmp_path / "a.db")
    await base.write(lambda db: db.execute("CREATE TABLE t (a)"))
    task = asyncio.create_task(base.write(lambda db: db.execute("INSERT INTO t VALUES (1)")))
    await asyncio.sleep(0)
    task.cancel()
    assert await base.write(lambda db: list(db.execute("SELECT a FROM t"))) == [(1,)]
    await base.close()


async def test_closing_waits_for_what_was_asked(tmp_path: Path) -> None:
    base = SQLiteDatabase.open(tmp_path / "a.db")
    await base.write(lambda db: db.execute("CREATE TABLE t (a)"))
    writes = [asyncio.create_task(base.write(lambda db: db.execute("INSERT INTO t VALUES (1)"))) for _ in range(50)]
    await asyncio.sleep(0)
    await base.close()
    await asyncio.gather(*writes)


def test_many_may_open_a_new_database_at_once(tmp_path: Path) -> None:
    for number in range(5):
        with ThreadPoolExecutor(8) as pool:
            storages = list(pool.map(open_storage, [tmp_path / str(number)] * 8))
        for storage in storages:
            asyncio.run(storage.close())


WRITER = """
import asyncio, sys
from dataclasses import replace
from pathlib import Path
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.conversations import ConversationEdit
from eclair.storage.open import open_storage
from tests.support import new_turn

async def main(name):
    storage = open_storage(Path(sys.argv[1]))
    count = 0
    def ids(prefix):
        nonlocal count
        count += 1
        return f"{prefix}_{name}_{count}"
    for number in range(100):
        turn, started = new_turn(storage, ids, f"conv_{name}", f"{name} {number}")
        run = await storage.runs.open_turn(turn)
        await storage.runs.finish_run(run, replace(turn.answer, status="finished"), None)
        edit = ConversationEdit(title=f"{name} {number}")
        await storage.conversations.edit_conversation(LOCAL_PRINCIPAL, "conv_both", edit)
    await storage.close()

asyncio.run(main(sys.argv[2]))
"""


async def test_two_processes_that_write_lose_nothing(storage: Storage, tmp_path: Path) -> None:
    for name in ("conv_a", "conv_b", "conv_both"):
        await conversation(storage, name)
    root = Path(__file__).parents[3]
    writers = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            WRITER,
            str(tmp_path / "store"),
            name,
            cwd=root,
            env={"PYTHONPATH": f"{root}/src:{root}"},
        )
        for name in ("a", "b")
    ]
    assert [await writer.wait() for writer in writers] == [0, 0]
    for name in ("a", "b"):
        texts = [message.text for message in await messages_of(storage, f"conv_{name}") if message.role == "user"]
        assert texts == [f"{name} {number}" for number in range(100)]
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_both")).title in ("a 99", "b 99")


class CountingFile(apsw.VFSFile):
    """A file that counts how often it is synced."""

    def __init__(self, vfs: str, name: Any, flags: list[int], counts: Counter[str]) -> None:
        super().__init__(vfs, name, flags)
        self._counts = counts
        self._kind = Path(str(name.filename() if isinstance(name, apsw.URIFilename) else name)).name

    def xSync(self, flags: int) -> None:  # noqa: N802 named by SQLite
        self._counts[self._kind] += 1
        super().xSync(flags)


class CountingSystem(apsw.VFS):
    def __init__(self, counts: Counter[str]) -> None:
        self.name = "counting"
        super().__init__(self.name, "")
        self._counts = counts

    def xOpen(self, name: Any, flags: list[int]) -> CountingFile:  # noqa: N802 named by SQLite
        return CountingFile("", name, flags, self._counts)


async def test_the_end_of_an_answer_survives_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Counter[str]()
    system = CountingSystem(counts)
    connect: Any = apsw.Connection

    def counted(path: str, **more: Any) -> apsw.Connection:
        return connect(path, vfs=system.name, **more)

    monkeypatch.setattr(apsw, "Connection", counted)
    storage = open_storage(tmp_path)
    await conversation(storage)
    turn, _ = new_turn(storage, Ids())
    run = await storage.runs.open_turn(turn)
    for number in range(2, 50):
        await storage.runs.append_events([EventChunk(run.id, number, b"{}\n")])
    counts.clear()
    await storage.runs.append_events([EventChunk(run.id, 50, b"{}\n")])
    assert counts["eclair.db-wal"] == 0
    await storage.runs.finish_run(run, replace(turn.answer, status="finished"), None)
    assert counts["eclair.db-wal"] == 1
    await storage.runs.append_events([EventChunk(run.id, 51, b"{}\n")])
    assert counts["eclair.db-wal"] == 1
    await storage.close()
