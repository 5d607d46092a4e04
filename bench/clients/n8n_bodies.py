"""The bodies that n8n's nodes send: `OpenAI → Message a Model`, its chat model, and its embeddings."""

import json
import urllib.error
import urllib.request
from typing import Any

from probe import FUNCTION, NEXT_QUESTION, QUESTION, SCHEMA, SCHEMA_QUESTION, TOOL_QUESTION, V1, get_weather, probe

DEFAULTS = {"parallel_tool_calls": True, "store": True, "background": False}
TOOLS = [{"type": "function", **FUNCTION, "strict": False}]


def post(path: str, body: dict[str, Any]) -> bytes:
    headers = {"Content-Type": "application/json", "Authorization": "Bearer none"}
    request = urllib.request.Request(f"{V1}/{path}", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request) as reply:
            return reply.read()
    except urllib.error.HTTPError as error:
        raise RuntimeError(json.loads(error.read())["error"]["message"]) from None


def message(model: str, items: list[Any], **more: Any) -> dict[str, Any]:
    return json.loads(post("responses", {"model": model, "input": items, **DEFAULTS, **more}))


def user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "input_text", "text": text}]}


def text_of(reply: dict[str, Any]) -> str:
    parts = [part for item in reply["output"] if item["type"] == "message" for part in item["content"]]
    return "".join(part["text"] for part in parts)


def chat(model: str) -> str:
    return text_of(message(model, [user(QUESTION)]))


def stream(model: str) -> list[str]:
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], "stream": True, "n": 1}
    usage = {"stream_options": {"include_usage": True}, "frequency_penalty": 0, "presence_penalty": 0, "top_p": 1}
    lines = post("chat/completions", {**body, **usage}).decode().splitlines()
    chunks = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    return [chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"]]


def loop(model: str) -> list[Any]:
    items: list[Any] = [user(TOOL_QUESTION)]
    while True:
        reply = message(model, items, tools=TOOLS)
        items += reply["output"]
        calls = [item for item in reply["output"] if item["type"] == "function_call"]
        if not calls:
            return items
        for call in calls:
            output = get_weather(**json.loads(call["arguments"]))
            items.append({"type": "function_call_output", "call_id": call["call_id"], "output": output})


def tools(model: str) -> str:
    return text_of({"output": loop(model)[-1:]})


def schema(model: str) -> Any:
    form = {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA, "strict": True}}
    return json.loads(text_of(message(model, [user(SCHEMA_QUESTION)], text=form)))


def second_turn(model: str) -> str:
    by_items = text_of(message(model, [*loop(model), user(NEXT_QUESTION)]))
    first = message(model, [user(QUESTION)])
    by_id = text_of(message(model, [user(NEXT_QUESTION)], previous_response_id=first["id"]))
    return by_items if by_items == by_id else f"{by_items} / {by_id}"


def embed(model: str) -> list[float]:
    return json.loads(post("embeddings", {"model": model, "input": ["Paris"]}))["data"][0]["embedding"]


probe(globals())
