"""systemd learns when the server is ready, that it is alive, and when it stops; children don't speak for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import aiohttp
import pytest

from eclair.server.service_manager import ServiceManager
from tests.server.test_workers import Worker
from tests.support import Process


@contextlib.contextmanager
def listening() -> Generator[socket.socket]:
    """A stand-in for systemd's notification socket, as `notify` in the current folder."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as found:
        found.bind("notify")
        found.setblocking(False)
        yield found


@pytest.fixture
def line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    monkeypatch.chdir(tmp_path)
    with listening() as found:
        yield found


async def heard(line: socket.socket) -> list[str]:
    async with asyncio.timeout(60):
        return (await asyncio.get_running_loop().sock_recv(line, 4096)).decode().split("\n")


async def test_a_server_says_that_it_is_ready_alive_and_stopping(
    tmp_path: Path, http: aiohttp.ClientSession, line: socket.socket
) -> None:
    server = await Process.start(
        tmp_path, http, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="300000", ECLAIR_LOG_LEVEL="warning"
    )
    try:
        assert await heard(line) == ["READY=1", f"STATUS=Éclair is at {server.address}"]
        assert [await heard(line) for _ in range(3)] == [["WATCHDOG=1"]] * 3
    finally:
        await server.close()
    async with asyncio.timeout(30):
        while (said := await heard(line)) == ["WATCHDOG=1"]:
            pass
    assert said == ["STOPPING=1"]


async def test_a_worker_says_so_too(tmp_path: Path, line: socket.socket) -> None:
    worker = await Worker.start(
        *(tmp_path, "--kinds", "read,erase"), NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="300000"
    )
    try:
        assert await heard(line) == ["READY=1", "STATUS=Does read, erase"]
        assert await heard(line) == ["WATCHDOG=1"]
        assert await worker.end() == 0
    finally:
        await worker.end(signal.SIGKILL)
    async with asyncio.timeout(30):
        while (said := await heard(line)) == ["WATCHDOG=1"]:
            pass
    assert said == ["STOPPING=1"]


@pytest.mark.parametrize(
    ("variables", "watched_s"),
    [
        ({"WATCHDOG_USEC": "60000000"}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": str(os.getpid())}, 60.0),
        ({"WATCHDOG_USEC": "60000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({}, None),
    ],
)
def test_variables_are_taken_once(
    monkeypatch: pytest.MonkeyPatch, line: socket.socket, variables: dict[str, str], watched_s: float | None
) -> None:
    for name, value in ({"NOTIFY_SOCKET": "notify"} | variables).items():
        monkeypatch.setenv(name, value)
    manager = ServiceManager.from_environment()
    assert manager._watchdog_s == watched_s  # pyright: ignore[reportPrivateUsage]
    assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(os.environ)
    manager.notify("READY=1")
    assert line.recv(100) == b"READY=1"


def test_an_abstract_socket_is_understood() -> None:
    if sys.platform == "linux":
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.bind(f"\0eclair-{os.getpid()}")
            ServiceManager(f"@eclair-{os.getpid()}").notify("READY=1")
            assert line.recv(100) == b"READY=1"


def test_a_manager_that_is_gone_costs_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ServiceManager(str(tmp_path / "nowhere")).notify("READY=1")
    assert caplog.messages == ["systemd could not be told READY=1: No such file or directory."]
    ServiceManager(None).notify("READY=1")
    assert len(caplog.messages) == 1
