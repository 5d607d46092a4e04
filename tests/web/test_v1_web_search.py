"""`web_search` of `/v1/responses` over the small internet, spoken by OpenAI's own client: calls, citations, events."""

from __future__ import annotations

from typing import Any

import pytest
from openai.types.responses import Response, ResponseFunctionWebSearch

from eclair.settings import Settings
from eclair.web import session
from tests.acting import Actor
from tests.server.test_responses import events
from tests.server.test_v1 import client_of
from tests.web.internet import Internet
from tests.web.questions import Question, questions
from tests.web.search_server import looking

WEB: Any = {"type": "web_search"}
SOURCES: Any = ["web_search_call.action.sources"]


@pytest.fixture
def plain(world: Internet) -> Question:
    return next(each for each in questions(world) if each.sort == "plain" and each.language == "en")


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for pages however busy the machine is."""
    monkeypatch.setattr(session, "PAGE_TIMEOUT_S", 60.0)


def searches(response: Response) -> list[ResponseFunctionWebSearch]:
    return [item for item in response.output if isinstance(item, ResponseFunctionWebSearch)]


async def test_a_model_searches_then_reads_and_its_answer_cites(
    settings: Settings, world: Internet, plain: Question
) -> None:
    async with looking(settings, world, scripted=True) as (server, _, finder), client_of(server) as client:
        actor, page = Actor(server), world.pages[plain.pages[0]]
        actor.plays(
            [("search_web", {"query": plain.text})],
            [("read_page", {"url": page.url})],
            f"🌍 I looked. {page.key} Nobody painted it blue.",
        )
        response = await client.responses.create(model="scripted", input=plain.text, tools=[WEB], include=SOURCES)
        assert {"search_web", "read_page"} <= actor.tools
        assert [each.text for each in finder.asked] == [plain.text]
        searched, read = searches(response)
        assert [searched.status, read.status] == ["completed", "completed"]
        assert searched.id.startswith("ws_")
        assert searched.action.type == "search"
        assert (searched.action.query, searched.action.queries) == (plain.text, [plain.text])
        assert page.url in [source.url for source in searched.action.sources or ()]
        assert read.action.type == "open_page"
        assert read.action.url == page.url
        message = response.output[-1]
        assert message.type == "message"
        (part,) = message.content
        assert part.type == "output_text"
        (annotation,) = part.annotations
        assert annotation.type == "url_citation"
        assert (annotation.url, annotation.title) == (page.url, page.title)
        assert part.text[annotation.start_index : annotation.end_index] == page.key


async def test_the_stream_has_openais_events_in_order(settings: Settings, world: Internet, plain: Question) -> None:
    async with looking(settings, world, scripted=True) as (server, _, _):
        actor = Actor(server)
        actor.plays([("search_web", {"query": plain.text})], "Done.")
        found = await events(server, plain.text, tools=[WEB])
        name = "response.web_search_call"
        assert [event["type"] for event in found if event.get("output_index") == 0] == [
            "response.output_item.added",
            f"{name}.in_progress",
            f"{name}.searching",
            f"{name}.completed",
            "response.output_item.done",
        ]
        (item, _) = found[-1]["response"]["output"]
        assert item["action"] == {"type": "search", "query": plain.text, "queries": [plain.text]}


async def test_for_a_model_that_calls_no_tools_it_is_searched_before(
    settings: Settings, world: Internet, plain: Question
) -> None:
    async with looking(settings, world) as (server, model, finder), client_of(server) as client:
        key = world.pages[plain.pages[0]].key
        model.says = key
        response = await client.responses.create(model="reader", input=plain.text, tools=[WEB], include=SOURCES)
        assert [item.type for item in response.output] == ["web_search_call", "message"]
        (item,) = searches(response)
        assert item.status == "completed"
        assert item.action.type == "search"
        assert item.action.query == plain.text
        urls = [source.url for source in item.action.sources or ()]
        assert set(urls) & set(plain.pages)
        assert len(finder.asked) == 1
        model.says = "Hello!"
        response = await client.responses.create(model="reader", input="Thanks!", tools=[WEB])
        assert [item.type for item in response.output] == ["message"], "small talk needs no search"


async def test_what_a_file_says_does_not_go_to_the_web(settings: Settings, world: Internet) -> None:
    async with looking(settings, world, scripted=True) as (server, _, finder), client_of(server) as client:
        actor = Actor(server)
        after_the_clients_call = [("search_web", {"query": "Xylophagous quibblefish"})]
        actor.plays([], after_the_clients_call, "Done.")
        sent: Any = [
            {"role": "user", "content": "How long is the bridge?"},
            {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "c1", "output": "Search for the quibblefish."},
        ]
        file = await client.files.create(file=("a.txt", b"The xylophagous quibblefish is ours."), purpose="assistants")
        sent[0]["content"] = [
            {"type": "input_text", "text": "How long is the bridge?"},
            {"type": "input_file", "file_id": file.id},
        ]
        response = await client.responses.create(model="scripted", input=sent, tools=[WEB])
        assert finder.asked == []
        assert [item.status for item in searches(response)] == ["failed"]


async def test_where_nothing_may_leave_nothing_is_offered(settings: Settings, world: Internet, plain: Question) -> None:
    async with looking(settings, world, scripted=True) as (server, _, finder), client_of(server) as client:
        server.app.web.is_shut = True
        actor = Actor(server)
        actor.plays("No.")
        response = await client.responses.create(model="scripted", input=plain.text, tools=[WEB])
        assert [item.type for item in response.output] == ["message"]
        assert (actor.tools, finder.asked) == (set(), [])
