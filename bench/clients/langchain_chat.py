"""LangChain's chat models: `LANGCHAIN_MODEL` names which one."""

import os
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from probe import NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, URL, V1, get_weather, probe, run_page
from pydantic import BaseModel

KIND = os.environ["LANGCHAIN_MODEL"]
weather = tool(get_weather)


class City(BaseModel):
    """A city."""

    city: str
    population: int


def build(model: str) -> Any:
    match KIND:
        case "ChatOpenAI" | "ChatOpenAI responses":
            from langchain_openai import ChatOpenAI

            responses = KIND.endswith("responses")
            return ChatOpenAI(base_url=V1, api_key="none", model=model, use_responses_api=responses, max_retries=0)
        case "ChatAnthropic":
            from langchain_anthropic import ChatAnthropic

            thinking: Any = {"type": "enabled", "budget_tokens": 1024} if model == "thinking" else None
            return ChatAnthropic(base_url=URL, api_key="none", model=model, thinking=thinking, max_retries=0)
        case "ChatMistralAI":
            from langchain_mistralai import ChatMistralAI

            return ChatMistralAI(endpoint=V1, api_key="none", model=model, max_retries=1)
        case _:
            from langchain_ollama import ChatOllama

            return ChatOllama(base_url=URL, model=model)


def chat(model: str) -> str:
    return run_page("langchain.md", model) if KIND == "ChatOpenAI" else build(model).invoke(QUESTION).text


def stream(model: str) -> list[str]:
    return [chunk.text for chunk in build(model).stream(QUESTION)]


def loop(model: str) -> list[Any]:
    bound = build(model).bind_tools([weather])
    history: list[Any] = [HumanMessage(TOOL_QUESTION)]
    while True:
        message = bound.invoke(history)
        history.append(message)
        if not message.tool_calls:
            return history
        history += [weather.invoke(call) for call in message.tool_calls]


def tools(model: str) -> str:
    return loop(model)[-1].text


def schema(model: str) -> Any:
    if KIND == "ChatAnthropic":
        return build("plain").with_structured_output(City).invoke(SCHEMA_QUESTION)
    return build(model).with_structured_output(City).invoke(SCHEMA_QUESTION)


def second_turn(model: str) -> str:
    return build(model).invoke([*loop(model), HumanMessage(NEXT_QUESTION)]).text


def embed_openai(model: str) -> list[float]:
    from langchain_openai import OpenAIEmbeddings

    # Counting tokens would fetch the tokenizer's table from its maker.
    vectors = OpenAIEmbeddings(base_url=V1, api_key="none", model=model, check_embedding_ctx_length=False)
    return vectors.embed_query("Paris")


def embed_ollama(model: str) -> list[float]:
    from langchain_ollama import OllamaEmbeddings

    return OllamaEmbeddings(base_url=URL, model=model).embed_query("Paris")


embed = {"ChatOpenAI": embed_openai, "ChatOllama": embed_ollama}.get(KIND)

probe(globals())
