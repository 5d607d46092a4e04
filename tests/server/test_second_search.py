"""A second search with a model's words, where the first passages don't answer; a stand-in writes the queries."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any

import orjson
import pytest

from eclair.settings import Settings
from tests.llm.servers import Speaking
from tests.llm.standin import Call
from tests.server.test_documents import add, asked, reading, ready
from tests.server.test_relevance import SAYS, codes
from tests.support import Server, text_of

JSON = dict[str, Any]
HOSTNAME = """\
# Networks

The name of a computer in the network is its hostname. It stands in the file /etc/hostname, which root may change.
"""
MUSEUM = """\
# Opening hours

The museum of Wiltz is open from nine to five.

# Prices

The museum of Wiltz charges grown-ups twelve euros. Students pay seven euros there with a valid card.
"""


class Rewriting(Speaking):
    """A model that writes these queries."""

    queries: tuple[str, ...] = ()
    prompts: tuple[str, ...] = ()

    async def chat(self, call: Call) -> None:
        if call.json.get("response_format", {}).get("json_schema", {}).get("name") != "queries":
            await super().chat(call)
            return
        self.prompts = (*self.prompts, call.json["messages"][-1]["content"])
        text = orjson.dumps({"queries": self.queries}).decode()
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": "stop"}
        await call.stream(b"data: " + orjson.dumps({"choices": [choice]}) + b"\n\n", b"data: [DONE]\n\n")


def rewriting(
    settings: Settings, name: str = "reader", **changed: Any
) -> AbstractAsyncContextManager[tuple[Server, Speaking]]:
    return reading(settings, name, Rewriting, **changed)


async def add_library(server: Server, *texts: str) -> None:
    library = (await server.post("/api/libraries", {"name": "handbook"})).body
    for number, text in enumerate(texts):
        await ready(server, await add(server, text, f"{number}.md", library=library["id"]))


def searches(message: JSON) -> list[str]:
    return [step["title"] for step in message["steps"] if step["kind"] == "search"]


async def test_words_in_the_documents_language_find_what_the_question_does_not(settings: Settings) -> None:
    async with rewriting(settings) as (server, model):
        assert isinstance(model, Rewriting)
        await add_library(server, HOSTNAME, MUSEUM)
        question = "Wie ändere ich den Rechnernamen auf diesem System?"
        model.queries = ("How do I change the hostname of this computer?", "Where does the hostname stand?")
        message = await server.say(await server.begin(), question, libraries=["handbook"])
        assert searches(message) == ["Searching handbook", f"Searching again for {'; '.join(model.queries)}"]
        assert codes(message) == []
        assert "/etc/hostname" in message["passages"][0]["text"]
        assert "/etc/hostname" in asked(model)
        assert question in model.prompts[0]


async def test_a_follow_up_is_searched_as_a_question_of_its_own(settings: Settings) -> None:
    async with rewriting(settings) as (server, model):
        assert isinstance(model, Rewriting)
        await add_library(server, HOSTNAME, MUSEUM)
        conversation = await server.begin()
        first = "What does the museum of Wiltz charge grown-ups?"
        await server.say(conversation, first, libraries=["handbook"])
        assert model.prompts == (), "the first question stands alone, and is answered"
        model.queries = ("What do students pay in the museum of Wiltz?",)
        message = await server.say(conversation, "And whoever still learns?")
        assert len(model.prompts) == 1
        assert first in model.prompts[0]
        assert "And whoever still learns?" in model.prompts[0]
        assert "seven euros" in message["passages"][0]["text"]
        assert codes(message) == []
        assert searches(message) == ["Searching handbook"]


@pytest.mark.parametrize(("name", "prompts", "text"), [("small-1.5b", 0, SAYS["en"]), ("reader", 1, "OK")])
async def test_other_words_of_the_same_language_undo_no_refusal(
    settings: Settings, name: str, prompts: int, text: str
) -> None:
    async with rewriting(settings, name) as (server, model):
        assert isinstance(model, Rewriting)
        await add_library(server, HOSTNAME, MUSEUM)
        model.queries = ("What do students pay in the museum of Wiltz?",)
        question = "Which vitamins do oranges, lemons, apples, pears and cherries near a museum contain?"
        message = await server.say(await server.begin(), question, libraries=["handbook"])
        assert len(model.prompts) == prompts, "a small one is not kept waiting for what proves nothing"
        assert (text_of(message), codes(message)) == (text, ["nothing_found"])


async def test_a_small_model_translates_before_it_refuses(settings: Settings) -> None:
    async with rewriting(settings, "small-1.5b") as (server, model):
        assert isinstance(model, Rewriting)
        await add_library(server, HOSTNAME, MUSEUM)
        model.queries = ("How do I change the hostname of this computer?",)
        question = "Wie ändere ich den Rechnernamen auf diesem System?"
        message = await server.say(await server.begin(), question, libraries=["handbook"])
        assert "one search query" in model.prompts[0]
        assert (text_of(message), codes(message)) == ("OK", [])


async def test_a_model_that_writes_no_queries_changes_nothing(settings: Settings) -> None:
    async with rewriting(settings) as (server, model):
        await add_library(server, HOSTNAME, MUSEUM)
        question = "Which vitamins do oranges, lemons, apples, pears and cherries near a museum contain?"
        message = await server.say(await server.begin(), question, libraries=["handbook"])
        assert searches(message) == ["Searching handbook"]
        assert codes(message) == ["nothing_found"]
        assert text_of(message) == model.says


async def test_what_is_found_with_other_words_comes_with_what_follows_it(settings: Settings) -> None:
    async with rewriting(settings) as (server, model):
        assert isinstance(model, Rewriting)
        follows = "Only root writes there, and each line holds nothing but letters, digits and dashes. " * 12
        others = [f"Computer {number} has a hostname.\n" for number in range(8)]
        await add_library(server, f"{HOSTNAME}\n{follows}\n", *others)
        model.queries = ("How do I change the hostname of this computer?",)
        question = "Wie ändere ich den Rechnernamen auf diesem System?"
        message = await server.say(await server.begin(), question, libraries=["handbook"])
        assert searches(message)[-1].startswith("Searching again")
        assert any(passage["text"].startswith("Only root") for passage in message["passages"])
