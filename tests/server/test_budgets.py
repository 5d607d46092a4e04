"""Budgets through every door: nothing is made beyond them, every door refuses alike, and no text is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import aiohttp
import pytest

from eclair.llm.base import estimate_tokens
from eclair.schema.budgets import IMAGES, TOKENS, Demand, NeedRate
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import BudgetSettings, EngineSettings, Price, Settings
from eclair.storage.chunks import SearchScope
from tests.llm.servers import reply
from tests.llm.standin import Call
from tests.server.test_documents import add, reading, ready
from tests.support import JSON, Process, Reply, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

EVERYONE = {"kind": "everyone", "unit": "tokens", "period": "day"}
BUDGET_TURN = {"text": "script: words=10"}


async def set_budget(server: Server | Process, amount: int, **more: object) -> JSON:
    reply = await server.call("PUT", "/api/budgets", {**EVERYONE, "amount": amount, **more})
    assert reply.status == 200, reply
    return dict(reply.body)


async def own(server: Server | Process) -> JSON:
    (found,) = (await server.get("/api/budgets/mine")).body["budgets"]
    return dict(found)


def chat(text: str = "script: words=10", **more: object) -> JSON:
    return {"model": "scripted", "messages": [{"role": "user", "content": text}], **more}


async def test_an_answer_is_counted_and_what_it_reserved_given_back(fresh: Server) -> None:
    await set_budget(fresh, 5000)
    reply = await fresh.post("/v1/chat/completions", chat())
    assert reply.headers["RateLimit"].startswith('"tokens-day";r=5000;t=')
    assert reply.headers["RateLimit-Policy"] == '"tokens-day";q=5000;w=86400'
    usage = reply.body["usage"]
    found = await own(fresh)
    assert (found["used"], found["reserved"]) == (usage["total_tokens"], 0)
    (summed,) = (await fresh.get("/api/budgets")).body["budgets"]
    assert (summed["holders"], summed["used"], summed["exhausted"]) == (1, usage["total_tokens"], 0)


async def test_a_hundred_and_twenty_at_once_stay_within_it(fresh: Server) -> None:
    await set_budget(fresh, 1000)
    asked = chat("script: words=60 rate=2000", max_tokens=60)
    replies = await asyncio.gather(*(fresh.post("/v1/chat/completions", asked) for _ in range(120)))
    spent = sum(reply.body["usage"]["total_tokens"] for reply in replies if reply.status == 200)
    assert {reply.status for reply in replies} == {200, 429}
    found = await own(fresh)
    assert (found["used"], found["reserved"]) == (spent, 0)
    assert spent <= 1000


DOORS: dict[str, tuple[str, JSON]] = {
    "chat": ("/v1/chat/completions", chat()),
    "chat stream": ("/v1/chat/completions", chat(stream=True)),
    "completions": ("/v1/completions", {"model": "scripted", "prompt": "script: words=3"}),
    "responses": ("/v1/responses", {"model": "scripted", "input": "script: words=3"}),
    "messages": ("/v1/messages", chat(max_tokens=10)),
    "embeddings": ("/v1/embeddings", {"model": "scripted", "input": "words"}),
    "rerank": ("/v1/rerank", {"model": "scripted", "query": "words", "documents": ["words"]}),
    "ollama chat": ("/api/chat", chat()),
    "ollama generate": ("/api/generate", {"model": "scripted", "prompt": "script: words=3"}),
    "ollama embed": ("/api/embed", {"model": "scripted", "input": "words"}),
    "turn": ("/api/conversations/{}/turns", BUDGET_TURN),
    "temporary": ("/api/answers", {"messages": [{"role": "user", "text": "script: words=3"}]}),
    "edit": ("/api/edits", {"text": "A word.", "instruction": "Change it."}),
    "images": ("/v1/images/generations", {"prompt": "a cat"}),
}


@pytest.mark.parametrize("door", DOORS)
async def test_every_door_refuses_alike(fresh: Server, door: str) -> None:
    conversation = await fresh.begin()
    await set_budget(fresh, 30)
    await set_budget(fresh, 1, unit="images")
    await use_up(fresh, 30)
    path, body = DOORS[door]
    reply = await fresh.post(path.format(conversation), body)
    assert reply.status == 429, reply
    assert "is used up; it refills on" in message_of(reply)
    assert 0 < int(reply.headers["Retry-After"]) <= 86_400
    assert (await fresh.tree(conversation))["messages"] == []


async def use_up(server: Server, tokens: int) -> None:
    spent = {TOKENS: tokens, IMAGES: 1}
    demand = Demand({measure: NeedRate(amount) for measure, amount in spent.items()})
    await server.app.budgets.settle(await server.app.budgets.reserve(LOCAL_PRINCIPAL, demand), spent)


def message_of(reply: Reply) -> str:
    error = reply.body["error"]
    return str(error if isinstance(error, str) else error["message"])


async def test_a_question_that_was_asked_too_early_keeps_its_words(fresh: Server) -> None:
    """Another call may take the rest of a budget while a question is on its way: its run fails, its words stay."""
    conversation = await fresh.begin()
    await set_budget(fresh, 5)
    answer = await fresh.say(conversation, "script: words=10")
    assert (answer["status"], answer["fault"]["code"]) == ("failed", "budget_exceeded")
    assert answer["fault"]["message"].startswith("Your budget of 5 tokens a day has 5 tokens left, which isn't enough")
    (question, _) = (await fresh.tree(conversation))["messages"]
    assert question["parts"][0]["text"] == "script: words=10"


async def test_a_soft_limit_warns_and_lets_through(fresh: Server) -> None:
    await set_budget(fresh, 100_000, soft=1, hard=False)
    assert (await fresh.say(await fresh.begin(), "script: words=3"))["remarks"] == []
    await use_up(fresh, 200_000)
    answer = await fresh.say(await fresh.begin(), "script: words=3")
    (remark,) = answer["remarks"]
    assert remark["code"] == "budget_low"
    assert remark["message"].startswith("Your budget of 100,000 tokens a day is used up; it refills on ")


async def test_an_answer_is_cut_where_the_budget_ends(fresh: Server) -> None:
    await set_budget(fresh, 200)
    reply = await fresh.post("/v1/chat/completions", chat("script: words=500", max_tokens=500))
    (choice,) = reply.body["choices"]
    assert choice["finish_reason"] == "length"
    assert (await own(fresh))["used"] <= 200


async def test_a_stopped_answer_counts_what_was_written(fresh: Server) -> None:
    await set_budget(fresh, 100_000)
    begun = await fresh.ask(await fresh.begin(), "script: words=20 rate=1000 pause=60@5")
    async with fresh.open(f"/api/runs/{begun['run']}/events") as response:
        async for data in response.content.iter_any():
            if b"part.delta" in data:
                break
    reserved = (await own(fresh))["reserved"]
    assert reserved > 1000
    await fresh.post(f"/api/runs/{begun['run']}/stop")
    found = await own(fresh)
    assert 5 <= found["used"] < reserved
    assert found["reserved"] == 0


async def test_money_is_counted_by_its_price(fresh: Server, settings: Settings, tmp_path: Path) -> None:
    price = Price("EUR", Decimal(2), Decimal(6))
    engine = EngineSettings(f"{fresh.address}/v1", prices={"*": price}, joules_per_token=0.5)
    budgets = {
        "house": BudgetSettings(money=Decimal("0.5"), currency="EUR", each=False),
        "power": BudgetSettings(watt_hours=1.0, period="day"),
    }
    own_settings = replace(settings, data_dir=tmp_path / "b", scripted=False, engines={"r": engine}, budgets=budgets)
    async with serving(own_settings) as priced:
        usage = (await priced.post("/v1/chat/completions", chat())).body["usage"]
        money, power = (await priced.get("/api/budgets")).body["budgets"]
        assert money["used"] == usage["prompt_tokens"] * 2 + usage["completion_tokens"] * 6
        assert power["used"] == usage["total_tokens"] * 500
        assert money["budget"]["fixed"]
        refused = await priced.call("DELETE", f"/api/budgets/{money['budget']['id']}")
        assert (refused.status, refused.error["code"]) == (409, "conflict")


async def test_a_key_has_a_budget_models_and_limits_of_its_own(fresh: Server) -> None:
    made = (await fresh.post("/api/keys", {"name": "bot", "models": ["scripted"], "per_minute": 6, "at_once": 1})).body
    assert (made["models"], made["per_minute"], made["at_once"]) == (["scripted"], 6, 1)
    await set_budget(fresh, 40, kind="key", subject=made["id"])
    access = await _keyed(fresh, made["secret"])
    reply = await access("/v1/embeddings", {"model": "multilingual-e5-small", "input": "words"})
    assert (reply.status, reply.error["code"]) == (403, "forbidden")
    assert "may not ask multilingual-e5-small; it may ask scripted" in reply.error["message"]
    assert (await access("/v1/chat/completions", chat(max_tokens=1))).status == 200
    assert (await fresh.post("/v1/chat/completions", chat())).status == 200, "another's budget"


async def _keyed(server: Server, secret: str) -> Callable[[str, JSON], Awaitable[Reply]]:
    async def post(path: str, body: JSON) -> Reply:
        return await server.post(path, body, headers={"Authorization": f"Bearer {secret}"})

    return post


async def test_kill_settles_by_the_log(tmp_path: Path) -> None:
    async with aiohttp.ClientSession() as http:
        first = await Process.start(tmp_path, http)
        try:
            await set_budget(first, 100_000)
            begun = await first.ask(await first.begin(), "script: words=5000 rate=500")
            async with first.open(f"/api/runs/{begun['run']}/events") as response:
                seen = b""
                async for data in response.content.iter_any():
                    seen += data
                    if seen.count(b"part.delta") > 20:
                        break
            assert (await own(first))["reserved"] > 5000
        finally:
            await first.kill()
        second = await Process.start(tmp_path, http)
        try:
            found = await own(second)
            assert found["reserved"] == 0
            assert 0 < found["used"] < 5000
        finally:
            await second.close()


async def test_what_a_servers_model_embeds_and_ranks_counts_to_whom_it_is_done_for(settings: Settings) -> None:
    async with reading(settings, embedder="reader", reranker="judge") as (server, model):
        model.lists.append("judge")

        async def embed(call: Call) -> None:
            texts = call.json["input"]
            vectors = [{"index": number, "embedding": [1.0, 2.0]} for number in range(len(texts))]
            await reply(call, {"data": vectors, "usage": {"prompt_tokens": 50 * len(texts)}})

        async def rank(call: Call) -> None:
            await reply(call, {"results": [{"index": 0, "relevance_score": 0.5}]})

        model.standin.routes |= {"/v1/embeddings": embed, "/v1/rerank": rank}
        await set_budget(server, 10_000)
        await embedded(server, await add(server, "# Bread\n\nBread costs two euros.\n", "bread.md"))
        assert (await own(server))["used"] == 50, "the document's one passage"

        await set_budget(server, 51)
        late = await add(server, "# Milk\n\nMilk costs one euro.\n", "milk.md")
        assert (await ready(server, late))["embedded"] == 0, "its vectors wait until the budget refills"
        assert (await own(server))["used"] == 50
        await set_budget(server, 10_000)
        found = await server.app.search.find(SearchScope(LOCAL_PRINCIPAL, files=(late["id"],)), "milk", 5)
        assert [each.name for each in found] == ["milk.md"]
        ranked = estimate_tokens("milk") + estimate_tokens("Milk\nMilk costs one euro.")
        assert 100 <= (await own(server))["used"] <= 100 + ranked + 10, "the question, and what it was ranked with"


async def test_a_search_goes_on_by_words_where_the_budget_is_used_up(settings: Settings) -> None:
    async with reading(settings, embedder="reader", reranker="judge") as (server, model):
        model.lists.append("judge")
        await set_budget(server, 1)
        file = await ready(server, await add(server, "# Bread\n\nBread costs two euros.\n", "bread.md"))
        scope = SearchScope(LOCAL_PRINCIPAL, files=(file["id"],))
        assert [each.name for each in await server.app.search.find(scope, "bread", 5)] == ["bread.md"]
        asked = {call.path for call in model.standin.calls}
        assert not asked & {"/v1/embeddings", "/v1/rerank"}, "nothing was asked beyond the budget"


async def embedded(server: Server, file: JSON) -> None:
    """Wait until a file is found by meaning."""
    async with asyncio.timeout(60):
        while (found := await ready(server, file))["embedded"] < found["chunks"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
