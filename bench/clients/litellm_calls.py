"""litellm, through the provider that `LITELLM_PROVIDER` names; messages go back as objects."""

import json
import os
from typing import Any

import litellm
from probe import (
    FUNCTION,
    NEXT_QUESTION,
    QUESTION,
    SCHEMA,
    SCHEMA_QUESTION,
    TOOL_QUESTION,
    URL,
    V1,
    get_weather,
    probe,
)

PROVIDER = os.environ["LITELLM_PROVIDER"]
BASE = URL if PROVIDER == "anthropic" else V1
FORM = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA, "strict": True}}


def ask(model: str, messages: list[Any], **more: Any) -> Any:
    return litellm.completion(
        model=f"{PROVIDER}/{model}", messages=messages, api_base=BASE, api_key="none", num_retries=0, **more
    )


def chat(model: str) -> str:
    return ask(model, [{"role": "user", "content": QUESTION}]).choices[0].message.content


def stream(model: str) -> list[str]:
    chunks = ask(model, [{"role": "user", "content": QUESTION}], stream=True)
    return [chunk.choices[0].delta.content or "" for chunk in chunks]


def loop(model: str) -> list[Any]:
    history: list[Any] = [{"role": "user", "content": TOOL_QUESTION}]
    while True:
        message = ask(model, history, tools=[{"type": "function", "function": FUNCTION}]).choices[0].message
        history.append(message)
        if not message.tool_calls:
            return history
        for call in message.tool_calls:
            result = get_weather(**json.loads(call.function.arguments))
            history.append({"role": "tool", "tool_call_id": call.id, "content": result})


def tools(model: str) -> str:
    return loop(model)[-1].content


def schema(model: str) -> Any:
    reply = ask(model, [{"role": "user", "content": SCHEMA_QUESTION}], response_format=FORM)
    return json.loads(reply.choices[0].message.content)


def second_turn(model: str) -> str:
    tool = {"type": "function", "function": FUNCTION}
    history = [*loop(model), {"role": "user", "content": NEXT_QUESTION}]
    return ask(model, history, tools=[tool]).choices[0].message.content


def embed_texts(model: str) -> Any:
    reply = litellm.embedding(model=f"{PROVIDER}/{model}", input=["Paris"], api_base=BASE, api_key="none")
    return reply.data[0]["embedding"]


embed = None if PROVIDER == "anthropic" else embed_texts

probe(globals())
