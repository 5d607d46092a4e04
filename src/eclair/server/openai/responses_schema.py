"""What `/v1/responses` is asked, as OpenAI's reference has it: a field that cannot be honoured is refused by name."""

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
from eclair.server.chat_input import call, grouped
from eclair.server.openai.retriever import GivenFile
from eclair.server.request_body import Body, Fields, by_type, kind
from eclair.server.request_images import image

LOGPROBS = "message.output_text.logprobs"


class TextPart(Fields):
    type: Literal["input_text", "output_text"]
    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None


class ImagePart(Fields):
    """A picture at an address, or the whole of it as a `data:` URL. How sharp it is to be seen the model knows best."""

    type: Literal["input_image"]
    image_url: str
    detail: Literal["auto", "low", "high"] | None = None


class FilePart(GivenFile):
    """`detail` says how sharp a picture of it is to be; what stands in it is read as text here."""

    type: Literal["input_file"]
    detail: Literal["auto", "low", "high"] | None = None


def _as_parts(value: Any) -> Any:
    return [{"type": "input_text", "text": value}] if isinstance(value, str) else value


def _as_items(value: Any) -> Any:
    return [{"type": "message", "role": "user", "content": value}] if isinstance(value, str) else value


Content = Annotated[
    list[
        Annotated[
            Annotated[TextPart, kind("input_text")] | Annotated[TextPart, kind("output_text")],
            by_type("only input_text and output_text are taken here; send text"),
        ]
    ],
    BeforeValidator(_as_parts, json_schema_input_type=str | list[TextPart]),
]

MessageContent = Annotated[
    list[
        Annotated[
            Annotated[TextPart, kind("input_text")]
            | Annotated[TextPart, kind("output_text")]
            | Annotated[ImagePart, kind("input_image")]
            | Annotated[FilePart, kind("input_file")],
            by_type("only input_text, output_text, input_image and input_file are taken here; send text"),
        ]
    ],
    BeforeValidator(_as_parts, json_schema_input_type=str | list[TextPart | ImagePart | FilePart]),
]


class _Item(Fields):
    """What an item may carry that came out of an earlier response."""

    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None


class MessageItem(_Item):
    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: MessageContent
    phase: str | None = None

    @property
    def files(self) -> list[FilePart]:
        return [part for part in self.content if isinstance(part, FilePart)]

    def said(self) -> PromptMessage:
        """The message without its files."""
        text = _text([part for part in self.content if isinstance(part, TextPart)])
        pictures = [image(part.image_url) for part in self.content if isinstance(part, ImagePart)]
        return PromptMessage(self.role, [*pictures, {"type": "text", "text": text}] if pictures else text)


class FunctionCall(_Item):
    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str

    def said(self) -> PromptMessage:
        return call(self.call_id, self.name, self.arguments)


class FunctionCallOutput(_Item):
    type: Literal["function_call_output"]
    call_id: str
    output: Content

    def said(self) -> PromptMessage:
        return PromptMessage("tool", _text(self.output), tool_call_id=self.call_id)


class ReasoningItem(_Item):
    """What the model thought earlier. Engines are not shown it again."""

    type: Literal["reasoning"]
    summary: list[Any] | None = None
    content: list[Any] | None = None
    encrypted_content: str | None = None

    def said(self) -> None:
        return None


Item = Annotated[
    Annotated[MessageItem, kind("message")]
    | Annotated[FunctionCall, kind("function_call")]
    | Annotated[FunctionCallOutput, kind("function_call_output")]
    | Annotated[ReasoningItem, kind("reasoning")],
    by_type("only items of the types message, function_call, function_call_output and reasoning are taken", "message"),
]


class FunctionTool(Fields):
    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None

    def wanted(self) -> JSON:
        return {"type": "function", "function": self.model_dump(exclude={"type"}, exclude_none=True)}


class WebTool(Fields):
    """The web is looked at before the model is asked, so that no call of a tool appears among the output."""

    type: Literal["web_search", "web_search_preview"]
    search_context_size: Literal["low", "medium", "high"] | None = None
    user_location: dict[str, Any] | None = None


Tool = Annotated[
    Annotated[FunctionTool, kind("function")]
    | Annotated[WebTool, kind("web_search")]
    | Annotated[WebTool, kind("web_search_preview")],
    by_type("there are the types function and web_search"),
]


class NamedTool(Fields):
    type: Literal["function"]
    name: str


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], kind("word")] | Annotated[NamedTool, kind("function")],
    by_type("it is none, auto, required or a function of `tools`", "word"),
]


class PlainFormat(Fields):
    type: Literal["text", "json_object"]

    def wanted(self) -> JSON | None:
        return None if self.type == "text" else {"type": self.type}


class SchemaFormat(Fields):
    type: Literal["json_schema"]
    name: str
    schema_: dict[str, Any] = Field(alias="schema")
    description: str | None = None
    strict: bool | None = None

    def wanted(self) -> JSON | None:
        schema = self.model_dump(exclude={"type"}, exclude_none=True, by_alias=True)
        return {"type": "json_schema", "json_schema": schema}


Format = Annotated[
    Annotated[PlainFormat, kind("text")]
    | Annotated[PlainFormat, kind("json_object")]
    | Annotated[SchemaFormat, kind("json_schema")],
    by_type("there are the types text, json_object and json_schema"),
]


class TextConfig(Fields):
    format: Format | None = None
    verbosity: Literal["medium"] | None = None


class ReasoningConfig(Fields):
    """`summary` "auto" is met by the thoughts themselves, which come in whole."""

    effort: str | None = None
    summary: Literal["auto"] | None = None


class StreamOptions(Fields):
    include_obfuscation: Literal[False] | None = None


class ResponsesRequest(Body):
    """Hints that change nothing in the answer are accepted and not used."""

    model: str
    input: Annotated[
        list[Item], Field(min_length=1), BeforeValidator(_as_items, json_schema_input_type=str | list[Item])
    ]
    instructions: str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
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
    def _nothing_is_kept(cls, value: bool | str | None) -> bool | str | None:
        if value:
            raise ValueError("nothing under /v1 is kept; leave it out and send the whole conversation as `input`")
        return value

    @property
    def web(self) -> bool:
        return any(isinstance(tool, WebTool) for tool in self.tools or ())

    @property
    def plain(self) -> bool:
        """Whether the answer is to be words and nothing else."""
        form = self.text.format.wanted() if self.text and self.text.format else None
        return form is None and not self.logprobs and all(isinstance(tool, WebTool) for tool in self.tools or ())

    @property
    def logprobs(self) -> bool:
        return LOGPROBS in (self.include or ())

    @property
    def files(self) -> list[FilePart]:
        return [file for item in self.input if isinstance(item, MessageItem) for file in item.files]

    def request(self, model: Model, max_tokens: int) -> EngineRequest:
        """Raises InvalidInput where there is nothing to answer."""
        messages = grouped(self.said())
        if not messages:
            raise InvalidInput("There is nothing to answer; send a message in `input`.", param="input")
        sampling = Sampling(self.temperature, self.top_p, self.max_output_tokens)
        return EngineRequest(
            model=model.id,
            messages=messages,
            sampling=resolve_sampling(sampling, model.sampling, max_tokens),
            tools=tuple(tool.wanted() for tool in self.tools or () if isinstance(tool, FunctionTool)),
            tool_choice=self._tool_choice(),
            response_format=self.text.format.wanted() if self.text and self.text.format else None,
            extra=self._passed_on(),
        )

    def said(self) -> Iterator[PromptMessage]:
        if self.instructions:
            yield PromptMessage("system", self.instructions)
        for item in self.input:
            if (said := item.said()) is not None:
                yield said

    def _tool_choice(self) -> str | JSON | None:
        if isinstance(self.tool_choice, NamedTool):
            return {"type": "function", "function": {"name": self.tool_choice.name}}
        return self.tool_choice

    def _passed_on(self) -> JSON:
        values = {
            "reasoning_effort": self.reasoning.effort if self.reasoning else None,
            "parallel_tool_calls": self.parallel_tool_calls,
            "logprobs": self.logprobs or None,
            "top_logprobs": self.top_logprobs if self.logprobs else None,
        }
        return {name: value for name, value in values.items() if value is not None}


def _text(parts: list[TextPart]) -> str:
    return "\n".join(part.text for part in parts)
