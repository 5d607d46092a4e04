"""A repaired database opens, is whole, and has every row that could be read before, whatever the damage."""

from __future__ import annotations

import asyncio
import shutil
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import apsw
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclair.errors import Conflict, NotFound, StoreError
from eclair.settings import Settings
from eclair.storage.base import RepairReport
from eclair.storage.lost import list_lost
from eclair.storage.open import open_storage, repair_database
from eclair.storage.sqlite.database import migrations
from eclair.storage.sqlite.salvage.shapes import TableShape, list_shapes
from tests.cli.test_cli import Eclair, sentence
from tests.damaged import PAGE_BYTES, find_pages, overwrite_page
from tests.images.support import SMALL
from tests.support import Server, serving

TABLES = ("api_key", "conversation", "egress", "entry", "feed", "library", "message", "picture", "preference", "share")
"""Tables whose rows belong to nothing, or to what is added again if it is lost."""


class DiskUsage(NamedTuple):
    total: int
    used: int
    free: int


def configured(data: Path) -> Settings:
    return Settings(data_dir=data, embedded=False, scripted=True, port=0, embedder="off")


async def fill(server: Server) -> None:
    binary = {"Content-Type": "application/octet-stream"}
    conversation = ""
    for number in range(6):
        conversation = await server.begin()
        for turn in range(3):
            await server.say(conversation, f"{number} {turn} " + "How do bees dance? " * 120)
        await server.call("PATCH", f"/api/conversations/{conversation}", {"tags": ["bees", str(number)]})
        assert (await server.post(f"/api/conversations/{conversation}/shares", {})).status == 201
    await server.say(conversation, "a blue apple", draw=dict(SMALL))
    library = (await server.post("/api/libraries", {"name": "Hives"})).body["id"]
    for number in range(3):
        content = f"Bees {number} dance. ".encode() * (number + 50)
        address = f"/api/files?name=bees{number}.txt&library={library}"
        assert (await server.call("POST", address, data=content, headers=binary)).status == 201
    preferences = {**(await server.get("/api/preferences")).body, "instructions": "Answer in verse."}
    assert (await server.call("PUT", "/api/preferences", preferences)).status == 200
    async with asyncio.timeout(20):
        while await server.app.storage.documents.list_unfinished():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with something in most tables, closed."""
    folder = tmp_path_factory.mktemp("whole")

    async def make() -> None:
        async with serving(configured(folder)) as server:
            await fill(server)

    asyncio.run(make())
    return folder


@pytest.fixture
def damaged(whole: Path, tmp_path: Path) -> Path:
    """A copy of it, to be damaged."""
    return copied(whole, tmp_path / "data")


def copied(whole: Path, target: Path) -> Path:
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(whole, target))


def edit(folder: Path, *statements: str) -> None:
    """Change a closed database behind Éclair's back."""
    db = apsw.Connection(str(folder / "eclair.db"))
    for statement in statements:
        db.execute(statement)
    db.close()


@cache
def known_shapes() -> dict[str, TableShape]:
    """The shapes of the tables by name; each look runs every migration."""
    return {shape.name: shape for shape in list_shapes(migrations())}


def readable(path: Path) -> dict[str, dict[Any, tuple[Any, ...]]]:
    """The rows that SQLite can read and that have the types of their table, by table and key."""
    shapes = known_shapes()
    found: dict[str, dict[Any, tuple[Any, ...]]] = {table: {} for table in TABLES}
    try:
        db = apsw.Connection(f"file:{path}?mode=ro", flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
        for table in TABLES:
            names = [column.name for column in shapes[table].columns]
            for rowid, row in rows(db, table, names):
                alias = shapes[table].alias
                stored = tuple(None if place == alias else value for place, value in enumerate(row))
                if shapes[table].fits(rowid, stored):
                    found[table][row[1] if alias == 0 and table not in ("egress", "entry") else row[0]] = row
    except (apsw.Error, UnicodeDecodeError):
        pass
    return found


def rows(db: apsw.Connection, table: str, names: list[str]) -> list[tuple[int, tuple[Any, ...]]]:
    """Read a table row by row from both ends, until something can't be read."""
    found: dict[int, tuple[Any, ...]] = {}
    for order in ("ASC", "DESC"):
        cursor = db.execute(f"SELECT rowid, {', '.join(names)} FROM {table} NOT INDEXED ORDER BY rowid {order}")
        while True:
            try:
                rowid, *row = next(cursor)
            except UnicodeDecodeError:
                continue
            except (StopIteration, apsw.Error):
                break
            found.setdefault(rowid, tuple(row))
    return list(found.items())


def repaired(folder: Path) -> RepairReport:
    """Repair, and check that the database is whole and has what could be read."""
    before = readable(folder / "eclair.db")
    report = repair_database(folder)
    path = folder / "eclair.db"
    db = apsw.Connection(str(path))
    assert db.pragma("integrity_check") == "ok"
    assert list(db.execute("PRAGMA foreign_key_check")) == []
    db.close()
    storage = open_storage(folder)
    asyncio.run(storage.close())
    after = readable(path)
    for table, kept in before.items():
        missing = [key for key in kept.keys() - after[table].keys() if not (table in BODIES and not is_json(kept[key]))]
        assert missing == [], table
    for id, row in before["message"].items():
        assert after["message"][id][4] == row[4], "its words"
    if report.set_aside is not None:
        assert (report.set_aside / "eclair.db").is_file()
    return report


BODIES = ("preference", "share")


def is_json(row: tuple[Any, ...]) -> bool:
    """Return whether one of the values is the JSON that the row is about."""
    for value in row:
        if isinstance(value, str) and value[:1] in "[{":
            try:
                orjson.loads(value)
            except orjson.JSONDecodeError:
                continue
            return True
    return False


def test_a_sound_database_is_left_alone(damaged: Path) -> None:
    content = (damaged / "eclair.db").read_bytes()
    report = repaired(damaged)
    assert (report.lost, report.mended, report.set_aside) == ({}, {}, None)
    assert report.saved["messages"] == 6 * 6 + 2
    assert (damaged / "eclair.db").read_bytes() == content
    assert not list(damaged.glob("*.repaired*"))


@pytest.mark.parametrize("table", ["message", "conversation", "message_text_data", "run", "chunk", "sqlite_schema"])
@pytest.mark.parametrize("kind", ["leaf", "internal"])
def test_a_zeroed_page_costs_its_rows_alone(damaged: Path, table: str, kind: str) -> None:
    pages = find_pages(damaged / "eclair.db", table, kind)
    if not pages:
        assert (table, kind) in {("conversation", "internal"), ("run", "internal")}
        return
    total = repaired(damaged).saved
    overwrite_page(damaged / "eclair.db", pages[0])
    report = repaired(damaged)
    assert report.set_aside is not None
    if (kind == "internal" and table != "chunk") or table == "message_text_data":  # chunk has rows on both
        assert (report.saved, report.lost) == (total, {})
    if (table, kind) == ("message", "leaf"):
        assert 0 < report.lost["messages"] <= 4
        rebuilt = report.mended.get("messages", 0)
        assert report.saved["messages"] + report.lost["messages"] == total["messages"]
        assert rebuilt >= 1, "an answer is rebuilt from its log"


@pytest.mark.parametrize("content", [b"", b"garbage " * 600, b"SQLite format 3\0"], ids=["zeros", "garbage", "half"])
def test_without_its_first_page_everything_else_is_saved(damaged: Path, content: bytes) -> None:
    total = repaired(damaged).saved
    overwrite_page(damaged / "eclair.db", 1, content)
    report = repaired(damaged)
    assert report.saved == total
    assert report.lost == {}


def test_half_a_database_is_saved(damaged: Path) -> None:
    path = damaged / "eclair.db"
    size = path.stat().st_size // 2 + 1234
    with path.open("r+b") as file:
        file.truncate(size)
    report = repaired(damaged)
    assert report.saved["conversations"] == 6
    assert report.lost


def test_what_only_the_log_has_is_saved(damaged: Path, tmp_path: Path) -> None:
    db = apsw.Connection(str(damaged / "eclair.db"))
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("UPDATE conversation SET title = 'in the log'")
    shutil.copytree(damaged, tmp_path / "killed")
    db.close()
    overwrite_page(tmp_path / "killed" / "eclair.db", find_pages(damaged / "eclair.db", "message")[0])
    report = repair_database(tmp_path / "killed")
    assert report.set_aside is not None
    assert sorted(path.name for path in report.set_aside.iterdir()) == ["eclair.db", "eclair.db-shm", "eclair.db-wal"]
    assert {row[2] for row in readable(tmp_path / "killed" / "eclair.db")["conversation"].values()} == {"in the log"}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 7)), min_size=1, max_size=60))
def test_flipped_bits_cost_no_row_that_can_be_read(whole: Path, tmp_path: Path, flips: list[tuple[float, int]]) -> None:
    folder = copied(whole, tmp_path / "flipped")
    path = folder / "eclair.db"
    content = bytearray(path.read_bytes())
    for place, bit in flips:
        content[int(place * len(content))] ^= 1 << bit
    path.write_bytes(content)
    repaired(folder)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pages=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=64)), min_size=1, max_size=5))
def test_overwritten_pages_cost_no_row_that_can_be_read(
    whole: Path, tmp_path: Path, pages: list[tuple[float, bytes]]
) -> None:
    folder = copied(whole, tmp_path / "overwritten")
    path = folder / "eclair.db"
    count = path.stat().st_size // PAGE_BYTES
    for place, content in pages:
        overwrite_page(path, int(place * count) + 1, content * 64)
    repaired(folder)


async def test_what_refers_to_lost_rows_is_found_again(whole: Path, tmp_path: Path) -> None:
    folder = copied(whole, tmp_path / "data")
    edit(
        folder,
        "PRAGMA foreign_keys = OFF",
        "UPDATE conversation SET tags = '[\"be', leaf = 'msg_gone' WHERE rowid = 1",
        "DELETE FROM conversation WHERE rowid = 2",
        "UPDATE message SET body = substr(body, 9) WHERE number IN (1, 4)",
        "DELETE FROM message WHERE number IN (15, 22)",
        "DELETE FROM document WHERE number = 2",
        "DELETE FROM page WHERE id >> 24 = 1",
    )
    before = {row[0]: row for row in readable(folder / "eclair.db")["message"].values()}
    report = await asyncio.to_thread(repair_database, folder)
    assert report.set_aside is not None
    assert report.mended["messages"] >= 4
    assert report.lost.get("files", 0) == 0, "the bytes of a file are found by their size"
    async with serving(configured(folder)) as server:
        assert (await server.get("/api/health/ready")).status == 200
        listed = (await server.get("/api/conversations")).body["conversations"]
        assert len(listed) == 6
        trees = [await server.tree(each["id"]) for each in listed]
        texts = {message["id"]: message for tree in trees for message in tree["messages"]}
        assert all(any(part["text"] for part in message["parts"]) for message in texts.values())
        for _, id, _, _, text, *_ in before.values():
            assert "".join(part["text"] for part in texts[id]["parts"] if part["kind"] == "text") == text
        for tree in trees:
            ids = {message["id"] for message in tree["messages"]}
            assert all(message["parent"] in {None, *ids} for message in tree["messages"])
            assert tree["conversation"]["leaf"] in ids
        async with asyncio.timeout(20):
            while {file["state"] for file in (await server.get("/api/files")).body["files"]} != {"ready"}:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        for file in (await server.get("/api/files")).body["files"]:
            assert (await server.get(f"/api/files/{file['id']}/content")).raw.startswith(b"Bees")


async def test_it_is_refused_while_eclair_runs(whole: Path, tmp_path: Path) -> None:
    folder = copied(whole, tmp_path / "data")
    async with serving(configured(folder)):
        with pytest.raises(Conflict, match="Éclair is running on this folder; stop it"):
            await asyncio.to_thread(repair_database, folder)


def test_what_cannot_be_repaired_stays_as_it_is(damaged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="There is no database in"):
        repair_database(tmp_path)
    path = damaged / "eclair.db"
    edit(damaged, "ALTER TABLE share ADD COLUMN color TEXT", f"PRAGMA user_version = {len(migrations()) + 1}")
    content = path.read_bytes()
    with pytest.raises(StoreError, match="was written by a newer Éclair"):
        repair_database(damaged)

    def report_full(path: Path) -> DiskUsage:
        return DiskUsage(100, 99, 1)

    monkeypatch.setattr(shutil, "disk_usage", report_full)
    with pytest.raises(StoreError, match="free some space and try again"):
        repair_database(damaged)
    assert path.read_bytes() == content
    assert not list(damaged.glob("*.repaired*"))
    assert list_lost(damaged) == []


def test_the_command_says_what_was_saved_and_lost(damaged: Path, tmp_path: Path) -> None:
    run = Eclair(damaged)
    assert run("doctor", "--repair").stdout == "The database is sound; nothing was changed.\n"
    overwrite_page(run.folder / "eclair.db", find_pages(run.folder / "eclair.db", "message")[1])
    assert "is damaged (messages)" in run("doctor").stdout
    done = run("doctor", "--repair")
    assert done.returncode == 0, done
    assert "Saved: " in done.stdout
    assert " messages" in done.stdout
    assert "Lost: " in done.stdout
    assert f"The damaged database is in {run.folder}/lost/" in done.stdout
    assert " of database/, " in run("lost").stdout
    assert "Old database" in run("doctor").stdout
    assert "is damaged" not in run("doctor").stdout
    assert "no database in" in sentence(Eclair(tmp_path / "none")("doctor", "--repair").stderr)
