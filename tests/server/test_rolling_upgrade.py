"""A newer version begins on a database while an older one answers on it, and takes over when that ends.

The newer one is this code with one migration more: it stands in for what a release changes in the database, not for
what it changes elsewhere.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest

from eclair.errors import StoreError
from eclair.settings import Settings
from eclair.storage.open import open_storage
from eclair.storage.postgres import database
from eclair.storage.postgres.database import PostgresDatabase
from tests.postgres import TestDatabases, databases
from tests.support import Process, parse, serving, text_of

__all__ = ["databases"]

MIGRATION = """
ALTER TABLE conversation ADD COLUMN newer text COLLATE "C" NOT NULL DEFAULT '';
ALTER TABLE message ADD COLUMN newer bigint;
CREATE TABLE newer (id bigint PRIMARY KEY);
CREATE INDEX message_newer ON message (newer);
"""


async def test_an_older_version_answers_on_while_a_newer_one_begins(
    settings: Settings,
    tmp_path: Path,
    http: aiohttp.ClientSession,
    databases: TestDatabases,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    url = databases.create()
    older = await Process.start(tmp_path, http, ECLAIR_DATABASE_URL=url, ECLAIR_DRAIN_SECONDS="60")
    try:
        conversation = await older.begin()
        await older.say(conversation, "script: words=3")  # its statements are prepared
        begun = await older.ask(conversation, "script: words=600 rate=100")
        scripts = database.migrations()
        monkeypatch.setattr(database, "migrations", lambda: {**scripts, max(scripts) + 1: MIGRATION})
        async with serving(replace(settings, database_url=url)) as newer:
            assert (await older.message(begun["run"]))["status"] == "running"
            following = [asyncio.create_task(door.stream(begun["run"])) for door in (older, newer)]
            for writer, reader in ((newer, older), (older, newer)):
                other = await writer.begin()
                text = text_of(await writer.say(other, "script: words=20"))
                assert text_of((await reader.tree(other))["messages"][-1]) == text
                assert (await reader.get("/api/search?q=script")).status == 200
            assert older.process.pid is not None
            os.kill(older.process.pid, signal.SIGTERM)
            here, there = await asyncio.gather(*following)
            assert here == there
            assert type([event for _, event in parse(there)][-1]).__name__ == "RunFinished"
            await asyncio.to_thread(older.process.join)
            assert older.process.exitcode == 0
            assert (await newer.say(conversation, "script: words=5"))["status"] == "finished"
        monkeypatch.undo()
        await older.close()
        older = await Process.start(tmp_path, http, ECLAIR_DATABASE_URL=url)  # the newer one is given up
        assert (await older.say(conversation, "script: words=5"))["status"] == "finished"
    finally:
        await older.close()


def test_an_older_version_is_refused_once_a_newer_one_took_something_away(
    databases: TestDatabases, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = databases.create()
    scripts = database.migrations()
    with monkeypatch.context() as newer:
        newer.setattr(database, "migrations", lambda: {**scripts, max(scripts) + 1: "DROP TABLE health_check"})
        newer.setattr(database, "READABLE_FROM", max(scripts) + 1)
        PostgresDatabase.open(url).close_blocking()
    with pytest.raises(StoreError, match="was changed by a newer Éclair"):
        PostgresDatabase.open(url)


@pytest.mark.parametrize(
    ("snapshot", "sentence"),
    [
        (None, r"There is no backup in .*backups\.$"),
        ("2026-11-28T04-15-00Z", r"The newest backup in .*backups is [\d,.]+ hours old\.$"),
    ],
)
def test_the_log_tells_of_the_newest_backup_before_an_update(
    settings: Settings,
    tmp_path: Path,
    databases: TestDatabases,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    snapshot: str | None,
    sentence: str,
) -> None:
    folder = tmp_path / "backups"
    (folder / "snapshots").mkdir(parents=True)
    if snapshot is not None:
        (folder / "snapshots" / f"{snapshot}.json").touch()
    chosen = replace(settings, database_url=databases.create(), backup_folder=folder)
    scripts = database.migrations()
    monkeypatch.setattr(database, "migrations", lambda: {**scripts, max(scripts) + 1: MIGRATION})
    asyncio.run(open_storage(chosen).close())
    (said,) = [record.message for record in caplog.records if record.name == database.__name__]
    assert f"is updated from format {max(scripts)} to {max(scripts) + 1}. " in said
    assert re.search(sentence, said)
