"""LangChain's `OpenAI`, which speaks `/v1/completions`."""

from langchain_openai import OpenAI
from probe import QUESTION, V1, probe


def build(model: str) -> OpenAI:
    return OpenAI(base_url=V1, api_key="none", model=model, max_retries=0)


def chat(model: str) -> str:
    return build(model).invoke(QUESTION)


def stream(model: str) -> list[str]:
    return list(build(model).stream(QUESTION))


tools = schema = second_turn = "completions have no messages"

probe(globals())
