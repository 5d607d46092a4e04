"""Damage of the database is noticed after an unclean end and in calm times, and is said everywhere."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import apsw
import pytest

from eclair.server import readiness
from eclair.settings import Settings
from eclair.storage import integrity_watch
from eclair.storage.sqlite import integrity
from eclair.storage.sqlite.lease import Lease
from tests.cli.test_cli import Eclair
from tests.damaged import find_pages, overwrite_page
from tests.support import JSON, Server, serving

ENDLESS_QUERY = "WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Checks that are due after an unclean end begin at once; others in an hour."""
    monkeypatch.setattr(integrity_watch, "UNCLEAN_START_DELAY_S", 0.0)
    monkeypatch.setattr(integrity_watch, "START_DELAY_S", 3600.0)
    monkeypatch.setattr(readiness, "RESULT_TTL_S", 0.0)


async def fill(settings: Settings) -> str:
    """Have a conversation of several pages; its id."""
    async with serving(settings) as server:
        conversation = await server.begin()
        for number in range(3):
            await server.say(conversation, f"{number} " + "words of a long question " * 300)
    return conversation


def leave_lease(settings: Settings) -> None:
    """Leave what a killed process leaves."""
    (settings.data_dir / "leases" / "process_dead.lease").touch()


async def checked(server: Server) -> JSON:
    """Wait for the end of a check; the report of readiness then."""
    async with asyncio.timeout(20):
        while server.app.storage.integrity.is_check_due:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return dict((await server.get("/api/health/ready")).body)


async def test_damage_is_said_after_an_unclean_end(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    conversation = await fill(settings)
    database = settings.data_dir / "eclair.db"
    overwrite_page(database, find_pages(database, "message_text_data")[-1])
    leave_lease(settings)
    async with serving(settings) as server:
        report = await checked(server)
        sentence = report["checks"]["integrity"]["detail"]
        assert (report["status"], report["checks"]["integrity"]["ok"], report["message"]) == ("down", False, sentence)
        assert "is damaged (search), but nothing is lost; stop Éclair" in sentence
        assert "eclair doctor --repair" in sentence
        assert [record.message for record in caplog.records].count(sentence) == 1
        assert (await server.get("/api/storage")).body == {"state": "damaged", "message": sentence}
        assert len((await server.tree(conversation))["messages"]) == 6
    found = await asyncio.to_thread(Eclair(settings.data_dir), "doctor", "--json")
    assert "is damaged (search), but nothing is lost" in found.stdout
    assert found.returncode == 1


async def test_damage_of_messages_is_said(settings: Settings) -> None:
    await fill(settings)
    database = settings.data_dir / "eclair.db"
    overwrite_page(database, find_pages(database, "message")[0])
    leave_lease(settings)
    async with serving(settings) as server:
        sentence = (await checked(server))["checks"]["integrity"]["detail"]
    assert "is damaged (messages); what isn't can still be read" in sentence
    assert "eclair restore" in sentence


async def test_a_sound_database_is_ready_and_is_not_checked_again(settings: Settings) -> None:
    await fill(settings)
    leave_lease(settings)
    async with serving(settings) as server:
        assert (await checked(server))["status"] == "ready"
        assert (await server.get("/api/storage")).body == {"state": "ok", "message": None}
    async with serving(settings) as server:
        assert not server.app.storage.integrity.has_ended_uncleanly
        assert not server.app.storage.integrity.is_check_due


async def test_a_command_between_leaves_the_check_to_the_server(settings: Settings) -> None:
    await fill(settings)
    leave_lease(settings)
    Lease.acquire(settings.data_dir / "leases").release()
    async with serving(settings) as server:
        assert server.app.storage.integrity.has_ended_uncleanly
        await checked(server)
        assert not server.app.storage.integrity.has_ended_uncleanly


async def test_one_that_died_beside_another_counts(settings: Settings) -> None:
    await fill(settings)
    async with serving(settings) as first:
        leave_lease(settings)
        async with serving(settings) as second:
            await checked(second)
        assert not first.app.storage.integrity.has_ended_uncleanly


async def test_a_check_is_interrupted_by_answers_and_erasures_and_by_the_end(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = asyncio.Queue[str]()
    loop = asyncio.get_running_loop()

    def check_forever(db: apsw.Connection, table: str) -> bool:
        loop.call_soon_threadsafe(begun.put_nowait, table)
        return bool(list(db.execute(ENDLESS_QUERY)))

    conversation = await fill(settings)
    leave_lease(settings)
    monkeypatch.setattr(integrity, "is_sound", check_forever)
    monkeypatch.setattr(integrity, "YIELD_S", 0.0)
    async with asyncio.timeout(90), serving(settings) as server:
        await begun.get()
        await server.say(conversation, "Hello")
        await begun.get()
        message = (await server.tree(conversation))["messages"][-1]["id"]
        reply = await server.call("DELETE", f"/api/conversations/{conversation}/messages/{message}")
        assert reply.status == 200
        await begun.get()


async def test_a_check_that_is_cancelled_twice_ends_before_its_connection_closes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, noticed = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def check_slowly(db: apsw.Connection, table: str) -> bool:
        loop.call_soon_threadsafe(begun.set)
        try:
            return bool(list(db.execute(ENDLESS_QUERY)))
        finally:
            noticed.wait()

    async with asyncio.timeout(60), serving(settings) as server:
        monkeypatch.setattr(integrity, "is_sound", check_slowly)
        check = asyncio.create_task(server.app.storage.integrity.check())
        await begun.wait()
        try:
            for _ in range(2):
                check.cancel()
                await asyncio.sleep(0.05)
            assert not check.done()
        finally:
            noticed.set()
        with pytest.raises(asyncio.CancelledError):
            await check


async def test_a_check_continues_where_it_was_interrupted(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    await fill(settings)
    check, seen = integrity.is_sound, list[str]()

    def count(db: apsw.Connection, table: str) -> bool:
        seen.append(table)
        if len(seen) == 5:
            raise apsw.InterruptError
        return check(db, table)

    monkeypatch.setattr(integrity, "is_sound", count)
    monkeypatch.setattr(integrity, "YIELD_S", 0.0)
    leave_lease(settings)
    async with serving(settings) as server:
        await checked(server)
    assert seen[4] == seen[5]
    assert len(set(seen)) == len(seen) - 1


async def test_a_damaged_schema_is_damage(tmp_path: Path, settings: Settings) -> None:
    await fill(settings)
    database = settings.data_dir / "eclair.db"
    pages = find_pages(database, "sqlite_schema")
    assert pages
    async with serving(settings) as server:
        overwrite_page(database, pages[-1])
        await server.app.storage.integrity.check()
        damage = server.app.storage.integrity.damage
    assert damage is not None
    assert "is damaged" in damage
