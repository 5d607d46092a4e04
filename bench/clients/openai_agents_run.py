"""openai-agents over responses (its default), with its own input list for the second turn."""

from typing import Any

from agents import Agent, AsyncOpenAI, OpenAIResponsesModel, Runner, function_tool, set_tracing_disabled
from probe import NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, V1, get_weather, probe
from pydantic import BaseModel

set_tracing_disabled(True)


class City(BaseModel):
    city: str
    population: int


def agent(model: str, **more: Any) -> Any:
    client = AsyncOpenAI(base_url=V1, api_key="none", max_retries=0)
    return Agent(name="helper", model=OpenAIResponsesModel(model, client), **more)


async def chat(model: str) -> str:
    return (await Runner.run(agent(model), QUESTION)).final_output


async def stream(model: str) -> list[str]:
    events: Any = Runner.run_streamed(agent(model), QUESTION).stream_events()
    raw = [event.data async for event in events if event.type == "raw_response_event"]
    return [event.delta for event in raw if event.type == "response.output_text.delta"]


async def tools(model: str) -> str:
    return (await Runner.run(agent(model, tools=[function_tool(get_weather)]), TOOL_QUESTION)).final_output


async def schema(model: str) -> Any:
    return (await Runner.run(agent(model, output_type=City), SCHEMA_QUESTION)).final_output


async def second_turn(model: str) -> str:
    helper = agent(model, tools=[function_tool(get_weather)])
    first = await Runner.run(helper, TOOL_QUESTION)
    history: Any = [*first.to_input_list(), {"role": "user", "content": NEXT_QUESTION}]
    return (await Runner.run(helper, history)).final_output


probe(globals())
