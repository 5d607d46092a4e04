"""smolagents' tool-calling agent; `reset=False` keeps its memory for the second turn."""

from typing import Any

from probe import NEXT_QUESTION, QUESTION, SCHEMA, SCHEMA_QUESTION, TOOL_QUESTION, V1, get_weather, probe
from smolagents import OpenAIModel, ToolCallingAgent, tool


def build(model: str) -> OpenAIModel:
    return OpenAIModel(model_id=model, api_base=V1, api_key="none", client_kwargs={"max_retries": 0})


def ask(text: str) -> Any:
    return [{"role": "user", "content": [{"type": "text", "text": text}]}]


def chat(model: str) -> Any:
    return build(model).generate(ask(QUESTION)).content


def stream(model: str) -> list[str]:
    return [delta.content or "" for delta in build(model).generate_stream(ask(QUESTION))]


def agent(model: str) -> ToolCallingAgent:
    return ToolCallingAgent([tool(get_weather)], build(model), max_steps=4, verbosity_level=0)


def tools(model: str) -> Any:
    return agent(model).run(TOOL_QUESTION)


def schema(model: str) -> Any:
    import json

    form: Any = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA}}
    return json.loads(str(build(model).generate(ask(SCHEMA_QUESTION), response_format=form).content))


def second_turn(model: str) -> str:
    kept = agent(model)
    kept.run(TOOL_QUESTION)
    return "Turn 2" if kept.run(NEXT_QUESTION, reset=False) else ""


probe(globals())
