"""`/v1/responses`, spoken by OpenAI's own client."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from typing import Any

import openai
import orjson
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import BaseModel, TypeAdapter

from eclair.llm.base import PromptMessage, Text
from eclair.llm.scripted import prose
from tests.server.test_v1 import City, client_of, exact, settled
from tests.support import JSON, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

TOOLS: Any = [{"type": "function", "name": "look_up", "parameters": {"type": "object"}, "strict": False}]
EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)
PICTURE_URL = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQ"
    "AAAABJRU5ErkJggg=="
)


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with client_of(server) as client:
        yield client


def known(event: JSON) -> JSON:
    """An event without what the client's types lack: `store`, the `error` by which it raises, the `name` of a call."""
    lacking = {("error", "error"), ("response.function_call_arguments.done", "name")}
    shown = {name: value for name, value in event.items() if (event["type"], name) not in lacking}
    return {**shown, "response": known_response(event["response"])} if "response" in event else shown


def known_response(response: JSON) -> JSON:
    assert isinstance(response["store"], bool)
    return {name: value for name, value in response.items() if name != "store"}


async def events(server: Server, input: Any, **body: Any) -> list[JSON]:
    """The events of a streamed response, each of the client's own type and without a field that the type lacks."""
    reply = await server.post("/v1/responses", {"model": "scripted", "stream": True, "input": input, **body})
    assert reply.status == 200, reply
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    blocks = reply.raw.decode().split("\n\n")
    assert blocks.pop() == ""
    found: list[JSON] = []
    for number, block in enumerate(blocks):
        first, second = block.split("\n")
        event = orjson.loads(second.removeprefix("data: "))
        assert first == f"event: {event['type']}"
        assert event["sequence_number"] == number
        typed: BaseModel = EVENT.validate_json(orjson.dumps(event))
        exact(type(typed), known(event))
        found.append(event)
    return found


@pytest.fixture
def asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The requests that reach the engine."""
    asked: list[Any] = []
    stream = server.engine.stream

    def spy(request: Any) -> Any:
        asked.append(request)
        return stream(request)

    monkeypatch.setattr(server.engine, "stream", spy)
    return asked


async def test_whole(server: Server, client: openai.AsyncOpenAI) -> None:
    reply = await client.responses.create(model="scripted", input="script: words=5", metadata={"a": "b"})
    assert reply.output_text == "".join(prose(5))
    assert (reply.status, reply.error, reply.incomplete_details) == ("completed", None, None)
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.total_tokens) == (2, 5, 7)
    assert reply.metadata == {"a": "b"}
    raw = (await server.post("/v1/responses", {"model": "scripted", "input": "script: words=5"})).body
    assert exact(Response, known_response(raw)).id.startswith("resp_")


async def test_the_official_sequence_of_events(server: Server) -> None:
    found = await events(server, "script: words=50 rate=2000")
    kinds = [event["type"] for event in found]
    growing = kinds.count("response.output_text.delta")
    assert growing > 1
    assert kinds == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        *["response.output_text.delta"] * growing,
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    text = "".join(prose(50))
    assert "".join(event.get("delta", "") for event in found) == text
    assert found[-4]["text"] == found[-3]["part"]["text"] == found[-2]["item"]["content"][0]["text"] == text
    assert found[0]["response"]["output"] == []
    assert found[-1]["response"]["output"] == [found[-2]["item"]]
    assert found[-1]["response"]["usage"]["output_tokens"] == 50


async def test_thought_is_an_item_of_its_own(server: Server) -> None:
    found = await events(server, "script: words=2 reasoning=3")
    thought, said = found[-1]["response"]["output"]
    assert (thought["type"], thought["content"][0]["text"]) == ("reasoning", "".join(prose(3)))
    assert (said["type"], said["content"][0]["text"]) == ("message", "".join(prose(2)))
    assert found[-1]["response"]["usage"]["output_tokens_details"] == {"reasoning_tokens": 3}
    kinds = [event["type"] for event in found if event.get("output_index") == 0]
    assert kinds[0] == "response.output_item.added"
    assert kinds[-3:] == ["response.reasoning_text.done", "response.content_part.done", "response.output_item.done"]
    assert "".join(event["delta"] for event in found if event["type"] == "response.reasoning_text.delta") == "".join(
        prose(3)
    )


async def test_the_clients_own_stream(client: openai.AsyncOpenAI) -> None:
    async with client.responses.stream(model="scripted", input="script: words=50 rate=2000 reasoning=5") as stream:
        text = "".join([event.delta async for event in stream if event.type == "response.output_text.delta"])
        final = await stream.get_final_response()
    assert text == final.output_text == "".join(prose(50))


async def test_tools(server: Server, client: openai.AsyncOpenAI, asked: list[Any]) -> None:
    script = 'script: tool=look_up{"city":"Aachen"}'
    async with client.responses.stream(model="scripted", input=script, tools=TOOLS, tool_choice="required") as stream:
        final = await stream.get_final_response()
    (item,) = final.output
    assert item.type == "function_call"
    assert (item.call_id, item.name, item.arguments) == ("call_1", "look_up", '{"city":"Aachen"}')
    function = {"name": "look_up", "parameters": {"type": "object"}, "strict": False}
    assert asked[0].tools == ({"type": "function", "function": function},)
    assert asked[0].tool_choice == "required"
    found = await events(server, script, tools=TOOLS, tool_choice={"type": "function", "name": "look_up"})
    assert asked[1].tool_choice == {"type": "function", "function": {"name": "look_up"}}
    kinds = [event["type"] for event in found]
    assert kinds[2] == "response.output_item.added"
    assert kinds[-3:] == [
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert "".join(event.get("delta", "") for event in found) == found[-3]["arguments"] == '{"city":"Aachen"}'


async def test_the_turn_after_a_call(client: openai.AsyncOpenAI, asked: list[Any]) -> None:
    """As the client's guide has it: the output goes back as it came, with the results after it."""
    input: list[Any] = [{"role": "developer", "content": "Be kind."}]
    input += [{"role": "user", "content": 'script: reasoning=2 tool=look_up{"a":1}'}]
    first = await client.responses.create(model="scripted", instructions="Be brief.", input=input, tools=TOOLS)
    input += first.output
    input += [
        {"type": "function_call_output", "call_id": "call_1", "output": "rainy"},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "script: say=Thanks"}]},
    ]
    second = await client.responses.create(model="scripted", instructions="Be brief.", input=input, tools=TOOLS)
    assert second.output_text == "Thanks"
    call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"a":1}'}}
    assert asked[1].messages == (
        PromptMessage("system", "Be brief.\n\nBe kind."),
        PromptMessage("user", 'script: reasoning=2 tool=look_up{"a":1}'),
        PromptMessage("assistant", None, tool_calls=(call,), reasoning="".join(prose(2))),
        PromptMessage("tool", "rainy", tool_call_id="call_1"),
        PromptMessage("user", "script: say=Thanks"),
    )


async def test_structured_output(client: openai.AsyncOpenAI, asked: list[Any]) -> None:
    reply = await client.responses.parse(model="scripted", input='script: say={"name": "Aachen"}', text_format=City)
    assert reply.output_parsed == City(name="Aachen")
    assert asked[0].response_format["type"] == "json_schema"
    assert asked[0].response_format["json_schema"]["name"] == "City"
    assert asked[0].response_format["json_schema"]["schema"]["required"] == ["name"]


async def test_what_is_asked_reaches_the_engine(client: openai.AsyncOpenAI, asked: list[Any]) -> None:
    reply = await client.responses.create(
        model="scripted",
        input="script: words=9",
        temperature=0.1,
        top_p=0.2,
        max_output_tokens=3,
        reasoning={"effort": "low", "summary": "auto"},
        parallel_tool_calls=False,
        include=["reasoning.encrypted_content", "message.output_text.logprobs"],
        top_logprobs=2,
        store=False,
        user="ada",
        prompt_cache_key="k",
        truncation="disabled",
    )
    sampling = asked[0].sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.1, 0.2, 3)
    assert asked[0].extra == {
        "reasoning_effort": "low",
        "parallel_tool_calls": False,
        "logprobs": True,
        "top_logprobs": 2,
    }
    assert (reply.temperature, reply.top_p, reply.max_output_tokens) == (0.1, 0.2, 3)
    assert reply.status == "incomplete"
    assert reply.incomplete_details is not None
    assert reply.incomplete_details.reason == "max_output_tokens"
    assert reply.output[0].status == "incomplete"  # pyright: ignore[reportAttributeAccessIssue]


async def test_log_probabilities(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = server.engine.stream
    token = {"token": "Hé", "logprob": -0.5, "bytes": [72, 195, 169]}

    async def likely(request: Any) -> Any:
        async for piece in stream(request):
            yield Text(piece.text, ({**token, "top_logprobs": [token]},)) if isinstance(piece, Text) else piece

    monkeypatch.setattr(server.engine, "stream", likely)
    found = await events(server, "script: words=1", include=["message.output_text.logprobs"])
    said = found[-1]["response"]["output"][0]["content"][0]
    assert said["logprobs"] == [{**token, "top_logprobs": [token]}]
    brief = {"token": "Hé", "logprob": -0.5}
    (delta,) = [event for event in found if event["type"] == "response.output_text.delta"]
    assert delta["logprobs"] == [{**brief, "top_logprobs": [brief]}]


async def test_an_answer_that_is_cut_is_incomplete(server: Server) -> None:
    found = await events(server, "script: words=9", max_output_tokens=3)
    assert found[-1]["type"] == "response.incomplete"
    assert found[-2]["item"]["status"] == "incomplete"


async def test_closing_the_stream_stops_the_engine(server: Server, client: openai.AsyncOpenAI) -> None:
    stream = await client.responses.create(model="scripted", input="script: words=100000 rate=1000", stream=True)
    async for event in stream:
        if event.type == "response.output_text.delta":
            break
    await stream.close()
    await settled(server)


async def test_leaving_a_whole_reply_stops_the_engine(server: Server) -> None:
    body = {"model": "scripted", "input": "script: words=100000 rate=1000"}
    made = server.engine.made
    asking = asyncio.create_task(server.post("/v1/responses", body))
    while server.engine.made < made + 100:
        await asyncio.sleep(0.01)
    asking.cancel()
    await settled(server)


async def test_a_stream_that_fails_says_so(server: Server) -> None:
    for script, message in (("fail=20", "fails"), ("break=20", "broke off")):
        found = await events(server, f"script: words=50 rate=1000 {script}")
        assert found[-1]["type"] == "response.failed"
        response = found[-1]["response"]
        assert response["status"] == "failed"
        assert response["error"]["code"] == "server_error"
        assert message in response["error"]["message"]
        assert len(response["output"][0]["content"][0]["text"].split()) == 20
        assert response["output"][0]["status"] == "incomplete"


async def test_errors_before_the_first_word(client: openai.AsyncOpenAI) -> None:
    for stream in (False, True):
        with pytest.raises(openai.RateLimitError) as busy:
            await client.responses.create(model="scripted", input="script: busy=7", stream=stream)  # pyright: ignore
        assert busy.value.response.headers["retry-after"] == "7"
    with pytest.raises(openai.NotFoundError, match="Available: scripted"):
        await client.responses.create(model="gpt-9", input="x")
    with pytest.raises(openai.InternalServerError, match="broke off"):
        await client.responses.create(model="scripted", input="script: break=2")


WRONG: Any = [
    ("input", [], "input", "at least 1"),
    ("input", 5, "input", "list"),
    ("input", [{"type": "computer_call", "id": "x"}], "input.0", "web_search_call and item_reference"),
    ("input", [{"role": "user", "content": [{"type": "input_audio"}]}], "input.0.content.0", "input_image"),
    ("input", [{"role": "user", "content": "x", "colour": "red"}], "input.0.colour", "does not know"),
    ("input", [{"role": "narrator", "content": "x"}], "input.0.role", "input should be"),
    ("input", [{"type": "reasoning", "id": "x", "summary": []}], "input", "nothing to answer"),
    ("tools", [{"type": "computer"}], "tools.0", "function, namespace, web_search, file_search and code_interpreter"),
    ("tools", [{"type": "file_search"}], "tools.0.vector_store_ids", "is missing"),
    ("tools", [{"type": "function", "name": ""}], "tools.0.name", "at least 1"),
    ("tools", [{"type": "web_search", "filters": {"allowed_domains": ["x.eu"]}}], "tools.0.filters", "does not know"),
    ("tool_choice", {"type": "function", "name": "nowhere"}, "tool_choice", "names 'nowhere'"),
    ("tool_choice", "required", "tool_choice", "no `tools`"),
    ("tool_choice", "any", "tool_choice", "auto"),
    ("tool_choice", {"type": "file_search"}, "tool_choice", "not among the `tools`"),
    ("text", {"format": {"type": "yaml"}}, "text.format", "json_schema"),
    ("text", {"format": {"type": "json_schema", "name": "x"}}, "text.format.schema", "missing"),
    ("text", {"verbosity": "loud"}, "text.verbosity", "medium"),
    ("temperature", 3, "temperature", "less than"),
    ("conversation", 5, "conversation", "string"),
    ("background", "yes", "background", "boolean"),
    ("truncation", "middle", "truncation", "disabled"),
    ("prompt", {"id": "x"}, "prompt", "does not know"),
]


@pytest.mark.parametrize(("field", "value", "param", "message"), WRONG)
async def test_what_is_wrong_is_named(
    client: openai.AsyncOpenAI, field: str, value: Any, param: str, message: str
) -> None:
    with pytest.raises(openai.BadRequestError, match=message) as caught:
        await client.responses.create(model="scripted", input="x", extra_body={field: value})
    assert (caught.value.param, caught.value.type) == (param, "invalid_request_error")


HINTS: Any = {
    "truncation": "auto",
    "service_tier": "flex",
    "prompt_cache_retention": "1h",
    "prompt_cache_options": {"ttl": "1h"},
    "client_metadata": {"session": "x"},
    "include": ["file_search_call.results", "web_search_call.action.sources"],
    "text": {"verbosity": "low"},
    "reasoning": {"summary": "detailed"},
    "stream_options": {"include_obfuscation": True},
    "max_tool_calls": 3,
    "temperature": None,
    "prompt": None,
}


async def test_hints_are_accepted(client: openai.AsyncOpenAI) -> None:
    for field, value in HINTS.items():
        await client.responses.create(model="scripted", input="script: words=1", extra_body={field: value})


@pytest.mark.parametrize(
    ("body", "effort"),
    [
        ({"enable_thinking": False}, "none"),
        ({"chat_template_kwargs": {"enable_thinking": True}}, "medium"),
        ({"enable_thinking": True, "reasoning": {"effort": "high"}}, "high"),
        ({"reasoning": {"summary": "auto"}}, None),
    ],
)
async def test_reasoning_is_switched(client: openai.AsyncOpenAI, asked: list[Any], body: Any, effort: Any) -> None:
    await client.responses.create(model="scripted", input="script: words=1", extra_body=body)
    assert asked[0].extra.get("reasoning_effort") == effort


async def test_the_functions_of_a_namespace(server: Server, client: openai.AsyncOpenAI, asked: list[Any]) -> None:
    """Codex sends its functions so, and wants their calls in the same form."""
    tools: Any = [{"type": "namespace", "name": "crm", "description": "Customers.", "tools": TOOLS}]
    tools += [{"type": "web_search", "external_web_access": False}]
    script = "script: tool=crm__look_up{}"
    first = await client.responses.create(model="scripted", input=script, tools=tools)
    (call,) = first.output
    assert call.type == "function_call"
    assert (call.namespace, call.name) == ("crm", "look_up")
    assert [tool["function"]["name"] for tool in asked[0].tools] == ["crm__look_up"]
    history: Any = [{"role": "user", "content": "x"}, call.model_dump()]
    history += [{"type": "function_call_output", "call_id": call.call_id, "output": "y"}]
    choice: Any = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "b"}]}
    named: Any = [*tools, {**TOOLS[0], "name": "b"}]
    await client.responses.create(model="scripted", input=history, tools=named, tool_choice=choice)
    assert asked[1].messages[1].tool_calls[0]["function"]["name"] == "crm__look_up"
    assert [tool["function"]["name"] for tool in asked[1].tools] == ["b"]
    found = await events(server, script, tools=tools)
    assert found[-1]["response"]["output"][0]["namespace"] == "crm"


async def test_an_image_in_a_result_is_shown(client: openai.AsyncOpenAI, asked: list[Any]) -> None:
    picture = {"type": "input_image", "image_url": PICTURE_URL, "detail": "original"}
    await client.responses.create(
        model="scripted",
        input=[
            {"role": "user", "content": "script: words=1"},
            {"type": "function_call", "call_id": "c", "name": "look_up", "arguments": "{bad"},
            {"type": "function_call_output", "call_id": "c", "output": [picture]},  # pyright: ignore
        ],
        tools=TOOLS,
    )
    _, call, result, shown = asked[0].messages
    assert call.tool_calls[0]["function"]["arguments"] == '{"malformed":"{bad"}'
    assert result == PromptMessage("tool", "The result is an image.", tool_call_id="c")
    assert shown.role == "user"
    assert "images belong to the results" in shown.content


scalars: Any = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values: Any = st.recursive(
    scalars | st.sampled_from(["message", "function_call", "function_call_output", "reasoning", "input_text", "user"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(), inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "text", "name", "call_id", "arguments", "output", "id"]), inner
        )
    ),
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(
    body=st.dictionaries(
        st.sampled_from(
            ["input", "tools", "tool_choice", "text", "reasoning", "include", "metadata", "store", "stream"]
        ),
        values,
        max_size=4,
    ),
    text=st.text(max_size=20),
)
async def test_nothing_that_is_sent_is_our_mistake(server: Server, body: Any, text: str) -> None:
    whole = {"model": "scripted", "input": text, **body}
    reply = await server.call("POST", "/v1/responses", data=json.dumps(whole).encode())
    assert reply.status in (200, 400), reply
