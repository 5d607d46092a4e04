"""anthropic for Python; thinking is asked for, and the blocks go back as they came."""

import json
from typing import Any

from anthropic import Anthropic
from probe import (
    FUNCTION,
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

client = Anthropic(base_url=URL, api_key="none", max_retries=0)
TOOLS: Any = [
    {"name": FUNCTION["name"], "description": FUNCTION["description"], "input_schema": FUNCTION["parameters"]}
]
COMMON: Any = {"max_tokens": 4096, "thinking": {"type": "enabled", "budget_tokens": 1024}}


def chat(model: str) -> str:
    return run_page("anthropic.md", model)


def stream(model: str) -> list[str]:
    messages: Any = [{"role": "user", "content": QUESTION}]
    with client.messages.stream(model=model, messages=messages, **COMMON) as stream:
        return list(stream.text_stream)


def whole(**request: Any) -> Any:
    return client.messages.create(**request, **COMMON)


def streamed(**request: Any) -> Any:
    with client.messages.stream(**request, **COMMON) as stream:
        return stream.get_final_message()


def loop(model: str, ask: Any) -> tuple[list[Any], Any]:
    history: list[Any] = [{"role": "user", "content": TOOL_QUESTION}]
    while True:
        reply = ask(model=model, messages=history, tools=TOOLS)
        history.append({"role": "assistant", "content": reply.content})
        if reply.stop_reason != "tool_use":
            return history, reply
        results = [
            {"type": "tool_result", "tool_use_id": part.id, "content": get_weather(**part.input)}
            for part in reply.content
            if part.type == "tool_use"
        ]
        history.append({"role": "user", "content": results})


def text(reply: Any) -> str:
    return "".join(part.text for part in reply.content if part.type == "text")


def tools(model: str) -> list[str]:
    return [text(loop(model, ask)[1]) for ask in (whole, streamed)]


def schema(model: str) -> Any:
    form: Any = {"format": {"type": "json_schema", "schema": SCHEMA}}
    messages: Any = [{"role": "user", "content": SCHEMA_QUESTION}]
    return json.loads(text(client.messages.create(model=model, messages=messages, max_tokens=4096, output_config=form)))


def second_turn(model: str) -> str:
    answers: list[str] = []
    for ask in (whole, streamed):
        history = [*loop(model, ask)[0], {"role": "user", "content": NEXT_QUESTION}]
        answers.append(text(ask(model=model, messages=history)))
    return answers[0] if answers[0] == answers[1] else str(answers)


embed = "Anthropic's API has none"

probe(globals())
