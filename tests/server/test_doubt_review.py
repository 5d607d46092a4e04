"""The model looks again at what no passage says in its words, through the HTTP door; a stand-in says what it would."""

from __future__ import annotations

import asyncio

import pytest

from eclair.settings import Settings
from tests.llm.servers import Speaking
from tests.llm.standin import Call
from tests.server.test_documents import add, reading, ready, sentence

FREE = "Nobody ever put the last stone of the crossing in its place."
ANSWER = f"It is 330 metres high. {FREE} Bread costs 12 euros."
ASKED = "Does the text support the claim"


def judging(
    model: Speaking, verdict: str, begun: asyncio.Event | None = None, ends: asyncio.Event | None = None
) -> list[str]:
    """Have the stand-in judge, from `begun` until it `ends`; returns what it is asked about."""
    asked: list[str] = []

    async def answer(call: Call) -> None:
        prompt = call.json["messages"][-1]["content"]
        if ASKED not in prompt:
            model.says = ANSWER
        else:
            asked.append(prompt)
            model.says = verdict
            assert call.json["response_format"]["type"] == "json_schema"
            if begun is not None and ends is not None:
                begun.set()
                await ends.wait()
        await model.chat(call)

    model.standin.routes["/v1/chat/completions"] = answer
    return asked


@pytest.mark.parametrize(("verdict", "doubted"), [('"yes"', False), ('"no"', True), ("Perhaps.", True)])
async def test_a_free_paraphrase_is_looked_at_again(settings: Settings, verdict: str, doubted: bool) -> None:
    async with reading(settings, name="reader-3b") as (server, model):
        asked = judging(model, verdict)
        file = await ready(server, await add(server))
        message = await server.say(await server.begin(), "What of the tower?", files=[file["id"]])
        sentences = {sentence(message, doubt) for doubt in message["doubts"]}
        assert (FREE in sentences) == doubted
        assert "Bread costs 12 euros." in sentences, "a figure that no passage has needs no second look"
        (prompt,) = asked
        assert FREE in prompt
        cited = [each["quote"] for each in message["citations"] if sentence(message, each) == FREE]
        assert cited == ([] if doubted else [prompt.partition("Text:\n")[2].partition("\n\nClaim:")[0]])


async def test_a_tiny_model_is_not_asked(settings: Settings) -> None:
    async with reading(settings, name="reader-0.1b") as (server, model):
        asked = judging(model, '"yes"')
        file = await ready(server, await add(server))
        await server.say(await server.begin(), "How high is the tower?", files=[file["id"]])
        assert asked == []


async def test_it_gives_way_to_the_next_answer(settings: Settings) -> None:
    async with reading(settings, name="reader-3b") as (server, model):
        begun, ends = asyncio.Event(), asyncio.Event()
        judging(model, '"yes"', begun, ends)
        file = await ready(server, await add(server))
        first = await server.ask(await server.begin(), "What of the tower?", files=[file["id"]])
        async with asyncio.timeout(20):
            await begun.wait()
        await server.say(await server.begin(), "Hello!")
        message = await server.answered(first["run"])
        assert FREE in {sentence(message, doubt) for doubt in message["doubts"]}
        ends.set()
