"""pydantic-ai: `PYDANTIC_AI_MODEL` names the model class; the history is its own."""

import os
from typing import Any

from probe import NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, URL, V1, get_weather, probe
from pydantic import BaseModel
from pydantic_ai import Agent

KIND = os.environ["PYDANTIC_AI_MODEL"]


class City(BaseModel):
    """A city."""

    city: str
    population: int


def build(model: str) -> Any:
    match KIND:
        case "OpenAIChatModel" | "OpenAIResponsesModel":
            from pydantic_ai.models import openai
            from pydantic_ai.providers.openai import OpenAIProvider

            return getattr(openai, KIND)(model, provider=OpenAIProvider(base_url=V1, api_key="none"))
        case "AnthropicModel":
            from anthropic import AsyncAnthropic
            from pydantic_ai.models.anthropic import AnthropicModel
            from pydantic_ai.providers.anthropic import AnthropicProvider

            client = AsyncAnthropic(base_url=URL, api_key="none")
            return AnthropicModel(model, provider=AnthropicProvider(anthropic_client=client))
        case _:
            from pydantic_ai.models.mistral import MistralModel
            from pydantic_ai.providers.mistral import MistralProvider

            return MistralModel(model, provider=MistralProvider(api_key="none", base_url=URL))


def agent(model: str, **more: Any) -> Any:
    return Agent(build(model), retries=0, **more)


async def chat(model: str) -> str:
    return (await agent(model).run(QUESTION)).output


async def stream(model: str) -> list[str]:
    async with agent(model).run_stream(QUESTION) as result:
        return [piece async for piece in result.stream_text(delta=True, debounce_by=None)]


async def tools(model: str) -> list[str]:
    weather = agent(model, tools=[get_weather])
    whole = await weather.run(TOOL_QUESTION)
    async with weather.run_stream(TOOL_QUESTION) as result:
        return [whole.output, await result.get_output()]


async def schema(model: str) -> Any:
    from pydantic_ai import NativeOutput

    by_tool = (await agent(model, output_type=City).run(SCHEMA_QUESTION)).output
    if KIND in ("AnthropicModel", "MistralModel"):
        return by_tool
    by_form = (await agent(model, output_type=NativeOutput(City)).run(SCHEMA_QUESTION)).output
    return by_tool if by_tool == by_form else f"{by_tool} / {by_form}"


async def second_turn(model: str) -> str:
    weather = agent(model, tools=[get_weather])
    first = await weather.run(TOOL_QUESTION)
    return (await weather.run(NEXT_QUESTION, message_history=first.all_messages())).output


probe(globals())
