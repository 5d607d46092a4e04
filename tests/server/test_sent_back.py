"""Every answer, of whatever kind, is accepted when a client sends it back in the next turn."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import anthropic
import openai
import orjson
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mistralai.client import Mistral

from eclair.llm.base import Delta, Finish, Reasoning, Text, TokenUsage, ToolCall
from tests.server.test_documents import TOWER, reading, ready
from tests.server.test_v1 import client_of
from tests.server.test_v1_files import ASKED, SAYS
from tests.support import JSON, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT_TOOLS: Any = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object"}}} for name in ("look_up", "write")
]
RESPONSES_TOOLS: Any = [{"type": "function", "name": name, "parameters": {}} for name in ("look_up", "write")]
CLAUDE_TOOLS: Any = [{"name": name, "input_schema": {"type": "object"}} for name in ("look_up", "write")]
SCORE: JSON = {"token": "x", "logprob": -0.5, "bytes": [120]}

texts: Any = st.text(max_size=20) | st.sampled_from(["", " ", "é\n", "<think>"])
said: Any = st.builds(Text, texts, st.sampled_from([(), ({**SCORE, "top_logprobs": [SCORE]},)]))
calls: Any = st.tuples(
    st.sampled_from(["look_up", "write"]), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=2)
)
answers: Any = st.tuples(
    st.lists(st.builds(Reasoning, texts), max_size=2),
    st.lists(said, max_size=2),
    st.lists(calls, max_size=2),
    st.sampled_from(["stop", "length", "content_filter", "tool_calls"]),
)
SEEN = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)


class Answers:
    """Puts an answer of any kind in the engine's mouth, and keeps what it was asked."""

    def __init__(self) -> None:
        self.pieces: list[Delta] = []
        self.asked: list[Any] = []

    def take(self, answer: Any, broken: str | None = None) -> None:
        thoughts, said, calls, reason = answer
        self.pieces = [*thoughts, *said]
        for index, (name, arguments) in enumerate(calls):
            self.pieces.append(ToolCall(index, f"call_{index}", name, ""))
            self.pieces.append(ToolCall(index, None, None, broken or orjson.dumps(arguments).decode()))
        self.pieces += [TokenUsage(1, 1, 0, 1), Finish(reason)]

    async def stream(self, request: Any) -> AsyncGenerator[Delta]:
        self.asked.append(request)
        for piece in self.pieces:
            yield piece


@pytest.fixture
def model(server: Server, monkeypatch: pytest.MonkeyPatch) -> Answers:
    answers = Answers()
    monkeypatch.setattr(server.engine, "stream", answers.stream)
    return answers


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with client_of(server) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def mistral(server: Server) -> AsyncGenerator[Mistral]:
    async with Mistral(api_key="none", server_url=server.address) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module")
async def claude(server: Server) -> AsyncGenerator[anthropic.AsyncAnthropic]:
    async with anthropic.AsyncAnthropic(base_url=server.address, max_retries=0, api_key="none") as client:
        yield client


def results(calls: list[Any]) -> list[Any]:
    return [{"role": "tool", "tool_call_id": call["id"], "content": "done"} for call in calls]


@SEEN
@given(answer=answers, broken=st.none() | st.sampled_from(["{", "[]", "no"]), functions=st.booleans())
async def test_chat_completions(
    server: Server, client: Any, model: Answers, answer: Any, broken: str | None, functions: bool
) -> None:
    tools: Any = {"functions": [tool["function"] for tool in CHAT_TOOLS]} if functions else {"tools": CHAT_TOOLS}
    body: JSON = {"messages": [{"role": "user", "content": "x"}], "logprobs": True, "top_logprobs": 1, **tools}
    model.take(answer, broken)
    reply = await client.chat.completions.create(model="scripted", **body)
    raw = (await server.post("/v1/chat/completions", {"model": "scripted", **body})).body["choices"][0]
    thought = "".join(piece.text for piece in answer[0])
    said = reply.choices[0].message
    messages: list[Any] = [raw["message"], said.model_dump(), said.to_dict()]
    for message in messages:
        told = [] if functions else results(message.get("tool_calls") or [])
        history = [*body["messages"], message, *told, {"role": "user", "content": "y"}]
        again = await server.post("/v1/chat/completions", {"model": "scripted", **body, "messages": history})
        assert again.status == 200, (again, message)
        assert model.asked[-1].messages[1].reasoning == (thought or None)
        for call in model.asked[-1].messages[1].tool_calls:
            assert isinstance(orjson.loads(call["function"]["arguments"]), dict)


@SEEN
@given(answer=answers, broken=st.none() | st.sampled_from(["{", "[]", "no"]))
async def test_responses(server: Server, client: Any, model: Answers, answer: Any, broken: str | None) -> None:
    body: JSON = {
        "input": [{"role": "user", "content": "x"}],
        "include": ["message.output_text.logprobs"],
        "tools": RESPONSES_TOOLS,
        "store": False,
    }
    model.take(answer, broken)
    reply = await client.responses.create(model="scripted", **body)
    raw = (await server.post("/v1/responses", {"model": "scripted", **body})).body
    outputs: list[Any] = [raw["output"], [each.model_dump() for each in reply.output]]
    outputs.append([each.to_dict() for each in reply.output])
    for output in outputs:
        calls = [item["call_id"] for item in output if item["type"] == "function_call"]
        told = [{"type": "function_call_output", "call_id": id, "output": "done"} for id in calls]
        history = [*body["input"], *output, *told, {"role": "user", "content": "y"}]
        again = await server.post("/v1/responses", {"model": "scripted", **body, "input": history})
        assert again.status == 200, (again, output)


@SEEN
@given(answer=answers)
async def test_messages(server: Server, claude: Any, model: Answers, answer: Any) -> None:
    body: JSON = {
        "messages": [{"role": "user", "content": "x"}],
        "max_tokens": 50,
        "tools": CLAUDE_TOOLS,
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    model.take(answer)
    reply = await claude.messages.create(model="scripted", **body)
    raw = (await server.post("/v1/messages", {"model": "scripted", **body})).body
    thought = "".join(piece.text for piece in answer[0])
    contents: list[Any] = [raw["content"], [block.model_dump() for block in reply.content]]
    contents.append([block.to_dict() for block in reply.content])
    for content in contents:
        calls = [block["id"] for block in content if block["type"] == "tool_use"]
        told: list[Any] = [{"type": "tool_result", "tool_use_id": id, "content": "done"} for id in calls]
        told.append({"type": "text", "text": "y"})
        history = [*body["messages"], {"role": "assistant", "content": content}, {"role": "user", "content": told}]
        again = await server.post("/v1/messages", {"model": "scripted", **body, "messages": history})
        assert again.status == 200, (again, content)
        assert model.asked[-1].messages[1].reasoning == (thought or None)


@SEEN
@given(answer=answers)
async def test_mistral(mistral: Mistral, model: Answers, answer: Any) -> None:
    answer = (*answer[:3], "stop" if answer[3] == "content_filter" else answer[3])  # a reason that the client lacks
    body: JSON = {"messages": [{"role": "user", "content": "x"}], "tools": CHAT_TOOLS}
    model.take(answer)
    reply = await mistral.chat.complete_async(model="scripted", **body)
    message = reply.choices[0].message
    assert message is not None
    told = results([call.model_dump() for call in message.tool_calls or []])
    history: Any = [*body["messages"], message.model_dump(), *told, {"role": "user", "content": "y"}]
    await mistral.chat.complete_async(model="scripted", messages=history, tools=CHAT_TOOLS)


async def test_citations(settings: Any) -> None:
    async with reading(settings) as (server, model), client_of(server) as client:
        model.says = SAYS
        made = await client.files.create(file=("tower.md", TOWER.encode()), purpose="user_data")
        await ready(server, {"id": made.id})
        part = {"type": "file", "file": {"file_id": made.id}}
        asked: Any = [{"role": "user", "content": [part, {"type": "text", "text": ASKED}]}]
        reply = await client.chat.completions.create(model="reader", messages=asked)
        message = reply.choices[0].message
        assert message.annotations
        asked += [message.model_dump(), {"role": "user", "content": "And now?"}]
        await client.chat.completions.create(model="reader", messages=asked)
        content = [{"type": "input_file", "file_id": made.id}, {"type": "input_text", "text": ASKED}]
        given: Any = [{"role": "user", "content": content}]
        response = await client.responses.create(model="reader", input=given, store=False)
        given += [*(item.model_dump() for item in response.output), {"role": "user", "content": "And now?"}]
        await client.responses.create(model="reader", input=given, store=False)
