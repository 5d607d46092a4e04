"""Liveness and readiness, through HTTP: a full disk, a database that refuses writes, an engine that hangs."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import AsyncMock

import pytest

from eclair.errors import StoreFull
from eclair.llm.local import watchdog
from eclair.server import readiness
from eclair.settings import EngineSettings, Settings
from eclair.storage.sql.connection import Connection
from eclair.storage.sqlite.processes import SQLiteProcessStore
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = {"Authorization": "Bearer s3crêt"}


@pytest.fixture(autouse=True)
def uncached(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "RESULT_TTL_S", 0.0)


async def failed(server: Server) -> JSON:
    """The sentences of the failed checks of a server that isn't ready, by name."""
    reply = await server.get("/api/health/ready")
    assert (reply.status, reply.body["status"]) == (503, "down"), reply
    faults = {name: check["detail"] for name, check in reply.body["checks"].items() if not check["ok"]}
    assert reply.body["message"] in faults.values()
    assert (await server.get("/api/health/live")).status == 200
    return faults


async def refuse_writes(server: Server) -> None:
    """Have SQLite refuse writes from now on, as it does where its file or disk is read-only."""
    processes = server.app.storage.processes
    assert isinstance(processes, SQLiteProcessStore)

    def switch(db: Connection) -> None:
        db.execute("PRAGMA query_only = ON")

    await processes.database.write(switch)


async def test_what_is_well_is_ready(server: Server) -> None:
    reply = await server.get("/api/health/ready")
    assert (reply.status, reply.body["status"], reply.body["message"]) == (200, "ready", None)
    assert set(reply.body["checks"]) == {"database", "integrity", "models", "disk", "data_folder", "engines"}
    assert all(check["ok"] and check["detail"].endswith(".") for check in reply.body["checks"].values())
    assert (await server.get("/api/health/live")).body == {"status": "live"}
    assert [path.name for path in server.app.settings.data_dir.glob(".*")] == []


async def test_a_read_only_database_is_not_ready(fresh: Server) -> None:
    await refuse_writes(fresh)
    faults = await failed(fresh)
    assert list(faults) == ["database"]
    assert faults["database"].endswith("cannot be written; check who owns the file and its folder.")


async def test_a_full_disk_is_not_ready(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    statvfs = os.statvfs

    def full(path: Path) -> os.statvfs_result:
        disk = list(statvfs(path))
        disk[3] = disk[4] = 10  # blocks that are free, and free for everybody
        return os.statvfs_result(disk)

    with monkeypatch.context() as patched:
        patched.setattr(os, "statvfs", full)
        faults = await failed(server)
    assert list(faults) == ["disk"]
    assert faults["disk"].endswith("left; free some space.")
    assert (await server.get("/api/health/ready")).status == 200


async def test_a_data_folder_that_takes_no_file_is_not_ready(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, content: bytes) -> int:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "write_bytes", refuse)
    faults = await failed(server)
    assert list(faults) == ["data_folder"]
    assert "Read-only file system" in faults["data_folder"]


async def test_a_check_that_hangs_is_a_fault_and_is_not_begun_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = 0
    end = asyncio.Event()

    async def hang(processes: SQLiteProcessStore) -> None:
        nonlocal begun
        begun += 1
        await end.wait()

    monkeypatch.setattr(SQLiteProcessStore, "check", hang)
    monkeypatch.setattr(readiness, "CHECK_TIMEOUT_S", 0.2)
    async with serving(settings) as server:
        for _ in range(2):
            assert await failed(server) == {"database": "The database did not answer within 0.2 seconds."}
        assert begun == 1
        end.set()


async def test_requests_that_come_together_share_a_check(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "RESULT_TTL_S", 60.0)
    check, done = SQLiteProcessStore.check, 0

    async def count(processes: SQLiteProcessStore) -> None:
        nonlocal done
        done += 1
        await check(processes)

    monkeypatch.setattr(SQLiteProcessStore, "check", count)
    async with serving(settings) as server:
        replies = await asyncio.gather(*(server.get("/api/health/ready") for _ in range(20)))
    assert ({reply.status for reply in replies}, done) == ({200}, 1)


async def test_a_stranger_gets_the_word_alone_and_calls_no_server(settings: Settings) -> None:
    remote = {"remote": EngineSettings(url="http://127.0.0.1:9/v1")}  # nobody listens there
    async with serving(replace(settings, api_key="s3crêt", engines=remote, scripted=False)) as server:
        known = await server.get("/api/health/ready", KEY)
        assert (known.status, known.body["checks"]["database"]["ok"]) == (503, True)
        assert "remote" in known.body["checks"]["engines"]["detail"]
        before = (await server.get("/api/egress", KEY)).body
        stranger = await server.get("/api/health/ready")
        assert (stranger.status, stranger.body) == (503, {"status": "down"})
        assert (await server.get("/api/egress", KEY)).body == before
        assert (await server.get("/api/health/live")).body == {"status": "live"}
        assert (await server.get("/api/health/other")).status == 401


async def test_a_proxy_sends_people_to_servers_whose_database_is_full(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(settings) as server:
        monkeypatch.setattr(server.app.storage.processes, "check", AsyncMock(side_effect=StoreFull("It is full.")))
        reply = await server.get("/api/health/ready?engines=false")
        assert (reply.status, reply.body["checks"]["database"]) == (200, {"ok": True, "detail": "It is full."})
        assert await failed(server) == {"database": "It is full."}


async def test_a_proxy_sends_people_to_a_server_without_an_engine(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    remote = {"remote": EngineSettings(url="http://127.0.0.1:9/v1")}  # nobody listens there
    caplog.set_level(logging.INFO, readiness.__name__)
    async with serving(replace(settings, engines=remote, scripted=False)) as server:
        for _ in range(2):
            assert list(await failed(server)) == ["engines"]
            reply = await server.get("/api/health/ready?engines=false")
            assert (reply.status, reply.body["status"]) == (200, "ready")
            assert set(reply.body["checks"]) == {"database", "integrity", "models", "disk", "data_folder"}
        await refuse_writes(server)
        assert (await server.get("/api/health/ready?engines=false")).status == 503
    first, second = [record.message for record in caplog.records if record.name == readiness.__name__]
    assert "No engine is ready" in first
    assert "cannot be written" in second


@asynccontextmanager
async def with_embedded(tmp_path: Path, model_file: Path) -> AsyncGenerator[Server]:
    """A server with the embedded model, ready to answer."""
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / model_file.name).symlink_to(model_file)
    settings = Settings(
        data_dir=tmp_path, port=0, embedded_parallel=2, embedded_context=2048, tune=False, first_word_seconds=6
    )
    async with serving(settings) as server:
        await becomes(server, 200)
        yield server


async def becomes(server: Server, status: int) -> JSON:
    """Wait until readiness has that status; its body."""
    async with asyncio.timeout(40):
        while (reply := await server.get("/api/health/ready")).status != status:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    return dict(reply.body)


async def test_a_stopped_engine_is_noticed_and_replaced(
    tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watchdog, "CHECK_INTERVAL_S", 0.1)
    monkeypatch.setattr(watchdog, "REPLY_TIMEOUT_S", 0.5)
    monkeypatch.setattr(watchdog, "SILENT_AFTER_S", 1.0)
    async with with_embedded(tmp_path, model_file) as server:
        local = server.app.registry.local
        assert local is not None
        pid = local.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        report = await becomes(server, 503)
        assert "has not responded for" in report["checks"]["engines"]["detail"]
        await becomes(server, 200)
        assert local.pid not in (None, pid)
