"""OpenAI's dialect, spoken by OpenAI's own client."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any, TypeVar

import openai
import orjson
import pytest
import pytest_asyncio
from openai.types import Model
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import BaseModel

from eclair.llm.base import Text
from eclair.llm.scripted import prose
from eclair.settings import EngineSettings, Settings
from tests.llm.servers import Speaking
from tests.llm.standin import standing_in
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

B = TypeVar("B", bound=BaseModel)


def client_of(server: Server, key: str = "none") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(base_url=f"{server.address}/v1", api_key=key, max_retries=0)


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with client_of(server) as client:
        yield client


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


def exact(kind: type[B], body: Any) -> B:
    """The body as the client's own type, strictly, and without a field that the type does not have."""
    model = kind.model_validate_json(orjson.dumps(body), strict=True)
    extras: list[object] = []

    def look(value: object) -> None:
        if isinstance(value, BaseModel):
            extras.extend((value.model_extra or {}).items())
            for name in type(value).model_fields:
                look(getattr(value, name))
        elif isinstance(value, list):
            for item in value:  # pyright: ignore[reportUnknownVariableType]
                look(item)  # pyright: ignore[reportUnknownArgumentType]

    look(model)
    assert not extras
    return model


async def chunks(server: Server, path: str = "/v1/chat/completions", **body: Any) -> list[JSON]:
    reply = await server.post(path, {"model": "scripted", "stream": True, **body})
    assert reply.status == 200, reply
    assert reply.headers["Content-Type"].startswith("text/event-stream")
    assert reply.headers["X-Accel-Buffering"] == "no"
    blocks = reply.raw.decode().split("\n\n")
    assert blocks[-2:] == ["data: [DONE]", ""]
    return [orjson.loads(block.removeprefix("data: ")) for block in blocks[:-2]]


# Models


async def test_models(server: Server, client: openai.AsyncOpenAI) -> None:
    assert [model.id async for model in client.models.list()] == [
        "scripted",
        "flash",
        "auto",
        "think",
        "multilingual-e5-small",
    ]
    assert (await client.models.retrieve("scripted")).object == "model"
    listed = (await server.get("/v1/models")).body
    assert listed["object"] == "list"
    Model.model_validate(listed["data"][0], strict=True)
    with pytest.raises(openai.NotFoundError) as caught:
        await client.models.retrieve("gpt-9")
    assert caught.value.code == "model_not_found"


# Chat


async def test_chat(server: Server, client: openai.AsyncOpenAI) -> None:
    reply = await client.chat.completions.create(model="scripted", messages=user("script: words=5"))
    assert reply.choices[0].message.content == "".join(prose(5))
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (2, 5, 7)
    raw = (await server.post("/v1/chat/completions", {"model": "scripted", "messages": user("script: words=5")})).body
    assert exact(ChatCompletion, raw).id.startswith("chatcmpl-")


async def test_chat_streamed(server: Server, client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="scripted", messages=user("script: words=50 rate=2000"), stream=True
    )
    text = ""
    reasons: list[str] = []
    roles: list[str] = []
    async with stream:
        async for chunk in stream:
            (choice,) = chunk.choices
            text += choice.delta.content or ""
            roles += [choice.delta.role] if choice.delta.role else []
            reasons += [choice.finish_reason] if choice.finish_reason else []
            assert chunk.usage is None
    assert text == "".join(prose(50))
    assert (roles, reasons) == (["assistant"], ["stop"])
    raw = await chunks(server, messages=user("script: words=50"))
    typed = [exact(ChatCompletionChunk, chunk) for chunk in raw]
    assert len({chunk.id for chunk in typed}) == 1
    assert all("usage" not in chunk for chunk in raw)


async def test_usage_is_streamed_when_it_is_asked_for(server: Server, client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="scripted",
        messages=user("script: words=5"),
        stream=True,
        stream_options={"include_usage": True},
    )
    found = [chunk async for chunk in stream]
    assert found[-1].choices == []
    assert found[-1].usage is not None
    assert found[-1].usage.completion_tokens == 5
    raw = await chunks(server, messages=user("script: words=5"), stream_options={"include_usage": True})
    assert [chunk["usage"] for chunk in raw[:-1]] == [None] * (len(raw) - 1)
    for chunk in raw:
        exact(ChatCompletionChunk, chunk)


@pytest.mark.parametrize(
    "content", ["one two three four", [{"type": "text", "text": "one two "}, {"type": "text", "text": "three four"}]]
)
async def test_a_prediction_is_counted(client: openai.AsyncOpenAI, content: Any) -> None:
    reply = await client.chat.completions.create(
        model="scripted",
        messages=user("script: say=one two 3 four"),
        prediction={"type": "content", "content": content},
    )
    assert reply.usage is not None
    details = reply.usage.completion_tokens_details
    assert details is not None
    assert (details.accepted_prediction_tokens, details.rejected_prediction_tokens) == (3, 1)


@pytest.mark.parametrize("stream", [False, True])
async def test_several_choices(server: Server, client: openai.AsyncOpenAI, stream: bool) -> None:
    if stream:
        text = {0: "", 1: "", 2: ""}
        for chunk in await chunks(server, messages=user("script: words=9"), n=3):
            (choice,) = chunk["choices"]
            text[choice["index"]] += choice["delta"].get("content") or ""
        assert list(text.values()) == ["".join(prose(9))] * 3
    else:
        reply = await client.chat.completions.create(model="scripted", messages=user("script: words=9"), n=3, seed=4)
        assert [choice.index for choice in reply.choices] == [0, 1, 2]
        assert reply.usage is not None
        assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (2, 27)


async def test_stop_sequences_and_lengths(client: openai.AsyncOpenAI) -> None:
    for stop in ("three", ["nowhere", "three"]):
        reply = await client.chat.completions.create(
            model="scripted", messages=user("script: say=one two three four"), stop=stop
        )
        assert reply.choices[0].message.content == "one two "
        assert reply.choices[0].finish_reason == "stop"
    for name in ("max_tokens", "max_completion_tokens"):
        reply = await client.chat.completions.create(
            model="scripted", messages=user("script: words=9"), extra_body={name: 3}
        )
        assert reply.choices[0].finish_reason == "length"
        assert reply.usage is not None
        assert reply.usage.completion_tokens == 3


async def test_tools(server: Server, client: openai.AsyncOpenAI) -> None:
    tools: Any = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    script = user('script: tool=look_up{"city":"Aachen"}')
    reply = await client.chat.completions.create(model="scripted", messages=script, tools=tools, tool_choice="auto")
    (call,) = reply.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert (call.id, call.function.name, call.function.arguments) == ("call_1", "look_up", '{"city":"Aachen"}')
    assert reply.choices[0].message.content is None
    assert reply.choices[0].finish_reason == "tool_calls"
    exact(ChatCompletion, reply.model_dump(exclude_unset=True))
    raw = await chunks(server, messages=script, tools=tools)
    calls = [call for chunk in raw for choice in chunk["choices"] for call in choice["delta"].get("tool_calls", [])]
    assert calls[0]["function"]["name"] == "look_up"
    assert "".join(call["function"]["arguments"] for call in calls) == '{"city":"Aachen"}'
    assert {call["index"] for call in calls} == {0}
    for chunk in raw:
        exact(ChatCompletionChunk, chunk)
    async with client.chat.completions.stream(model="scripted", messages=script, tools=tools) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.tool_calls is not None
    assert final.choices[0].message.tool_calls[0].function.arguments == '{"city":"Aachen"}'
    answered = await client.chat.completions.create(
        model="scripted",
        messages=[
            *script,
            {"role": "assistant", "content": None, "tool_calls": [call.model_dump()]},  # pyright: ignore
            {"role": "tool", "tool_call_id": call.id, "content": "rainy"},
            *user("script: words=2"),
        ],
    )
    assert answered.choices[0].finish_reason == "stop"


class City(BaseModel):
    name: str


async def test_structured_output(server: Server, client: openai.AsyncOpenAI, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    stream = server.engine.stream

    def spy(request: Any) -> Any:
        asked.append(request)
        return stream(request)

    monkeypatch.setattr(server.engine, "stream", spy)
    reply = await client.chat.completions.parse(
        model="scripted", messages=user('script: say={"name": "Aachen"}'), response_format=City
    )
    assert reply.choices[0].message.parsed == City(name="Aachen")
    assert asked[0].response_format["type"] == "json_schema"
    assert asked[0].response_format["json_schema"]["name"] == "City"


async def test_what_is_asked_reaches_the_engine(
    server: Server, client: openai.AsyncOpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    stream = server.engine.stream

    def spy(request: Any) -> Any:
        asked.append(request)
        return stream(request)

    monkeypatch.setattr(server.engine, "stream", spy)
    await client.chat.completions.create(
        model="scripted",
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "name": "Ada"},
        ],
        temperature=0.1,
        top_p=0.2,
        seed=3,
        presence_penalty=0.4,
        frequency_penalty=0.5,
        logit_bias={"7": -100},
        logprobs=True,
        top_logprobs=2,
        parallel_tool_calls=False,
        user="ada",
        extra_body={"top_k": 5, "min_p": 0.01},
    )
    (request,) = asked
    sampling = request.sampling
    assert (sampling.temperature, sampling.top_p, sampling.seed) == (0.1, 0.2, 3)
    assert [said.content for said in request.messages] == ["Be brief.", "a\nb"]
    assert request.extra == {
        "presence_penalty": 0.4,
        "frequency_penalty": 0.5,
        "logit_bias": {"7": -100.0},
        "logprobs": True,
        "top_logprobs": 2,
        "parallel_tool_calls": False,
        "top_k": 5,
        "min_p": 0.01,
    }


async def test_thought_is_kept_apart(server: Server) -> None:
    body = {"model": "scripted", "messages": user("script: words=2 reasoning=3")}
    message = (await server.post("/v1/chat/completions", body)).body["choices"][0]["message"]
    assert message["content"] == "".join(prose(2))
    assert message["reasoning_content"] == "".join(prose(3))
    raw = await chunks(server, messages=body["messages"])
    deltas = [choice["delta"] for chunk in raw for choice in chunk["choices"]]
    assert "".join(delta.get("reasoning_content", "") for delta in deltas) == "".join(prose(3))


# Leaving early


async def settled(server: Server) -> None:
    """Wait until the engine makes no more words, which it goes on with for minutes when no one stops it."""
    async with asyncio.timeout(5):
        still = 0
        made = -1
        while still < 3:
            still = still + 1 if made == server.engine.made else 0
            made = server.engine.made
            await asyncio.sleep(0.05)


async def test_closing_the_stream_stops_the_engine(server: Server, client: openai.AsyncOpenAI) -> None:
    stream = await client.chat.completions.create(
        model="scripted", messages=user("script: words=100000 rate=1000"), stream=True
    )
    async for chunk in stream:
        if chunk.choices[0].delta.content:
            break
    await stream.close()
    await settled(server)


async def test_leaving_before_the_first_word_stops_the_engine(server: Server) -> None:
    for stream in (True, False):
        body = {"model": "scripted", "messages": user("script: words=9 load=30"), "stream": stream}
        asking = asyncio.create_task(server.post("/v1/chat/completions", body))
        async with asyncio.timeout(5):
            while (await server.engine.health()).state != "loading":
                await asyncio.sleep(0.01)
        asking.cancel()
        async with asyncio.timeout(5):
            while (await server.engine.health()).state == "loading":
                await asyncio.sleep(0.01)


async def test_leaving_a_whole_reply_stops_the_engine_in_silence(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"model": "scripted", "messages": user("script: words=100000 rate=1000"), "n": 3}
    asking = asyncio.create_task(server.post("/v1/chat/completions", body))
    made = server.engine.made
    while server.engine.made < made + 100:
        await asyncio.sleep(0.01)
    asking.cancel()
    await asyncio.wait([asking])
    await settled(server)
    assert not [record for record in caplog.records if record.levelname == "ERROR"], caplog.text


async def test_one_choice_that_fails_ends_the_others(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = server.engine.stream

    def mixed(request: Any) -> Any:
        if request.sampling.seed == 1:
            said = replace(request.messages[0], content="script: fail=0")
            return stream(replace(request, messages=(said,)))
        return stream(request)

    monkeypatch.setattr(server.engine, "stream", mixed)
    body = {"model": "scripted", "messages": user("script: words=100000 rate=1000"), "n": 3, "seed": 0}
    assert (await server.post("/v1/chat/completions", body)).status == 503
    await settled(server)


# Errors


async def test_errors_are_the_clients_own(client: openai.AsyncOpenAI) -> None:
    create = client.chat.completions.create
    with pytest.raises(openai.NotFoundError, match="Available: scripted") as missing:
        await create(model="gpt-9", messages=user("x"))
    assert (missing.value.code, missing.value.param, missing.value.type) == (
        "model_not_found",
        "model",
        "invalid_request_error",
    )
    with pytest.raises(openai.RateLimitError) as busy:
        await create(model="scripted", messages=user("script: busy=7"))
    assert busy.value.response.headers["retry-after"] == "7"
    assert busy.value.type == "rate_limit_error"
    with pytest.raises(openai.InternalServerError, match="fails") as failed:
        await create(model="scripted", messages=user("script: fail=0"))
    assert failed.value.status_code == 503
    with pytest.raises(openai.InternalServerError, match="broke off") as broken:
        await create(model="scripted", messages=user("script: break=2"))
    assert broken.value.status_code == 502
    with pytest.raises(openai.InternalServerError, match="fails"):
        await create(model="scripted", messages=user("script: fail=0"), stream=True)
    with pytest.raises(openai.BadRequestError, match="unknown option"):
        await create(model="scripted", messages=user("script: wrods=1"), stream=True)


WRONG: Any = [
    ("temperature", 9, "temperature"),
    ("temperature", "hot", "temperature"),
    ("n", 0, "n"),
    ("n", 99, "n"),
    ("stop", 5, "stop"),
    ("audio", {"voice": "x", "format": "wav"}, "audio"),
    ("functions", [{}], "functions.0.name"),
    ("grammar", "root ::= x", "grammar"),
    ("max_tokens", 0, "max_tokens"),
    ("stream_options", {"include_usage": "maybe"}, "stream_options.include_usage"),
    ("messages", [], "messages"),
    ("messages", "hello", "messages"),
    ("messages", [{"role": "narrator", "content": "x"}], "messages.0.role"),
    ("messages", [{"role": "user", "content": 5}], "messages.0.content"),
    ("messages", [{"role": "user", "content": "x", "colour": "red"}], "messages.0.colour"),
    ("logprobs", "yes please", "logprobs"),
    ("prediction", "x", "prediction"),
    ("prediction", {"type": "content"}, "prediction.content"),
    ("prediction", {"type": "content", "content": 5}, "prediction.content"),
    ("prediction", {"type": "image", "content": "x"}, "prediction.type"),
    ("messages", [{"role": "user", "content": ""}], "messages.0"),
    ("messages", [{"role": "user", "content": None}], "messages.0"),
    ("messages", [{"role": "user", "content": [{"type": "input_audio"}]}], "messages.0.content.0"),
    ("messages", [{"role": "assistant", "tool_calls": [{}]}], "messages.0.tool_calls.0.function"),
    ("messages", [{"role": "user", "content": [{"type": "image_url"}]}], "messages.0.content.0.image_url"),
    ("tools", [{"type": "function"}], "tools.0.function"),
    ("tools", [{}], "tools.0.function"),
    ("tools", [{"type": "custom", "custom": {"name": "x"}}], "tools.0"),
    ("tools", [{"type": "function", "function": {"name": "x", "parameters": 5}}], "tools.0.function.parameters"),
    ("tool_choice", {"type": "function", "function": {"name": "x"}}, "tool_choice"),
    ("tool_choice", "required", "tool_choice"),
    ("tool_choice", "bogus", "tool_choice"),
    ("response_format", {"type": "json_schema"}, "response_format"),
    (
        "response_format",
        {"type": "json_schema", "json_schema": {"name": "x"}},
        "response_format.json_schema.schema",
    ),
    ("response_format", {"type": "json_object", "schema": 123}, "response_format.schema"),
    ("response_format", {"type": "yaml"}, "response_format"),
    ("guided_json", "{", "guided_json"),
    ("chat_template_kwargs", {"colour": "red"}, "chat_template_kwargs.colour"),
    ("modalities", ["text", "audio"], "modalities.1"),
]


@pytest.mark.parametrize(("field", "value", "param"), WRONG)
async def test_a_field_that_is_wrong_is_named(client: openai.AsyncOpenAI, field: str, value: Any, param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        await client.chat.completions.create(model="scripted", messages=user("x"), extra_body={field: value})
    assert caught.value.param == param
    assert caught.value.type == "invalid_request_error"


HINTS: Any = {
    "store": True,
    "modalities": ["text"],
    "verbosity": "low",
    "prompt_cache_retention": "24h",
    "prompt_cache_options": {"ttl": "1h"},
    "service_tier": "priority",
    "metadata": {"a": {"b": 1}},
    "client_metadata": {},
    "keep_alive": "5m",
    "num_ctx": 4096,
    "cache_prompt": True,
    "timings_per_token": True,
    "return_progress": True,
    "stream_options": {"continuous_usage_stats": True},
    "usage": {"include": True},
    "cache_control": {"type": "ephemeral"},
    "stream": None,
    "audio": None,
    "moderation": None,
    "response_format": {"type": "text"},
    "tool_choice": "auto",
    "functions": [],
    "safe_prompt": True,
}


async def test_hints_are_accepted(client: openai.AsyncOpenAI) -> None:
    for field, value in HINTS.items():
        await client.chat.completions.create(
            model="scripted", messages=user("script: words=1"), extra_body={field: value}
        )


async def test_null_means_left_out(server: Server) -> None:
    body = orjson.dumps({"model": "scripted", "messages": user("script: words=1"), "stream": None, "audio": None})
    for kind in ("application/json", "application/x-www-form-urlencoded"):
        reply = await server.call("POST", "/v1/chat/completions", data=body, headers={"Content-Type": kind})
        assert reply.status == 200, reply


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


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    "body",
    [
        {"guided_json": SCHEMA},
        {"guided_json": orjson.dumps(SCHEMA).decode()},
        {"json_schema": SCHEMA},
        {"structured_outputs": {"json": SCHEMA}},
        {"response_format": {"type": "json_object", "schema": SCHEMA}},
        {"response_format": {"type": "json_schema", "schema": SCHEMA}},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
    ],
)
async def test_every_way_to_name_a_schema(client: openai.AsyncOpenAI, asked: list[Any], body: Any) -> None:
    await client.chat.completions.create(model="scripted", messages=user("script: words=1"), extra_body=body)
    assert asked[0].response_format["type"] == "json_schema"
    assert asked[0].response_format["json_schema"]["schema"] == SCHEMA
    assert asked[0].response_format["json_schema"]["name"] == "answer"


@pytest.mark.parametrize(
    ("body", "effort"),
    [
        ({"reasoning_effort": "low", "enable_thinking": True}, "low"),
        ({"enable_thinking": False}, "none"),
        ({"thinking": {"type": "disabled"}}, "none"),
        ({"thinking": True}, "medium"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "medium"),
        ({"chat_template_kwargs": {"enable_thinking": False}}, "none"),
        ({"chat_template_kwargs": {"reasoning_effort": "high"}}, "high"),
        ({"reasoning": {"effort": "high"}}, "high"),
        ({"reasoning": {"enabled": False}}, "none"),
        ({"prompt_mode": "reasoning"}, "medium"),
        ({"prompt_mode": None}, None),
    ],
)
async def test_every_way_to_switch_reasoning(
    client: openai.AsyncOpenAI, asked: list[Any], body: Any, effort: str | None
) -> None:
    await client.chat.completions.create(model="scripted", messages=user("script: words=1"), extra_body=body)
    assert asked[0].extra.get("reasoning_effort") == effort


async def test_numbers_at_their_limits(client: openai.AsyncOpenAI, asked: list[Any]) -> None:
    body = {"max_tokens": -1, "top_p": 0, "top_k": -1, "repeat_penalty": 1.1, "tool_choice": "none"}
    await client.chat.completions.create(model="scripted", messages=user("script: words=1"), extra_body=body)
    (request,) = asked
    assert 0 < request.sampling.top_p < 0.001
    assert request.extra == {"top_k": 0, "repetition_penalty": 1.1}
    assert request.tool_choice is None


async def test_functions_before_there_were_tools(server: Server, client: openai.AsyncOpenAI, asked: list[Any]) -> None:
    functions: Any = [{"name": "look_up", "parameters": {"type": "object"}}]
    script = user('script: tool=look_up{"city":"Aachen"}')
    reply = await client.chat.completions.create(
        model="scripted", messages=script, functions=functions, function_call={"name": "look_up"}
    )
    message = reply.choices[0].message
    assert reply.choices[0].finish_reason == "function_call"
    assert message.function_call is not None
    assert message.function_call.arguments == '{"city":"Aachen"}'
    assert asked[0].tool_choice == {"type": "function", "function": {"name": "look_up"}}
    raw = await chunks(server, messages=script, functions=functions)
    deltas = [choice["delta"].get("function_call", {}) for chunk in raw for choice in chunk["choices"]]
    assert "".join(delta.get("arguments", "") for delta in deltas) == '{"city":"Aachen"}'
    history: Any = [*script, message.model_dump(), {"role": "function", "name": "look_up", "content": "rainy"}]
    await client.chat.completions.create(model="scripted", messages=[*history, *user("script: words=1")])
    _, call, result, _ = asked[-1].messages
    assert call.tool_calls[0]["function"] == {"name": "look_up", "arguments": '{"city":"Aachen"}'}
    assert (result.role, result.tool_call_id) == ("tool", call.tool_calls[0]["id"])


async def test_allowed_tools(client: openai.AsyncOpenAI, asked: list[Any]) -> None:
    tools: Any = [{"type": "function", "function": {"name": name}, "cache_control": None} for name in ("a", "b")]
    named = [{"type": "function", "function": {"name": "b"}}]
    choice: Any = {"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": named}}
    await client.chat.completions.create(
        model="scripted", messages=user("script: words=1"), tools=tools, tool_choice=choice
    )
    assert [tool["function"]["name"] for tool in asked[0].tools] == ["b"]
    assert asked[0].tool_choice == "required"


async def test_arguments_that_are_no_json_go_on(client: openai.AsyncOpenAI, asked: list[Any]) -> None:
    for given, sent in (
        ("{bad", '{"malformed":"{bad"}'),
        ("[1]", '{"malformed":"[1]"}'),
        ("", "{}"),
        ({"a": 1}, '{"a":1}'),
    ):
        call = {"id": "c", "type": "function", "function": {"name": "look_up", "arguments": given}}
        history: Any = [*user("x"), {"role": "assistant", "tool_calls": [call]}]
        history += [{"role": "tool", "tool_call_id": "c", "content": "That was no JSON."}, *user("script: words=1")]
        await client.chat.completions.create(model="scripted", messages=history)
        assert asked[-1].messages[1].tool_calls[0]["function"]["arguments"] == sent


async def test_alternatives_are_those_that_were_asked_for(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = server.engine.stream
    token = {"token": "a", "logprob": -0.5, "bytes": [97], "id": 7}

    async def likely(request: Any) -> Any:
        async for piece in stream(request):
            yield Text(piece.text, ({**token, "top_logprobs": [token] * 20},)) if isinstance(piece, Text) else piece

    monkeypatch.setattr(server.engine, "stream", likely)
    plain = {"token": "a", "logprob": -0.5, "bytes": [97]}
    for wanted in (None, 0, 2):
        body = {"model": "scripted", "messages": user("script: words=1"), "logprobs": True, "top_logprobs": wanted}
        whole = (await server.post("/v1/chat/completions", body)).body["choices"][0]
        assert whole["logprobs"]["content"] == [{**plain, "top_logprobs": [plain] * (wanted or 0)}]


async def test_a_stream_that_fails_says_so(server: Server, client: openai.AsyncOpenAI) -> None:
    for script, message in (("fail=20", "fails"), ("break=20", "broke off")):
        stream = await client.chat.completions.create(
            model="scripted", messages=user(f"script: words=50 rate=1000 {script}"), stream=True
        )
        text = ""

        async def read() -> None:
            nonlocal text
            async for chunk in stream:  # noqa: B023
                text += chunk.choices[0].delta.content or ""

        with pytest.raises(openai.APIError, match=message):
            await read()
        assert text == "".join(prose(50))[: len(text)]
        assert len(text.split()) == 20


async def test_the_key(settings: Settings) -> None:
    async with serving(replace(settings, api_key="right")) as server:
        async with client_of(server, "wrong") as client:
            with pytest.raises(openai.AuthenticationError) as caught:
                await client.models.list()
            assert caught.value.type == "authentication_error"
        async with client_of(server, "right") as client:
            assert [model.id async for model in client.models.list()][:1] == ["scripted"]


async def test_what_is_not_there_is_said_in_its_form(server: Server) -> None:
    for path, status in (("/v1/threads", 404), ("/v1/chat/completions", 405)):
        reply = await server.get(path)
        assert reply.status == status
        assert set(reply.error) == {"message", "type", "param", "code"}


# Storage


async def test_nothing_under_v1_is_kept(fresh: Server, client: openai.AsyncOpenAI) -> None:
    await client.chat.completions.create(model="scripted", messages=user("script: say=secret"))
    assert (await fresh.get("/api/conversations")).body["conversations"] == []
    assert (await fresh.get("/api/search?q=secret")).body["hits"] == []


async def test_token_ids_that_no_model_has_are_refused(server: Server) -> None:
    for token in (0xD800, 1 << 40, -1):
        reply = await server.post("/v1/completions", {"model": "scripted", "prompt": [token]})
        assert reply.status == 400, reply


async def test_usage_is_left_out_where_the_server_counts_nothing(settings: Settings) -> None:
    async with standing_in() as standin:
        model = Speaking(standin)
        model.abilities.discard("usage")
        engines = {"one": EngineSettings(model.url)}
        async with serving(replace(settings, engines=engines, model="muse")) as server:
            reply = await server.post("/v1/chat/completions", {"model": "muse", "messages": user("Hello")})
    assert (reply.status, "usage" in reply.body) == (200, False)
