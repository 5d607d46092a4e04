"""Haystack's generator and agent; messages go back as its own objects."""

import json
from typing import Any

from haystack.components.agents import Agent
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import create_tool_from_function
from haystack.utils import Secret
from probe import NEXT_QUESTION, QUESTION, SCHEMA, SCHEMA_QUESTION, TOOL_QUESTION, V1, get_weather, probe


def build(model: str, **more: Any) -> OpenAIChatGenerator:
    key = Secret.from_token("none")
    return OpenAIChatGenerator(api_base_url=V1, api_key=key, model=model, max_retries=0, **more)


def chat(model: str) -> Any:
    return build(model).run([ChatMessage.from_user(QUESTION)])["replies"][0].text


def stream(model: str) -> list[str]:
    pieces: list[str] = []
    build(model, streaming_callback=lambda chunk: pieces.append(chunk.content)).run([ChatMessage.from_user(QUESTION)])
    return pieces


def agent(model: str) -> Agent:
    return Agent(chat_generator=build(model), tools=[create_tool_from_function(get_weather)])


def tools(model: str) -> str:
    return agent(model).run(messages=[ChatMessage.from_user(TOOL_QUESTION)])["messages"][-1].text


def schema(model: str) -> Any:
    form = {"type": "json_schema", "json_schema": {"name": "city", "schema": SCHEMA, "strict": True}}
    made = build(model, generation_kwargs={"response_format": form}).run([ChatMessage.from_user(SCHEMA_QUESTION)])
    return json.loads(made["replies"][0].text)


def second_turn(model: str) -> str:
    helper = agent(model)
    history = helper.run(messages=[ChatMessage.from_user(TOOL_QUESTION)])["messages"]
    return helper.run(messages=[*history, ChatMessage.from_user(NEXT_QUESTION)])["messages"][-1].text


def embed(model: str) -> list[float]:
    from haystack.components.embedders import OpenAITextEmbedder

    made = OpenAITextEmbedder(api_base_url=V1, api_key=Secret.from_token("none"), model=model).run("Paris")
    return made["embedding"]


probe(globals())
