"""Death without warning: what was said is there, and the answer can be taken up."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import resource
import time
from pathlib import Path

import aiohttp
import apsw
import orjson
import pytest

from eclair.schema.events import Event, PartDelta, RunInterrupted
from tests.llm.standin import Call, standing_in
from tests.server.test_documents import add, ready
from tests.server.test_whole_documents import Noting, log_book
from tests.support import JSON, Process, parse, text_of

LOSS = 0.25
"""Seconds of text that may be lost."""


class Seen:
    """What a follower saw of a run, and when."""

    def __init__(self) -> None:
        self.events: list[tuple[float, Event]] = []

    async def follow(self, server: Process, run: str) -> None:
        rest = b""
        with_error = (aiohttp.ClientError, ConnectionError)
        try:
            async with server.open(f"/api/runs/{run}/events") as response:
                async for data in response.content.iter_any():
                    rest += data
                    whole, _, rest = rest.rpartition(b"\n\n")
                    if whole:
                        self.events += [(time.monotonic(), event) for _, event in parse(whole + b"\n\n")]
        except with_error:
            pass

    def text(self, until: float) -> str:
        return "".join(event.text for at, event in self.events if isinstance(event, PartDelta) and at <= until)


async def killed(server: Process, conversation: str, seconds: float) -> tuple[JSON, Seen, float]:
    """Ask, follow, and kill the server after so many seconds of answer; the moment of death comes back."""
    begun = await server.ask(conversation, "script: words=100000 rate=400")
    seen = Seen()
    following = asyncio.create_task(seen.follow(server, begun["run"]))
    async with asyncio.timeout(10):
        while not seen.text(time.monotonic()):
            await asyncio.sleep(0.01)
    await asyncio.sleep(seconds)
    died = time.monotonic()
    await server.kill()
    await following
    return begun, seen, died


async def test_a_killed_server_loses_a_quarter_of_a_second_at_most(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    server = await Process.start(tmp_path, http)
    try:
        conversation = await server.begin()
        for number in range(3):
            begun, seen, died = await killed(server, conversation, random.uniform(0.3, 0.7))
            server = await Process.start(tmp_path, http)
            message = await server.message(begun["run"])
            assert message["status"] == "interrupted"
            kept, shown = text_of(message), seen.text(died)
            assert kept.startswith(shown) or shown.startswith(kept)
            assert kept.startswith(seen.text(died - LOSS)), f"lost {len(shown) - len(kept)} characters"
            tree = await server.tree(conversation)
            assert tree["running"] is None
            assert message in tree["messages"]
            replay = await server.stream(begun["run"])
            assert isinstance(parse(replay)[-1][1], RunInterrupted)
            last = parse(replay)[-1][0]
            for beyond in (last, last + 1, last + 100):
                again = await server.stream(begun["run"], headers={"Last-Event-ID": str(beyond)})
                assert again == b"event: reset\ndata: {}\n\n" + replay
            if number == 0:
                more = await server.turn(conversation, **{"continue": message["id"]})
                async with asyncio.timeout(10):
                    while len(text_of(await server.message(more["run"]))) <= len(kept):
                        await asyncio.sleep(0.05)
                await server.post(f"/api/runs/{more['run']}/stop")
                assert text_of(await server.message(more["run"])).startswith(kept)
    finally:
        await server.close()


async def test_an_end_that_cannot_save_says_what_is_lost(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    server = await Process.start(tmp_path, http)
    try:
        conversation = await server.begin()
        begun = await server.ask(conversation, "script: words=100000 rate=400")
        async with asyncio.timeout(10):
            while not text_of(await server.message(begun["run"])):
                await asyncio.sleep(0.05)
        assert server.process.pid is not None
        resource.prlimit(server.process.pid, resource.RLIMIT_FSIZE, (16384, 16384))  # as on a full disk
        async with asyncio.timeout(10):
            while "running answers cannot be saved yet" not in (tmp_path / "server.log").read_text():
                await asyncio.sleep(0.05)
    finally:
        await server.close()
    assert server.process.exitcode == 1
    log = (tmp_path / "server.log").read_text()
    assert re.search(rf"The answer of {begun['run']} in {conversation} ends without its last [\d,]+ characters", log)
    assert "Éclair has stopped; not every answer could be saved to its end, as the log says." in log


async def test_a_second_server_on_the_same_folder_follows_the_first(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    first = await Process.start(tmp_path, http)
    second: Process | None = None
    try:
        conversation = await first.begin()
        begun = await first.ask(conversation, "script: words=100000 rate=400")
        second = await Process.start(tmp_path, http)
        assert (await first.message(begun["run"]))["status"] == "running", "it was left alone"
        refused = await second.post(f"/api/conversations/{conversation}/turns", {"text": "Hello"})
        assert refused.status == 409
        assert refused.error["run"] == begun["run"]
        followed = asyncio.create_task(second.stream(begun["run"]))
        await asyncio.sleep(0.3)
        await first.post(f"/api/runs/{begun['run']}/stop")
        assert await followed == await first.stream(begun["run"])
        begun = await first.ask(conversation, "script: words=100000 rate=400")
        followed = asyncio.create_task(second.stream(begun["run"]))
        await asyncio.sleep(0.3)
        await first.kill()
        async with asyncio.timeout(10):
            assert isinstance(parse(await followed)[-1][1], RunInterrupted)
        assert text_of(await second.message(begun["run"]))
    finally:
        await first.close()
        if second is not None:
            await second.close()


async def test_a_call_that_was_under_way_is_in_the_egress_log(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    """The row is there before anything was sent, and says what became of the call."""
    async with standing_in() as proxy:
        rack, asked = "http://rack.example/v1", asyncio.Event()

        async def answer_slowly(call: Call) -> None:
            asked.set()
            await call.stream(b": wait\n\n", end=False)
            await asyncio.sleep(60)

        listing = orjson.dumps({"data": [{"id": "muse"}]})
        proxy.routes[f"{rack}/models"] = lambda call: call.reply(200, listing)
        proxy.routes[f"{rack}/chat/completions"] = answer_slowly
        environ = {
            "http_proxy": proxy.url,
            "no_proxy": "127.0.0.1",
            "ECLAIR_SCRIPTED": "false",
            "ECLAIR_TITLES": "false",
            "ECLAIR_ENGINES": orjson.dumps({"rack": {"url": rack}}).decode(),
        }
        server = await Process.start(tmp_path, http, **environ)
        try:
            begun = await server.ask(await server.begin(), "A question")
            await asyncio.wait_for(asked.wait(), 10)
            await server.kill()
            with contextlib.closing(apsw.Connection(str(tmp_path / "eclair.db"))) as db:
                found = list(db.execute("SELECT verdict, url FROM egress WHERE method = 'POST'"))
            assert found == [("begun", f"{rack}/chat/completions")]
            server = await Process.start(tmp_path, http, **environ)
            rows = (await server.get(f"/api/egress?run={begun['run']}")).body["calls"]
            (row,) = [row for row in rows if row["method"] == "POST"]
            assert (row["verdict"], row["reason"]) == ("interrupted", "Éclair ended before the call did.")
            assert (row["host"], row["sent"] > len("A question")) == ("rack.example", True)
        finally:
            await server.close()


@pytest.mark.parametrize("last", ["SIGTERM"])
async def test_a_server_told_to_end_writes_everything_down(
    tmp_path: Path, http: aiohttp.ClientSession, last: str
) -> None:
    server = await Process.start(tmp_path, http)
    conversation = await server.begin()
    begun = await server.ask(conversation, "script: words=100000 rate=400")
    seen = Seen()
    following = asyncio.create_task(seen.follow(server, begun["run"]))
    async with asyncio.timeout(10):
        while len(seen.text(time.monotonic())) < 200:
            await asyncio.sleep(0.01)
    await server.close()
    await following
    assert isinstance(seen.events[-1][1], RunInterrupted)
    assert server.process.exitcode in (0, -15)
    server = await Process.start(tmp_path, http)
    try:
        assert text_of(await server.message(begun["run"])) == seen.text(time.monotonic())
    finally:
        await server.close()


async def test_a_killed_server_reads_a_long_document_on_where_it_was(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with standing_in() as stand:
        model = Noting(stand)
        model.lists = model.has = ["reader"]
        model.held_from = 9
        engines = orjson.dumps({"one": {"url": model.url, "context": 2048}}).decode()
        environ = {
            "ECLAIR_ENGINES": engines,
            "ECLAIR_MODEL": "reader",
            "ECLAIR_EMBEDDER": "off",
            "ECLAIR_SCRIPTED": "false",
            "ECLAIR_TITLES": "false",
        }
        server = await Process.start(tmp_path, http, **environ)
        try:
            file = await ready(server, await add(server, log_book(30), "log.md"))
            conversation = await server.begin()
            begun = await server.ask(conversation, "List all obligations", files=[file["id"]])
            await asyncio.wait_for(model.held.wait(), 30)
            async with asyncio.timeout(10):
                while (await server.message(begun["run"]))["steps"][0]["done"] < 8:
                    await asyncio.sleep(0.02)
            await asyncio.sleep(LOSS)
            await server.kill()
            before, model.held_from = len(model.parts), 10**6
            model.release.set()
            server = await Process.start(tmp_path, http, **environ)
            assert (await server.message(begun["run"]))["status"] == "interrupted"
            resumed = await server.turn(conversation, **{"continue": begun["answer"]})
            message = await server.answered(resumed["run"])
            assert message["status"] == "finished"
            assert message["passages"]
            assert not {*model.parts[:8]} & {*model.parts[before:]}
        finally:
            await server.close()
