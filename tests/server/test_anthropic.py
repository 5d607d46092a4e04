"""Anthropic's dialect, spoken by Anthropic's own client."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import anthropic
import orjson
import pytest
import pytest_asyncio
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter

from eclair.llm.base import PromptMessage, ToolCall
from eclair.llm.scripted import prose
from eclair.server import sse
from tests.server.test_responses import PICTURE_URL
from tests.server.test_v1 import City, exact, settled
from tests.support import JSON, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

PIXEL = PICTURE_URL.partition(",")[2]
TOOLS: Any = [{"name": "look_up", "description": "Looks.", "input_schema": {"type": "object"}}]
CALL = 'script: tool=look_up{"city":"Aachen"}'
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def client_of(server: Server, **key: Any) -> anthropic.AsyncAnthropic:
    return anthropic.AsyncAnthropic(base_url=server.address, max_retries=0, **(key or {"api_key": "none"}))


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncGenerator[anthropic.AsyncAnthropic]:
    async with client_of(server) as client:
        yield client


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def parsed(stream: bytes) -> list[JSON]:
    """The events of a stream, each of the client's own type and without a field that the type lacks."""
    blocks = stream.decode().split("\n\n")
    assert blocks.pop() == ""
    found: list[JSON] = []
    for block in blocks:
        first, second = block.split("\n")
        event = orjson.loads(second.removeprefix("data: "))
        assert first == f"event: {event['type']}"
        if event["type"] not in ("ping", "error"):
            typed: BaseModel = EVENT.validate_json(orjson.dumps(event))
            exact(type(typed), event)
        found.append(event)
    return found


async def events(server: Server, text: str, **body: Any) -> list[JSON]:
    whole = {"model": "scripted", "max_tokens": 1000, "stream": True, "messages": user(text), **body}
    reply = await server.post("/v1/messages", whole)
    assert reply.status == 200, reply
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    return parsed(reply.raw)


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


async def test_whole(server: Server, client: anthropic.AsyncAnthropic) -> None:
    reply = await client.messages.create(
        model="scripted", max_tokens=50, system="Be brief.", messages=user("script: words=5")
    )
    (block,) = reply.content
    assert block.type == "text"
    assert block.text == "".join(prose(5))
    assert (reply.stop_reason, reply.stop_sequence) == ("end_turn", None)
    usage = reply.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (4, 0, 5)
    body = {"model": "scripted", "max_tokens": 50, "messages": user("script: words=5")}
    assert exact(Message, (await server.post("/v1/messages", body)).body).id.startswith("msg_")


async def test_the_official_sequence_of_events(server: Server) -> None:
    found = await events(server, "script: words=50 rate=2000")
    kinds = [event["type"] for event in found]
    growing = kinds.count("content_block_delta")
    assert growing > 1
    assert kinds == [
        "message_start",
        "ping",
        "content_block_start",
        *["content_block_delta"] * growing,
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert "".join(event["delta"]["text"] for event in found if event["type"] == kinds[3]) == "".join(prose(50))
    assert found[0]["message"]["content"] == []
    assert found[-2]["delta"] == {"stop_reason": "end_turn", "stop_sequence": None}
    assert found[-2]["usage"]["output_tokens"] == 50


async def test_the_clients_own_stream(client: anthropic.AsyncAnthropic) -> None:
    async with client.messages.stream(
        model="scripted", max_tokens=100, messages=user("script: words=50 rate=2000")
    ) as stream:
        text = "".join([text async for text in stream.text_stream])
        final = await stream.get_final_message()
    assert text == "".join(prose(50))
    assert (final.stop_reason, final.usage.input_tokens, final.usage.output_tokens) == ("end_turn", 3, 50)


@pytest.mark.parametrize("display", [None, "summarized", "omitted"])
@pytest.mark.parametrize("kind", ["enabled", "adaptive", "disabled", None])
async def test_thought_is_shown_to_whom_wants_it(
    client: anthropic.AsyncAnthropic, kind: str | None, display: str | None
) -> None:
    thinking: Any = {"type": kind, "display": display}
    if kind == "enabled":
        thinking["budget_tokens"] = 1024
    more: Any = {"thinking": thinking} if kind else {}
    async with client.messages.stream(
        model="scripted", max_tokens=2000, messages=user("script: words=2 reasoning=3"), **more
    ) as stream:
        final = await stream.get_final_message()
    shown = [(block.type, getattr(block, "thinking", None)) for block in final.content]
    thought = [("thinking", "".join(prose(3)))] if kind in ("enabled", "adaptive") and display != "omitted" else []
    assert shown == [*thought, ("text", None)]
    assert final.usage.output_tokens == (2 if kind == "disabled" else 5)
    assert [block.signature for block in final.content if block.type == "thinking"] == ["unsigned"] * len(thought)


async def test_tools(server: Server, client: anthropic.AsyncAnthropic, asked: list[Any]) -> None:
    reply = await client.messages.create(
        model="scripted",
        max_tokens=50,
        messages=user(CALL),
        tools=TOOLS,
        tool_choice={"type": "any", "disable_parallel_tool_use": True},
    )
    (block,) = reply.content
    assert block.type == "tool_use"
    assert (block.id, block.name, block.input) == ("call_1", "look_up", {"city": "Aachen"})
    assert reply.stop_reason == "tool_use"
    function = {"name": "look_up", "description": "Looks.", "parameters": {"type": "object"}}
    assert asked[0].tools == ({"type": "function", "function": function},)
    assert (asked[0].tool_choice, asked[0].extra) == ("required", {"parallel_tool_calls": False})
    found = await events(server, CALL, tools=TOOLS, tool_choice={"type": "tool", "name": "look_up"})
    assert asked[1].tool_choice == {"type": "function", "function": {"name": "look_up"}}
    assert found[2]["content_block"] == {"type": "tool_use", "id": "call_1", "name": "look_up", "input": {}}
    deltas = [event["delta"] for event in found if event["type"] == "content_block_delta"]
    assert {delta["type"] for delta in deltas} == {"input_json_delta"}
    assert "".join(delta["partial_json"] for delta in deltas) == '{"city":"Aachen"}'
    async with client.messages.stream(model="scripted", max_tokens=50, messages=user(CALL), tools=TOOLS) as stream:
        final = await stream.get_final_message()
    assert final.content == reply.content
    for choice, wanted in (("auto", "auto"), ("none", "none")):
        await events(server, CALL, tools=TOOLS, tool_choice={"type": choice})
        assert asked[-1].tool_choice == wanted


async def test_the_turn_after_a_call(client: anthropic.AsyncAnthropic, asked: list[Any]) -> None:
    thinking: Any = {"type": "adaptive"}
    question = user('script: reasoning=2 tool=look_up{"a":1}')
    first = await client.messages.create(
        model="scripted", max_tokens=50, messages=question, tools=TOOLS, thinking=thinking
    )
    assert [block.type for block in first.content] == ["thinking", "tool_use"]
    results: list[Any] = [
        {"type": "tool_result", "tool_use_id": "call_1", "content": "rainy", "cache_control": {"type": "ephemeral"}},
        {"type": "tool_result", "tool_use_id": "call_2", "content": [{"type": "text", "text": "no"}], "is_error": True},
        {"type": "text", "text": "Well?"},
        {"type": "text", "text": "script: say=Thanks"},
    ]
    system: Any = [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}]
    second = await client.messages.create(
        model="scripted",
        max_tokens=50,
        system=system,
        messages=[
            *question,
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": results},
        ],
        tools=TOOLS,
    )
    assert second.content[0].type == "text"
    assert second.content[0].text == "Thanks"
    call = {"id": "call_1", "type": "function", "function": {"name": "look_up", "arguments": '{"a":1}'}}
    assert asked[1].messages == (
        PromptMessage("system", "Be brief."),
        PromptMessage("user", question[0]["content"]),
        PromptMessage("assistant", None, tool_calls=(call,), reasoning="".join(prose(2))),
        PromptMessage("tool", "rainy", tool_call_id="call_1"),
        PromptMessage("tool", "Error: no", tool_call_id="call_2"),
        PromptMessage("user", "Well?\nscript: say=Thanks"),
    )


async def test_an_answer_that_was_begun_is_taken_up(client: anthropic.AsyncAnthropic, asked: list[Any]) -> None:
    await client.messages.create(
        model="scripted",
        max_tokens=50,
        messages=[{"role": "user", "content": "Rivers?"}, {"role": "assistant", "content": "The Rhine,"}],
    )
    assert asked[0].messages == (PromptMessage("user", "Rivers?"), PromptMessage("assistant", "The Rhine,"))


async def test_images_in_results_are_shown_after_them(client: anthropic.AsyncAnthropic, asked: list[Any]) -> None:
    image: Any = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    calls: Any = [{"type": "tool_use", "id": id, "name": "look_up", "input": {}} for id in ("a", "b")]
    results: Any = [
        {"type": "tool_result", "tool_use_id": "a", "content": [image]},
        {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "no"}, image]},
    ]
    question = user("script: words=1")
    await client.messages.create(
        model="scripted",
        max_tokens=50,
        tools=TOOLS,
        messages=[*question, {"role": "assistant", "content": calls}, {"role": "user", "content": results}],
    )
    _, _, first, second, shown = asked[0].messages
    assert (first, second) == (
        PromptMessage("tool", "The result is an image.", tool_call_id="a"),
        PromptMessage("tool", "no", tool_call_id="b"),
    )
    assert shown.role == "user"
    assert "images belong to the results" in shown.content


async def test_models(client: anthropic.AsyncAnthropic) -> None:
    listed = [model async for model in client.models.list()]
    assert [model.id for model in listed] == ["scripted", "flash", "auto", "think"]
    model = await client.models.retrieve("scripted")
    assert (model.type, model.display_name, model.max_input_tokens) == ("model", "Scripted", 32768)
    assert model.created_at.year == 1970
    assert model == listed[0]


async def test_hints_are_accepted(client: anthropic.AsyncAnthropic) -> None:
    hints: Any = {"metadata": {"a": "b"}, "service_tier": "flex", "inference_geo": "eu", "betas": ["x"], "top_p": 0}
    for field, value in hints.items():
        await client.messages.create(
            model="scripted", max_tokens=5, messages=user("script: words=1"), extra_body={field: value}
        )


async def test_structured_output(client: anthropic.AsyncAnthropic, asked: list[Any]) -> None:
    reply = await client.messages.parse(
        model="scripted", max_tokens=50, messages=user('script: say={"name": "Aachen"}'), output_format=City
    )
    assert reply.parsed_output == City(name="Aachen")
    assert asked[0].response_format["json_schema"]["schema"]["required"] == ["name"]


async def test_what_is_asked_reaches_the_engine(client: anthropic.AsyncAnthropic, asked: list[Any]) -> None:
    reply = await client.messages.create(
        model="scripted",
        max_tokens=3,
        messages=user("script: words=9"),
        stop_sequences=["nowhere"],
        metadata={"user_id": "ada"},
        service_tier="auto",
        output_config={"effort": "low"},
        extra_body={
            "temperature": 0.1,
            "top_p": 0.2,
            "top_k": 5,
            "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        },
    )
    sampling = asked[0].sampling
    assert (sampling.temperature, sampling.top_p, sampling.max_tokens) == (0.1, 0.2, 3)
    assert sampling.stop == ("nowhere",)
    assert asked[0].extra == {"top_k": 5, "reasoning_effort": "low"}
    assert reply.stop_reason == "max_tokens"


async def test_a_stop_sequence_is_named(client: anthropic.AsyncAnthropic) -> None:
    reply = await client.messages.create(
        model="scripted",
        max_tokens=50,
        messages=user("script: say=one two three four"),
        stop_sequences=["nowhere", "three"],
    )
    assert reply.content[0].type == "text"
    assert reply.content[0].text == "one two "
    assert (reply.stop_reason, reply.stop_sequence) == ("stop_sequence", "three")


async def test_a_call_that_is_no_json(
    server: Server, client: anthropic.AsyncAnthropic, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = server.engine.stream

    async def garbled(request: Any) -> Any:
        async for piece in stream(request):
            yield replace(piece, arguments="[") if isinstance(piece, ToolCall) else piece

    monkeypatch.setattr(server.engine, "stream", garbled)
    with pytest.raises(anthropic.InternalServerError, match="look_up with arguments that are not a JSON object"):
        await client.messages.create(model="scripted", max_tokens=50, messages=user(CALL), tools=TOOLS)


async def test_tokens_are_counted(client: anthropic.AsyncAnthropic) -> None:
    short = await client.messages.count_tokens(model="scripted", messages=user("one two three"))
    assert short.input_tokens == 3 + 8
    long = await client.messages.count_tokens(
        model="scripted", messages=user("one two three"), system="four five", tools=TOOLS
    )
    assert long.input_tokens > 5 + 16


async def test_the_line_is_kept_alive_by_pings(
    server: Server, client: anthropic.AsyncAnthropic, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sse, "HEARTBEAT_INTERVAL_S", 0.05)
    found = await events(server, "script: words=3 pause=0.3@1")
    assert [event["type"] for event in found].count("ping") > 2


# Leaving early


async def test_closing_the_stream_stops_the_engine(server: Server, client: anthropic.AsyncAnthropic) -> None:
    async with client.messages.stream(
        model="scripted", max_tokens=100000, messages=user("script: words=100000 rate=1000")
    ) as stream:
        async for _ in stream.text_stream:
            break
    await settled(server)


async def test_leaving_a_whole_reply_stops_the_engine(server: Server) -> None:
    body = {"model": "scripted", "max_tokens": 100000, "messages": user("script: words=100000 rate=1000")}
    made = server.engine.made
    asking = asyncio.create_task(server.post("/v1/messages", body))
    while server.engine.made < made + 100:
        await asyncio.sleep(0.01)
    asking.cancel()
    await settled(server)


# Errors


async def test_models_are_listed_for_the_client(client: anthropic.AsyncAnthropic) -> None:
    models = [model async for model in client.models.list()]
    assert [model.id for model in models] == ["scripted", "flash", "auto", "think"]
    assert all(model.type == "model" and model.display_name and model.created_at.year >= 1970 for model in models)
    assert (await client.models.retrieve("scripted")).max_input_tokens == 32768


async def test_errors_are_the_clients_own(client: anthropic.AsyncAnthropic) -> None:
    create = client.messages.create
    with pytest.raises(anthropic.NotFoundError, match="Available: scripted") as missing:
        await create(model="gpt-9", max_tokens=5, messages=user("x"))
    assert missing.value.body == {
        "type": "error",
        "error": {"type": "not_found_error", "message": "There is no model 'gpt-9'. Available: scripted."},
    }
    for stream in (False, True):
        with pytest.raises(anthropic.RateLimitError, match="rate_limit_error") as busy:
            await create(model="scripted", max_tokens=5, messages=user("script: busy=7"), stream=stream)
        assert busy.value.response.headers["retry-after"] == "7"
        with pytest.raises(anthropic.APIStatusError, match="overloaded_error") as failed:
            await create(model="scripted", max_tokens=5, messages=user("script: fail=0"), stream=stream)
        assert failed.value.status_code == 503
    with pytest.raises(anthropic.InternalServerError, match="broke off"):
        await create(model="scripted", max_tokens=50, messages=user("script: break=2"))


async def test_a_stream_that_fails_says_so(server: Server, client: anthropic.AsyncAnthropic) -> None:
    found = await events(server, "script: words=50 rate=1000 fail=20")
    assert found[-1]["type"] == "error"
    assert found[-1]["error"]["type"] == "overloaded_error"
    text = "".join(event["delta"]["text"] for event in found if event["type"] == "content_block_delta")
    assert len(text.split()) == 20
    with pytest.raises(anthropic.APIStatusError, match="broke off"):
        async with client.messages.stream(
            model="scripted", max_tokens=100, messages=user("script: words=50 rate=1000 break=20")
        ) as stream:
            await stream.until_done()


PICTURE = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
RESULT = {"type": "tool_result", "tool_use_id": "x", "content": [{"type": "video"}]}


WRONG: Any = [
    ("messages", [], "'messages' is wrong"),
    ("messages", user(""), None),
    ("messages", [{"role": "user", "content": []}], "nothing to answer"),
    ("messages", [{"role": "user", "content": [{**PICTURE, "source": {"type": "file"}}]}], "as base64 or by its url"),
    ("messages", [{"role": "user", "content": [RESULT]}], "'messages.0.content.0.content.0' .*image, document"),
    ("messages", [{"role": "user", "content": [PICTURE]}], "Image 1"),
    ("messages", [{"role": "narrator", "content": "x"}], "'messages.0.role'"),
    ("messages", [{"role": "user", "content": 5}], "'messages.0.content'"),
    ("system", [{"type": "text", "text": "x", "colour": 1}], "does not know the field 'system.0.colour'"),
    ("max_tokens", 0, "'max_tokens'"),
    ("max_tokens", None, "'max_tokens'"),
    ("temperature", 1.5, "'temperature'"),
    ("tools", [{"type": "web_search_20250305", "name": "web_search"}], "'tools.0.type'"),
    ("tools", [{"name": "x", "input_schema": {"maximum": 1 << 64}}], "beyond 64 bits"),
    ("tools", [{"name": "x"}], "'tools.0.input_schema' is missing"),
    ("tool_choice", {"type": "tool"}, "'tool_choice' is wrong: a `name`"),
    ("tool_choice", {"type": "tool", "name": "x"}, "names 'x'"),
    ("tool_choice", {"type": "any"}, "no `tools`"),
    ("stop_sequences", [""], "'stop_sequences.0'"),
    ("thinking", {"type": "hard"}, "'thinking.type'"),
    ("container", "c", "does not know the field 'container'"),
    ("mcp_servers", [], "does not know the field 'mcp_servers'"),
    ("context_management", {"edits": [{"type": "compact_20260112"}]}, "'context_management.edits.0.type'"),
    ("speed", "fast", "'speed'"),
]


@pytest.mark.parametrize(("field", "value", "message"), WRONG)
async def test_what_is_wrong_is_named(
    client: anthropic.AsyncAnthropic, field: str, value: Any, message: str | None
) -> None:
    body = {field: value}
    if message is None:
        await client.messages.create(model="scripted", max_tokens=5, messages=user("x"), extra_body=body)
        return
    with pytest.raises(anthropic.BadRequestError, match=message) as caught:
        await client.messages.create(model="scripted", max_tokens=5, messages=user("x"), extra_body=body)
    assert isinstance(caught.value.body, dict)
    assert caught.value.body["error"]["type"] == "invalid_request_error"


async def test_the_key_comes_in_either_header(keyed: Server) -> None:
    key = "s3crêt"
    body = {"model": "scripted", "max_tokens": 5, "messages": user("script: words=2")}
    for headers in ({"x-api-key": key}, {"Authorization": f"Bearer {key}"}, {"x-api-key": key, "Authorization": "x"}):
        reply = await keyed.post("/v1/messages", body, headers={**headers, "anthropic-version": "2023-06-01"})
        assert reply.status == 200
    for headers in ({}, {"x-api-key": ""}, {"x-api-key": "wrong"}, {"Authorization": key}):
        reply = await keyed.post("/v1/messages", body, headers=headers)
        assert reply.status == 401
        assert (reply.body["type"], reply.error["type"]) == ("error", "authentication_error")
        assert "x-api-key: KEY" in reply.error["message"]
    for wrong in ({"api_key": "wrong"}, {"auth_token": "wrong"}):
        async with client_of(keyed, **wrong) as client:
            with pytest.raises(anthropic.AuthenticationError):
                await client.messages.count_tokens(model="scripted", messages=user("x"))


async def test_what_is_not_there_is_said_in_its_form(server: Server) -> None:
    for path, status, kind in (
        ("/v1/messages/batches", 404, "not_found_error"),
        ("/v1/messages", 405, "invalid_request_error"),
    ):
        reply = await server.get(path)
        assert (reply.status, reply.error["type"]) == (status, kind)
    reply = await server.post("/v1/messages", {}, headers={"Origin": "https://evil.example"})
    assert (reply.status, reply.error["type"]) == (403, "permission_error")


async def test_nothing_is_kept(fresh: Server) -> None:
    async with client_of(fresh) as client:
        await client.messages.create(model="scripted", max_tokens=5, messages=user("script: say=secret"))
    assert (await fresh.get("/api/conversations")).body["conversations"] == []


scalars: Any = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values: Any = st.recursive(
    scalars | st.sampled_from(["text", "thinking", "tool_use", "tool_result", "user", "assistant", "auto", "tool"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(), inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "role", "content", "text", "name", "id", "input", "tool_use_id", "input_schema"]),
            inner,
        )
    ),
)
blocks: Any = st.fixed_dictionaries(
    {"type": st.just("tool_use"), "id": st.text(max_size=3), "name": st.text(max_size=3)}
) | st.fixed_dictionaries({"type": st.just("text"), "text": st.text()})


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(
    body=st.dictionaries(
        st.sampled_from(
            ["messages", "system", "tools", "tool_choice", "thinking", "output_config", "stop_sequences", "stream"]
        ),
        values,
        max_size=4,
    ),
    content=st.lists(blocks, max_size=3) | values,
    given_input=st.dictionaries(st.text(), values, max_size=2),
)
async def test_nothing_that_is_sent_is_our_mistake(
    server: Server, body: Any, content: Any, given_input: dict[str, Any]
) -> None:
    if isinstance(content, list):
        content = [
            {**block, "input": given_input} if isinstance(block, dict) and block.get("type") == "tool_use" else block
            for block in content  # pyright: ignore[reportUnknownVariableType]
        ]
    whole = {"model": "scripted", "messages": [{"role": "user", "content": content}], **body}
    for path, more in (("/v1/messages", {"max_tokens": 5}), ("/v1/messages/count_tokens", {})):
        reply = await server.call("POST", path, data=json.dumps({**whole, **more}).encode())
        assert reply.status in (200, 400), reply
