"""The code interpreter of `/v1/responses`, spoken by OpenAI's own client: streamed and not, beside its functions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import openai
import orjson
import pytest
import pytest_asyncio
from openai.types.responses import ResponseCodeInterpreterToolCall

from tests.server.test_responses import TOOLS, events
from tests.server.test_v1 import client_of
from tests.support import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

INTERPRETER: Any = {"type": "code_interpreter", "container": {"type": "auto"}}


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with client_of(server) as client:
        yield client


def call(code: str, *more: str) -> str:
    arguments = orjson.dumps({"code": code}).decode().replace(" ", "\\u0020")
    return f"script: {' '.join([f'tool=run_python{arguments}', *more])}"


def interpreted(response: Any) -> ResponseCodeInterpreterToolCall:
    (found,) = [item for item in response.output if isinstance(item, ResponseCodeInterpreterToolCall)]
    return found


def logs(item: ResponseCodeInterpreterToolCall) -> str:
    assert item.outputs is not None
    (output,) = item.outputs
    assert output.type == "logs"
    return output.logs


async def test_code_is_run_and_its_output_shown(client: openai.AsyncOpenAI) -> None:
    asked = f"{call('x = 19 * 4⏎x'.replace('⏎', chr(10)))}\nscript: say=It is 76."
    response = await client.responses.create(model="scripted", input=asked, tools=[INTERPRETER])
    assert [item.type for item in response.output] == ["code_interpreter_call", "message"]
    item = interpreted(response)
    assert (item.status, item.code) == ("completed", "x = 19 * 4\nx")
    assert logs(item).startswith("Output:\n76")
    assert response.output_text == "It is 76."
    assert response.status == "completed"
    assert item.container_id.startswith("cntr_")
    later = await client.responses.create(
        model="scripted",
        input=call("x + 1"),
        tools=[{"type": "code_interpreter", "container": item.container_id}],
        previous_response_id=response.id,
    )
    assert "77" in logs(interpreted(later)), "variables stay in the container"


async def test_errors_are_logs_too(client: openai.AsyncOpenAI) -> None:
    response = await client.responses.create(model="scripted", input=call("1 / 0"), tools=[INTERPRETER])
    item = interpreted(response)
    assert (item.status, response.status) == ("completed", "completed")
    assert "ZeroDivisionError" in logs(item)


async def test_the_stream_has_openais_events_in_order(server: Server, client: openai.AsyncOpenAI) -> None:
    asked = f"{call('19 * 4')}\nscript: say=It is 76."
    found = await events(server, asked, tools=[INTERPRETER])
    types = [event["type"] for event in found]
    name = "response.code_interpreter_call"
    assert types[2:9] == [
        "response.output_item.added",
        f"{name}.in_progress",
        f"{name}_code.delta",
        f"{name}_code.done",
        f"{name}.interpreting",
        f"{name}.completed",
        "response.output_item.done",
    ]
    assert types[-1] == "response.completed"
    places = [event["output_index"] for event in found if "output_index" in event]
    assert places == sorted(places)
    assert set(places) == {0, 1}
    async with client.responses.stream(model="scripted", input=asked, tools=[INTERPRETER]) as stream:
        async for _ in stream:
            pass
        response = await stream.get_final_response()
    assert logs(interpreted(response)).startswith("Output:\n76")


async def test_a_clients_functions_pass_through_beside_it(client: openai.AsyncOpenAI) -> None:
    tools = [INTERPRETER, *TOOLS]
    first = await client.responses.create(
        model="scripted", input=f"{call('19 * 4')}\nscript: tool=look_up{{}}", tools=tools
    )
    assert [item.type for item in first.output] == ["code_interpreter_call", "function_call"]
    assert interpreted(first).status == "completed"
    both = await client.responses.create(model="scripted", input=call("19 * 4", "tool=look_up{}"), tools=tools)
    assert sorted(item.type for item in both.output) == ["code_interpreter_call", "function_call"]
    assert interpreted(both).status == "incomplete", "the client's result comes first"


async def test_a_result_of_a_client_is_seen_in_the_rounds_that_follow(
    client: openai.AsyncOpenAI, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[Any] = []
    stream = server.engine.stream

    def spy(request: Any) -> Any:
        shown.append(request.messages)
        return stream(request)

    monkeypatch.setattr(server.engine, "stream", spy)
    input: Any = [
        {"role": "user", "content": f"script: tool=look_up{{}}\n{call('19 * 4')}\nscript: say=Done."},
        {"type": "function_call", "call_id": "c1", "name": "look_up", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "Nothing."},
    ]
    await client.responses.create(model="scripted", input=input, tools=[INTERPRETER, *TOOLS])
    assert [message.role for message in shown[-1]] == ["user", "assistant", "tool", "assistant", "tool"]


async def test_files_are_read_by_their_names(client: openai.AsyncOpenAI) -> None:
    file = await client.files.create(file=("sales.csv", b"region,revenue\nnorth,300\n"), purpose="assistants")
    tool: Any = {"type": "code_interpreter", "container": {"type": "auto", "file_ids": [file.id]}}
    response = await client.responses.create(
        model="scripted", input=call("print(open('sales.csv').read())"), tools=[tool]
    )
    assert "north,300" in logs(interpreted(response))


async def test_an_earlier_call_that_a_client_sends_is_given_an_id(client: openai.AsyncOpenAI) -> None:
    earlier: Any = [
        {"type": "code_interpreter_call", "code": "6 * 7", "outputs": [{"type": "logs", "logs": "42"}]},
        {"role": "user", "content": "script: say=It was 42."},
    ]
    response = await client.responses.create(model="scripted", input=earlier)
    items = await client.responses.input_items.list(response.id)
    assert [item.id[:3] for item in items.data if item.type == "code_interpreter_call"] == ["ci_"]


@pytest.mark.parametrize(
    ("tool", "status", "fault"),
    [
        ({"type": "code_interpreter"}, 400, "container"),
        ({"type": "code_interpreter", "container": "cntr_gone"}, 404, "begin a new one"),
        ({"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["file_gone"]}}, 404, "file_gone"),
    ],
)
async def test_what_cannot_be_run_is_refused(server: Server, tool: Any, status: int, fault: str) -> None:
    reply = await server.post("/v1/responses", {"model": "scripted", "input": "Hello", "tools": [tool]})
    assert reply.status == status, reply
    assert fault in f"{reply.error}"


async def test_its_name_is_taken(server: Server) -> None:
    tools = [INTERPRETER, {"type": "function", "name": "run_python", "parameters": {"type": "object"}}]
    reply = await server.post("/v1/responses", {"model": "scripted", "input": "Hello", "tools": tools})
    assert (reply.status, reply.error["param"]) == (400, "tools")
