"""What `/v1/messages` is asked, as Anthropic's reference has it: a field that cannot be honoured is refused by name."""

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
from eclair.server.chat_input import call, grouped
from eclair.server.request_body import Body, Fields, by_type, kind
from eclair.server.request_images import image


class CacheControl(Fields):
    """A hint: engines cache every prefix that they can."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class TextBlock(Fields):
    type: Literal["text"]
    text: str
    cache_control: CacheControl | None = None
    citations: list[Any] | None = None


class Base64Source(Fields):
    type: Literal["base64"]
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: str

    @property
    def address(self) -> str:
        return f"data:{self.media_type};base64,{self.data}"


class UrlSource(Fields):
    type: Literal["url"]
    url: str

    @property
    def address(self) -> str:
        return self.url


class ImageBlock(Fields):
    type: Literal["image"]
    source: Annotated[
        Annotated[Base64Source, kind("base64")] | Annotated[UrlSource, kind("url")],
        by_type("a picture comes as base64 or by its url"),
    ]
    cache_control: CacheControl | None = None


def _as_blocks(value: Any) -> Any:
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


Texts = Annotated[
    list[
        Annotated[
            Annotated[TextBlock, kind("text")],
            by_type("only text is taken here, no pictures or documents yet"),
        ]
    ],
    BeforeValidator(_as_blocks, json_schema_input_type=str | list[TextBlock]),
]


class ThinkingBlock(Fields):
    """What the model thought earlier. Engines are not shown it again."""

    type: Literal["thinking", "redacted_thinking"]
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class Caller(Fields):
    type: Literal["direct"]


class ToolUseBlock(Fields):
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]
    caller: Caller | None = None
    cache_control: CacheControl | None = None


class ToolResultBlock(Fields):
    type: Literal["tool_result"]
    tool_use_id: str
    content: Texts | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None

    def said(self) -> PromptMessage:
        """Engines know no failed result; the words say it."""
        text = _text(self.content or ())
        return PromptMessage("tool", f"Error: {text}" if self.is_error else text, tool_call_id=self.tool_use_id)


Block = Annotated[
    Annotated[TextBlock, kind("text")]
    | Annotated[ImageBlock, kind("image")]
    | Annotated[ThinkingBlock, kind("thinking")]
    | Annotated[ThinkingBlock, kind("redacted_thinking")]
    | Annotated[ToolUseBlock, kind("tool_use")]
    | Annotated[ToolResultBlock, kind("tool_result")],
    by_type("only blocks of the types text, image, thinking, tool_use and tool_result are taken, no documents yet"),
]


class Message(Fields):
    role: Literal["user", "assistant", "system"]
    content: Annotated[list[Block], BeforeValidator(_as_blocks, json_schema_input_type=str | list[Block])]

    def said(self) -> Iterator[PromptMessage]:
        """In the order of the blocks, texts that follow each other as one, with the pictures among them."""
        texts: list[TextBlock | ImageBlock] = []
        for block in self.content:
            if isinstance(block, TextBlock | ImageBlock):
                texts.append(block)
                continue
            if texts and not isinstance(block, ThinkingBlock):
                yield self._said(texts)
                texts = []
            if isinstance(block, ToolUseBlock):
                yield call(block.id, block.name, json.dumps(block.input, ensure_ascii=False))
            elif isinstance(block, ToolResultBlock):
                yield block.said()
        if texts:
            yield self._said(texts)

    def _said(self, blocks: list[TextBlock | ImageBlock]) -> PromptMessage:
        text = _text([block for block in blocks if isinstance(block, TextBlock)])
        pictures = [image(block.source.address) for block in blocks if isinstance(block, ImageBlock)]
        return PromptMessage(self.role, [*pictures, {"type": "text", "text": text}] if pictures else text)


class Tool(Fields):
    type: Literal["custom"] | None = None
    name: str
    description: str | None = None
    input_schema: dict[str, Any]
    strict: bool | None = None
    cache_control: CacheControl | None = None
    eager_input_streaming: bool | None = None
    defer_loading: Literal[False] | None = None
    allowed_callers: list[Literal["direct"]] | None = None

    def wanted(self) -> JSON:
        function: JSON = {"name": self.name, "description": self.description, "strict": self.strict}
        function = {name: value for name, value in function.items() if value is not None}
        return {"type": "function", "function": {**function, "parameters": self.input_schema}}


class ToolChoice(Fields):
    type: Literal["auto", "any", "none", "tool"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None

    @model_validator(mode="after")
    def _named(self) -> ToolChoice:
        if (self.type == "tool") != (self.name is not None):
            raise ValueError("a `name` belongs to the type tool, and to no other")
        return self

    def wanted(self) -> str | JSON:
        if self.type == "tool":
            return {"type": "function", "function": {"name": self.name}}
        return "required" if self.type == "any" else self.type


class Thinking(Fields):
    """Whether the client wants to see what the model thinks. How long it thinks is the model's affair."""

    type: Literal["enabled", "disabled", "adaptive", "between_tools"]
    budget_tokens: Annotated[int | None, Field(ge=1)] = None
    display: Literal["summarized", "omitted"] | None = None


class Schema(Fields):
    type: Literal["json_schema"]
    schema_: dict[str, Any] = Field(alias="schema")

    def wanted(self) -> JSON:
        return {"type": "json_schema", "json_schema": {"name": "answer", "schema": self.schema_, "strict": True}}


class OutputConfig(Fields):
    effort: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    format: Schema | None = None


class Edit(Fields):
    """Thoughts are not shown to engines again, which is what such an edit asks for."""

    type: Annotated[str, Field(pattern="^clear_thinking_")]
    keep: Any = None


class ContextManagement(Fields):
    edits: list[Edit] | None = None


class Metadata(Fields):
    user_id: str | None = None


class CountRequest(Body):
    """What counts as input. Hints that change nothing in the answer are accepted and not used."""

    model: str
    messages: Annotated[list[Message], Field(min_length=1)]
    system: Texts | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    cache_control: CacheControl | None = None
    context_management: ContextManagement | None = None
    speed: Literal["standard"] | None = None

    def said(self) -> tuple[PromptMessage, ...]:
        """Raises InvalidInput where there is nothing to answer."""
        system = [PromptMessage("system", _text(self.system))] if self.system else []
        said = grouped([*system, *(said for message in self.messages for said in message.said())])
        if not said:
            raise InvalidInput("There is nothing to answer; send a text in `messages`.", param="messages")
        return said

    def wanted_tools(self) -> tuple[JSON, ...]:
        return tuple(tool.wanted() for tool in self.tools or ())


class MessagesRequest(CountRequest):
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
            messages=self.said(),
            sampling=resolve_sampling(sampling, model.sampling, self.max_tokens),
            tools=self.wanted_tools(),
            tool_choice=self.tool_choice.wanted() if self.tool_choice else None,
            response_format=output.format.wanted() if output.format else None,
            extra=self._passed_on(output),
        )

    def _passed_on(self, output: OutputConfig) -> JSON:
        single = self.tool_choice is not None and self.tool_choice.disable_parallel_tool_use
        values = {
            "top_k": self.top_k,
            "reasoning_effort": output.effort,
            "parallel_tool_calls": False if single else None,
        }
        return {name: value for name, value in values.items() if value is not None}


def _text(blocks: list[TextBlock] | tuple[()]) -> str:
    return "\n".join(block.text for block in blocks)
