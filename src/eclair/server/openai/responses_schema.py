"""Request schema of `/v1/responses`; unsupported fields are rejected by name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from eclair.errors import InvalidInput
from eclair.generation.sampling import resolve_sampling
from eclair.llm.base import JSON, PromptMessage
from eclair.llm.base import Request as EngineRequest
from eclair.schema.messages import Sampling
from eclair.schema.models import Model
from eclair.server.chat_input import merge_messages, tool_call_message
from eclair.server.openai.retriever import FileInput
from eclair.server.request_body import RequestBody, StrictModel, type_discriminator, union_tag
from eclair.server.request_images import image_part

LOGPROBS = "message.output_text.logprobs"


class TextPart(StrictModel):
    type: Literal["input_text", "output_text"]
    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class ImagePart(StrictModel):
    """An image by its web address or `data:` URL. `detail` is ignored."""

    type: Literal["input_image"]
    image_url: str
    detail: Literal["auto", "low", "high"] | None = None


class InputFile(FileInput):
    """A file, read as text. `detail`, the resolution of page images, is ignored."""

    type: Literal["input_file"]
    detail: Literal["auto", "low", "high"] | None = None


def _as_parts(value: Any) -> Any:
    return [{"type": "input_text", "text": value}] if isinstance(value, str) else value


def _as_items(value: Any) -> Any:
    return [{"type": "message", "role": "user", "content": value}] if isinstance(value, str) else value


Content = Annotated[
    list[
        Annotated[
            Annotated[TextPart, union_tag("input_text")] | Annotated[TextPart, union_tag("output_text")],
            type_discriminator("only input_text and output_text are taken here; send text"),
        ]
    ],
    BeforeValidator(_as_parts, json_schema_input_type=str | list[TextPart]),
]

MessageContent = Annotated[
    list[
        Annotated[
            Annotated[TextPart, union_tag("input_text")]
            | Annotated[TextPart, union_tag("output_text")]
            | Annotated[ImagePart, union_tag("input_image")]
            | Annotated[InputFile, union_tag("input_file")],
            type_discriminator("only input_text, output_text, input_image and input_file are taken here; send text"),
        ]
    ],
    BeforeValidator(_as_parts, json_schema_input_type=str | list[TextPart | ImagePart | InputFile]),
]


class _Item(StrictModel):
    """Fields that an item of an earlier response may have."""

    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None


class MessageItem(_Item):
    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: MessageContent
    phase: str | None = None

    @property
    def files(self) -> list[InputFile]:
        return [part for part in self.content if isinstance(part, InputFile)]

    def to_prompt(self) -> PromptMessage:
        """Build the engine's message, without files."""
        text = _text([part for part in self.content if isinstance(part, TextPart)])
        images = [image_part(part.image_url) for part in self.content if isinstance(part, ImagePart)]
        return PromptMessage(self.role, [*images, {"type": "text", "text": text}] if images else text)


class FunctionCall(_Item):
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str

    def to_prompt(self) -> PromptMessage:
        return tool_call_message(self.call_id, self.name, self.arguments)


class FunctionCallOutput(_Item):
    type: Literal["function_call_output"]
    call_id: str
    output: Content

    def to_prompt(self) -> PromptMessage:
        return PromptMessage("tool", _text(self.output), tool_call_id=self.call_id)


class ReasoningItem(_Item):
    """Reasoning of an earlier response; it is not sent to the engine again."""

    type: Literal["reasoning"]
    summary: list[Any] | None = None
    content: list[Any] | None = None
    encrypted_content: str | None = None

    def to_prompt(self) -> None:
        return None


Item = Annotated[
    Annotated[MessageItem, union_tag("message")]
    | Annotated[FunctionCall, union_tag("function_call")]
    | Annotated[FunctionCallOutput, union_tag("function_call_output")]
    | Annotated[ReasoningItem, union_tag("reasoning")],
    type_discriminator(
        "only items of the types message, function_call, function_call_output and reasoning are taken", "message"
    ),
]


class FunctionTool(StrictModel):
    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    def to_engine(self) -> JSON:
        return {"type": "function", "function": self.model_dump(exclude={"type"}, exclude_none=True)}


class WebTool(StrictModel):
    """Turns web search on. It runs before the model is asked, so no tool call appears in the output."""

    type: Literal["web_search", "web_search_preview"]
    search_context_size: Literal["low", "medium", "high"] | None = None
    user_location: dict[str, Any] | None = None


ToolDefinition = Annotated[
    Annotated[FunctionTool, union_tag("function")]
    | Annotated[WebTool, union_tag("web_search")]
    | Annotated[WebTool, union_tag("web_search_preview")],
    type_discriminator("there are the types function and web_search"),
]


class NamedTool(StrictModel):
    type: Literal["function"]
    name: str


ResponsesToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], union_tag("word")] | Annotated[NamedTool, union_tag("function")],
    type_discriminator("it is none, auto, required or a function of `tools`", "word"),
]


class PlainFormat(StrictModel):
    type: Literal["text", "json_object"]

    def to_engine(self) -> JSON | None:
        return None if self.type == "text" else {"type": self.type}


class SchemaFormat(StrictModel):
    type: Literal["json_schema"]
    name: str
    schema_: dict[str, Any] = Field(alias="schema")
    description: str | None = None
    strict: bool | None = None

    def to_engine(self) -> JSON | None:
        schema = self.model_dump(exclude={"type"}, exclude_none=True, by_alias=True)
        return {"type": "json_schema", "json_schema": schema}


Format = Annotated[
    Annotated[PlainFormat, union_tag("text")]
    | Annotated[PlainFormat, union_tag("json_object")]
    | Annotated[SchemaFormat, union_tag("json_schema")],
    type_discriminator("there are the types text, json_object and json_schema"),
]


class TextConfig(StrictModel):
    format: Format | None = None
    verbosity: Literal["medium"] | None = None


class ReasoningConfig(StrictModel):
    """With `summary` "auto", the reasoning itself is returned in full."""

    effort: str | None = None
    summary: Literal["auto"] | None = None


class ResponsesStreamOptions(StrictModel):
    include_obfuscation: Literal[False] | None = None


class ResponsesRequest(RequestBody):
    """Body of a request. Hints that don't change the answer are accepted and ignored."""

    model: str
    input: Annotated[
        list[Item], Field(min_length=1), BeforeValidator(_as_items, json_schema_input_type=str | list[Item])
    ]
    instructions: str | None = None
    stream: bool | None = None
    stream_options: ResponsesStreamOptions | None = None
    tools: list[ToolDefinition] | None = None
    tool_choice: ResponsesToolChoice | None = None
    parallel_tool_calls: bool | None = None
    text: TextConfig | None = None
    reasoning: ReasoningConfig | None = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    max_output_tokens: Annotated[int | None, Field(ge=1)] = None
    include: list[Literal["message.output_text.logprobs", "reasoning.encrypted_content"]] | None = None
    top_logprobs: Annotated[int | None, Field(ge=0, le=20)] = None
    store: bool | None = None
    previous_response_id: str | None = None
    background: Literal[False] | None = None
    truncation: Literal["disabled"] | None = None
    service_tier: Literal["auto", "default"] | None = None
    metadata: Annotated[dict[str, str] | None, Field(max_length=16)] = None
    user: str | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None

    @field_validator("store", "previous_response_id")
    @classmethod
    def _reject_stored_responses(cls, value: bool | str | None) -> bool | str | None:
        if value:
            raise ValueError("nothing under /v1 is stored; leave it out and send the full conversation as `input`")
        return value

    @property
    def uses_web(self) -> bool:
        return any(isinstance(tool, WebTool) for tool in self.tools or ())

    @property
    def is_plain_text(self) -> bool:
        """True if the answer is text only: no functions, format or logprobs."""
        form = self.text.format.to_engine() if self.text and self.text.format else None
        return form is None and not self.logprobs and all(isinstance(tool, WebTool) for tool in self.tools or ())

    @property
    def logprobs(self) -> bool:
        return LOGPROBS in (self.include or ())

    @property
    def files(self) -> list[InputFile]:
        return [file for item in self.input if isinstance(item, MessageItem) for file in item.files]

    def request(self, model: Model, max_tokens: int | None) -> EngineRequest:
        """Build the engine's request. Raises InvalidInput if there is nothing to answer."""
        messages = merge_messages(self.prompt_messages())
        if not messages:
            raise InvalidInput("There is nothing to answer; send a message in `input`.", param="input")
        sampling = Sampling(self.temperature, self.top_p, self.max_output_tokens)
        return EngineRequest(
            model=model.id,
            messages=messages,
            sampling=resolve_sampling(sampling, model.sampling, max_tokens),
            tools=tuple(tool.to_engine() for tool in self.tools or () if isinstance(tool, FunctionTool)),
            tool_choice=self._tool_choice(),
            response_format=self.text.format.to_engine() if self.text and self.text.format else None,
            extra=self._engine_options(),
        )

    def prompt_messages(self) -> Iterator[PromptMessage]:
        if self.instructions:
            yield PromptMessage("system", self.instructions)
        for item in self.input:
            if (message := item.to_prompt()) is not None:
                yield message

    def _tool_choice(self) -> str | JSON | None:
        if isinstance(self.tool_choice, NamedTool):
            return {"type": "function", "function": {"name": self.tool_choice.name}}
        return self.tool_choice

    def _engine_options(self) -> JSON:
        values = {
            "reasoning_effort": self.reasoning.effort if self.reasoning else None,
            "parallel_tool_calls": self.parallel_tool_calls,
            "logprobs": self.logprobs or None,
            "top_logprobs": self.top_logprobs if self.logprobs else None,
        }
        return {name: value for name, value in values.items() if value is not None}


def _text(parts: list[TextPart]) -> str:
    return "\n".join(part.text for part in parts)
