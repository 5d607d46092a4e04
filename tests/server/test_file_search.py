"""`file_search` of `/v1/responses`, spoken by OpenAI's own client: by the model's calls, and before it is asked."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from typing import Any

import openai
import orjson
import pytest
import pytest_asyncio
from openai.types.responses import Response, ResponseFileSearchToolCall

from eclair.schema.principal import Principal
from eclair.settings import Settings
from tests.acting import Actor
from tests.server.test_documents import TOWER, add, reading, ready
from tests.server.test_isolation import make_key
from tests.server.test_responses import TOOLS, events
from tests.server.test_v1 import client_of
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

FACT = "The tower of Ettelbruck was built in 1903 by Marie Lacroix."
RESULTS: Any = ["file_search_call.results"]
SEARCH: list[tuple[str, JSON]] = [("search_documents", {"query": "tower built Lacroix"})]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Server]:
    folder = tmp_path_factory.mktemp("file-search") / "data"
    async with serving(
        Settings(data_dir=folder, embedded=False, scripted=True, port=0, titles=False, embedder="off")
    ) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with client_of(server) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def towers(server: Server) -> str:
    """The id of a library that has the tower, and others that are like it."""
    id = str((await server.post("/api/libraries", {"name": "Towers"})).body["id"])
    await ready(server, await add(server, TOWER, "tower.md", id))
    for number in range(1, 5):
        text = f"The small tower of Ettelbruck number {number} is {number} metres high."
        await ready(server, await add(server, text, f"small{number}.md", id))
    return id


@pytest.fixture
def actor(server: Server) -> Iterator[Actor]:
    stream = server.engine.stream
    yield Actor(server)
    server.engine.stream = stream


def searching(*stores: str, **more: Any) -> Any:
    return {"type": "file_search", "vector_store_ids": list(stores), **more}


def searches(response: Response) -> list[ResponseFileSearchToolCall]:
    return [item for item in response.output if isinstance(item, ResponseFileSearchToolCall)]


def citations(response: Response) -> list[tuple[str, Any]]:
    """The annotations of a response, each with the text of its message."""
    return [
        (part.text, annotation)
        for item in response.output
        if item.type == "message"
        for part in item.content
        if part.type == "output_text"
        for annotation in part.annotations
    ]


async def test_a_model_searches_and_its_answer_cites(client: openai.AsyncOpenAI, actor: Actor, towers: str) -> None:
    actor.plays(SEARCH, f"🗼 {FACT}")
    response = await client.responses.create(
        model="scripted", input="Who built it?", tools=[searching(towers)], include=RESULTS
    )
    assert [item.type for item in response.output] == ["file_search_call", "message"]
    (item,) = searches(response)
    assert (item.status, item.queries) == ("completed", ["tower built Lacroix"])
    assert item.id.startswith("fs_")
    assert item.results is not None
    best = item.results[0]
    assert (best.filename, best.score) == ("tower.md", 1.0)
    assert FACT in (best.text or "")
    scores = [each.score or 0 for each in item.results]
    assert scores == sorted(scores, reverse=True)
    ((text, annotation),) = citations(response)
    assert annotation.type == "file_citation"
    assert (annotation.file_id, annotation.filename) == (best.file_id, "tower.md")
    assert text[: annotation.index] == f"🗼 {FACT}", "it stands after the sentence that it is for"
    kept = await client.responses.retrieve(response.id)
    assert searches(kept) == [item]


async def test_results_are_left_out_unless_they_are_asked_for(
    client: openai.AsyncOpenAI, actor: Actor, towers: str
) -> None:
    actor.plays(SEARCH, "Done.")
    response = await client.responses.create(model="scripted", input="Go.", tools=[searching("Towers")])
    assert [(item.status, item.results) for item in searches(response)] == [("completed", None)]


async def test_no_more_results_come_than_are_wanted(client: openai.AsyncOpenAI, actor: Actor, towers: str) -> None:
    actor.plays(SEARCH, "Done.")
    tool = searching(towers, max_num_results=2)
    response = await client.responses.create(model="scripted", input="Go.", tools=[tool], include=RESULTS)
    assert [len(item.results or ()) for item in searches(response)] == [2]


async def test_several_searches_at_once_are_items_in_order(server: Server, actor: Actor, towers: str) -> None:
    actor.plays([*SEARCH, ("search_documents", {"query": "bridge stones"}), ("search_documents", {"no": 1})], "Done.")
    found = await events(server, "Go.", tools=[searching(towers)])
    name = "response.file_search_call"
    first = [event["type"] for event in found if event.get("output_index") == 0]
    assert first == [
        "response.output_item.added",
        f"{name}.in_progress",
        f"{name}.searching",
        f"{name}.completed",
        "response.output_item.done",
    ]
    added = [event["item"] for event in found if event["type"] == "response.output_item.added"]
    assert [item.get("queries") for item in added[:3]] == [["tower built Lacroix"], ["bridge stones"], [""]]
    output = found[-1]["response"]["output"]
    assert [item["status"] for item in output] == ["completed", "completed", "failed", "completed"]
    assert found[-1]["type"] == "response.completed"


async def test_the_clients_own_stream_takes_it(client: openai.AsyncOpenAI, actor: Actor, towers: str) -> None:
    actor.plays(SEARCH, FACT)
    async with client.responses.stream(model="scripted", input="Go.", tools=[searching(towers)]) as stream:
        types = [event.type async for event in stream]
        response = await stream.get_final_response()
    assert types.count("response.file_search_call.completed") == 1
    assert types.count("response.output_text.annotation.added") == 1
    assert response.output_text == FACT


async def test_a_clients_function_comes_first(client: openai.AsyncOpenAI, actor: Actor, towers: str) -> None:
    tools = [searching(towers), *TOOLS]
    actor.plays([*SEARCH, ("look_up", {})], "Done.")
    response = await client.responses.create(model="scripted", input="Go.", tools=tools)
    assert [(item.type, getattr(item, "status", "")) for item in response.output] == [
        ("file_search_call", "incomplete"),
        ("function_call", "completed"),
    ]


async def test_what_a_response_found_is_taken_back(client: openai.AsyncOpenAI, actor: Actor, towers: str) -> None:
    actor.plays(SEARCH, FACT)
    first = await client.responses.create(
        model="scripted", input="Go.", tools=[searching(towers)], include=RESULTS, store=False
    )
    actor.plays("Yes.")
    sent: Any = [{"role": "user", "content": "Go."}, *[item.model_dump() for item in first.output]]
    again = await client.responses.create(model="scripted", input=[*sent, {"role": "user", "content": "Really?"}])
    assert again.output_text == "Yes."
    assert [message.content for message in actor.requests[-1].messages] == ["Go.", FACT, "Really?"]
    items = await client.responses.input_items.list(again.id)
    assert "file_search_call" in [item.type for item in items.data]


async def test_a_demanded_search_is_made_before_the_model_is_asked(
    client: openai.AsyncOpenAI, actor: Actor, towers: str
) -> None:
    actor.plays(FACT)
    question = "Who built the tower of Ettelbruck?"
    response = await client.responses.create(
        model="scripted",
        input=question,
        tools=[searching(towers)],
        tool_choice={"type": "file_search"},
        include=RESULTS,
    )
    (item,) = searches(response)
    assert (item.status, item.queries) == ("completed", [question])
    assert "tower.md" in [each.filename for each in item.results or ()]
    assert [annotation.type for _, annotation in citations(response)] == ["file_citation"]


async def test_nothing_is_searched_where_no_tool_may_be_called(
    client: openai.AsyncOpenAI, actor: Actor, towers: str
) -> None:
    actor.plays("No.")
    response = await client.responses.create(
        model="scripted", input="Who built it?", tools=[searching(towers)], tool_choice="none"
    )
    assert [item.type for item in response.output] == ["message"]
    assert actor.tools == set()


async def test_a_call_that_is_required_is_made_once(client: openai.AsyncOpenAI, actor: Actor, towers: str) -> None:
    actor.plays(SEARCH, FACT)
    await client.responses.create(
        model="scripted", input="Who?", tools=[searching(towers)], tool_choice="required", stream=False
    )
    assert [request.tool_choice for request in actor.requests] == ["required", "auto"]


async def test_a_model_that_calls_no_tools_is_shown_what_was_found(settings: Settings) -> None:
    async with reading(settings) as (server, model), client_of(server) as client:
        id = str((await server.post("/api/libraries", {"name": "Towers"})).body["id"])
        await ready(server, await add(server, TOWER, "tower.md", id))
        loose = await ready(server, await add(server, "The mill of Ettelbruck has four wings.", "mill.md"))
        model.says = FACT
        response = await client.responses.create(
            model="reader",
            input="Who built the tower of Ettelbruck?",
            tools=[searching(id, loose["id"])],
            include=RESULTS,
        )
        assert [item.type for item in response.output] == ["file_search_call", "message"]
        (item,) = searches(response)
        assert {each.filename for each in item.results or ()} == {"tower.md", "mill.md"}
        ((text, annotation),) = citations(response)
        assert (annotation.type, text[: annotation.index]) == ("file_citation", FACT)


async def test_files_and_libraries_of_others_are_not_there(server: Server, client: openai.AsyncOpenAI) -> None:
    mine = str((await server.post("/api/libraries", {"name": "Safe"})).body["id"])
    file = await ready(server, await add(server, "The safe opens with 4711.", "safe.txt", mine))
    async with client_of(server, await make_key(server, Principal("stranger"))) as stranger:
        for store in (mine, "Safe", file["id"]):
            with pytest.raises(openai.NotFoundError, match="no library or file") as caught:
                await stranger.responses.create(model="scripted", input="Go.", tools=[searching(store)])
            assert orjson.loads(caught.value.response.content)["error"]["param"] == "tools"
    assert (await client.responses.create(model="scripted", input="Go.", tools=[searching(mine)])).status == "completed"


@pytest.mark.parametrize(
    ("tool", "param"),
    [
        (searching(), "vector_store_ids"),
        (searching("Towers", max_num_results=51), "max_num_results"),
        (searching("Towers", filters={"type": "eq", "key": "a", "value": "b"}), "filters"),
        (searching("Towers", ranking_options={"score_threshold": 0.5}), "score_threshold"),
    ],
)
async def test_what_it_cannot_do_is_refused_by_name(client: openai.AsyncOpenAI, tool: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError, match=param):
        await client.responses.create(model="scripted", input="Go.", tools=[tool])


async def test_its_name_is_taken(client: openai.AsyncOpenAI, towers: str) -> None:
    tools: Any = [searching(towers), {"type": "function", "name": "search_documents", "parameters": {"type": "object"}}]
    with pytest.raises(openai.BadRequestError, match="give your function another name"):
        await client.responses.create(model="scripted", input="Go.", tools=tools)
