"""Request schemas of `/v1` completions; unsupported fields are rejected by name."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from eclair.errors import InvalidInput
from eclair.generation.sampling import resolve_sampling
from eclair.llm.base import JSON, PromptMessage
from eclair.llm.base import Request as EngineRequest
from eclair.schema.messages import Sampling
from eclair.schema.models import Model
from eclair.server.chat_input import last_question
from eclair.server.openai.retriever import FileInput
from eclair.server.request_body import RequestBody, StrictModel

Probability = Annotated[float | None, Field(gt=0, le=1)]
Penalty = Annotated[float | None, Field(ge=-2, le=2)]


class ChatStreamOptions(StrictModel):
    include_usage: bool = False
    include_obfuscation: bool = False


class _CompletionBase(RequestBody):
    """Fields of both routes. Hints that don't change the answer are accepted and ignored."""

    model: str
    stream: bool = False
    stream_options: ChatStreamOptions | None = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    top_p: Probability = None
    seed: int | None = None
    random_seed: int | None = None
    stop: str | list[str] | None = None
    n: Annotated[int | None, Field(ge=1, le=16)] = None
    presence_penalty: Penalty = None
    frequency_penalty: Penalty = None
    logit_bias: dict[str, float] | None = None
    top_k: Annotated[int | None, Field(ge=0)] = None
    min_p: Annotated[float | None, Field(ge=0, le=1)] = None
    user: str | None = None

    def sampling(self, max_tokens: int | None) -> Sampling:
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        seed = self.seed if self.seed is not None else self.random_seed
        return Sampling(self.temperature, self.top_p, max_tokens, seed, tuple(stop))

    def engine_options(self, *names: str) -> JSON:
        """Return the fields that are passed to the engine unchanged, and `names`, if they are set."""
        passed = ("presence_penalty", "frequency_penalty", "logit_bias", "top_k", "min_p", *names)
        values = {name: getattr(self, name) for name in passed}
        return {name: value for name, value in values.items() if value is not None}


class ChatMessage(StrictModel):
    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[dict[str, Any]] | None = None
    name: str | None = None
    tool_calls: list[dict[str, Any]] | None = None
    tool_call_id: str | None = None
    refusal: None = None
    prefix: bool | None = None

    @property
    def files(self) -> list[FileInput]:
        """Files attached to the message. Raises InvalidInput."""
        parts = self.content if isinstance(self.content, list) else []
        return [_file(part) for part in parts if part.get("type") == "file"]

    def to_prompt(self) -> PromptMessage:
        """Build the engine's message, without files."""
        content = self.content
        if isinstance(content, list):
            content = [part for part in content if part.get("type") != "file"]
        if isinstance(content, list) and all(part.get("type") == "text" for part in content):
            content = "\n".join(str(part.get("text", "")) for part in content)
        return PromptMessage(self.role, content, self.name, tuple(self.tool_calls or ()), self.tool_call_id)


class ChatFilePart(StrictModel):
    type: Literal["file"]
    file: FileInput


class PredictedText(StrictModel):
    type: Literal["text"]
    text: str


class Prediction(StrictModel):
    """A text that the answer will largely repeat, in one piece or in parts."""

    type: Literal["content"] = "content"
    content: str | list[PredictedText]

    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class WebSearchOptions(StrictModel):
    """Turns web search on; its options are ignored."""

    search_context_size: Literal["low", "medium", "high"] | None = None
    user_location: dict[str, Any] | None = None


class ChatRequest(_CompletionBase):
    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1)] = None
    tools: list[dict[str, Any]] | None = None
    tool_choice: str | dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    response_format: dict[str, Any] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int | None, Field(ge=0, le=20)] = None
    reasoning_effort: str | None = None
    prediction: Prediction | None = None
    web_search_options: WebSearchOptions | None = None
    store: Literal[False] | None = None
    metadata: dict[str, str] | None = None
    service_tier: Literal["auto", "default"] | None = None
    prompt_cache_key: str | None = None
    safety_identifier: str | None = None
    safe_prompt: Literal[False] | None = None

    @property
    def question(self) -> str:
        """Text of the last user message."""
        return last_question(message.to_prompt() for message in self.messages)

    @property
    def files(self) -> list[FileInput]:
        return [file for message in self.messages for file in message.files]

    @property
    def uses_web(self) -> bool:
        return self.web_search_options is not None

    @property
    def is_plain_text(self) -> bool:
        """True if the answer is text only: no tools, format, logprobs or prediction."""
        form = (self.response_format or {}).get("type", "text")
        return form == "text" and not (self.tools or self.logprobs or self.prediction)

    def prompt_messages(self) -> list[PromptMessage]:
        return [message.to_prompt() for message in self.messages]

    def request(self, model: Model, max_tokens: int | None) -> EngineRequest:
        sampling = self.sampling(self.max_completion_tokens or self.max_tokens)
        return EngineRequest(
            model=model.id,
            messages=tuple(self.prompt_messages()),
            sampling=resolve_sampling(sampling, model.sampling, max_tokens),
            tools=tuple(self.tools or ()),
            tool_choice=self.tool_choice,
            response_format=self.response_format,
            prediction=self.prediction.text() if self.prediction is not None else None,
            extra=self.engine_options("logprobs", "top_logprobs", "parallel_tool_calls", "reasoning_effort"),
        )


class CompletionRequest(_CompletionBase):
    prompt: str | Annotated[list[str], Field(min_length=1, max_length=1)]
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    best_of: Literal[1] | None = None
    echo: Literal[False] | None = None

    @property
    def question(self) -> str:
        return self.prompt if isinstance(self.prompt, str) else self.prompt[0]

    @property
    def files(self) -> list[FileInput]:
        return []

    @property
    def uses_web(self) -> bool:
        return False

    @property
    def is_plain_text(self) -> bool:
        return True

    def prompt_messages(self) -> list[PromptMessage]:
        return []

    def request(self, model: Model, max_tokens: int | None) -> EngineRequest:
        return EngineRequest(
            model=model.id,
            prompt=self.question,
            sampling=resolve_sampling(self.sampling(self.max_tokens), model.sampling, max_tokens),
            extra=self.engine_options(),
        )


def _file(part: JSON) -> FileInput:
    try:
        return ChatFilePart.model_validate(part).file
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(["messages", *(str(step) for step in first["loc"])])
        raise InvalidInput(f"The field {name!r} of a file is wrong: {first['msg'].lower()}.", param=name) from None
