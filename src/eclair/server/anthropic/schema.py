"""Request schema of `/v1/messages`; unsupported fields are rejected by name."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from eclair.errors import InvalidInput
from eclair.generation.sampling import resolve_sampling
from eclair.llm.base import JSON, PromptMessage
from eclair.llm.base import Request as EngineRequest
from eclair.schema.messages import Sampling
from eclair.schema.models import Model
from eclair.server.anthropic.blocks import (
    CacheControl,
    ContentBlock,
    Texts,
    as_blocks,
    block_files,
    join_text,
    to_prompt,
)
from eclair.server.chat_input import merge_messages, move_tool_images
from eclair.server.openai.retriever import FileInput
from eclair.server.request_body import ForeignBody, ForeignModel
from eclair.server.thinking_fields import OFF_EFFORT
from eclair.server.tool_choice import check_tool_choice


class MessageParam(ForeignModel):
    role: Literal["user", "assistant", "system"]
    content: Annotated[list[ContentBlock], BeforeValidator(as_blocks, json_schema_input_type=str | list[ContentBlock])]


class ToolParam(ForeignModel):
    """A tool of the client. Fields that say when and by whom it may be called are ignored."""

    type: Literal["custom"] | None = None
    name: Annotated[str, Field(min_length=1)]
    description: str | None = None
    input_schema: dict[str, Any]
    strict: bool | None = None
    cache_control: CacheControl | None = None
    eager_input_streaming: bool | None = None
    defer_loading: bool | None = None
    allowed_callers: list[str] | None = None
    input_examples: list[Any] | None = None

    def to_engine(self) -> JSON:
        function: JSON = {"name": self.name, "description": self.description, "strict": self.strict}
        function = {name: value for name, value in function.items() if value is not None}
        return {"type": "function", "function": {**function, "parameters": self.input_schema}}


class ToolChoice(ForeignModel):
    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None

    @model_validator(mode="after")
    def _require_name(self) -> ToolChoice:
        if (self.type == "tool") != (self.name is not None):
            raise ValueError("a `name` belongs to the type tool, and to no other")
        return self

    def to_engine(self) -> str | JSON:
        if self.type == "tool":
            return {"type": "function", "function": {"name": self.name}}
        return "required" if self.type == "any" else self.type


class Thinking(ForeignModel):
    """Says if the client wants to see the model's thinking; the budget is ignored."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: Annotated[int | None, Field(ge=1)] = None
    display: Literal["summarized", "omitted"] | None = None


class OutputFormat(ForeignModel):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")

    def to_engine(self) -> JSON:
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": self.schema_, "strict": True}}


class OutputConfig(ForeignModel):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: OutputFormat | None = None


class ContextEdit(ForeignModel):
    """Asks to drop earlier thinking, which is never sent to the engine again anyway."""

    type: Annotated[str, Field(pattern="^clear_thinking_")]
    keep: Any = None


class ContextManagement(ForeignModel):
    edits: list[ContextEdit] | None = None


class MessagesHints(ForeignBody):
    """Fields that are accepted and ignored: they ask for nothing that changes the answer here."""

    cache_control: CacheControl | None = None
    context_management: ContextManagement | None = None
    speed: Literal["standard"] | None = None
    metadata: Any = None
    service_tier: str | None = None
    inference_geo: str | None = None
    betas: list[str] | None = None


class CountTokensRequest(MessagesHints):
    """The fields that count as input."""

    model: str
    messages: Annotated[list[MessageParam], Field(min_length=1)]
    system: Texts | None = None
    tools: list[ToolParam] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None

    @model_validator(mode="after")
    def _require_chosen_tool(self) -> CountTokensRequest:
        choice, tools = self.tool_choice, {tool.name for tool in self.tools or ()}
        chosen = [choice.name] if choice is not None and choice.name is not None else []
        check_tool_choice(chosen, tools, lacks_tools=choice is not None and choice.type == "any" and not tools)
        return self

    @property
    def files(self) -> list[FileInput]:
        return [file for message in self.messages for file in block_files(message.content)]

    def prompt_messages(self) -> tuple[PromptMessage, ...]:
        """Return the conversation for the engine. Raises InvalidInput if there is nothing to answer."""
        system = [PromptMessage("system", join_text(self.system))] if self.system else []
        said = (part for message in self.messages for part in to_prompt(message.role, message.content))
        merged = merge_messages([*system, *said])
        if not merged:
            raise InvalidInput("There is nothing to answer; send a text in `messages`.", param="messages")
        return tuple(move_tool_images(merged))

    def count_request(self, model: Model) -> EngineRequest:
        """Build the engine's request, as far as it is the prompt."""
        choice, output = self.tool_choice, self.output_config or OutputConfig()
        one_at_a_time = choice is not None and choice.disable_parallel_tool_use
        values = {"reasoning_effort": self._effort(output), "parallel_tool_calls": False if one_at_a_time else None}
        return EngineRequest(
            model=model.id,
            messages=self.prompt_messages(),
            tools=self.engine_tools(),
            tool_choice=choice.to_engine() if choice and self.tools else None,
            response_format=output.format.to_engine() if output.format else None,
            extra={name: value for name, value in values.items() if value is not None},
        )

    def _effort(self, output: OutputConfig) -> str | None:
        is_off = self.thinking is not None and self.thinking.type == "disabled"
        return output.effort or (OFF_EFFORT if is_off else None)

    def engine_tools(self) -> tuple[JSON, ...]:
        return tuple(tool.to_engine() for tool in self.tools or ())


class MessagesRequest(CountTokensRequest):
    max_tokens: Annotated[int, Field(ge=1)]
    stream: bool | None = None
    temperature: Annotated[float | None, Field(ge=0, le=1)] = None
    top_p: Annotated[float | None, Field(ge=0, le=1)] = None
    top_k: Annotated[int | None, Field(ge=0)] = None
    stop_sequences: list[Annotated[str, Field(min_length=1)]] | None = None

    @property
    def is_plain_text(self) -> bool:
        """True if the answer is text only: no tools and no format."""
        return not self.tools and not (self.output_config and self.output_config.format)

    @property
    def shows_thinking(self) -> bool:
        thinking = self.thinking
        return thinking is not None and thinking.type != "disabled" and thinking.display != "omitted"

    def request(self, model: Model) -> EngineRequest:
        stop = tuple(self.stop_sequences or ())
        sampling = Sampling(self.temperature, self.top_p, self.max_tokens, None, stop)
        request = self.count_request(model)
        top_k = {} if self.top_k is None else {"top_k": self.top_k}
        sampling = resolve_sampling(sampling, model.sampling, self.max_tokens)
        return replace(request, sampling=sampling, extra=top_k | request.extra)
