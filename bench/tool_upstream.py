"""An OpenAI-shaped server that calls tools, thinks and fills schemas, and whose answers show what came back to it.

Model `plain` answers, `thinking` reasons first, `vectors` embeds. A question with `Use a tool` is answered by a call
of the tool that fits, and the call's result is repeated in the answer. `Turn N` counts the answers in the history, so
that a program that drops one shows. Schemas are filled with the few values that the programs ask for.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
import struct
import sys
from collections.abc import Iterator
from typing import Any, cast

import uvloop
from aiohttp import web

JSON = dict[str, Any]
MODELS = ("plain", "thinking", "vectors")
ANSWER = "The capital of France is Paris."
THOUGHT = "I look at the question first."
COMMAND = "echo heron-21"
VALUES: JSON = {
    "city": "Paris",
    "population": 2100000,
    "command": COMMAND,
    "cmd": COMMAND,
    "commands": [COMMAND],
    "description": "Prints a word",
    "answer": "It is 21 degrees.",
}
SHELLS = ("exec_command", "shell", "shell_command", "bash", "Bash", "run_shell_command", "run_commands")
FORMS = ("StructuredOutput", "structured_output")
"""Tools by which agents ask for an object."""
DIMENSIONS = 8
PAUSE_S = 0.02
"""Seconds between the pieces of a stream, so that they arrive as pieces."""


def text_of(content: Any) -> str:
    """The text of a message's content, whatever its form."""
    if isinstance(content, list):
        return "\n".join(str(part.get("text", "")) for part in cast(list[JSON], content))
    return content or ""


def turn(messages: list[JSON]) -> int:
    """The number of this answer: one more than the history holds."""
    said = [m for m in messages if m["role"] == "assistant" and text_of(m.get("content")) and not m.get("tool_calls")]
    return len(said) + 1


def instance(schema: JSON, root: JSON, name: str = "") -> Any:
    """A value that fits the schema, as far as the programs' schemas go."""
    if "$ref" in schema:
        found: Any = root
        for key in schema["$ref"].removeprefix("#/").split("/"):
            found = found[key]
        return instance(found, root, name)
    kind = schema.get("type")
    if name in VALUES and (kind != "array" or isinstance(VALUES[name], list)) and "enum" not in schema:
        return VALUES[name]
    if name in VALUES and kind == "array":
        return str(VALUES[name]).split()
    if options := schema.get("anyOf") or schema.get("oneOf"):
        return instance(options[0], root, name)
    if "enum" in schema or "const" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    if kind == "object" or "properties" in schema:
        fields: JSON = schema.get("properties", {})
        wanted = [key for key in fields if key in schema.get("required", []) or key in VALUES]
        return {key: instance(fields[key], root, key) for key in wanted}
    simple: JSON = {"integer": 21, "number": 21.5, "boolean": False, "array": [], "null": None}
    return simple.get(str(kind), "Paris")


def functions_of(body: JSON) -> dict[str, JSON]:
    """The functions that a request offers, by name."""
    offered: list[JSON] = body.get("tools") or []
    return {tool["function"]["name"]: tool["function"] for tool in offered if "function" in tool}


def chosen_tool(body: JSON) -> JSON | None:
    """The function to call, if this request asks for one."""
    functions = functions_of(body)
    choice: Any = body.get("tool_choice")
    if not functions or choice == "none":
        return None
    if isinstance(choice, dict):
        return functions.get(cast(JSON, choice)["function"]["name"])
    messages: list[JSON] = body["messages"]
    users = [number for number, message in enumerate(messages) if message["role"] == "user"]
    if messages[-1]["role"] == "user" and any("Describe Paris." in text_of(messages[n].get("content")) for n in users):
        form = _first(functions, *FORMS)
        if form is not None:
            return form
    asked = next((n for n in reversed(users) if "Use a tool" in text_of(messages[n].get("content"))), None)
    if asked is not None and asked == users[-1] and not any(map(_is_after_call, messages[asked + 1 :])):
        return _first(functions, "get_weather", *SHELLS, *functions)
    if choice != "required":
        return None
    return _first(functions, "final_answer", *(name for name in functions if name != "get_weather"), "get_weather")


def _first(functions: dict[str, JSON], *names: str) -> JSON | None:
    return next((functions[name] for name in names if name in functions), None)


def _is_after_call(message: JSON) -> bool:
    if message["role"] == "tool" or message.get("tool_calls"):
        return True
    return "heron-21" in text_of(message.get("content")).replace(COMMAND, "")


def answer(body: JSON) -> tuple[str, JSON | None]:
    """Text, or a function with its arguments."""
    messages: list[JSON] = body["messages"]
    if function := chosen_tool(body):
        parameters: JSON = function.get("parameters") or {}
        return "", {"name": function["name"], "arguments": json.dumps(instance(parameters, parameters))}
    wanted: JSON = body.get("response_format") or {}
    if wanted.get("type") == "json_schema":
        schema = wanted["json_schema"]["schema"]
        return json.dumps(instance(schema, schema)), None
    if wanted.get("type") == "json_object":
        return json.dumps({"city": "Paris", "population": 2100000}), None
    last = messages[-1]
    if last["role"] == "tool":
        return f"Turn {turn(messages)}: the tool said {text_of(last['content'])}.", None
    return f"Turn {turn(messages)}: {ANSWER}", None


def deltas(body: JSON) -> Iterator[tuple[JSON, str | None]]:
    """The streamed form of the answer, with the reason why it ended."""
    text, call = answer(body)
    yield {"role": "assistant", "content": ""}, None
    if body["model"] == "thinking":
        for word in re.findall(r"\S+\s*", THOUGHT):
            yield {"reasoning_content": word}, None
    if call is not None:
        head = {"index": 0, "id": "call00001", "type": "function"}
        yield {"tool_calls": [{**head, "function": {"name": call["name"], "arguments": ""}}]}, None
        for start in range(0, len(call["arguments"]), 7):
            piece = call["arguments"][start : start + 7]
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}, None
    for word in re.findall(r"\S+\s*", text):
        yield {"content": word}, None
    yield {}, "tool_calls" if call is not None else "stop"


USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


async def chat(request: web.Request) -> web.StreamResponse:
    body: JSON = await request.json()
    if isinstance(choice := body.get("tool_choice"), str) and choice not in ("auto", "none", "required"):
        return web.json_response({"error": {"message": f"Invalid tool_choice '{choice}'."}}, status=400)
    head = {"id": "chatcmpl-1", "created": 1700000000, "model": body["model"]}
    if not body.get("stream"):
        text, call = answer(body)
        message: JSON = {"role": "assistant", "content": text or None}
        if body["model"] == "thinking":
            message["reasoning_content"] = THOUGHT
        if call is not None:
            message["tool_calls"] = [{"id": "call00001", "type": "function", "function": call}]
        choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if call else "stop"}
        return web.json_response({**head, "object": "chat.completion", "choices": [choice], "usage": USAGE})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for delta, reason in deltas(body):
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        await _send(response, {**head, "object": "chat.completion.chunk", "choices": [choice]})
        await asyncio.sleep(PAUSE_S)
    if (body.get("stream_options") or {}).get("include_usage"):
        await _send(response, {**head, "object": "chat.completion.chunk", "choices": [], "usage": USAGE})
    await response.write(b"data: [DONE]\n\n")
    return response


async def completions(request: web.Request) -> web.StreamResponse:
    """Continue a prompt by the one answer."""
    body: JSON = await request.json()
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1700000000, "model": body["model"]}
    if not body.get("stream"):
        choice = {"index": 0, "text": ANSWER, "logprobs": None, "finish_reason": "stop"}
        return web.json_response({**head, "choices": [choice], "usage": USAGE})
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    words = re.findall(r"\S+\s*", ANSWER)
    for number, word in enumerate(words, 1):
        choice = {"index": 0, "text": word, "logprobs": None, "finish_reason": "stop" if number == len(words) else None}
        await _send(response, {**head, "choices": [choice]})
        await asyncio.sleep(PAUSE_S)
    await _send(response, {**head, "choices": [], "usage": USAGE})
    await response.write(b"data: [DONE]\n\n")
    return response


async def _send(response: web.StreamResponse, chunk: JSON) -> None:
    await response.write(f"data: {json.dumps(chunk)}\n\n".encode())


async def embeddings(request: web.Request) -> web.Response:
    body: JSON = await request.json()
    asked: Any = body["input"]
    count = len(cast(list[Any], asked)) if isinstance(asked, list) else 1
    vector = [1.0, *[0.0] * (DIMENSIONS - 1)]
    packed: Any = vector
    if body.get("encoding_format") == "base64":
        packed = base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode()
    data = [{"object": "embedding", "index": index, "embedding": packed} for index in range(count)]
    usage = {"prompt_tokens": 5, "total_tokens": 5}
    return web.json_response({"object": "list", "model": body["model"], "data": data, "usage": usage})


async def models(_request: web.Request) -> web.Response:
    return web.json_response({"object": "list", "data": [{"id": model, "object": "model"} for model in MODELS]})


async def main() -> None:
    app = web.Application(client_max_size=1 << 25)
    app.add_routes(
        [
            web.post("/v1/chat/completions", chat),
            web.post("/v1/completions", completions),
            web.post("/v1/embeddings", embeddings),
            web.get("/v1/models", models),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main())
    sys.exit()
