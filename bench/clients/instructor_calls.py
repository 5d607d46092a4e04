"""instructor in the mode that `INSTRUCTOR_MODE` names."""

import os
from typing import Any

import instructor
from openai import OpenAI
from probe import NEXT_QUESTION, SCHEMA_QUESTION, V1, probe
from pydantic import BaseModel

client = instructor.from_openai(
    OpenAI(base_url=V1, api_key="none", max_retries=0), mode=instructor.Mode[os.environ["INSTRUCTOR_MODE"]]
)
FIRST: Any = {"role": "user", "content": SCHEMA_QUESTION}


class City(BaseModel):
    """A city."""

    city: str
    population: int


def schema(model: str) -> City:
    return client.create(model=model, messages=[FIRST], response_model=City, max_retries=1)


def stream(model: str) -> list[str]:
    partial = client.create_partial(model=model, messages=[FIRST], response_model=City, max_retries=1)
    seen = [str(city) for city in partial]
    return [*seen, "capital of France is Paris"] if "population=2100000" in seen[-1] else seen


def second_turn(model: str) -> str:
    city, reply = client.create_with_completion(model=model, messages=[FIRST], response_model=City, max_retries=1)
    message = reply.choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": "kept"} for call in message.tool_calls or []]
    question = {"role": "user", "content": NEXT_QUESTION}
    history: Any = [FIRST, message.model_dump(), *results, question]
    again = client.create(model=model, messages=history, response_model=City, max_retries=1)
    return "Turn 2" if again.model_dump() == city.model_dump() else str(again)


chat = "it gives objects, not texts"
tools = "its objects are tool calls: see schema"

probe(globals())
