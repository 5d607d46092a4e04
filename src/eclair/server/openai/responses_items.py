"""Items of the input of `/v1/responses`: messages, calls, their results and reasoning."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, TypeAdapter

from eclair.errors import InvalidInput
from eclair.llm.base import JSON, PromptMessage
from eclair.server.chat_input import tool_call_message
from eclair.server.openai.retriever import FileInput
from eclair.server.request_body import ForeignModel, type_discriminator, union_tag
from eclair.server.request_images import image_part


class TextPart(ForeignModel):
    """Text; what an earlier response says about it is ignored."""

    type: Literal["input_text", "output_text", "text"]
    text: str
    annotations: list[Any] | None = None
    logprobs: list[Any] | None = None
    parsed: Any = None


class RefusalPart(ForeignModel):
    type: Literal["refusal"]
    refusal: str

    @property
    def text(self) -> str:
        return self.refusal


class ImagePart(ForeignModel):
    """An image by its web address or `data:` URL. `detail` is ignored."""

    type: Literal["input_image"]
    image_url: str
    detail: str | None = None


class InputFile(FileInput):
    """A file, read as text. `detail`, the resolution of page images, is ignored."""

    type: Literal["input_file"]
    detail: str | None = None


def _as_parts(value: Any) -> Any:
    return [{"type": "input_text", "text": value}] if isinstance(value, str) else value


def as_items(value: Any) -> Any:
    return [{"type": "message", "role": "user", "content": value}] if isinstance(value, str) else value


MessageContent = Annotated[
    list[
        Annotated[
            Annotated[TextPart, union_tag("input_text")]
            | Annotated[TextPart, union_tag("output_text")]
            | Annotated[TextPart, union_tag("text")]
            | Annotated[RefusalPart, union_tag("refusal")]
            | Annotated[ImagePart, union_tag("input_image")]
            | Annotated[InputFile, union_tag("input_file")],
            type_discriminator("only input_text, output_text, input_image and input_file are taken here; send text"),
        ]
    ],
    BeforeValidator(_as_parts, json_schema_input_type=str | list[TextPart | ImagePart | InputFile]),
]


class _Item(ForeignModel):
    """Fields that an item of an earlier response may have."""

    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete"] | None = None
    internal_chat_message_metadata_passthrough: Any = None
    """Codex's own notes on an item."""


class MessageItem(_Item):
    type: Literal["message"] = "message"
    role: Literal["user", "assistant", "system", "developer"]
    content: MessageContent
    phase: str | None = None

    @property
    def files(self) -> list[InputFile]:
        return _files(self.content)

    def to_prompt(self) -> PromptMessage:
        """Build the engine's message, without files."""
        return PromptMessage(self.role, _prompt_content(self.content))


class FunctionCall(_Item):
    """A call of an earlier response. Its `namespace` is that of the tool."""

    type: Literal["function_call"]
    call_id: str
    name: str
    arguments: str
    namespace: str | None = None
    caller: Any = None
    parsed_arguments: Any = None

    @property
    def files(self) -> list[InputFile]:
        return []

    def to_prompt(self) -> PromptMessage:
        return tool_call_message(self.call_id, engine_name(self.namespace, self.name), self.arguments)


class FunctionCallOutput(_Item):
    """The result of a call. The call itself says whose it is, so that `name` and `namespace` are ignored."""

    type: Literal["function_call_output"]
    call_id: str
    output: MessageContent
    name: str | None = None
    namespace: str | None = None
    caller: Any = None

    @property
    def files(self) -> list[InputFile]:
        return _files(self.output)

    def to_prompt(self) -> PromptMessage:
        return PromptMessage("tool", _prompt_content(self.output), tool_call_id=self.call_id)


class ReasoningItem(_Item):
    """Reasoning of an earlier response: its text in `content`, which engines that take it are shown again."""

    type: Literal["reasoning"]
    summary: list[Any] | None = None
    content: list[dict[str, Any]] | None = None
    encrypted_content: str | None = None

    @property
    def files(self) -> list[InputFile]:
        return []

    def to_prompt(self) -> PromptMessage | None:
        text = "".join(str(part.get("text", "")) for part in self.content or ())
        return PromptMessage("assistant", None, reasoning=text) if text else None


class CodeInterpreterCall(ForeignModel):
    """A call of the code interpreter in an earlier response: its code and what it printed."""

    type: Literal["code_interpreter_call"]
    id: str | None = None
    status: Literal["in_progress", "completed", "incomplete", "interpreting", "failed"] | None = None
    container_id: str | None = None
    code: str | None = None
    outputs: list[dict[str, Any]] | None = None

    @property
    def files(self) -> list[InputFile]:
        return []

    def to_prompt(self) -> PromptMessage | None:
        logs = "\n".join(str(each.get("logs", "")) for each in self.outputs or () if each.get("type") == "logs")
        text = f"I ran this code:\n```python\n{self.code}\n```\n{logs}".rstrip() if self.code else ""
        return PromptMessage("assistant", text) if text else None


class SearchCall(ForeignModel):
    """A search of Éclair's own in an earlier response. Its answer says what it found, so that it is ignored."""

    type: Literal["file_search_call", "web_search_call"]
    id: str | None = None
    status: Literal["in_progress", "searching", "completed", "incomplete", "failed"] | None = None
    queries: list[str] | None = None
    results: list[dict[str, Any]] | None = None
    action: dict[str, Any] | None = None

    @property
    def files(self) -> list[InputFile]:
        return []

    def to_prompt(self) -> PromptMessage | None:
        return None


class ItemReference(ForeignModel):
    """An item of a stored response, by its id; whoever has the store puts the item in its place."""

    type: Literal["item_reference"]
    id: str

    @property
    def files(self) -> list[InputFile]:
        return []

    def to_prompt(self) -> PromptMessage:
        raise InvalidInput(f"There is no stored item {self.id!r}; send the item itself.", param="input")


Item = Annotated[
    Annotated[MessageItem, union_tag("message")]
    | Annotated[FunctionCall, union_tag("function_call")]
    | Annotated[FunctionCallOutput, union_tag("function_call_output")]
    | Annotated[ReasoningItem, union_tag("reasoning")]
    | Annotated[CodeInterpreterCall, union_tag("code_interpreter_call")]
    | Annotated[SearchCall, union_tag("file_search_call")]
    | Annotated[SearchCall, union_tag("web_search_call")]
    | Annotated[ItemReference, union_tag("item_reference")],
    type_discriminator(
        "only items of the types message, function_call, function_call_output, reasoning, code_interpreter_call, "
        "file_search_call, web_search_call and item_reference are taken",
        "message",
    ),
]

ITEMS: TypeAdapter[list[Item]] = TypeAdapter(list[Item])


def engine_name(namespace: str | None, name: str) -> str:
    """Return the name that the engine is told for a function of a namespace."""
    return name if namespace is None else f"{namespace}__{name}"


def _files(parts: Sequence[object]) -> list[InputFile]:
    return [part for part in parts if isinstance(part, InputFile)]


def _prompt_content(parts: Sequence[object]) -> str | list[JSON]:
    """Return a message's text, with its images before it if it has any."""
    text = "\n".join(part.text for part in parts if isinstance(part, TextPart | RefusalPart))
    images = [image_part(part.image_url) for part in parts if isinstance(part, ImagePart)]
    return [*images, {"type": "text", "text": text}] if images else text
