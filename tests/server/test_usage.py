"""What answers took, through the door: one Éclair is the priced engine of another."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from eclair.settings import EngineSettings, Price, Settings
from eclair.util import background
from tests.support import JSON, Process, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

PRICE = Price("EUR", Decimal("2"), Decimal("6"))


@pytest_asyncio.fixture(loop_scope="module")
async def priced(server: Server, settings: Settings) -> AsyncGenerator[Server]:
    """A server whose one engine is another, which it knows to take half a joule a token, and what that costs."""
    engine = EngineSettings(f"{server.address}/v1", prices={"*": PRICE}, joules_per_token=0.5)
    own = replace(settings, scripted=False, engines={"rack": engine}, titles=False, grid_g_per_kwh=360)
    async with serving(own) as priced:
        yield priced


async def used(server: Server, query: str = "") -> JSON:
    reply = await server.get(f"/api/usage{query}")
    assert reply.status == 200, reply
    return dict(reply.body)


async def test_an_answer_states_what_it_took_and_the_sums_have_it(priced: Server) -> None:
    usage = (await priced.say(await priced.begin(), "script: words=10"))["usage"]
    tokens = usage["prompt_tokens"] + 10
    assert usage["energy"] == {"joules": tokens / 2, "kind": "estimated"}
    assert usage["cost"] == {"micros": usage["prompt_tokens"] * 2 + 60, "currency": "EUR"}
    assert usage["seconds"] > 0
    found = await used(priced, "?by=model")
    (group,) = found["groups"]
    assert group["name"] == "scripted"
    assert {**group, "name": ""} == found["total"]
    assert (group["answers"], group["words"], group["metered"]) == (1, 10, 1)
    assert (group["prompt_tokens"], group["completion_tokens"]) == (usage["prompt_tokens"], 10)
    assert (group["measured_joules"], group["estimated_joules"]) == (0, tokens / 2)
    assert group["grams"] == round(tokens / 2 / 3.6e6 * 360, 3)
    assert group["costs"] == [usage["cost"]]


async def test_what_no_one_knows_is_null(fresh: Server) -> None:
    usage = (await fresh.say(await fresh.begin(), "script: words=10 title=A_title"))["usage"]
    assert (usage["energy"], usage["cost"]) == (None, None)
    total = (await used(fresh))["total"]
    assert (total["metered"], total["grams"], total["costs"]) == (0, None, [])


async def test_a_stopped_and_a_failed_answer_count_what_was_measured_once(priced: Server) -> None:
    begun = await priced.ask(await priced.begin(), "script: words=5000 rate=200")
    async with asyncio.timeout(10):
        while not (await priced.message(begun["run"]))["parts"]:
            await asyncio.sleep(0.02)
    await priced.post(f"/api/runs/{begun['run']}/stop")
    stopped = await priced.answered(begun["run"])
    failed = await priced.say(await priced.begin(), "script: words=20 break=10")
    assert (stopped["status"], failed["status"]) == ("stopped", "failed")
    total = (await used(priced))["total"]
    assert total["answers"] == 2
    assert total["words"] == stopped["usage"]["words"] + failed["usage"]["words"]
    assert total["costs"] == []


async def test_a_temporary_chat_leaves_its_numbers_and_nothing_else(priced: Server) -> None:
    said = {"messages": [{"role": "user", "text": "script: say=xyzzy plugh"}]}
    assert b"xyzzy" in (await priced.post("/api/answers", said)).raw
    total = (await used(priced))["total"]
    assert (total["answers"], total["words"], total["metered"]) == (1, 2, 1)
    assert total["costs"]
    folder = priced.app.settings.data_dir
    assert all(b"xyzzy" not in file.read_bytes() for file in folder.glob("eclair.db*"))


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {"messages": [{"role": "user", "content": "script: words=7"}]}),
        ("/v1/responses", {"input": "script: words=7"}),
        ("/v1/messages", {"max_tokens": 99, "messages": [{"role": "user", "content": "script: words=7"}]}),
    ],
)
async def test_answers_of_v1_are_in_the_sums_and_say_no_more_than_their_clients_know(
    priced: Server, path: str, body: JSON, streamed: bool
) -> None:
    reply = await priced.post(path, {"model": "scripted", "stream": streamed, **body})
    assert reply.status == 200, reply
    assert b"joules" not in reply.raw
    assert b"micros" not in reply.raw
    total = (await used(priced))["total"]
    assert (total["answers"], total["words"], total["completion_tokens"]) == (1, 7, 7)
    assert total["costs"]


async def test_a_title_costs_but_is_no_answer(
    server: Server, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "IDLE_DELAY_S", 0.05)
    engine = EngineSettings(f"{server.address}/v1", prices={"scripted": PRICE})
    async with serving(replace(settings, scripted=False, engines={"rack": engine})) as titling:
        answer = await titling.say(await titling.begin(), "Which bread?\nscript: words=9 title=Bread")
        async with asyncio.timeout(10):
            while (await used(titling))["total"]["costs"] == [answer["usage"]["cost"]]:
                await asyncio.sleep(0.02)
        total = (await used(titling))["total"]
    assert (total["answers"], total["words"]) == (1, 9)
    assert total["prompt_tokens"] > answer["usage"]["prompt_tokens"]


async def test_days_bound_the_sums(priced: Server) -> None:
    await priced.say(await priced.begin(), "script: words=3")
    found = await used(priced, "?by=day")
    today = date.fromisoformat(found["today"])
    assert [group["name"] for group in found["groups"]] == [found["today"]]
    assert (await used(priced, f"?from={today}&to={today}"))["total"] == found["total"]
    assert (await used(priced, f"?to={today - timedelta(days=1)}"))["total"]["answers"] == 0
    later = await used(priced, f"?from={today + timedelta(days=1)}&by=model")
    assert later["groups"] == []


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("?from=yesterday", "from"),
        ("?to=2026-02-30", "to"),
        ("?by=owner", "by"),
        ("?from=2026-02-02&to=2026-02-01", "from"),
    ],
)
async def test_what_is_wrong_is_named(server: Server, query: str, param: str) -> None:
    reply = await server.get(f"/api/usage{query}")
    assert (reply.status, reply.error["param"]) == (400, param)


async def test_deleting_everything_keeps_the_sums(priced: Server) -> None:
    await priced.say(await priced.begin(), "script: words=3")
    before = await used(priced, "?by=day")
    assert (await priced.call("DELETE", "/api/conversations?confirm=all&forever=true")).status == 202
    assert await used(priced, "?by=day") == before


async def test_an_export_takes_along_what_answers_took_and_an_import_uses_nothing(
    priced: Server, server: Server
) -> None:
    conversation = await priced.begin()
    usage = (await priced.say(conversation, "script: words=3"))["usage"]
    file = await priced.get(f"/api/conversations/{conversation}/export?format=json")
    before = (await used(server))["total"]
    staged = (await server.call("POST", "/api/imports?name=x.json", data=file.raw)).body
    await server.post(f"/api/imports/{staged['id']}")
    tree = await server.tree(conversation)
    assert [message["usage"] for message in tree["messages"]] == [None, usage]
    assert (await used(server))["total"] == before


async def test_an_answer_whose_server_is_killed_is_counted_once(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        server = await Process.start(tmp_path, http)
        begun = await server.ask(await server.begin(), "script: words=100000 rate=400")
        async with asyncio.timeout(10):
            while not (await server.message(begun["run"]))["parts"]:
                await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)  # its beginning is written within a quarter of a second
        await server.kill()
        for _ in range(2):
            server = await Process.start(tmp_path, http)
            try:
                assert (await server.message(begun["run"]))["status"] == "interrupted"
                total = (await server.get("/api/usage")).body["total"]
                assert (total["answers"], total["words"], total["metered"]) == (1, 0, 0)
            finally:
                await server.close()
