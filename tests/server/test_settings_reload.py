"""SIGHUP has a running server read its settings again; neither it nor SIGUSR1 ends anything."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.server.test_service_manager import heard, listening
from tests.support import Process

FIRST = "first-key-of-more-than-24-characters"
SECOND = "second-key-of-more-than-24-characters"


class Reloading:
    """A server with a settings file, and its log."""

    def __init__(self, folder: Path, process: Process) -> None:
        self.folder = folder
        self.door = process
        self._seen = 0

    def write(self, text: str) -> None:
        (self.folder / "none.toml").write_text(text)

    def signal(self, number: int = signal.SIGHUP) -> None:
        assert self.door.process.pid is not None
        os.kill(self.door.process.pid, number)

    async def logged(self, *words: str) -> str:
        """Wait for a line with all these words, after what was waited for before."""
        async with asyncio.timeout(30):
            while True:
                text = (self.folder / "server.log").read_text()
                for line in text[self._seen :].splitlines():
                    if all(word in line for word in words):
                        self._seen = text.index(line, self._seen) + len(line)
                        return line
                await asyncio.sleep(0.02)

    async def reload(self, text: str, *words: str) -> str:
        self.write(text)
        self.signal()
        return await self.logged(*words)

    async def status(self, key: str | None = None, **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return (await self.door.get("/api/models", named | ({"x-api-key": key} if key else {}))).status


Starting = Callable[..., Awaitable[Reloading]]


@pytest.fixture
async def starting(tmp_path: Path, http: aiohttp.ClientSession) -> AsyncGenerator[Starting]:
    started: list[Process] = []

    async def start(text: str = "", **environ: str) -> Reloading:
        (tmp_path / "none.toml").write_text(text)
        started.append(await Process.start(tmp_path, http, **environ))
        return Reloading(tmp_path, started[-1])

    yield start
    for process in started:
        await process.close()


async def test_a_new_key_holds_at_once_and_the_running_answer_goes_on(starting: Starting) -> None:
    server = await starting(f'api_key = "{FIRST}"')
    old, new = {"x-api-key": FIRST}, {"x-api-key": SECOND}
    begun = (
        await server.door.post("/api/conversations", {"turn": {"text": "script: words=60 rate=30"}}, headers=old)
    ).body
    events = f"{server.door.address}/api/runs/{begun['run']}/events"
    async with server.door.http.get(events, headers=old) as following:
        assert following.status == 200
        said = await server.reload(f'api_key = "{SECOND}"\naccess_log = true\n', "read again")
        assert said.endswith("changed: api_key, access_log.")
        assert SECOND not in said
        assert (await server.status(FIRST), await server.status(SECOND)) == (401, 200)
        await following.read()
    assert (await server.door.get(f"/api/runs/{begun['run']}", new)).body["message"]["status"] == "finished"
    await server.logged("eclair.access", "GET /api/models 200")


async def test_a_key_in_a_file_of_its_own_is_read_again(starting: Starting, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(FIRST)
    server = await starting(ECLAIR_API_KEY_FILE=str(secret))
    secret.write_text(SECOND)
    await server.reload("", "changed: api_key.")
    assert (await server.status(FIRST), await server.status(SECOND)) == (401, 200)


async def test_limits_names_and_the_log_change(starting: Starting) -> None:
    server = await starting(f'api_key = "{FIRST}"')
    assert await server.status(FIRST, Host="ai.example.org") == 403
    text = f'api_key = "{FIRST}"\nallowed_hosts = ["ai.example.org"]\nmax_message_kb = 1\nlog_format = "json"\n'
    said = await server.reload(text, "read again")
    assert said.startswith("{")
    assert await server.status(FIRST, Host="ai.example.org") == 200
    long = {"turn": {"text": "x" * 3000}}
    reply = await server.door.post("/api/conversations", long, headers={"x-api-key": FIRST})
    assert (reply.status, "ECLAIR_MAX_MESSAGE_KB" in reply.error["message"]) == (413, True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_tokens = 0", "sets max_tokens to 0"),
        ("max_tokens = ", "is not TOML"),
        ("max_toknes = 1", "did you mean max_tokens?"),
        ('allowed_hosts = ["ai.example.org"]', "`allowed_hosts` opens Éclair to whoever reaches ai.example.org"),
        ('tls_certificate = "/nowhere.pem"', "/nowhere.pem cannot be read"),
    ],
)
async def test_wrong_settings_change_nothing(starting: Starting, text: str, said: str) -> None:
    server = await starting()
    await server.reload(f"access_log = true\n{text}", "The settings stay as they were: ", said)
    assert await server.status() == 200
    assert await server.status(Host="ai.example.org") == 403
    assert "GET /api/models 200" not in (server.folder / "server.log").read_text()
    await server.reload("access_log = true", "changed: access_log.")


async def test_what_needs_a_restart_is_named_until_then(starting: Starting) -> None:
    server = await starting()
    await server.reload('model = "other"\ntitles = false\n', "Restart for these settings: model, titles.")
    await server.reload('model = "other"\n', "Restart for these settings: model.")
    await server.reload("", "changed: none.")


async def test_it_is_asked_several_times_at_once(starting: Starting) -> None:
    server = await starting()
    server.write("access_log = true")
    for _ in range(20):
        server.signal()
    await server.logged("changed: access_log.")
    assert await server.status() == 200


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
async def test_other_signals_are_ignored(starting: Starting, number: signal.Signals) -> None:
    server = await starting()
    server.signal(number)
    await server.logged(f"{number.name} is ignored")
    assert await server.status() == 200


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    monkeypatch.chdir(tmp_path)
    with listening() as found:
        yield found


async def test_systemd_learns_of_it(starting: Starting, tmp_path: Path, line: socket.socket) -> None:
    server = await starting(NOTIFY_SOCKET=str(tmp_path / "notify"))
    ready = await heard(line)
    for text, status in (("access_log = true", ready[1]), ("port = -1", "STATUS=Settings not reloaded: ")):
        server.write(text)
        server.signal()
        began = await heard(line)
        assert began[0] == "RELOADING=1"
        assert began[1].removeprefix("MONOTONIC_USEC=").isdecimal()
        ended = await heard(line)
        assert (ended[0], ended[1].startswith(status)) == ("READY=1", True)
