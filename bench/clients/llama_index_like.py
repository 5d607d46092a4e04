"""llama-index with OpenAILike and its function agent."""

from typing import Any

from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.llms import ChatMessage
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.llms.openai_like import OpenAILike
from probe import NEXT_QUESTION, QUESTION, SCHEMA_QUESTION, TOOL_QUESTION, V1, get_weather, probe, run_page
from pydantic import BaseModel


class City(BaseModel):
    """A city."""

    city: str
    population: int


def build(model: str) -> OpenAILike:
    return OpenAILike(
        api_base=V1, api_key="none", model=model, is_chat_model=True, is_function_calling_model=True, max_retries=0
    )


def chat(model: str) -> str:
    return run_page("llama-index.md", model)


def stream(model: str) -> list[str]:
    return [str(piece.delta) for piece in build(model).stream_chat([ChatMessage(role="user", content=QUESTION)])]


async def talk(model: str, *questions: str) -> str:
    agent = FunctionAgent(tools=[get_weather], llm=build(model), system_prompt="Be brief.")
    memory: Any = ChatMemoryBuffer.from_defaults(token_limit=4000)
    answer = ""
    for question in questions:
        answer = str(await agent.run(question, memory=memory))
    return answer


async def tools(model: str) -> str:
    return await talk(model, TOOL_QUESTION)


def schema(model: str) -> Any:
    return build(model).as_structured_llm(City).complete(SCHEMA_QUESTION).raw


async def second_turn(model: str) -> str:
    return await talk(model, TOOL_QUESTION, NEXT_QUESTION)


def embed(model: str) -> list[float]:
    from llama_index.embeddings.openai_like import OpenAILikeEmbedding

    return OpenAILikeEmbedding(api_base=V1, api_key="none", model_name=model).get_text_embedding("Paris")


probe(globals())
