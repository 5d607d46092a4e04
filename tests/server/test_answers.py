"""The temporary chat of `/api/answers`: answered like any other, kept nowhere."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from eclair.schema.events import RunFinished, RunStarted, fold
from eclair.settings import Settings
from tests.support import JSON, Server, check_log, parse, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


def asked(*texts: str, **more: Any) -> JSON:
    """A body: what was said in turns, the person first."""
    said = [{"role": ("user", "assistant")[number % 2], "text": text} for number, text in enumerate(texts)]
    return {"messages": said, **more}


async def test_an_answer_comes_as_the_stream_of_a_run(server: Server) -> None:
    reply = await server.post("/api/answers", asked("Hello\nscript: words=300 rate=2000 reasoning=4"))
    assert reply.status == 200
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    assert reply.headers["Cache-Control"] == "no-store"
    events = [event for _, event in parse(reply.raw)]
    check_log(events)
    message = fold(events)
    assert (message.status, len(message.text.split())) == ("finished", 300)
    assert message.usage is not None
    assert len(events) < 150, "deltas of one frame are one event"


async def test_nothing_of_it_is_kept(settings: Settings) -> None:
    async with serving(settings) as server:
        reply = await server.post("/api/answers", asked("abracadabra\nscript: say=simsalabim"))
        events = [event for _, event in parse(reply.raw)]
        assert isinstance(events[0], RunStarted)
        assert isinstance(events[-1], RunFinished)
        assert (await server.get(f"/api/runs/{events[0].run}")).status == 404
        assert (await server.get(f"/api/conversations/{events[0].conversation}")).status == 404
        assert (await server.get("/api/conversations")).body == {"pinned": [], "conversations": [], "next": None}
    assert not traces(settings.data_dir, b"abracadabra", b"simsalabim")


def traces(folder: Path, *words: bytes) -> list[Path]:
    """The files that hold one of the words."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if any(word in path.read_bytes() for word in words)]


async def test_all_that_was_said_and_chosen_reaches_the_engine(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[Any] = []
    stream = server.engine.stream

    def spy(request: Any) -> Any:
        requests.append(request)
        return stream(request)

    monkeypatch.setattr(server.engine, "stream", spy)
    said = ("One", "First.", "script: words=9")
    await server.post("/api/answers", asked(*said, system="Be brief.", temperature=0.5, seed=7, max_tokens=5))
    assert [message.content for message in requests[0].messages] == ["Be brief.", *said]
    assert (requests[0].sampling.temperature, requests[0].sampling.seed, requests[0].sampling.max_tokens) == (0.5, 7, 5)


async def test_an_answer_that_comes_last_is_taken_up(server: Server) -> None:
    reply = await server.post("/api/answers", asked("script: say= and so on.", "It began so"))
    assert fold([event for _, event in parse(reply.raw)]).text == "It began so and so on."


async def test_who_leaves_stops_the_engine(server: Server) -> None:
    async with server.http.post(
        server.address + "/api/answers", json=asked("script: words=100000 rate=500")
    ) as response:
        before = server.engine.made
        while server.engine.made < before + 20:
            await response.content.readany()
    await asyncio.sleep(0.1)
    made = server.engine.made
    await asyncio.sleep(0.1)
    assert server.engine.made == made


async def test_it_ends_with_the_server(settings: Settings) -> None:
    async with serving(settings) as server:
        following = asyncio.create_task(server.post("/api/answers", asked("script: words=100000 rate=500")))
        while server.engine.made < 20:
            await asyncio.sleep(0.005)
        await server.app.end_streams()
        assert parse((await following).raw)[-1][1].type == "run.interrupted"


async def test_a_failure_is_in_the_stream(server: Server) -> None:
    message = fold([event for _, event in parse((await server.post("/api/answers", asked("script: fail=3"))).raw)])
    assert message.status == "failed"
    assert message.fault is not None
    assert message.fault.code == "engine_unavailable"


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({}, 400, "messages"),
        ({"messages": []}, 400, "messages"),
        ({"messages": [{"role": "system", "text": "x"}]}, 400, "messages.0.role"),
        ({"messages": [{"role": "assistant", "text": "x"}]}, 400, "messages"),
        (asked(" "), 400, "text"),
        (asked("a\0"), 400, "text"),
        (asked("x" * (1 << 21)), 413, "text"),
        (asked("word " * 40_000), 413, None),
        (asked("x", model="no-such"), 404, "model"),
        (asked("x", id="msg_1"), 400, "id"),
        (asked("x", temperature=9), 400, "temperature"),
    ],
)
async def test_what_is_wrong_is_said_before_the_stream(
    server: Server, body: JSON, status: int, param: str | None
) -> None:
    reply = await server.post("/api/answers", body)
    assert (reply.status, reply.error["param"]) == (status, param)
