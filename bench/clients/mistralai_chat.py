"""mistralai for Python, whole and streamed."""

import json
from typing import Any

from mistralai.client import Mistral
from probe import FUNCTION, NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, URL, get_weather, probe, run_page
from pydantic import BaseModel

client = Mistral(api_key="none", server_url=URL)


class City(BaseModel):
    city: str
    population: int


def chat(model: str) -> str:
    return run_page("mistralai.md", model)


def stream(model: str) -> list[str]:
    messages: Any = [{"role": "user", "content": QUESTION}]
    return [str(event.data.choices[0].delta.content or "") for event in events(model=model, messages=messages)]


def events(**request: Any) -> list[Any]:
    with client.chat.stream(**request) as stream:
        return [event for event in stream if event.data.choices]


def whole(**request: Any) -> Any:
    return client.chat.complete(**request).choices[0].message


def loop(model: str) -> list[Any]:
    history: list[Any] = [{"role": "user", "content": TOOL_QUESTION}]
    while True:
        message = whole(model=model, messages=history, tools=[{"type": "function", "function": FUNCTION}])
        history.append(message)
        if not message.tool_calls:
            return history
        for call in message.tool_calls:
            result = get_weather(**json.loads(call.function.arguments))
            history.append({"role": "tool", "name": call.function.name, "tool_call_id": call.id, "content": result})


def tools(model: str) -> list[str]:
    messages: Any = [{"role": "user", "content": TOOL_QUESTION}]
    pieces = events(model=model, messages=messages, tools=[{"type": "function", "function": FUNCTION}])
    calls = [call for event in pieces for call in event.data.choices[0].delta.tool_calls or []]
    arguments = "".join(str(call.function.arguments) for call in calls)
    return [loop(model)[-1].content, get_weather(**json.loads(arguments))]


def schema(model: str) -> Any:
    messages: Any = [{"role": "user", "content": SCHEMA_QUESTION}]
    return client.chat.parse(model=model, messages=messages, response_format=City).choices[0].message.parsed


def second_turn(model: str) -> str:
    return whole(model=model, messages=[*loop(model), {"role": "user", "content": NEXT_QUESTION}]).content


def embed(model: str) -> list[float]:
    return client.embeddings.create(model=model, inputs=["Paris"]).data[0].embedding


probe(globals())
