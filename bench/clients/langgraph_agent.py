"""LangGraph's ReAct agent with a checkpointer, which sends its own history back."""

from typing import Any

from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from probe import NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, V1, get_weather, probe
from pydantic import BaseModel


class City(BaseModel):
    """A city."""

    city: str
    population: int


def agent(model: str, **more: Any) -> Any:
    chat = ChatOpenAI(base_url=V1, api_key="none", model=model, max_retries=0)
    return create_agent(chat, [get_weather], checkpointer=InMemorySaver(), **more)


def say(agent: Any, question: str) -> Any:
    return agent.invoke({"messages": [HumanMessage(question)]}, {"configurable": {"thread_id": "1"}})


def chat(model: str) -> str:
    return say(agent(model), QUESTION)["messages"][-1].text


def stream(model: str) -> list[str]:
    where: Any = {"configurable": {"thread_id": "1"}}
    pieces = agent(model).stream({"messages": [HumanMessage(QUESTION)]}, where, stream_mode="messages")
    return [message.text for message, _ in pieces]


def tools(model: str) -> str:
    return say(agent(model), TOOL_QUESTION)["messages"][-1].text


def schema(model: str) -> Any:
    return say(agent(model, response_format=City), SCHEMA_QUESTION)["structured_response"]


def second_turn(model: str) -> str:
    kept = agent(model)
    say(kept, TOOL_QUESTION)
    return say(kept, NEXT_QUESTION)["messages"][-1].text


probe(globals())
