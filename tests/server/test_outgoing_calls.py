"""Outgoing calls: an engine beyond a proxy is called for a run, and every call is in the egress log."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator
from dataclasses import replace

import orjson
import pytest
import pytest_asyncio

from eclair.settings import EngineSettings, Settings
from tests.llm.anthropic_standin import KEY, answer, row
from tests.llm.standin import Call, standing_in
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

RACK = "http://rack.example/v1"


async def speak(call: Call) -> None:
    frame = {"model": "muse", "choices": [{"index": 0, "delta": {"content": "Hello."}, "finish_reason": "stop"}]}
    await call.stream(b"data: " + orjson.dumps(frame) + b"\n\n", b"data: [DONE]\n\n")


@pytest_asyncio.fixture(loop_scope="module")
async def away(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Server]:
    """A server whose one engine is not on this machine: a proxy leads to it."""
    async with standing_in() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        listing = orjson.dumps({"data": [{"id": "muse"}]})
        proxy.routes[f"{RACK}/models"] = lambda call: call.reply(200, listing)
        proxy.routes[f"{RACK}/chat/completions"] = speak
        own = replace(settings, scripted=False, engines={"rack": EngineSettings(RACK)}, titles=False, egress="listed")
        async with serving(own) as server:
            yield server


async def test_the_call_of_anthropics_api_is_in_the_ledger_and_may_be_forbidden(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with standing_in() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        monkeypatch.setenv("no_proxy", "")
        listing = orjson.dumps({"data": [row("claude-muse")]})
        proxy.routes[f"{RACK}/models?limit=1000"] = lambda call: call.reply(200, listing)
        proxy.routes[f"{RACK}/messages"] = lambda call: call.stream(*answer({"type": "text", "text": "Hello."}))
        engine = EngineSettings(RACK, key=KEY, api="anthropic")
        own = replace(settings, scripted=False, engines={"rack": engine}, titles=False, egress="listed")
        async with serving(own) as server:
            turn = await server.ask(await server.begin(), "A question of mine")
            await server.answered(turn["run"])
            (call,) = [call for call in (await list_calls(server, f"?run={turn['run']}"))["calls"] if call["sent"]]
            assert (call["method"], call["url"], call["purpose"]) == ("POST", f"{RACK}/messages", "engine")
            assert KEY not in str(await list_calls(server))
        async with serving(replace(own, egress="offline")) as server:
            body = {"model": "claude-muse", "messages": [{"role": "user", "content": "Hi"}]}
            assert (await server.post("/v1/chat/completions", body)).status >= 400
    assert sum(call.path == f"{RACK}/messages" for call in proxy.calls) == 1


async def list_calls(server: Server, query: str = "") -> JSON:
    reply = await server.get(f"/api/egress{query}")
    assert reply.status == 200, reply
    return dict(reply.body)


async def test_the_call_of_an_answer_is_in_the_ledger_under_its_run(away: Server) -> None:
    turn = await away.ask(await away.begin(), "A question of mine")
    await away.answered(turn["run"])
    found = await list_calls(away, f"?run={turn['run']}&purpose=engine")
    calls = [call for call in found["calls"] if call["method"] == "POST"]
    (call,) = calls
    assert call | {"id": 0, "moment": 0, "milliseconds": 0, "sent": 0, "received": 0} == {
        "id": 0,
        "moment": 0,
        "purpose": "engine",
        "run": turn["run"],
        "method": "POST",
        "url": f"{RACK}/chat/completions",
        "host": "rack.example",
        "address": "127.0.0.1",
        "country": None,
        "sent": 0,
        "received": 0,
        "status": 200,
        "milliseconds": 0,
        "verdict": "passed",
        "reason": None,
    }
    assert call["sent"] > len("A question of mine")
    assert call["received"] > len("Hello.")
    assert (found["policy"], found["hosts"], found["days"]) == ("listed", [], 365)


async def test_erased_the_run_leaves_the_proof_alone(away: Server) -> None:
    conversation = await away.begin()
    turn = await away.ask(conversation, "A question of mine")
    await away.answered(turn["run"])
    assert (await away.call("DELETE", f"/api/conversations/{conversation}?forever=true")).status == 204
    calls = (await list_calls(away, f"?run={turn['run']}"))["calls"]
    assert {call["url"] for call in calls} == {None}
    assert {call["host"] for call in calls} == {"rack.example"}
    everything = (await list_calls(away))["calls"]
    assert any(call["url"] is not None for call in everything)
    assert (await away.call("DELETE", "/api/conversations?confirm=all&forever=true")).status == 202
    assert {call["url"] for call in (await list_calls(away))["calls"]} == {None}


async def test_a_temporary_chat_leaves_no_address(away: Server) -> None:
    reply = await away.post("/api/answers", {"messages": [{"role": "user", "text": "A question of mine"}]})
    assert reply.status == 200, reply
    posts = [call for call in (await list_calls(away))["calls"] if call["method"] == "POST"]
    assert [(call["url"], call["verdict"]) for call in posts] == [(None, "passed")]


async def test_the_ledger_is_paged_filtered_and_exported(away: Server) -> None:
    for _ in range(3):
        await away.say(await away.begin(), "A question")
    whole = await list_calls(away)
    first = await list_calls(away, "?limit=2")
    rest = await list_calls(away, f"?limit=200&before={first['next']}")
    assert first["calls"] + rest["calls"] == whole["calls"]
    assert rest["next"] is None
    assert (await list_calls(away, "?host=example"))["calls"] == whole["calls"]
    assert (await list_calls(away, "?host=ack.example"))["calls"] == []
    assert (await list_calls(away, "?verdict=refused"))["counts"] == {}
    exported = await away.get("/api/egress/export?format=csv&host=Rack.Example")
    assert exported.headers["content-disposition"].startswith('attachment; filename="eclair-egress-')
    rows = list(csv.DictReader(io.StringIO(exported.raw.decode())))
    assert [int(row["id"]) for row in rows] == [call["id"] for call in whole["calls"]]
    assert rows[0]["time"].endswith("Z")
    assert rows[0]["host"] == "rack.example"
    listed = (await away.get("/api/egress/export?format=json")).body
    assert [row["id"] for row in listed] == [call["id"] for call in whole["calls"]]
    assert (await away.get("/api/egress/export?format=json&verdict=refused")).body == []


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1000",
        "before=0",
        "before=9223372036854775808",
        "verdict=maybe",
        "purpose=fun",
        "run=" + "a" * 300,
    ],
)
async def test_what_cannot_be_asked_is_told(server: Server, query: str) -> None:
    reply = await server.get(f"/api/egress?{query}")
    assert reply.status in (400, 422)
    assert query.partition("=")[0] in reply.error["message"]


async def test_offline_an_engine_elsewhere_says_why_it_does_not_answer(settings: Settings) -> None:
    engines = {"rack": EngineSettings("http://rack.example/v1", models=("muse",))}
    async with serving(replace(settings, engines=engines, egress="offline")) as server:
        assert await server.say(await server.begin(), "script: words=3")
        health = (await server.get("/api/engines")).body["engines"]
        assert "policy is `offline`" in str(health)
        asked = {"model": "muse", "messages": [{"role": "user", "content": "x"}]}
        reply = await server.post("/v1/chat/completions", asked)
        assert reply.status in (404, 503)
        assert "rack.example may not be called: the policy is `offline`" in reply.error["message"]
        found = await list_calls(server, "?verdict=refused")
        assert {call["host"] for call in found["calls"]} == {"rack.example"}
        assert {call["sent"] for call in found["calls"]} == {0}


async def test_a_private_address_that_is_none_keeps_the_server_from_starting(settings: Settings) -> None:
    with pytest.raises(Exception, match=r"`private_addresses`: .* isn't a host and port"):
        async with serving(replace(settings, private_addresses=("127.1:80",))):
            pass
