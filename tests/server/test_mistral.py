"""The same dialect, spoken by Mistral's client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio
from mistralai.client import Mistral
from mistralai.client.errors import SDKError

from eclair.llm.scripted import prose
from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncGenerator[Mistral]:
    async with Mistral(api_key="none", server_url=server.address) as client:
        yield client


def user(text: str) -> Any:
    return [{"role": "user", "content": text}]


async def test_models(client: Mistral) -> None:
    listed = await client.models.list_async()
    ids = [model.id for model in listed.data or []]  # pyright: ignore
    assert ids == ["scripted", "flash", "auto", "think", "multilingual-e5-small"]
    model = await client.models.retrieve_async(model_id="scripted")
    assert model.id == "scripted"  # pyright: ignore
    assert model.capabilities.completion_chat  # pyright: ignore


async def test_chat(client: Mistral) -> None:
    reply = await client.chat.complete_async(
        model="scripted", messages=user("script: words=5"), temperature=0.3, max_tokens=50, random_seed=7, stop=["xyz"]
    )
    choice = reply.choices[0]
    assert choice.message is not None
    assert choice.message.content == "".join(prose(5))
    assert choice.finish_reason == "stop"
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens) == (2, 5)


async def test_chat_streamed(client: Mistral) -> None:
    text = ""
    reasons: list[object] = []
    async with await client.chat.stream_async(model="scripted", messages=user("script: words=50")) as stream:
        async for event in stream:
            for choice in event.data.choices:
                text += str(choice.delta.content or "")
                reasons += [choice.finish_reason] if choice.finish_reason else []
    assert text == "".join(prose(50))
    assert reasons == ["stop"]


async def test_leaving_early_stops_the_engine(server: Server, client: Mistral) -> None:
    async with await client.chat.stream_async(
        model="scripted", messages=user("script: words=100000 rate=1000")
    ) as stream:
        async for event in stream:
            if event.data.choices[0].delta.content:
                break
    async with asyncio.timeout(5):
        still = 0
        made = -1
        while still < 3:
            still = still + 1 if made == server.engine.made else 0
            made = server.engine.made
            await asyncio.sleep(0.05)


async def test_tools(client: Mistral) -> None:
    tools: Any = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    reply = await client.chat.complete_async(
        model="scripted", messages=user('script: tool=look_up{"a":1}'), tools=tools, tool_choice="any"
    )
    message = reply.choices[0].message
    assert message is not None
    assert message.tool_calls
    assert message.tool_calls[0].function.name == "look_up"
    assert message.tool_calls[0].function.arguments == '{"a":1}'


async def test_tools_streamed(server: Server, client: Mistral) -> None:
    """Mistral's client wants a call's name in every piece, others join the names: so a call comes whole."""
    tools: Any = [{"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}]
    script = user('script: tool=look_up{"city":"Aachen","country":"Germany"}')
    calls: list[Any] = []
    async with await client.chat.stream_async(model="scripted", messages=script, tools=tools) as stream:
        async for event in stream:
            calls += event.data.choices[0].delta.tool_calls or []
    (call,) = calls
    assert (call.function.name, call.function.arguments) == ("look_up", '{"city":"Aachen","country":"Germany"}')
    message = {"role": "assistant", "content": "", "tool_calls": [call.model_dump()]}
    result = {"role": "tool", "tool_call_id": call.id, "name": "look_up", "content": "rainy"}
    history: Any = [*script, message, result, *user("script: say=Thanks")]
    reply = await client.chat.complete_async(model="scripted", messages=history, safe_prompt=True, prompt_mode=None)
    assert reply.choices[0].message is not None
    assert reply.choices[0].message.content == "Thanks"


async def test_embeddings(client: Mistral) -> None:
    reply = await client.embeddings.create_async(model="scripted", inputs=["a", "b"])
    assert len(reply.data) == 2
    assert reply.id


async def test_structured_output(client: Mistral) -> None:
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}, "strict": True}}
    reply = await client.chat.complete_async(
        model="scripted", messages=user('script: say={"a": 1}'), response_format=form
    )
    message = reply.choices[0].message
    assert message is not None
    assert message.content == '{"a": 1}'


@pytest.mark.parametrize(("model", "script", "status"), [("gpt", "x", 404), ("scripted", "script: fail=0", 503)])
async def test_errors(client: Mistral, model: str, script: str, status: int) -> None:
    with pytest.raises(SDKError) as caught:
        await client.chat.complete_async(model=model, messages=user(script))
    assert caught.value.status_code == status
    assert caught.value.body
