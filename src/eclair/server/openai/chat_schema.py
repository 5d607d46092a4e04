"""Request schemas of `/v1` completions; unsupported fields are rejected by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from eclair.generation.sampling import resolve_sampling
from eclair.llm.base import JSON, PromptMessage
from eclair.llm.base import Request as EngineRequest
from eclair.schema.messages import Sampling
from eclair.schema.models import Model
from eclair.server.chat_input import last_question, merge_messages
from eclair.server.openai.chat_messages import ChatMessage, prompt_messages
from eclair.server.openai.chat_tools import (
    AllowedFunctionsChoice,
    ChatTool,
    ChatToolChoice,
    FunctionDefinition,
    FunctionName,
    JsonSchema,
    NamedFunction,
    ResponseFormat,
    StructuredOutputs,
    schema_format,
)
from eclair.server.openai.retriever import FileInput
from eclair.server.request_body import ForeignBody, ForeignModel
from eclair.server.thinking_fields import OFF_EFFORT, ON_EFFORT, ThinkingFields
from eclair.server.tool_choice import check_tool_choice

Penalty = Annotated[float | None, Field(ge=-2, le=2)]

SAFE_PROMPT = (
    "Answer with care, respect and truth. Be as useful as you can, and write nothing that harms, insults or "
    "discriminates."
)
"""Mistral's `safe_prompt`, in words of our own."""

MIN_TOP_P = 0.0001
"""The `top_p` that stands for 0, which some engines refuse: only the likeliest token."""


class ChatStreamOptions(ForeignModel):
    include_usage: bool = False
    include_obfuscation: bool = False
    continuous_usage_stats: bool = False


class CompletionHints(ForeignBody):
    """Fields of both routes that are accepted and ignored: they ask for nothing that changes the answer here."""

    user: str | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    metadata: Any = None
    client_metadata: Any = None
    store: bool | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    prompt_cache_options: Any = None
    cache_control: Any = None
    cache_prompt: bool | None = None
    id_slot: int | None = None
    keep_alive: Any = None
    num_ctx: int | None = None
    return_progress: bool | None = None
    timings_per_token: bool | None = None
    usage: Any = None


class CompletionFields(CompletionHints):
    """Fields of both routes that count."""

    model: str
    stream: bool = False
    stream_options: ChatStreamOptions | None = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    top_p: Annotated[float | None, Field(ge=0, le=1)] = None
    seed: int | None = None
    random_seed: int | None = None
    stop: str | list[str] | None = None
    n: Annotated[int | None, Field(ge=1, le=16)] = None
    presence_penalty: Penalty = None
    frequency_penalty: Penalty = None
    logit_bias: dict[str, float] | None = None
    top_k: Annotated[int | None, Field(ge=-1)] = None
    min_p: Annotated[float | None, Field(ge=0, le=1)] = None
    repetition_penalty: Annotated[float | None, Field(gt=0, le=2)] = None
    repeat_penalty: Annotated[float | None, Field(gt=0, le=2)] = None

    def sampling(self, max_tokens: int | None) -> Sampling:
        stop = [self.stop] if isinstance(self.stop, str) else self.stop or []
        seed = self.seed if self.seed is not None else self.random_seed
        top_p = None if self.top_p is None else max(self.top_p, MIN_TOP_P)
        most = None if max_tokens == -1 else max_tokens
        return Sampling(self.temperature, top_p, most, seed, tuple(stop))

    def engine_options(self, *names: str) -> JSON:
        """Return the fields that are passed to the engine unchanged, and `names`, if they are set."""
        passed = ("presence_penalty", "frequency_penalty", "logit_bias", "top_k", "min_p", *names)
        values = {name: getattr(self, name) for name in passed}
        values["top_k"] = None if self.top_k is None else max(self.top_k, 0)
        values["repetition_penalty"] = self.repetition_penalty or self.repeat_penalty
        return {name: value for name, value in values.items() if value is not None}


class PredictedText(ForeignModel):
    type: Literal["text"]
    text: str


class Prediction(ForeignModel):
    """A text that the answer will largely repeat, in one piece or in parts."""

    type: Literal["content"] = "content"
    content: str | list[PredictedText]

    def text(self) -> str:
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class WebSearchOptions(ForeignModel):
    """Turns web search on; its options are ignored."""

    search_context_size: Literal["low", "medium", "high"] | None = None
    user_location: dict[str, Any] | None = None


class ReasoningOptions(ForeignModel):
    """The form of OpenRouter and of the Responses API; only the effort counts."""

    effort: str | None = None
    enabled: bool | None = None
    max_tokens: int | None = None
    summary: str | None = None

    @property
    def asked_effort(self) -> str | None:
        if self.effort is not None or self.enabled is None:
            return self.effort
        return ON_EFFORT if self.enabled else OFF_EFFORT


def _no_zero(value: int | None) -> int | None:
    if value == 0:
        raise ValueError("it is 1 or more, or -1 for no limit")
    return value


class ChatHints(ForeignBody):
    """Fields of chat completions that are accepted and ignored: what they ask for is so anyway, or a wish."""

    modalities: list[Literal["text"]] | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


ChatMaxTokens = Annotated[int | None, Field(ge=-1), AfterValidator(_no_zero)]
"""The longest answer; -1 is how llama.cpp and LM Studio say that there is no limit."""


class ChatRequest(CompletionFields, ChatHints, ThinkingFields):
    """Body of a chat completion. `functions` and `function_call` are the old form of `tools` and `tool_choice`."""

    messages: Annotated[list[ChatMessage], Field(min_length=1)]
    max_tokens: ChatMaxTokens = None
    max_completion_tokens: ChatMaxTokens = None
    tools: list[ChatTool] | None = None
    tool_choice: ChatToolChoice | None = None
    functions: list[FunctionDefinition] | None = None
    function_call: Literal["none", "auto"] | FunctionName | None = None
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    guided_json: JsonSchema | None = None
    json_schema: JsonSchema | None = None
    structured_outputs: StructuredOutputs | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int | None, Field(ge=0, le=20)] = None
    reasoning_effort: str | None = None
    reasoning: ReasoningOptions | None = None
    prompt_mode: Literal["reasoning"] | None = None
    prediction: Prediction | None = None
    web_search_options: WebSearchOptions | None = None
    safe_prompt: bool | None = None

    @model_validator(mode="after")
    def _require_chosen_tools(self) -> ChatRequest:
        choice = self._choice()
        chosen = choice.allowed_tools.tools if isinstance(choice, AllowedFunctionsChoice) else [choice]
        names = [each.function.name for each in chosen if isinstance(each, NamedFunction)]
        tools = {function.name for function in self._functions()}
        check_tool_choice(names, tools, lacks_tools=choice in ("required", "any") and not tools)
        return self

    @property
    def question(self) -> str:
        """Text of the last user message."""
        return last_question(self.prompt_messages())

    @property
    def files(self) -> list[FileInput]:
        return [file for message in self.messages for file in message.files]

    @property
    def uses_web(self) -> bool:
        return self.web_search_options is not None

    @property
    def uses_legacy_functions(self) -> bool:
        """True if the client knows `functions` only, and wants its answer in that form."""
        return self.functions is not None and self.tools is None

    @property
    def is_plain_text(self) -> bool:
        """True if the answer is text only: no tools, format, logprobs or prediction."""
        return self._format() is None and not (self._functions() or self.logprobs or self.prediction)

    def prompt_messages(self) -> list[PromptMessage]:
        said = prompt_messages(self.messages)
        return list(merge_messages([PromptMessage("system", SAFE_PROMPT), *said])) if self.safe_prompt else said

    def request(self, model: Model, max_tokens: int | None) -> EngineRequest:
        sampling = self.sampling(self.max_completion_tokens or self.max_tokens)
        return EngineRequest(
            model=model.id,
            messages=tuple(self.prompt_messages()),
            sampling=resolve_sampling(sampling, model.sampling, max_tokens),
            tools=self._engine_tools(),
            tool_choice=self._engine_choice(),
            response_format=self._format(),
            prediction=self.prediction.text() if self.prediction is not None else None,
            extra=self._engine_extra(),
        )

    def _functions(self) -> list[FunctionDefinition]:
        return [tool.function for tool in self.tools or ()] or self.functions or []

    def _choice(self) -> ChatToolChoice | None:
        if isinstance(self.function_call, FunctionName):
            return NamedFunction(type="function", function=self.function_call)
        return self.tool_choice or self.function_call

    def _engine_tools(self) -> tuple[JSON, ...]:
        choice = self._choice()
        allowed = None
        if isinstance(choice, AllowedFunctionsChoice):
            allowed = {each.function.name for each in choice.allowed_tools.tools}
        return tuple(each.to_engine() for each in self._functions() if allowed is None or each.name in allowed)

    def _engine_choice(self) -> str | JSON | None:
        if not self._functions():
            return None
        match self._choice():
            case NamedFunction() as named:
                return named.model_dump()
            case AllowedFunctionsChoice(allowed_tools=allowed):
                return allowed.mode
            case "any":
                return "required"
            case word:
                return word

    def _format(self) -> JSON | None:
        if self.response_format is not None:
            return self.response_format.to_engine()
        schema = self.guided_json or self.json_schema or (self.structured_outputs and self.structured_outputs.json_)
        return schema_format(schema) if schema else None

    def _engine_extra(self) -> JSON:
        extra = self.engine_options("logprobs", "top_logprobs", "parallel_tool_calls")
        effort = self.reasoning_effort or (self.reasoning and self.reasoning.asked_effort) or self.switched_effort
        effort = effort or (ON_EFFORT if self.prompt_mode else None)
        return extra if effort is None else {**extra, "reasoning_effort": effort}


def vary_seed(sampling: Sampling, sample: int) -> Sampling:
    """Return the sampling for one of several answers: each has a seed of its own, so that they differ."""
    return sampling if sampling.seed is None else replace(sampling, seed=sampling.seed + sample)
