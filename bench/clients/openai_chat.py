"""openai for Python, chat completions; the second turn sends `message.model_dump()` back."""

import json
from typing import Any

from openai import OpenAI
from probe import FUNCTION, NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, V1, get_weather, probe, run_page
from pydantic import BaseModel

client = OpenAI(base_url=V1, api_key="none", max_retries=0)


class City(BaseModel):
    city: str
    population: int


def chat(model: str) -> str:
    return run_page("openai.md", model)


def stream(model: str) -> list[str]:
    chunks = client.chat.completions.create(model=model, messages=[{"role": "user", "content": QUESTION}], stream=True)
    return [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]


def loop(model: str, ask: Any) -> list[Any]:
    """The history after a tool was called, its messages as `ask` gives them."""
    history: list[Any] = [{"role": "user", "content": TOOL_QUESTION}]
    while not history[-1].get("content") or history[-1]["role"] != "assistant":
        message = ask(model=model, messages=history, tools=[{"type": "function", "function": FUNCTION}])
        history.append(message.model_dump())
        for call in message.tool_calls or []:
            result = get_weather(**json.loads(call.function.arguments))
            history.append({"role": "tool", "tool_call_id": call.id, "content": result})
    return history


def whole(**request: Any) -> Any:
    return client.chat.completions.create(**request).choices[0].message


def streamed(**request: Any) -> Any:
    with client.chat.completions.stream(**request) as stream:
        return stream.get_final_completion().choices[0].message


def tools(model: str) -> list[str]:
    return [loop(model, ask)[-1]["content"] for ask in (whole, streamed)]


def schema(model: str) -> Any:
    messages: Any = [{"role": "user", "content": SCHEMA_QUESTION}]
    reply = client.chat.completions.parse(model=model, messages=messages, response_format=City)
    return reply.choices[0].message.parsed


def second_turn(model: str) -> str:
    answers: list[str] = []
    for ask in (whole, streamed):
        history = [*loop(model, ask), {"role": "user", "content": NEXT_QUESTION}]
        answers.append(ask(model=model, messages=history).content)
    return answers[0] if answers[0] == answers[1] else str(answers)


def embed(model: str) -> list[float]:
    return client.embeddings.create(model=model, input="Paris").data[0].embedding


probe(globals())
