"""Found passages reordered by a reranker of a server, through the HTTP door."""

from __future__ import annotations

from typing import Any

import pytest

from eclair.settings import Settings
from tests.llm.servers import reply
from tests.llm.standin import Call
from tests.server.test_documents import add, reading, ready
from tests.support import text_of

JSON = dict[str, Any]
BREAD = (
    "Bread, bread and bread again: the baker of Wiltz bakes bread.",
    "Bread costs two euros in Wiltz.",
    "The baker of Wiltz closes at noon.",
)


@pytest.mark.parametrize(
    ("results", "first"),
    [
        ([{"index": 1, "relevance_score": 0.9}, {"index": 0, "relevance_score": -3}], BREAD[1]),
        ([{"index": 0, "relevance_score": 0.1}], BREAD[0]),
        ([{"index": 0, "relevance_score": "high"}], BREAD[0]),
        (None, BREAD[0]),
    ],
)
async def test_the_best_passage_is_the_rerankers_and_its_failure_changes_nothing(
    settings: Settings, results: list[JSON] | None, first: str
) -> None:
    async with reading(settings, reranker="judge") as (server, model):
        model.lists.append("judge")
        asked: list[JSON] = []

        async def rerank(call: Call) -> None:
            asked.append(call.json)
            await reply(
                call,
                {"results": results} if results is not None else {"error": {"message": "It is down."}},
                200 if results else 500,
            )

        model.standin.routes["/v1/rerank"] = rerank
        library = (await server.post("/api/libraries", {"name": "handbook"})).body
        for number, text in enumerate(BREAD):
            await ready(server, await add(server, f"# Prices\n\n{text}\n", f"{number}.md", library=library["id"]))
        question = "What does bread cost?"
        message = await server.say(await server.begin(), question, libraries=["handbook"])
        assert text_of(message) == model.says
        assert [first in passage["text"] for passage in message["passages"]] == [True, False]
        (request,) = asked
        assert (request["model"], request["query"], request["top_n"]) == ("judge", question, 2)
        assert BREAD[0] in request["documents"][0]
        assert request["documents"][0].startswith("Prices\n")


async def test_a_server_that_reranks_nothing_changes_nothing(settings: Settings) -> None:
    async with reading(settings, reranker="reader") as (server, model):
        library = (await server.post("/api/libraries", {"name": "handbook"})).body
        await ready(server, await add(server, BREAD[0], library=library["id"]))
        message = await server.say(await server.begin(), "What does bread cost?", libraries=["handbook"])
        assert text_of(message) == model.says, "it has no such route"
