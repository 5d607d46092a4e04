"""ollama for Python, whole and streamed."""

from typing import Any

import ollama
from probe import (
    NEXT_QUESTION,
    QUESTION,
    SCHEMA,
    SCHEMA_QUESTION,
    TOOL_QUESTION,
    URL,
    get_weather,
    probe,
    run_page,
)

client = ollama.Client(host=URL)


def chat(model: str) -> str:
    return run_page("ollama.md", model)


def stream(model: str) -> list[str]:
    chunks = client.chat(model, [{"role": "user", "content": QUESTION}], stream=True)
    return [chunk.message.content or "" for chunk in chunks]


def loop(model: str) -> list[Any]:
    history: list[Any] = [{"role": "user", "content": TOOL_QUESTION}]
    while True:
        message = client.chat(model, history, tools=[get_weather]).message
        history.append(message)
        if not message.tool_calls:
            return history
        for call in message.tool_calls:
            result = get_weather(**call.function.arguments)
            history.append({"role": "tool", "tool_name": call.function.name, "content": result})


def tools(model: str) -> list[str]:
    chunks = client.chat(model, [{"role": "user", "content": TOOL_QUESTION}], tools=[get_weather], stream=True)
    calls = [call for chunk in chunks for call in chunk.message.tool_calls or []]
    return [loop(model)[-1].content, *(get_weather(**call.function.arguments) for call in calls[:1])]


def schema(model: str) -> Any:
    import json

    reply = client.chat(model, [{"role": "user", "content": SCHEMA_QUESTION}], format=SCHEMA)
    return json.loads(reply.message.content or "")


def second_turn(model: str) -> str:
    history = [*loop(model), {"role": "user", "content": NEXT_QUESTION}]
    return client.chat(model, history).message.content or ""


def embed(model: str) -> Any:
    return client.embed(model, "Paris").embeddings[0]


probe(globals())
