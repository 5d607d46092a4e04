"""Mistral's API, where it differs from OpenAI's, against a stand-in that its own client understands too."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import orjson
import pytest
from mistralai.client import Mistral
from mistralai.client.models import (
    AssistantMessage,
    ChatCompletionStreamRequest,
    SystemMessage,
    ToolMessage,
    UserMessage,
)

from eclair.errors import EngineRefused
from eclair.llm.base import Finish, PromptImage, PromptMessage, Reasoning, Request, Text, TokenUsage, ToolCall
from eclair.llm.openai.dialects import build_body, dialect_at
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.schema.messages import Sampling
from tests.llm.standin import Call, StandIn, standing_in

ROLES = {"system": SystemMessage, "user": UserMessage, "assistant": AssistantMessage, "tool": ToolMessage}
FOUND = dialect_at("https://api.mistral.ai/v1")
assert FOUND is not None
MISTRAL = FOUND
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
CALL = {"id": "toolu_01AbCdEf", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Paris"}'}}
THOUGHT = {"type": "thinking", "thinking": [{"type": "text", "text": "Warm?"}], "closed": True}


def check(body: dict[str, Any]) -> None:
    """Check a body as strictly as the API: fields that its client doesn't know are refused there."""
    assert set(body) <= set(ChatCompletionStreamRequest.model_fields), set(body)
    for message in body["messages"]:
        kind = ROLES[message["role"]]
        kind.model_validate(message)
        assert set(message) <= set(kind.model_fields), message
        for call in message.get("tool_calls") or ():
            assert len(call["id"]) == 9
            assert call["id"].isalnum()
    ChatCompletionStreamRequest.model_validate(body)


async def serve(call: Call) -> None:
    """Stream a thought, a text, a reference and a call, as a reasoning model does."""
    check(call.json)
    parts: list[dict[str, Any]] = [
        {"role": "assistant", "content": [THOUGHT]},
        {"content": [{"type": "text", "text": "Let "}, {"type": "reference", "reference_ids": [1]}]},
        {"content": "me see."},
        {
            "tool_calls": [
                {"id": "aB3dE6gH9", "index": 0, "function": {"name": "weather", "arguments": {"city": "Paris"}}}
            ]
        },
    ]
    frames: list[dict[str, Any]] = [{"index": 0, "delta": part, "finish_reason": None} for part in parts]
    frames[-1]["finish_reason"] = "tool_calls"
    base = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "magistral-medium-latest"}
    usage = {"prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13}
    chunks = [orjson.dumps({**base, "choices": [frame]}) for frame in frames[:-1]]
    chunks.append(orjson.dumps({**base, "choices": frames[-1:], "usage": usage}))
    await call.stream(*(b"data: " + chunk + b"\n\n" for chunk in chunks), b"data: [DONE]\n\n")


@pytest.fixture
async def standin() -> AsyncGenerator[StandIn]:
    async with standing_in() as standin:
        standin.routes["/v1/chat/completions"] = serve
        yield standin


def test_the_dialect_is_told_by_the_address() -> None:
    assert MISTRAL.name == "mistral"
    assert dialect_at("https://mistral.ai.example.org/v1") is None
    assert dialect_at("http://127.0.0.1:8000/v1") is None


def test_whatever_is_asked_is_in_the_words_of_the_api() -> None:
    image = PromptImage("image/png", b"png", 28, 28)
    request = Request(
        "mistral-medium-latest",
        (
            PromptMessage("developer", "Be brief."),
            PromptMessage("user", "Weather?", name="ada", images=(image,)),
            PromptMessage("assistant", None, tool_calls=(CALL,)),
            PromptMessage("tool", "21 °C", tool_call_id="toolu_01AbCdEf", name="weather"),
        ),
        sampling=Sampling(0.3, 0.9, 100, 7, ("END",)),
        tools=(TOOL,),
        tool_choice="required",
        response_format={"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
        prediction="It is 21 °C.",
        extra={"parallel_tool_calls": False, "reasoning_effort": "high", "top_k": 4},
        reasoning="effort",
    )
    body = build_body(request, MISTRAL)
    check(body)
    assert (body["tool_choice"], body["random_seed"], body["reasoning_effort"]) == ("any", 7, "high")
    system, user, assistant, tool = body["messages"]
    assert (system["role"], "name" in user) == ("system", False)
    assert user["content"][0]["image_url"]["url"].startswith("data:image/png;base64,")
    assert assistant["tool_calls"][0]["id"] == tool["tool_call_id"]
    own = {**CALL, "id": "aB3dE6gH9"}
    kept = build_body(Request("m", (PromptMessage("assistant", None, tool_calls=(own,)),)), MISTRAL)
    assert kept["messages"][0]["tool_calls"][0]["id"] == "aB3dE6gH9"


def test_requests_of_one_conversation_share_the_key_of_its_cache() -> None:
    first = Request("m", (PromptMessage("system", "Be brief."), PromptMessage("user", "One?")))
    turns = (*first.messages, PromptMessage("assistant", "Yes."), PromptMessage("user", "Two?"))
    bodies = [build_body(each, MISTRAL) for each in (first, replace(first, messages=turns))]
    other = build_body(replace(first, messages=(PromptMessage("user", "Three?"),)), MISTRAL)
    assert bodies[0]["prompt_cache_key"] == bodies[1]["prompt_cache_key"] != other["prompt_cache_key"]
    assert "prompt_cache_key" not in build_body(replace(first, purpose="title"), MISTRAL)


@pytest.mark.parametrize(("effort", "mode"), [("high", "reasoning"), ("none", None), (None, None)])
def test_a_model_that_reasons_by_prompt_is_told_by_its_mode(effort: str | None, mode: str | None) -> None:
    extra = {} if effort is None else {"reasoning_effort": effort}
    body = build_body(Request("m", (PromptMessage("user", "Hi"),), extra=extra, reasoning="prompt"), MISTRAL)
    check(body)
    assert body.get("prompt_mode") == mode
    assert len(body["messages"]) == 1


async def test_a_thought_a_text_and_a_call_are_told_apart(standin: StandIn) -> None:
    engine = OpenAIEngine("mistral", f"{standin.url}/v1", "k", dialect=MISTRAL)
    request = Request("magistral-medium-latest", (PromptMessage("user", "Weather?"),), tools=(TOOL,))
    deltas = [delta async for delta in engine.stream(request)]
    await engine.close()
    assert [delta for delta in deltas if isinstance(delta, Reasoning)] == [Reasoning("Warm?")]
    assert "".join(delta.text for delta in deltas if isinstance(delta, Text)) == "Let me see."
    assert deltas[-3:] == [
        ToolCall(0, "aB3dE6gH9", "weather", '{"city":"Paris"}'),
        TokenUsage(9, 4),
        Finish("tool_calls"),
    ]


async def test_the_stand_in_is_true_to_the_api(standin: StandIn) -> None:
    texts: list[Any] = []
    async with Mistral(api_key="k", server_url=standin.url) as client:
        asked: Any = [{"role": "user", "content": "Weather?"}]
        async with await client.chat.stream_async(model="magistral-medium-latest", messages=asked) as stream:
            async for event in stream:
                texts += [choice.delta.content for choice in event.data.choices if choice.delta.content]
    assert texts[0][0].thinking[0].text == "Warm?"
    assert texts[-1] == "me see."


async def test_a_refusal_names_the_field(standin: StandIn) -> None:
    wrong = {"type": "extra_forbidden", "loc": ["body", "min_p"], "msg": "Extra inputs are not permitted"}

    async def refuse(call: Call) -> None:
        await call.reply(422, orjson.dumps({"object": "error", "message": {"detail": [wrong]}}))

    standin.routes["/v1/chat/completions"] = refuse
    engine = OpenAIEngine("mistral", f"{standin.url}/v1", "k", dialect=MISTRAL)
    with pytest.raises(EngineRefused, match="min_p: Extra inputs are not permitted"):
        await anext(engine.stream(Request("m", (PromptMessage("user", "Hi"),), extra={"min_p": 0.1})))
    await engine.close()


async def test_the_list_tells_what_a_model_can(standin: StandIn) -> None:
    able = {"completion_chat": True, "function_calling": True, "vision": True}
    row = {"id": "mistral-medium-latest", "owned_by": "mistralai", "max_context_length": 131072, "capabilities": able}
    standin.routes["/v1/models"] = lambda call: call.reply(200, orjson.dumps({"data": [row]}))
    engine = OpenAIEngine("mistral", f"{standin.url}/v1", "k")
    (model,) = await engine.models()
    await engine.close()
    assert (model.context, model.can_call_tools, model.vision_pixels is not None) == (131072, True, True)
