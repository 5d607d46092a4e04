"""llm, a command line and library, with a model of its own `extra-openai-models.yaml`."""

import json
import os
import tempfile
from pathlib import Path
from typing import Any

os.environ["LLM_USER_PATH"] = tempfile.mkdtemp()

from probe import (
    MODELS,
    NEXT_QUESTION,
    QUESTION,
    SCHEMA,
    SCHEMA_QUESTION,
    TOOL_QUESTION,
    V1,
    get_weather,
    probe,
)

import llm

ROWS = [
    {"model_id": name, "model_name": name, "api_base": V1, "supports_tools": True, "supports_schema": True}
    for name in MODELS
]
Path(os.environ["LLM_USER_PATH"], "extra-openai-models.yaml").write_text(json.dumps(ROWS))


def build(model: str) -> Any:
    found = llm.get_model(model)
    found.key = "none"
    return found


def chat(model: str) -> str:
    return build(model).prompt(QUESTION, stream=False).text()


def stream(model: str) -> list[str]:
    return list(build(model).prompt(QUESTION))


def tools(model: str) -> list[str]:
    return [build(model).chain(TOOL_QUESTION, tools=[get_weather], stream=streamed).text() for streamed in (0, 1)]


def schema(model: str) -> Any:
    return json.loads(build(model).prompt(SCHEMA_QUESTION, schema=SCHEMA).text())


def second_turn(model: str) -> str:
    conversation = build(model).conversation(tools=[get_weather])
    conversation.chain(TOOL_QUESTION).text()
    return conversation.chain(NEXT_QUESTION).text()


probe(globals())
