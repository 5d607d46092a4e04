"""A damaged row is said in a sentence and costs nothing but itself: lists show the others."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import apsw
import pytest

from eclair.settings import Settings
from tests.damaged import find_pages, overwrite_page
from tests.images.support import SMALL
from tests.support import JSON, Server, serving

WRONG: tuple[object, ...] = ("{", 7, b"\xff\xfe", None)
"""Values that a flipped bit, or something worse, may leave in a column: no JSON, no text, none at all."""

SHARES = 4
"""Tests among which the columns are divided."""

ROUTES = (
    *("conversations", "conversations?tag=bees", "tags", "search?q=bees", "files", "libraries", "pictures", "export"),
    *("shares", "usage?by=day", "egress", "preferences", "conversations/{conversation}", "runs/{run}"),
    *("runs/{run}/events", "files/{file}/pages", "files/{file}/content", "pictures/{picture}", "shared/{share}"),
    *("audit", "audit/verify"),
)

KEYS = {"chunk": "last", "job": "subject", "presence": "person", "spent": "model", "worker": "process"}
"""Columns that identify the rows of tables without rowids."""


async def fill(server: Server) -> dict[str, str]:
    """Have something in most tables; ids for the routes."""
    binary = {"Content-Type": "application/octet-stream"}
    conversation = await server.begin()
    begun = await server.ask(conversation, "How do bees dance?")
    await server.answered(begun["run"])
    await server.call("PATCH", f"/api/conversations/{conversation}", {"tags": ["bees"]})
    await server.say(conversation, "a blue apple", draw=dict(SMALL))
    share = (await server.post(f"/api/conversations/{conversation}/shares", {})).body
    library = (await server.post("/api/libraries", {"name": "Hives"})).body["id"]
    address = f"/api/files?name=bees.txt&library={library}"
    file = (await server.call("POST", address, data=b"Bees dance. " * 50, headers=binary)).body["id"]
    preferences = {**(await server.get("/api/preferences")).body, "instructions": "Answer in verse."}
    assert (await server.call("PUT", "/api/preferences", preferences)).status == 200
    picture = (await server.get("/api/pictures")).body["pictures"][0]["id"]
    return {
        "conversation": conversation,
        "run": begun["run"],
        "file": file,
        "picture": picture,
        "share": share["id"],
    }


@pytest.fixture
async def filled(settings: Settings) -> AsyncGenerator[tuple[Server, dict[str, str]]]:
    async with serving(settings) as server:
        ids = await fill(server)
        yield server, ids


@contextmanager
def loosened(path: Path) -> Generator[apsw.Connection]:
    """Another connection that can put anything into strict tables, as a disk can."""
    db = apsw.Connection(str(path))
    db.set_busy_timeout(10_000)
    db.execute("PRAGMA foreign_keys = OFF")
    db.execute("PRAGMA ignore_check_constraints = ON")
    db.execute("PRAGMA writable_schema = ON")
    db.execute(
        "UPDATE sqlite_schema SET sql = replace(replace(replace(replace(sql, ') STRICT', ')'),"
        " 'TEXT NOT NULL', 'TEXT'), 'INTEGER NOT NULL', 'INTEGER'), 'BLOB NOT NULL', 'BLOB')"
        " WHERE type = 'table' AND name NOT LIKE '%!_text%' ESCAPE '!' AND name NOT LIKE 'sqlite%'"
    )
    db.execute("PRAGMA writable_schema = RESET")
    db.execute("DROP TRIGGER audit_keeps")
    yield db
    db.close()


def columns(db: apsw.Connection) -> list[tuple[str, str]]:
    """Tables that have rows, and their columns."""
    tables = [
        str(name)
        for (name,) in db.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%'"
        )
    ]
    return [
        (table, str(column))
        for table in tables
        for (column,) in list(db.execute("SELECT name FROM pragma_table_info(?) WHERE pk = 0", (table,)))
        if list(db.execute(f"SELECT 1 FROM {table} LIMIT 1"))
    ]


@pytest.mark.parametrize("share", range(SHARES))
async def test_no_damaged_value_is_a_fault_of_eclair(
    filled: tuple[Server, dict[str, str]], caplog: pytest.LogCaptureFixture, share: int
) -> None:
    server, ids = filled
    wrong: list[tuple[str, str, object, str]] = []
    with loosened(server.app.settings.data_dir / "eclair.db") as db:
        for number, (table, column) in list(enumerate(columns(db)))[share::SHARES]:
            value = WRONG[number % len(WRONG)]
            db.execute("BEGIN IMMEDIATE")  # what is read and then written may change in between otherwise
            rows = list(db.execute(f"SELECT {KEYS.get(table, 'rowid')}, {column} FROM {table}"))
            try:
                db.execute(f"UPDATE {table} SET {column} = ?", (value,))
            except (apsw.ConstraintError, apsw.SQLError):  # an index keeps it out
                db.execute("ROLLBACK")
            else:
                db.execute("COMMIT")
            for route in ROUTES:
                try:
                    async with asyncio.timeout(10):
                        reply = await server.get("/api/" + route.format(**ids))
                except (TimeoutError, aiohttp.ClientError):
                    wrong.append((table, column, value, route))
                    continue
                if reply.status == 500:
                    wrong.append((table, column, value, route))
                elif reply.status == 503 and not route.startswith("health"):
                    assert reply.error["code"] in ("damaged", "store")
            for key, former in rows:
                db.execute(f"UPDATE {table} SET {column} = ? WHERE {KEYS.get(table, 'rowid')} = ?", (former, key))
    assert wrong == [], (wrong, caplog.text[-6000:])


def edit(server: Server, statement: str, *values: object) -> None:
    db = apsw.Connection(str(server.app.settings.data_dir / "eclair.db"))
    db.execute(statement, values)
    assert db.changes() == 1
    db.close()


async def test_a_conversation_shows_a_damaged_message_by_its_words(filled: tuple[Server, dict[str, str]]) -> None:
    server, ids = filled
    before = await server.tree(ids["conversation"])
    edit(server, "UPDATE message SET body = substr(body, 30) WHERE number = 2")
    tree = await server.tree(ids["conversation"])
    answer = tree["messages"][1]
    assert answer["fault"]["code"] == "damaged"
    assert "`eclair doctor --repair`" in answer["fault"]["message"]
    assert "".join(part["text"] for part in answer["parts"]) == text_of(before["messages"][1])
    for number in (0, 2, 3):
        assert tree["messages"][number] == before["messages"][number]
    state = (await server.get("/api/storage")).body
    assert state["state"] == "damaged"
    assert "has damaged rows (messages), which aren't shown or only in part; stop Éclair" in state["message"]
    assert (await server.get("/api/health/ready")).status == 503
    assert (await server.get("/api/health/ready?engines=false")).status == 200, "people can still read"
    assert [hit["message"] for hit in (await server.get("/api/search?q=apple")).body["hits"]]
    await server.say(ids["conversation"], "And now?")


def text_of(message: JSON) -> str:
    return "".join(part["text"] for part in message["parts"] if part["kind"] == "text")


async def test_a_list_shows_the_others(filled: tuple[Server, dict[str, str]]) -> None:
    server, ids = filled
    other = await server.begin()
    await server.say(other, "Hello")
    edit(server, "UPDATE conversation SET tags = '[\"bees' WHERE id = ?", ids["conversation"])
    listed = (await server.get("/api/conversations?limit=1")).body
    assert [each["id"] for each in listed["conversations"]] == [other]
    assert (await server.get("/api/conversations/tags")).body == {"tags": []}
    reply = await server.get(f"/api/conversations/{ids['conversation']}")
    assert (reply.status, reply.error["code"]) == (503, "damaged")
    assert "has a damaged row; stop Éclair and have it mended" in reply.error["message"]
    async with server.open("/api/export") as response:
        archive = zipfile.ZipFile(io.BytesIO(await response.read()))
    assert ids["conversation"] in archive.read("damaged.txt").decode()
    assert len([name for name in archive.namelist() if name.startswith("json/")]) == 1


async def test_a_damaged_page_hides_its_rows_alone(settings: Settings) -> None:
    async with serving(settings) as server:
        ids = [await server.begin() for _ in range(60)]
        for id in ids:
            await server.call("PATCH", f"/api/conversations/{id}", {"title": f"{id} " * 6})
        await server.say(ids[0], "Hello")
    path = settings.data_dir / "eclair.db"
    overwrite_page(path, find_pages(path, "conversation")[1])
    async with serving(settings) as server:
        reply = await server.get("/api/conversations?limit=100")
        assert reply.status == 200, reply
        listed = reply.body["conversations"]
        assert 20 < len(listed) < 60
        assert (await server.get("/api/storage")).body["state"] == "damaged"


async def test_it_starts_with_damaged_preferences(settings: Settings) -> None:
    async with serving(settings) as server:
        await fill(server)
        edit(server, "UPDATE preference SET body = '{'")
    async with serving(settings) as server:
        assert (await server.get("/api/preferences")).body["instructions"] == ""
