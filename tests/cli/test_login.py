"""`eclair login`: commands act at an Éclair elsewhere, as whoever confirmed in its page, until `eclair logout`."""

from __future__ import annotations

import asyncio
import stat
import sys
from collections.abc import AsyncGenerator
from pathlib import Path

import aiohttp
import orjson
import pytest
import pytest_asyncio

from tests.cli.test_cli import Eclair, Screen, sentence
from tests.llm.standin import standing_in
from tests.server.test_comparisons import MODELS, Trio
from tests.server.test_elicitation import ASKING
from tests.support import JSON, Process

KEY = "a-key-of-the-owner-of-it"
OWNER = {"Authorization": f"Bearer {KEY}"}


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    (tmp_path / "laptop").mkdir()
    return Eclair(tmp_path / "laptop")


@pytest_asyncio.fixture
async def there(tmp_path: Path, http: aiohttp.ClientSession) -> AsyncGenerator[Process]:
    (tmp_path / "server").mkdir()
    server = await Process.start(tmp_path / "server", http, ECLAIR_API_KEY=KEY)
    yield server
    await server.close()


async def log_in(run: Eclair, there: Process, *, approve: bool = True) -> tuple[str, str, int]:
    """Run `eclair login`, and decide in its owner's browser; return what it printed, and its exit code."""
    process = run.start("login", there.address)
    assert process.stdout is not None
    lines = [await asyncio.to_thread(process.stdout.readline) for _ in range(2)]
    assert lines[0].decode().split()[-1] == f"{there.address}/device"
    body = {"user_code": lines[1].decode().split()[-1], "approve": approve, "days": 30}
    assert (await there.post("/api/device/decision", body, headers=OWNER)).status == 204
    out, err = await asyncio.to_thread(process.communicate, timeout=30)
    return out.decode(), err.decode(), process.returncode


async def test_commands_act_there_until_the_logout(run: Eclair, there: Process, tmp_path: Path) -> None:
    out, err, code = await log_in(run, there)
    assert (code, "All other commands act on this machine." in err) == (0, True)
    assert f"Signed in to {there.address} until 20" in out
    file = tmp_path / "laptop" / "login.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    login = orjson.loads(file.read_bytes())
    assert login["url"] == there.address
    again = await asyncio.to_thread(run, "login", "https://other.example")
    assert (again.returncode, "`eclair logout` ends that first" in again.stderr) == (2, True)

    asked = await asyncio.to_thread(run, "ask", "Why is the sky blue?")
    assert (asked.returncode, bool(asked.stdout.strip())) == (0, True)
    events = await asyncio.to_thread(run, "ask", "--json", "Why?")
    kinds = [orjson.loads(line)["type"] for line in events.stdout.splitlines()]
    assert (kinds[0], kinds[-1]) == ("run.started", "run.finished")
    listed = await asyncio.to_thread(run, "models", "--json")
    assert [model["id"] for model in orjson.loads(listed.stdout)] == ["scripted"]
    assert "* scripted" in (await asyncio.to_thread(run, "models")).stdout
    assert (await there.get("/api/conversations", OWNER)).body["conversations"] == []

    out = await asyncio.to_thread(run, "logout")
    assert (out.returncode, out.stdout) == (0, f"Signed out of {there.address}; its key is ended.\n")
    assert not file.exists()
    assert (await there.get("/api/keys", OWNER)).body["keys"] == []
    nowhere = await asyncio.to_thread(run, "logout")
    assert (nowhere.returncode, "You are signed in nowhere" in sentence(nowhere.stderr)) == (2, True)


async def test_models_there_are_compared_and_an_answer_kept(run: Eclair, there: Process, tmp_path: Path) -> None:
    await log_in(run, there)
    async with standing_in() as standin:
        trio = Trio(standin)
        added = await there.post("/api/engines", {"name": "trio", "url": f"{trio.url}/v1"}, headers=OWNER)
        assert added.status == 201, added
        asking = ("ask", "--model", "scripted", "--model", MODELS[1])
        piped = await asyncio.to_thread(run, *asking, "script: say=Yes.")
        assert piped.stdout == f"## scripted\n\nYes.\n\n## {MODELS[1]}\n\nI am {MODELS[1]}.\n"
        assert (piped.returncode, piped.stderr) == (0, "")
        assert (await there.get("/api/conversations", OWNER)).body["conversations"] == []
        note = tmp_path / "note.txt"
        note.write_text("The tower is 40 metres high.")
        screen = Screen(tmp_path / "laptop", *asking, "--file", str(note), "How high is the tower?")
        try:
            await asyncio.to_thread(screen.until, f"Keep an answer? 1: scripted, 2: {MODELS[1]}")
            screen.type("2\r")
            await asyncio.to_thread(screen.until, "Kept in the conversation “How high is the tower?” at 127.0.0.1")
            assert await asyncio.to_thread(screen.end) == 0
        finally:
            screen.close()
    (kept,) = (await there.get("/api/conversations", OWNER)).body["conversations"]
    messages = (await there.get(f"/api/conversations/{kept['id']}", OWNER)).body["messages"]
    chosen = next(message for message in messages if message["model"] == MODELS[1])
    assert messages[0]["comparison"]["kept"] == chosen["id"]
    assert [file["name"] for file in (await there.get("/api/files", OWNER)).body["files"]] == ["note.txt"]


async def test_files_and_libraries_are_those_of_the_server(run: Eclair, there: Process, tmp_path: Path) -> None:
    await log_in(run, there)
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "cake.txt").write_text("The cake is baked for forty minutes.")
    (folder / "bread.txt").write_text("The bread is baked for fifty minutes.")
    added = await asyncio.to_thread(run, "add", str(folder), "--library", "baking")
    assert (added.returncode, added.stdout) == (0, "baking: 2 added.\n")
    again = await asyncio.to_thread(run, "add", str(folder), "--library", "baking")
    assert again.stdout == "baking: 2 unchanged.\n"
    (library,) = orjson.loads((await asyncio.to_thread(run, "libraries", "--json")).stdout)
    assert (library["name"], library["files"]) == ("baking", 2)
    assert "baking" in (await asyncio.to_thread(run, "libraries")).stdout
    files = orjson.loads((await asyncio.to_thread(run, "files", "--library", "baking", "--json")).stdout)
    assert sorted((file["name"], file["library"]) for file in files) == [
        ("bread.txt", "baking"),
        ("cake.txt", "baking"),
    ]
    assert (await asyncio.to_thread(run, "files", "--local")).stdout.startswith("There are none")

    asked = await asyncio.to_thread(run, "ask", "How long is the cake baked?", "-f", str(folder / "cake.txt"))
    assert asked.returncode == 0, asked.stderr
    asked = await asyncio.to_thread(run, "ask", "How long is the bread baked?", "--library", "baking")
    assert asked.returncode == 0, asked.stderr
    assert (await there.get("/api/conversations", OWNER)).body["conversations"] == []
    assert len((await there.get("/api/files", OWNER)).body["files"]) == 2

    refused = await asyncio.to_thread(run, "add", str(folder), "--watch")
    assert (refused.returncode, "on this machine alone" in refused.stderr) == (2, True)
    removed = await asyncio.to_thread(run, "files", "remove", files[0]["id"], "--yes")
    assert removed.stdout == f"Removed the file {files[0]['name']} at {there.address}.\n"
    removed = await asyncio.to_thread(run, "libraries", "remove", "baking", "--yes")
    assert removed.stdout == f"Removed the library baking with its 1 file at {there.address}.\n"
    missing = await asyncio.to_thread(run, "libraries", "remove", "baking", "--yes")
    assert (missing.returncode, "There is no library 'baking' there" in missing.stderr) == (2, True)


async def test_projects_and_mcp_servers_are_those_of_the_server(run: Eclair, there: Process, tmp_path: Path) -> None:
    await log_in(run, there)
    project = (await there.post("/api/projects", {"name": "Town"}, headers=OWNER)).body["id"]
    chosen: JSON = {"model": "scripted", "tools": []}
    assert (await there.call("PATCH", f"/api/projects/{project}", chosen, headers=OWNER)).status == 200
    note = tmp_path / "note.txt"
    note.write_text("The tower is 40 metres high.")
    words = ("ask", "--project", "Town", "--file", str(note), "--json", "How high is the tower?")
    asked = await asyncio.to_thread(run, *words)
    events = [orjson.loads(line) for line in asked.stdout.splitlines()]
    assert (asked.returncode, events[0]["type"], events[-1]["type"]) == (0, "run.started", "run.finished")
    assert any(event["type"] == "source.found" for event in events)

    gone = await there.post(f"/api/conversations/{events[0]['conversation']}/restore", {}, headers=OWNER)
    assert gone.status == 404, "it is erased, not only deleted"

    await allow_asking_server(there)
    assert (await there.call("PATCH", f"/api/projects/{project}", {"tools": None}, headers=OWNER)).status == 200
    home = tmp_path / "laptop"
    screen = Screen(home, "ask", "--project", "Town", "--mcp", "asking", 'script: tool=asking__book{"place":"Brest"}')
    try:
        await asyncio.to_thread(screen.until, "y: once")
        screen.type("y\r")
        await asyncio.to_thread(screen.until, "The MCP server 'asking' asks you: Who stays in Brest?")
        screen.type("/decline\r")
        await asyncio.to_thread(screen.until, "words · scripted")
        assert await asyncio.to_thread(screen.end) == 0
    finally:
        screen.close()
    assert (await there.get("/api/conversations", OWNER)).body["conversations"] == []
    assert (await there.get("/api/files", OWNER)).body["files"] == []

    for option, sentence_there in (("--project", "no project 'none'"), ("--mcp", "no MCP server 'none'")):
        missing = await asyncio.to_thread(run, "ask", option, "none", "Why?")
        assert (missing.returncode, f"There is {sentence_there} there" in sentence(missing.stderr)) == (2, True)


async def allow_asking_server(there: Process) -> None:
    """Add a server that asks something in the middle of a call, and allow its tools."""
    body = {"name": "asking", "command": [sys.executable, "-P", str(ASKING), "new"]}
    path = f"/api/mcp-servers/{(await there.post('/api/mcp-servers', body, headers=OWNER)).body['id']}"
    seen = (await there.post(f"{path}/check", {}, headers=OWNER)).body["seen"]
    allowed = await there.post(f"{path}/approve", {"fingerprint": seen["fingerprint"]}, headers=OWNER)
    assert allowed.status == 200, allowed


async def test_a_refused_login_keeps_nothing(run: Eclair, there: Process, tmp_path: Path) -> None:
    _, err, code = await log_in(run, there, approve=False)
    assert (code, "The login was refused in the browser." in err) == (2, True)
    assert not (tmp_path / "laptop" / "login.json").exists()


async def test_a_key_that_was_ended_says_what_to_do(run: Eclair, there: Process) -> None:
    await log_in(run, there)
    (key,) = (await there.get("/api/keys", OWNER)).body["keys"]
    await there.call("DELETE", f"/api/keys/{key['name']}", headers=OWNER)
    await there.close()
    gone = await asyncio.to_thread(run, "ask", "Why?")
    assert (gone.returncode, "can't be reached" in gone.stderr) == (4, True)
    out = await asyncio.to_thread(run, "logout")
    assert (out.returncode, "not ended" in out.stderr) == (4, True)
    assert (await asyncio.to_thread(run, "ask", "Why?")).returncode == 0, "on this machine again"


def test_addresses_that_are_none(run: Eclair) -> None:
    for url in ("ftp://x", "https://", "https://ada:secret@x.example", "https://x.example/?q=1"):
        refused = run("login", url)
        assert refused.returncode == 2, url
        sentence(refused.stderr)
