"""Tool calls through all doors, from a server that neither forces calls nor parses them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import orjson
import pytest
from anthropic import AsyncAnthropic

from eclair.settings import EngineSettings, Settings
from tests.llm.standin import Call, StandIn, standing_in
from tests.server.test_v1 import client_of
from tests.support import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

PARAMETERS = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: Any = {"type": "function", "function": {"name": "get_weather", "parameters": PARAMETERS}}
QUESTION: Any = [{"role": "user", "content": "Is it sunny in Paris?"}]
ARGUMENTS = {"city": "Paris"}
CALL = {"name": "get_weather", "arguments": ARGUMENTS}
DEMANDED = orjson.dumps([CALL]).decode()
WRITTEN = f"I look.\n```json\n{orjson.dumps(CALL).decode()}\n```"


@asynccontextmanager
async def llama_saying(settings: Settings, text: str) -> AsyncGenerator[tuple[Server, StandIn]]:
    """Serve the models of a llama.cpp server that answers with a text, five letters at a time."""

    async def models(call: Call) -> None:
        await call.reply(200, orjson.dumps({"data": [{"id": "coder", "owned_by": "llamacpp"}]}))

    async def chat(call: Call) -> None:
        pieces = [text[at : at + 5] for at in range(0, len(text), 5)]
        rows: list[Any] = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
        rows.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        await call.stream(*(b"data: " + orjson.dumps(row) + b"\n\n" for row in rows), b"data: [DONE]\n\n")

    async with standing_in() as standin:
        standin.routes = {"/v1/models": models, "/v1/chat/completions": chat}
        engine = EngineSettings(url=f"{standin.url}/v1")
        async with serving(replace(settings, engines={"rack": engine})) as server:
            yield server, standin


def asked(standin: StandIn) -> Any:
    return next(call.json for call in standin.calls if call.path == "/v1/chat/completions")


@pytest.mark.parametrize(("choice", "text"), [("required", DEMANDED), ("auto", WRITTEN)])
async def test_chat_completions(settings: Settings, choice: Any, text: str) -> None:
    async with llama_saying(settings, text) as (server, standin), client_of(server) as client:
        fields: Any = {"model": "coder", "messages": QUESTION, "tools": [TOOL], "tool_choice": choice}
        create: Any = client.chat.completions.create
        whole = (await create(**fields)).choices[0]
        assert whole.finish_reason == "tool_calls"
        (call,) = whole.message.tool_calls
        assert (call.function.name, orjson.loads(call.function.arguments)) == ("get_weather", ARGUMENTS)
        assert (whole.message.content or "").strip() == ("" if choice == "required" else "I look.")
        async with client.chat.completions.stream(**fields) as stream:
            async for _ in stream:
                pass
            final: Any = (await stream.get_final_completion()).choices[0]
        (call,) = final.message.tool_calls
        assert orjson.loads(call.function.arguments) == ARGUMENTS
        assert ("response_format" in asked(standin)) == (choice == "required")


@pytest.mark.parametrize(("choice", "text"), [("required", DEMANDED), ("auto", WRITTEN)])
async def test_responses(settings: Settings, choice: Any, text: str) -> None:
    tool: Any = {"type": "function", "name": "get_weather", "parameters": PARAMETERS, "strict": False}
    async with llama_saying(settings, text) as (server, _), client_of(server) as client:
        reply = await client.responses.create(model="coder", input=QUESTION, tools=[tool], tool_choice=choice)
        (call,) = [item for item in reply.output if item.type == "function_call"]
        assert (call.name, orjson.loads(call.arguments)) == ("get_weather", ARGUMENTS)


@pytest.mark.parametrize(("choice", "text"), [("any", DEMANDED), ("auto", WRITTEN)])
async def test_messages(settings: Settings, choice: Any, text: str) -> None:
    tool: Any = {"name": "get_weather", "input_schema": PARAMETERS}
    async with (
        llama_saying(settings, text) as (server, _),
        AsyncAnthropic(base_url=server.address, api_key="none", max_retries=0) as client,
    ):
        fields: Any = {"model": "coder", "max_tokens": 99, "messages": QUESTION, "tools": [tool]}
        create: Any = client.messages.create
        reply = await create(**fields, tool_choice={"type": choice})
        (call,) = [block for block in reply.content if block.type == "tool_use"]
        assert (call.name, call.input, reply.stop_reason) == ("get_weather", ARGUMENTS, "tool_use")
        streamed: Any = client.messages.stream
        async with streamed(**fields, tool_choice={"type": choice}) as stream:
            last: Any = await stream.get_final_message()
        assert [block.input for block in last.content if block.type == "tool_use"] == [ARGUMENTS]


async def test_a_named_tool_is_called_once(settings: Settings) -> None:
    named: Any = {"type": "function", "function": {"name": "get_weather"}}
    async with llama_saying(settings, orjson.dumps(CALL).decode()) as (server, standin), client_of(server) as client:
        reply = await client.chat.completions.create(
            model="coder", messages=QUESTION, tools=[TOOL], tool_choice=named, parallel_tool_calls=True
        )
        assert len(reply.choices[0].message.tool_calls or ()) == 1
        assert asked(standin)["response_format"]["json_schema"]["schema"]["type"] == "object"
