"""Request schema of `/v1/messages`; unsupported fields are rejected by name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from eclair.errors import InvalidInput
from eclair.generation.sampling import resolve_sampling
from eclair.llm.base import JSON, PromptMessage
from eclair.llm.base import Request as EngineRequest
from eclair.schema.messages import Sampling
from eclair.schema.models import Model
from eclair.server.chat_input import merge_messages, tool_call_message
from eclair.server.request_body import RequestBody, StrictModel, type_discriminator, union_tag
from eclair.server.request_images import image_part


class CacheControl(StrictModel):
    """A hint that is not needed: engines cache every prefix they can."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class TextBlock(StrictModel):
    type: Literal["text"]
    text: str
    cache_control: CacheControl | None = None
    citations: list[Any] | None = None


class Base64Source(StrictModel):
    type: Literal["base64"]
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: str

    @property
    def image_url(self) -> str:
        return f"data:{self.media_type};base64,{self.data}"


class UrlSource(StrictModel):
    type: Literal["url"]
    url: str

    @property
    def image_url(self) -> str:
        return self.url


class ImageBlock(StrictModel):
    type: Literal["image"]
    source: Annotated[
        Annotated[Base64Source, union_tag("base64")] | Annotated[UrlSource, union_tag("url")],
        type_discriminator("an image comes as base64 or by its url"),
    ]
    cache_control: CacheControl | None = None


def _as_blocks(value: Any) -> Any:
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


Texts = Annotated[
    list[
        Annotated[
            Annotated[TextBlock, union_tag("text")],
            type_discriminator("only text is taken here, no images or documents yet"),
        ]
    ],
    BeforeValidator(_as_blocks, json_schema_input_type=str | list[TextBlock]),
]


class ThinkingBlock(StrictModel):
    """Thinking of an earlier answer; it is not sent to the engine again."""

    type: Literal["thinking", "redacted_thinking"]
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class ToolCaller(StrictModel):
    type: Literal["direct"]


class ToolUseBlock(StrictModel):
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]
    caller: ToolCaller | None = None
    cache_control: CacheControl | None = None


class ToolResultBlock(StrictModel):
    type: Literal["tool_result"]
    tool_use_id: str
    content: Texts | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None

    def to_prompt(self) -> PromptMessage:
        """Build the tool message; engines have no flag for failed results, so the text says it."""
        text = _text(self.content or ())
        return PromptMessage("tool", f"Error: {text}" if self.is_error else text, tool_call_id=self.tool_use_id)


ContentBlock = Annotated[
    Annotated[TextBlock, union_tag("text")]
    | Annotated[ImageBlock, union_tag("image")]
    | Annotated[ThinkingBlock, union_tag("thinking")]
    | Annotated[ThinkingBlock, union_tag("redacted_thinking")]
    | Annotated[ToolUseBlock, union_tag("tool_use")]
    | Annotated[ToolResultBlock, union_tag("tool_result")],
    type_discriminator(
        "only blocks of the types text, image, thinking, tool_use and tool_result are taken, no documents yet"
    ),
]


class MessageParam(StrictModel):
    role: Literal["user", "assistant", "system"]
    content: Annotated[list[ContentBlock], BeforeValidator(_as_blocks, json_schema_input_type=str | list[ContentBlock])]

    def to_prompt(self) -> Iterator[PromptMessage]:
        """Yield messages in the order of the blocks; consecutive texts and images become one message."""
        texts: list[TextBlock | ImageBlock] = []
        for block in self.content:
            if isinstance(block, TextBlock | ImageBlock):
                texts.append(block)
                continue
            if texts and not isinstance(block, ThinkingBlock):
                yield self._to_prompt(texts)
                texts = []
            if isinstance(block, ToolUseBlock):
                yield tool_call_message(block.id, block.name, json.dumps(block.input, ensure_ascii=False))
            elif isinstance(block, ToolResultBlock):
                yield block.to_prompt()
        if texts:
            yield self._to_prompt(texts)

    def _to_prompt(self, blocks: list[TextBlock | ImageBlock]) -> PromptMessage:
        text = _text([block for block in blocks if isinstance(block, TextBlock)])
        images = [image_part(block.source.image_url) for block in blocks if isinstance(block, ImageBlock)]
        return PromptMessage(self.role, [*images, {"type": "text", "text": text}] if images else text)


class ToolParam(StrictModel):
    type: Literal["custom"] | None = None
    name: str
    description: str | None = None
    input_schema: dict[str, Any]
    strict: bool | None = None
    cache_control: CacheControl | None = None
    eager_input_streaming: bool | None = None
    defer_loading: Literal[False] | None = None
    allowed_callers: list[Literal["direct"]] | None = None

    def to_engine(self) -> JSON:
        function: JSON = {"name": self.name, "description": self.description, "strict": self.strict}
        function = {name: value for name, value in function.items() if value is not None}
        return {"type": "function", "function": {**function, "parameters": self.input_schema}}


class ToolChoice(StrictModel):
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


class Thinking(StrictModel):
    """Says if the client wants to see the model's thinking; the budget is ignored."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: Annotated[int | None, Field(ge=1)] = None
    display: Literal["summarized", "omitted"] | None = None


class OutputFormat(StrictModel):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")

    def to_engine(self) -> JSON:
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": self.schema_, "strict": True}}


class OutputConfig(StrictModel):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: OutputFormat | None = None


class ContextEdit(StrictModel):
    """Asks to drop earlier thinking, which is never sent to the engine again anyway."""

    type: Annotated[str, Field(pattern="^clear_thinking_")]
    keep: Any = None


class ContextManagement(StrictModel):
    edits: list[ContextEdit] | None = None


class Metadata(StrictModel):
    user_id: str | None = None


class CountTokensRequest(RequestBody):
    """The fields that count as input. Hints that don't change the answer are accepted and ignored."""

    model: str
    messages: Annotated[list[MessageParam], Field(min_length=1)]
    system: Texts | None = None
    tools: list[ToolParam] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    cache_control: CacheControl | None = None
    context_management: ContextManagement | None = None
    speed: Literal["standard"] | None = None

    def prompt_messages(self) -> tuple[PromptMessage, ...]:
        """Return the conversation for the engine. Raises InvalidInput if there is nothing to answer."""
        system = [PromptMessage("system", _text(self.system))] if self.system else []
        merged = merge_messages([*system, *(part for message in self.messages for part in message.to_prompt())])
        if not merged:
            raise InvalidInput("There is nothing to answer; send a text in `messages`.", param="messages")
        return merged

    def engine_tools(self) -> tuple[JSON, ...]:
        return tuple(tool.to_engine() for tool in self.tools or ())


class MessagesRequest(CountTokensRequest):
    max_tokens: Annotated[int, Field(ge=1)]
    stream: bool | None = None
    temperature: Annotated[float | None, Field(ge=0, le=1)] = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    top_k: Annotated[int | None, Field(ge=0)] = None
    stop_sequences: list[Annotated[str, Field(min_length=1)]] | None = None
    metadata: Metadata | None = None
    service_tier: Literal["auto", "standard_only"] | None = None

    @property
    def shows_thinking(self) -> bool:
        thinking = self.thinking
        return thinking is not None and thinking.type != "disabled" and thinking.display != "omitted"

    def request(self, model: Model) -> EngineRequest:
        stop = tuple(self.stop_sequences or ())
        sampling = Sampling(self.temperature, self.top_p, self.max_tokens, None, stop)
        output = self.output_config or OutputConfig()
        return EngineRequest(
            model=model.id,
            messages=self.prompt_messages(),
            sampling=resolve_sampling(sampling, model.sampling, self.max_tokens),
            tools=self.engine_tools(),
            tool_choice=self.tool_choice.to_engine() if self.tool_choice else None,
            response_format=output.format.to_engine() if output.format else None,
            extra=self._engine_options(output),
        )

    def _engine_options(self, output: OutputConfig) -> JSON:
        one_at_a_time = self.tool_choice is not None and self.tool_choice.disable_parallel_tool_use
        values = {
            "top_k": self.top_k,
            "reasoning_effort": output.effort,
            "parallel_tool_calls": False if one_at_a_time else None,
        }
        return {name: value for name, value in values.items() if value is not None}


def _text(blocks: list[TextBlock] | tuple[()]) -> str:
    return "\n".join(block.text for block in blocks)
