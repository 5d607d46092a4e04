"""Anthropic's API, asked by our engine; the stand-in is checked with its own client, and our own door stands in too."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson
import pytest
from anthropic import AsyncAnthropic
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import (
    ContextExceeded,
    EclairError,
    EngineBroken,
    EngineBusy,
    EngineRefused,
    EngineUnavailable,
    KeyRefused,
    UpstreamError,
)
from eclair.llm.anthropic.anthropic_engine import AnthropicEngine
from eclair.llm.anthropic.messages_parser import MessagesParser
from eclair.llm.anthropic.output_schema import close_schema
from eclair.llm.base import (
    Delta,
    Finish,
    PromptImage,
    PromptMessage,
    Reasoning,
    Request,
    Text,
    TokenUsage,
    ToolCall,
)
from eclair.llm.scripted import ScriptedEngine
from eclair.schema.messages import Sampling
from tests.llm.anthropic_standin import KEY, THOUGHT, SpeakingAnthropic, answer, event, fail, row
from tests.llm.standin import Call, StandIn, cut, standing_in
from tests.support import Server

JSON = dict[str, Any]
ASK = Request("claude-muse", (PromptMessage("system", "Be brief."), PromptMessage("user", "Hello?")))
TOOL: JSON = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather now.",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
USE: JSON = {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Paris"}}
CALLED: JSON = {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}


@pytest.fixture
async def standin() -> AsyncGenerator[StandIn]:
    async with standing_in() as standin:
        yield standin


@pytest.fixture
def claude(standin: StandIn) -> SpeakingAnthropic:
    return SpeakingAnthropic(standin)


@pytest.fixture
async def engine(claude: SpeakingAnthropic) -> AsyncGenerator[AnthropicEngine]:
    async def nap(_: float) -> None:
        return

    engine = AnthropicEngine("claude", claude.url, KEY, idle=2.0, sleep=nap)
    yield engine
    await engine.close()


async def ask(engine: AnthropicEngine, request: Request = ASK) -> list[Delta]:
    return [delta async for delta in engine.stream(request)]


def said(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, Text))


async def test_an_answer_with_its_tokens(engine: AnthropicEngine, claude: SpeakingAnthropic) -> None:
    used = {"cache_read_input_tokens": 100, "cache_creation_input_tokens": 20}
    claude.says = [answer({"type": "text", "text": "Hello there."}, usage=used)]
    deltas = await ask(engine, replace(ASK, sampling=Sampling(max_tokens=50, stop=("END",))))
    assert said(deltas) == "Hello there."
    assert deltas[-2:] == [TokenUsage(129, 12, 100), Finish("stop")]
    (body,) = claude.bodies
    assert (body["system"][0]["text"], body["max_tokens"], body["stop_sequences"]) == ("Be brief.", 50, ["END"])
    assert [message["role"] for message in body["messages"]] == ["user"]


async def test_the_list_tells_names_windows_and_sight(engine: AnthropicEngine, claude: SpeakingAnthropic) -> None:
    (model,) = await engine.models()
    assert (model.id, model.name, model.context, model.country) == ("claude-muse", "Claude Muse", 200_000, "US")
    assert model.vision_pixels is not None
    assert (await engine.health()).state == "ready"
    await ask(engine)
    assert claude.bodies[-1]["max_tokens"] == 64_000


async def test_the_prefix_is_marked_for_the_cache(engine: AnthropicEngine, claude: SpeakingAnthropic) -> None:
    turns = [PromptMessage("user", "One"), PromptMessage("assistant", "Two"), PromptMessage("user", "Three")]
    await ask(engine, replace(ASK, messages=(*ASK.messages[:1], *turns), tools=(TOOL,)))
    body = claude.bodies[-1]
    assert "cache_control" in body["system"][-1]
    assert ["cache_control" in each["content"][-1] for each in body["messages"]] == [True, False, True]
    await ask(engine, replace(ASK, purpose="title"))
    assert b"cache_control" not in orjson.dumps(claude.bodies[-1])


async def test_a_tool_is_called_and_the_thought_goes_back_with_its_result(
    engine: AnthropicEngine, claude: SpeakingAnthropic
) -> None:
    hidden = {"type": "redacted_thinking", "data": "c2VjcmV0"}
    claude.says = [
        answer(THOUGHT, hidden, {"type": "text", "text": "Let me see."}, USE, {**USE, "id": "toolu_2", "input": {}},
               reason="tool_use"),
        answer({"type": "text", "text": "21 °C."}),
    ]  # fmt: skip
    request = replace(ASK, tools=(TOOL,), tool_choice="auto", extra={"reasoning_effort": "high"})
    deltas = await ask(engine, request)
    assert [delta for delta in deltas if isinstance(delta, Reasoning)] == [Reasoning("It may rain.")]
    calls = [delta for delta in deltas if isinstance(delta, ToolCall)]
    assert [(call.index, call.id, call.name) for call in calls if call.name] == [
        (0, "toolu_1", "weather"),
        (1, "toolu_2", "weather"),
    ]
    assert "".join(call.arguments for call in calls if call.index == 0) == '{"city":"Paris"}'
    assert "".join(call.arguments for call in calls if call.index == 1) == "{}"
    assert deltas[-1] == Finish("tool_calls")
    second = {**CALLED, "id": "toolu_2"}
    loop = (
        *ASK.messages,
        PromptMessage("assistant", "Let me see.", tool_calls=(CALLED, second)),
        PromptMessage("tool", "21 °C", tool_call_id="toolu_1"),
        PromptMessage("tool", "", tool_call_id="toolu_2", images=(PromptImage("image/png", b"png", 28, 28),)),
    )
    assert said(await ask(engine, replace(request, messages=loop))) == "21 °C."
    _, assistant, results = claude.bodies[-1]["messages"]
    assert [block["type"] for block in assistant["content"]] == [
        *("thinking", "redacted_thinking", "text", "tool_use", "tool_use"),
    ]
    assert assistant["content"][0] == THOUGHT
    assert assistant["content"][1] == hidden
    assert [block["tool_use_id"] for block in results["content"]] == ["toolu_1", "toolu_2"]
    assert results["content"][1]["content"][0]["source"]["type"] == "base64"


async def test_a_history_with_calls_and_no_tools_is_taken(engine: AnthropicEngine, claude: SpeakingAnthropic) -> None:
    loop = (
        *ASK.messages,
        PromptMessage("assistant", None, tool_calls=(CALLED,)),
        PromptMessage("tool", "21 °C", tool_call_id="toolu_1"),
    )
    await ask(engine, replace(ASK, messages=loop))
    body = claude.bodies[-1]
    assert ([tool["name"] for tool in body["tools"]], body["tool_choice"]) == (["weather"], {"type": "none"})


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        ("auto", None, None),
        ("auto", False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("none", None, {"type": "none"}),
        ("required", None, {"type": "any"}),
        ({"type": "function", "function": {"name": "weather"}}, None, {"type": "tool", "name": "weather"}),
    ],
)
async def test_the_choice_of_a_tool(
    engine: AnthropicEngine, claude: SpeakingAnthropic, choice: Any, parallel: bool | None, sent: JSON | None
) -> None:
    extra = {} if parallel is None else {"parallel_tool_calls": parallel}
    await ask(engine, replace(ASK, tools=(TOOL,), tool_choice=choice, extra=extra))
    assert claude.bodies[-1].get("tool_choice") == sent
    assert claude.bodies[-1]["tools"][0]["input_schema"] == TOOL["function"]["parameters"]


ADAPTIVE, BUDGET, ALWAYS = ("adaptive", "disabled"), ("enabled", "disabled"), ("adaptive",)
SHOWN = {"type": "adaptive", "display": "summarized"}


@pytest.mark.parametrize(
    ("types", "effort", "thinking", "level"),
    [
        (ADAPTIVE, None, None, None),
        (ADAPTIVE, "high", SHOWN, "high"),
        (ADAPTIVE, "xhigh", SHOWN, "high"),
        (ADAPTIVE, "low", SHOWN, "low"),
        (ADAPTIVE, "none", {"type": "disabled"}, None),
        (ALWAYS, "none", None, "low"),
        (BUDGET, "high", {"type": "enabled", "budget_tokens": 16_384}, "high"),
        (BUDGET, "none", {"type": "disabled"}, None),
    ],
)
async def test_an_effort_is_put_in_each_models_way(
    engine: AnthropicEngine,
    claude: SpeakingAnthropic,
    types: tuple[str, ...],
    effort: str | None,
    thinking: JSON | None,
    level: str | None,
) -> None:
    claude.lists = [row("claude-muse", thinking=types)]
    extra = {} if effort is None else {"reasoning_effort": effort}
    await ask(engine, replace(ASK, extra=extra, sampling=Sampling(temperature=1.7)))
    body = claude.bodies[-1]
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == level
    takes = types == BUDGET and effort != "high"
    assert body.get("temperature") == (1.0 if takes else None)


async def test_a_budget_leaves_room_for_the_answer(engine: AnthropicEngine, claude: SpeakingAnthropic) -> None:
    claude.lists = [row("claude-muse", thinking=BUDGET)]
    request = replace(ASK, extra={"reasoning_effort": "high"})
    await ask(engine, replace(request, sampling=Sampling(max_tokens=4000)))
    assert claude.bodies[-1]["thinking"]["budget_tokens"] == 2000
    await ask(engine, replace(request, sampling=Sampling(max_tokens=1000)))
    assert claude.bodies[-1]["thinking"] == {"type": "disabled"}


async def test_hints_that_a_model_refuses_are_left_out_from_then_on(
    engine: AnthropicEngine, claude: SpeakingAnthropic
) -> None:
    claude.lists = []
    refusals = 0

    async def picky(call: Call) -> None:
        nonlocal refusals
        if "temperature" in call.json:
            refusals += 1
            await fail(call, 400, "invalid_request_error", "`temperature` is deprecated for this model.")
        else:
            await call.stream(*claude.says[0])

    claude.standin.routes["/v1/messages"] = picky
    warm = replace(ASK, sampling=Sampling(temperature=0.5))
    assert [said(await ask(engine, warm)) for _ in range(2)] == ["Hello there."] * 2
    assert refusals == 1


async def test_a_schema_is_kept_to(engine: AnthropicEngine, claude: SpeakingAnthropic) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}, "required": ["n"]}
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    await ask(engine, replace(ASK, response_format=form))
    assert claude.bodies[-1]["output_config"]["format"]["schema"] == {
        **schema,
        "properties": {"n": {"type": "integer", "description": "{minimum: 1}"}},
        "additionalProperties": False,
    }
    no_schemas = row("claude-muse")
    no_schemas["capabilities"]["structured_outputs"] = {"supported": False}
    claude.lists = [no_schemas]
    await engine.models()
    with pytest.raises(EngineRefused, match="keeps to no JSON schema") as caught:
        await ask(engine, replace(ASK, response_format=form))
    assert caught.value.param == "response_format"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"response_format": {"type": "json_object"}}, "response_format"),
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"extra": {"logprobs": True}}, "logprobs"),
        ({"extra": {"frequency_penalty": 0.5}}, "frequency_penalty"),
        ({"prompt": "Once", "messages": ()}, "prompt"),
        ({"tools": ({"type": "web_search"},)}, "tools"),
        ({"tools": (TOOL,), "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"messages": (PromptMessage("user", [{"type": "input_audio", "input_audio": {}}]),)}, "messages"),
        ({"messages": (PromptMessage("assistant", None, tool_calls=({"id": "x"},)),)}, "messages.tool_calls"),
    ],
)
async def test_what_the_api_cannot_do_is_refused_by_name(engine: AnthropicEngine, change: JSON, param: str) -> None:
    with pytest.raises(EngineRefused) as caught:
        await ask(engine, replace(ASK, **change))
    assert caught.value.param == param


async def test_fields_that_ask_for_nothing_are_taken(engine: AnthropicEngine) -> None:
    extra: JSON = {"logprobs": False, "top_logprobs": 0, "presence_penalty": 0, "logit_bias": {}, "top_k": 5}
    request = replace(ASK, extra=extra, prediction="Hello there.", sampling=Sampling(seed=7))
    assert said(await ask(engine, request)) == "Hello there."


async def test_images_and_continuations(engine: AnthropicEngine, claude: SpeakingAnthropic) -> None:
    image = PromptImage("image/jpeg", b"jpeg", 28, 28)
    url = {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}}
    messages = (
        PromptMessage("user", "And this?", images=(image,)),
        PromptMessage("user", [url, {"type": "text", "text": "Or this?"}]),
        PromptMessage("assistant", "The first"),
    )
    await ask(engine, replace(ASK, messages=messages))
    first, second, third = claude.bodies[-1]["messages"]
    assert [block["type"] for block in first["content"]] == ["image", "text", "image", "text"]
    assert first["content"][0]["source"] == {"type": "base64", "media_type": "image/jpeg", "data": "anBlZw=="}
    assert (second["role"], third["role"]) == ("assistant", "user")


@pytest.mark.parametrize(
    ("reason", "more", "finish"),
    [
        ("stop_sequence", {"stop_sequence": "END"}, Finish("stop", "END")),
        ("max_tokens", {}, Finish("length")),
        ("model_context_window_exceeded", {}, Finish("length")),
        ("refusal", {"stop_details": {"type": "refusal", "category": "bio"}}, Finish("content_filter")),
        ("something_new", {}, Finish("stop")),
    ],
)
async def test_why_it_ended(
    engine: AnthropicEngine, claude: SpeakingAnthropic, reason: str, more: JSON, finish: Finish
) -> None:
    claude.says = [answer({"type": "text", "text": "ok"}, reason=reason, **more)]
    assert (await ask(engine))[-1] == finish


@pytest.mark.parametrize(
    ("status", "kind", "message", "fault"),
    [
        (400, "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum", ContextExceeded),
        (400, "invalid_request_error", "messages.0: bad", EngineRefused),
        (401, "authentication_error", f"invalid x-api-key {KEY}", KeyRefused),
        (403, "permission_error", "no access", KeyRefused),
        (404, "not_found_error", "model: claude-none", EngineRefused),
        (413, "request_too_large", "too large", EngineRefused),
        (500, "api_error", f"Internal server error, {KEY}", EngineBroken),
        (503, "api_error", "later", EngineUnavailable),
    ],
)
async def test_refusals(
    engine: AnthropicEngine, standin: StandIn, status: int, kind: str, message: str, fault: type[EclairError]
) -> None:
    standin.routes["/v1/messages"] = lambda call: fail(call, status, kind, message)
    with pytest.raises(fault) as caught:
        await ask(engine)
    assert type(caught.value) is fault
    assert KEY not in caught.value.message


@pytest.mark.parametrize("status", [429, 529])
async def test_who_is_busy_says_until_when(engine: AnthropicEngine, standin: StandIn, status: int) -> None:
    standin.routes["/v1/messages"] = lambda call: fail(call, status, "overloaded_error", "Overloaded", Retry_After="30")
    with pytest.raises(EngineBusy) as caught:
        await ask(engine)
    assert caught.value.retry_after == 30


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("overloaded_error", EngineBusy),
        ("rate_limit_error", EngineBusy),
        ("api_error", EngineBroken),
        ("timeout_error", EngineUnavailable),
        ("invalid_request_error", EngineRefused),
    ],
)
async def test_errors_in_the_stream(
    engine: AnthropicEngine, claude: SpeakingAnthropic, kind: str, fault: type[EclairError]
) -> None:
    claude.says = [[*answer()[:2], event("error", error={"type": kind, "message": "Oh"})]]
    with pytest.raises(fault, match="Oh"):
        await ask(engine)


async def test_a_stream_that_breaks_off(engine: AnthropicEngine, standin: StandIn) -> None:
    async def broken(call: Call) -> None:
        await call.stream(*answer({"type": "text", "text": "half"})[:4], end=False)
        await cut(call)

    standin.routes["/v1/messages"] = broken
    with pytest.raises(EngineBroken, match="try again"):
        await ask(engine)


async def test_stopping_closes_the_connection(engine: AnthropicEngine, standin: StandIn) -> None:
    gone = asyncio.Event()

    async def endless(call: Call) -> None:
        await call.stream(*answer({"type": "text", "text": "word"})[:4], end=False)
        await call.gone()
        gone.set()

    standin.routes["/v1/messages"] = endless
    async with aclosing(engine.stream(ASK)) as deltas:
        await anext(deltas)
    await asyncio.wait_for(gone.wait(), 5)


async def test_silence_ends(claude: SpeakingAnthropic) -> None:
    async def silent(call: Call) -> None:
        await call.gone()

    claude.standin.routes["/v1/messages"] = silent
    engine = AnthropicEngine("claude", claude.url, KEY, first_word_s=0.2)
    with pytest.raises(EngineUnavailable, match="first_word_seconds"):
        await ask(engine)
    await engine.close()


async def test_there_are_no_embeddings(engine: AnthropicEngine) -> None:
    with pytest.raises(EngineRefused, match="no embeddings"):
        await engine.embed("claude-muse", ["a"], None)
    with pytest.raises(EngineRefused, match="does not rerank"):
        await engine.rerank("claude-muse", "a", ["b"])


async def test_the_stand_in_is_true_to_the_api(claude: SpeakingAnthropic) -> None:
    claude.says = [answer(THOUGHT, {"type": "text", "text": "Let me see."}, USE, reason="tool_use")]
    async with AsyncAnthropic(api_key=KEY, base_url=claude.standin.url) as client:
        listed = await client.models.list()
        assert [model.display_name for model in listed.data] == ["Claude Muse"]
        assert listed.data[0].capabilities is not None
        asked: Any = [{"role": "user", "content": [{"type": "text", "text": "Hello?"}]}]
        async with client.messages.stream(model="claude-muse", max_tokens=9, messages=asked) as stream:
            message = await stream.get_final_message()
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use"]
    assert message.content[0].signature == THOUGHT["signature"]  # pyright: ignore
    assert message.content[2].input == {"city": "Paris"}  # pyright: ignore


@pytest.mark.parametrize("script", ["words=12", "words=5 reasoning=4", 'tool=find{"q":1}', "say=Grüße 🌍"])
async def test_behind_our_own_door_an_engine_says_the_same(server: Server, script: str) -> None:
    request = Request(
        "scripted",
        (PromptMessage("user", f"script: {script}"),),
        tools=({"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}},),
        extra={"reasoning_effort": "high"},
    )
    engine = AnthropicEngine("ours", f"{server.address}/v1")
    there = [delta async for delta in engine.stream(request)]
    await engine.close()
    here = [delta async for delta in ScriptedEngine().stream(request)]
    assert summary(there) == summary(here)


def summary(deltas: list[Delta]) -> tuple[Any, ...]:
    calls = [delta for delta in deltas if isinstance(delta, ToolCall)]
    thoughts = "".join(delta.text for delta in deltas if isinstance(delta, Reasoning))
    called = [call.name for call in calls if call.name], "".join(call.arguments for call in calls)
    return said(deltas), thoughts, called, next(delta.reason for delta in deltas if isinstance(delta, Finish))


def parse(data: bytes, edges: list[int]) -> list[Delta] | None:
    """What a stream says that is cut at `edges`; None if it is invalid."""
    parser = MessagesParser("claude", lambda call, parts: None)
    try:
        found = [delta for start, end in itertools.pairwise(edges) for delta in parser.feed(data[start:end])]
        return [*found, *parser.finish()]
    except UpstreamError:
        return None


WHOLE = b"".join(answer(THOUGHT, {"type": "text", "text": "Grüße 🌍"}, USE, reason="tool_use"))


@given(st.lists(st.integers(0, len(WHOLE))))
def test_cut_anywhere_a_stream_says_the_same(cuts: list[int]) -> None:
    whole, pieces = parse(WHOLE, [0, len(WHOLE)]), parse(WHOLE, sorted({0, len(WHOLE), *cuts}))
    assert whole is not None
    assert pieces is not None
    assert summary(whole) == summary(pieces)


KEYS = ["type", "delta", "content_block", "message", "usage", "text", "thinking", "input", "id", "error", "index"]
WORDS = ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta"]
WORDS_TOO = ["text_delta", "tool_use", "thinking", "input_json_delta", "signature_delta", "error", "message_stop"]
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(WORDS + WORDS_TOO) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


@given(st.lists(values, max_size=6), st.binary(max_size=20))
def test_junk_is_a_sentence(events: list[Any], junk: bytes) -> None:
    parse(b"".join(b"data: " + orjson.dumps(each) + b"\n\n" for each in events), [0, 10_000])
    parse(WHOLE[:200] + junk + b"\n" + WHOLE[200:], [0, 10_000])


schemas: st.SearchStrategy[Any] = st.recursive(
    st.fixed_dictionaries({"type": st.sampled_from(["string", "integer"])}, optional={"minimum": st.integers()}),
    lambda inner: (
        st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(st.text(max_size=3), inner, max_size=3)}
        )
        | st.fixed_dictionaries({"type": st.just("array"), "items": inner})
        | st.fixed_dictionaries({"oneOf": st.lists(inner, max_size=2)})
    ),
    max_leaves=8,
)


@given(schemas)
def test_a_closed_schema_is_closed_all_over(schema: JSON) -> None:
    closed = close_schema(schema)
    assert close_schema(closed) == closed
    assert b'"minimum":' not in orjson.dumps(closed)
    assert orjson.dumps(closed).count(b'"object"') == orjson.dumps(closed).count(b'"additionalProperties":false')
