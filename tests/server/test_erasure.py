"""What is erased is in no file any more, although somebody was reading meanwhile."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import uuid
from collections.abc import Awaitable, Callable, Generator
from dataclasses import replace
from datetime import datetime, timedelta
from multiprocessing.util import get_temp_dir
from pathlib import Path

import aiohttp
import apsw
import pytest

from eclair.schema.messages import Conversation, Message, Part
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.open import open_storage
from eclair.storage.sqlite import erasure
from eclair.util import scratch
from eclair.util.scratch import ScratchFolder, ScratchPurpose
from tests.support import Door, Process, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

Writer = Callable[[Server, str], Awaitable[str]]
"""Writes a word somewhere, and returns the path whose deletion erases it."""


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    get_temp_dir()  # of the processes that tests fork, whose sockets need a short path
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def marker() -> str:
    """A word that is found as it is written, in the index too."""
    return f"zq{uuid.uuid4().hex}"


@contextlib.contextmanager
def snapshot(folder: Path) -> Generator[None]:
    """Read as another program would: it sees what was there until the block ends, and keeps the log from emptying."""
    with contextlib.closing(apsw.Connection(str(folder / "eclair.db"))) as connection:
        connection.execute("BEGIN")
        list(connection.execute("SELECT count(*) FROM message"))
        yield
        connection.execute("COMMIT")


def holding(word: str, *folders: Path) -> set[str]:
    """The names of the files that hold a word."""
    found: set[str] = set()
    for folder in folders:
        for path in folder.rglob("*"):
            with contextlib.suppress(FileNotFoundError):
                if path.is_file() and word.encode() in path.read_bytes().lower():
                    found.add(path.name)
    return found


async def gone(word: str, *folders: Path) -> None:
    """Wait until no file holds the word."""
    async with asyncio.timeout(20):
        while await asyncio.to_thread(holding, word, *folders):
            await asyncio.sleep(0.05)


async def write_message(server: Server, word: str) -> str:
    id = await server.begin(title="bread")
    begun = await server.ask(id, f"{word}\nscript: words=3")
    await server.answered(begun["run"])
    return f"/api/conversations/{id}/messages/{begun['message']}"


async def write_conversation(server: Server, word: str) -> str:
    id = await server.begin()
    await server.say(id, f"{word} {word}\nscript: words=3")
    return f"/api/conversations/{id}?forever=true"


async def write_share(server: Server, word: str) -> str:
    id = await server.begin()
    await server.say(id, "Hello\nscript: words=3")
    await server.call("PATCH", f"/api/conversations/{id}", {"title": word})
    share = (await server.post(f"/api/conversations/{id}/shares", {"days": 1})).body["id"]
    await server.call("PATCH", f"/api/conversations/{id}", {"title": "bread"})
    return f"/api/shares/{share}"


async def write_file(server: Server, word: str) -> str:
    reply = await server.post(f"/api/files?name={word}.md", data=f"# {word}\n\nA text on {word}.".encode())
    assert reply.status == 201, reply
    id = reply.body["id"]
    async with asyncio.timeout(30):
        while (await server.get(f"/api/files/{id}")).body["state"] != "ready":
            await asyncio.sleep(0.05)
    return f"/api/files/{id}"


@pytest.mark.parametrize("write", [write_message, write_conversation, write_share, write_file])
async def test_erased_text_is_in_no_file(
    fresh: Server, settings: Settings, own_temporary_folder: Path, write: Writer
) -> None:
    server, word = fresh, marker()
    path = await write(server, word)
    await server.begin(title="something after it")
    with snapshot(settings.data_dir):
        assert (await server.call("DELETE", path)).status == 204 or "messages" in path
        await asyncio.sleep(0.3)
        assert holding(word, settings.data_dir), "the reader still sees it, so that it has to be tried again"
        assert (await server.post("/api/conversations", {})).status == 201, "others can write meanwhile"
    await gone(word, settings.data_dir, own_temporary_folder)


def write_many(count: int, words: tuple[str, str]) -> list[tuple[Conversation, list[Message]]]:
    """Make conversations of two messages; the words are in all of their titles and texts."""
    made: list[tuple[Conversation, list[Message]]] = []
    for number in range(count):
        id, question = f"conv_{number:026d}", f"msg_{number:026d}"
        texts = [f"{words[0]} and bread number {number}, {words[1]}", f"The answer is {words[1]} x{number}"]
        messages = [
            Message(question, id, None, "user", (Part("text", texts[0]),), 1),
            Message(f"{question}a", id, question, "assistant", (Part("text", texts[1]),), 1),
        ]
        made.append((Conversation(id, "local", words[0], 1, 1, f"{question}a"), messages))
    return made


async def is_erasing(door: Door) -> bool:
    return bool((await door.get("/api/erasure")).body["running"])


async def test_many_conversations_are_erased_together_and_are_in_no_file(fresh: Server, settings: Settings) -> None:
    words, kept = (marker(), marker()), marker()
    for conversation, messages in write_many(120, words):
        await fresh.app.storage.conversations.add_tree(LOCAL_PRINCIPAL, conversation, messages)
    assert len((await fresh.get(f"/api/search?q={words[1]}&limit=50")).body["hits"]) == 50
    assert (await fresh.call("DELETE", "/api/conversations?confirm=all&forever=true")).status == 202
    path = await write_conversation(fresh, kept)
    async with asyncio.timeout(20):
        while await is_erasing(fresh):
            await asyncio.sleep(0.02)
    for word in words:
        await gone(word, settings.data_dir)
    assert (await fresh.get(f"/api/search?q={words[1]}")).body["hits"] == []
    assert len((await fresh.get(f"/api/search?q={kept}")).body["hits"]) == 1
    assert (await fresh.call("DELETE", path)).status == 204, "one alone is still erased at once"
    await gone(kept, settings.data_dir)
    with contextlib.closing(apsw.Connection(str(settings.data_dir / "eclair.db"))) as db:
        db.execute("INSERT INTO message_text (message_text) VALUES ('integrity-check')")


@pytest.mark.asyncio(loop_scope="function")
async def test_erasing_that_was_ended_goes_on_after_a_restart(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    words, data = (marker(), marker()), tmp_path / "data"
    storage = open_storage(data)
    for conversation, messages in write_many(2000, words):
        await storage.conversations.add_tree(LOCAL_PRINCIPAL, conversation, messages)
    await storage.close()
    server = await Process.start(data, http)
    assert (await server.call("DELETE", "/api/conversations?confirm=all&forever=true")).status == 202
    await server.close()
    assert server.process.exitcode == 0
    assert "Traceback" not in (data / "server.log").read_text()
    assert 0 < count_conversations(data) < 2000
    assert holding(words[0], data)
    server = await Process.start(data, http)
    try:
        async with asyncio.timeout(30):
            while count_conversations(data) or await is_erasing(server):
                await asyncio.sleep(0.05)
        for word in words:
            await gone(word, data)
    finally:
        await server.close()


async def test_the_file_shrinks_by_what_is_erased(settings: Settings) -> None:
    database = settings.data_dir / "eclair.db"
    storage = open_storage(settings.data_dir)
    empty = database.stat().st_size
    for conversation, messages in write_many(40, ("bread " * 20_000, "rye")):
        await storage.conversations.add_tree(LOCAL_PRINCIPAL, conversation, messages)
    await storage.close()
    full = database.stat().st_size
    assert full > empty + 4_000_000
    async with serving(settings) as server:
        stays = await server.begin(title="stays")
        assert (await server.call("DELETE", "/api/conversations?confirm=all&forever=true")).status == 202
        later = await server.begin(title="later")
        async with asyncio.timeout(20):
            while await is_erasing(server) or database.stat().st_size > full - 4_000_000:
                await asyncio.sleep(0.02)
        assert (await server.get(f"/api/conversations/{stays}")).status == 404
        assert (await server.tree(later))["conversation"]["title"] == "later"
    with contextlib.closing(apsw.Connection(str(database))) as db:
        assert list(db.execute("PRAGMA integrity_check")) == [("ok",)]


def count_conversations(folder: Path) -> int:
    with contextlib.closing(apsw.Connection(str(folder / "eclair.db"))) as db:
        ((count,),) = list(db.execute("SELECT count(*) FROM conversation"))
    assert isinstance(count, int)
    return count


async def test_overwritten_text_is_in_no_file(fresh: Server, settings: Settings) -> None:
    server = fresh
    title, text, name = marker(), marker(), marker()
    id = await server.begin(title=title)
    library = (await server.post("/api/libraries", {"name": name})).body["id"]
    version = (await server.get("/api/preferences")).body["version"]
    reply = await server.call("PUT", "/api/preferences", {"version": version, "instructions": text})
    assert reply.status == 200, reply
    with snapshot(settings.data_dir):
        await server.call("PATCH", f"/api/conversations/{id}", {"title": "bread"})
        await server.call("PATCH", f"/api/libraries/{library}", {"name": "bread"})
        await server.call("PUT", "/api/preferences", {"version": version + 1, "instructions": "Be brief."})
    for word in (title, text, name):
        await gone(word, settings.data_dir)


@pytest.mark.asyncio(loop_scope="function")
async def test_a_process_that_was_killed_before_leaves_it_to_the_next(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    word, data = marker(), tmp_path / "data"
    data.mkdir()
    server = await Process.start(data, http)
    with snapshot(data):
        id = await server.begin()
        await server.say(id, f"{word}\nscript: words=3")
        await server.call("DELETE", f"/api/conversations/{id}?forever=true")
        await server.kill()
        assert holding(word, data)
    server = await Process.start(data, http)
    try:
        await gone(word, data)
    finally:
        await server.close()


async def test_erased_text_leaves_the_backups(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(erasure, "BACKUP_INTERVAL_S", 0.1)
    words = {name: marker() for name in ("kept", "message", "title", "conversation", "file")}
    async with serving(settings) as server:
        message = await write_message(server, words["message"])
        await write_message(server, words["kept"])
        conversation = await write_conversation(server, words["conversation"])
        file = await write_file(server, words["file"])
        id = await server.begin(title=words["title"])
    backup, old, own = make_backups(settings.data_dir)
    async with serving(settings) as server:
        for path in (message, conversation, file):
            await server.call("DELETE", path)
        await server.call("PATCH", f"/api/conversations/{id}", {"title": "bread"})
        for name in ("message", "title", "conversation", "file"):
            await gone(words[name], settings.data_dir / "files", backup.parent)
        assert backup.name in holding(words["kept"], backup.parent)
        assert (old.exists(), own.exists()) == (False, True)
    with contextlib.closing(apsw.Connection(str(backup))) as db:
        assert list(db.execute("PRAGMA integrity_check")) == [("ok",)]
        assert list(db.execute("SELECT count(*) FROM conversation")) == [(3,)]


def make_backups(folder: Path) -> tuple[Path, Path, Path]:
    """Make a backup of today, one of 31 days ago, and an empty file of the owner's beside them."""
    (folder / "backups").mkdir()
    with contextlib.closing(apsw.Connection(str(folder / "eclair.db"))) as db:
        made: list[Path] = []
        for days in (0, 31):
            day = datetime.now() - timedelta(days=days)
            made.append(folder / "backups" / f"eclair-format5-{day:%Y%m%d-%H%M%S}.db")
            db.execute("VACUUM INTO ?", (str(made[-1]),))
    own = folder / "backups" / "eclair-mine.db"
    own.touch()
    return made[0], made[1], own


async def test_a_backup_that_cannot_be_changed_goes(settings: Settings) -> None:
    async with serving(settings) as server:
        await server.begin()
    backup, _, _ = make_backups(settings.data_dir)
    backup.write_bytes(b"This is a shopping list. " * 1000)
    async with serving(settings):
        async with asyncio.timeout(20):
            while backup.exists():
                await asyncio.sleep(0.05)


async def test_backups_are_kept_while_a_setting_says_so(settings: Settings) -> None:
    async with serving(settings) as server:
        await server.begin()
    _, old, _ = make_backups(settings.data_dir)
    async with serving(replace(settings, backup_days=0)):
        await asyncio.sleep(erasure.START_DELAY_S + 0.5)
    assert old.exists()


async def test_the_newest_five_backups_are_kept(settings: Settings) -> None:
    async with serving(settings) as server:
        await server.begin()
    folder = settings.data_dir / "backups"
    folder.mkdir()
    now = datetime.now()
    made = [folder / f"eclair-format5-{now - timedelta(minutes=age):%Y%m%d-%H%M%S}.db" for age in range(7)]
    for path in made:
        path.touch()
    async with serving(settings):
        async with asyncio.timeout(20):
            while any(path.exists() for path in made[5:]):
                await asyncio.sleep(0.05)
    assert all(path.exists() for path in made[:5])


def leave_behind(folder: Path, purpose: ScratchPurpose) -> Path:
    """Let a process die that has a scratch folder."""
    if (pid := os.fork()) == 0:
        with contextlib.suppress(BaseException):
            (ScratchFolder(purpose).path / "page").write_text("private")
        os._exit(0)
    os.waitpid(pid, 0)
    (left,) = folder.iterdir()
    return left


@pytest.mark.parametrize("purpose", ["page", "sound"])
async def test_scratch_folders_of_dead_processes_are_swept(
    settings: Settings, own_temporary_folder: Path, monkeypatch: pytest.MonkeyPatch, purpose: ScratchPurpose
) -> None:
    monkeypatch.setattr(scratch, "MIN_SWEEP_AGE_S", -1)
    left = leave_behind(own_temporary_folder, purpose)
    foreign = own_temporary_folder / "eclair-notes"
    foreign.mkdir(mode=0o700)
    with ScratchFolder("page") as ours:
        async with serving(settings):
            async with asyncio.timeout(5):
                while left.exists():
                    await asyncio.sleep(0.02)
        assert (ours.path.exists(), foreign.exists()) == (True, True)
    assert not ours.path.exists()
