"""Reranking and moderation for other programs, on this machine and on a server."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import openai
import pytest

from eclair.settings import EngineSettings, Settings
from tests.documents.tiny_reranker import write_tiny_reranker
from tests.llm.servers import reply
from tests.llm.standin import Call, standing_in
from tests.server.test_v1 import client_of
from tests.support import serving

BREAD = ["The moon is far.", "Bread costs two euros.", "The baker sleeps."]
RANKED = [
    {"index": 2, "relevance_score": 0.1},
    {"index": 1, "relevance_score": 0.9},
    {"index": 0, "relevance_score": -3},
]
pytestmark = pytest.mark.asyncio


async def test_a_servers_model_ranks(settings: Settings) -> None:
    asked: list[dict[str, Any]] = []

    async def rerank(call: Call) -> None:
        asked.append(call.json)
        await reply(call, {"results": RANKED})

    async with standing_in() as standin:
        standin.routes = {"/v1/rerank": rerank}
        engines = {"rack": EngineSettings(url=f"{standin.url}/v1", models=("judge-reranker",))}
        async with serving(replace(settings, engines=engines)) as server:
            body = {"model": "judge-reranker", "query": "What does bread cost?", "documents": BREAD, "top_n": 2}
            ranked = (await server.post("/v1/rerank", body)).body
            assert ranked["results"] == [RANKED[1], RANKED[0]]
            assert (ranked["model"], asked[0]["query"]) == ("judge-reranker", "What does bread cost?")
            objects = [{"text": text} for text in BREAD]
            best, *_ = (await server.post("/v1/rerank", {**body, "documents": objects, "return_documents": True})).body[
                "results"
            ]
            assert best["document"] == {"text": BREAD[1]}
            abilities = (await server.get("/v1/models/judge-reranker")).body["capabilities"]
            assert (abilities["rerank"], abilities["completion_chat"], abilities["embeddings"]) == (True, False, False)
            wrong = await server.post("/v1/rerank", {**body, "documents": []})
            assert (wrong.status, wrong.error["param"]) == (400, "documents")


async def test_the_reranker_of_the_models_folder_ranks(settings: Settings) -> None:
    path = settings.data_dir / "models" / "tiny-reranker.Q8_0.gguf"
    path.parent.mkdir(parents=True)
    write_tiny_reranker(path)
    async with serving(replace(settings, embedded=True, scripted=True, model="scripted")) as server:
        id = "tiny-reranker.q8_0"
        assert id in [model["id"] for model in (await server.get("/v1/models")).body["data"]]
        assert (await server.get(f"/v1/models/{id}")).body["capabilities"]["rerank"]
        texts = [f"bread {number}" for number in range(20)]
        named = (await server.post("/v1/rerank", {"model": id, "query": "bread?", "documents": texts})).body
        assert sorted(row["index"] for row in named["results"]) == list(range(20))
        scores = [row["relevance_score"] for row in named["results"]]
        assert scores == sorted(scores, reverse=True)
        unnamed = (await server.post("/v1/rerank", {"query": "bread?", "documents": texts[:2]})).body
        assert unnamed["model"] == id


async def test_without_a_model_the_remedy_is_named(settings: Settings) -> None:
    async with serving(settings) as server:
        ranked = await server.post("/v1/rerank", {"query": "bread?", "documents": BREAD})
        assert (ranked.status, ranked.error["code"]) == (501, "ability_missing")
        assert "bge-reranker-v2-m3" in ranked.error["message"]
        refused = await server.post("/v1/rerank", {"model": "scripted", "query": "bread?", "documents": BREAD})
        assert refused.status == 400
        moderated = await server.post("/v1/moderations", {"input": "Hello."})
        assert moderated.status == 501
        assert "eclair engines add" in moderated.error["message"]


async def test_moderation_is_passed_on(settings: Settings) -> None:
    verdict: dict[str, Any] = {
        "id": "modr-1",
        "model": "omni-moderation",
        "results": [{"flagged": True, "categories": {}}],
    }

    async with standing_in() as standin:
        standin.routes = {"/v1/moderations": lambda call: reply(call, verdict)}
        engines = {"rack": EngineSettings(url=f"{standin.url}/v1", models=("omni-moderation",))}
        async with serving(replace(settings, engines=engines)) as server, client_of(server) as client:
            for more in ({}, {"model": "omni-moderation"}):
                moderation = await client.moderations.create(input=["You fool."], extra_body=more)
                assert moderation.results[0].flagged
            assert standin.calls[-1].json == {"model": "omni-moderation", "input": ["You fool."]}
            with pytest.raises(openai.APIStatusError, match=r"has other-moderation; .* There is omni-moderation\."):
                await client.with_options(max_retries=0).moderations.create(input="x", model="other-moderation")
