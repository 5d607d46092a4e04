"""openai for Python, responses; the second turn by the output items and by `previous_response_id`."""

import json
from typing import Any

from openai import OpenAI
from probe import FUNCTION, NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, V1, get_weather, probe, run_page
from pydantic import BaseModel

client = OpenAI(base_url=V1, api_key="none", max_retries=0)
TOOLS: Any = [{"type": "function", **FUNCTION}]


class City(BaseModel):
    city: str
    population: int


def chat(model: str) -> str:
    return run_page("openai.md", model, 1)


def stream(model: str) -> list[str]:
    events = client.responses.create(model=model, input=QUESTION, stream=True)
    return [event.delta for event in events if event.type == "response.output_text.delta"]


def results(reply: Any) -> list[Any]:
    return [
        {"type": "function_call_output", "call_id": item.call_id, "output": get_weather(**json.loads(item.arguments))}
        for item in reply.output
        if item.type == "function_call"
    ]


def loop(model: str) -> tuple[list[Any], Any]:
    history: list[Any] = [{"role": "user", "content": TOOL_QUESTION}]
    reply = client.responses.create(model=model, input=history, tools=TOOLS)
    while found := results(reply):
        history += [*reply.output, *found]
        reply = client.responses.create(model=model, input=history, tools=TOOLS)
    return [*history, *reply.output], reply


def tools(model: str) -> str:
    return loop(model)[1].output_text


def schema(model: str) -> Any:
    return client.responses.parse(model=model, input=SCHEMA_QUESTION, text_format=City).output_parsed


def second_turn(model: str) -> str:
    history, reply = loop(model)
    question: Any = {"role": "user", "content": NEXT_QUESTION}
    by_items = client.responses.create(model=model, input=[*history, question]).output_text
    by_id = client.responses.create(model=model, input=[question], previous_response_id=reply.id).output_text
    return by_items if by_items == by_id else f"{by_items} / {by_id}"


probe(globals())
