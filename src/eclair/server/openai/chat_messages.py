"""Messages of `/v1/chat/completions`, in the forms that clients send them, those of earlier answers too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from eclair.llm.base import JSON, PromptMessage
from eclair.server.chat_input import call_arguments, move_tool_images
from eclair.server.openai.responses_items import RefusalPart
from eclair.server.openai.retriever import FileInput
from eclair.server.request_body import ForeignModel, type_discriminator, union_tag
from eclair.server.request_images import image_part


class ChatTextPart(ForeignModel):
    """Text; hints about its caching and notes of an earlier answer are ignored."""

    type: Literal["text"]
    text: str
    cache_control: Any = None
    annotations: Any = None


class ChatImageUrl(ForeignModel):
    url: str
    detail: str | None = None


def _as_image_url(value: Any) -> Any:
    return {"url": value} if isinstance(value, str) else value


class ChatImagePart(ForeignModel):
    """An image by its web address or `data:` URL."""

    type: Literal["image_url"]
    image_url: Annotated[ChatImageUrl, BeforeValidator(_as_image_url, json_schema_input_type=str | ChatImageUrl)]
    cache_control: Any = None


class ChatFilePart(ForeignModel):
    type: Literal["file"]
    file: FileInput
    cache_control: Any = None


class ChatThinkingPart(ForeignModel):
    """Reasoning in the form of Mistral, a list of texts, or of Anthropic, one text."""

    type: Literal["thinking"]
    thinking: str | list[dict[str, Any]]
    closed: bool | None = None
    signature: str | None = None

    @property
    def reasoning(self) -> str:
        thinking = self.thinking
        return thinking if isinstance(thinking, str) else "".join(str(each.get("text", "")) for each in thinking)


ChatPart = Annotated[
    Annotated[ChatTextPart, union_tag("text")]
    | Annotated[ChatImagePart, union_tag("image_url")]
    | Annotated[ChatFilePart, union_tag("file")]
    | Annotated[RefusalPart, union_tag("refusal")]
    | Annotated[ChatThinkingPart, union_tag("thinking")],
    type_discriminator("there are the types text, image_url and file; no model here hears sound or watches videos"),
]


def _as_parts(value: Any) -> Any:
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


class ChatCalledFunction(ForeignModel):
    """A called function, with its arguments as text or, from Mistral's clients, as an object."""

    model_config = ConfigDict(extra="ignore")
    name: Annotated[str, Field(min_length=1)]
    arguments: str | dict[str, Any] | None = None

    def to_engine(self) -> JSON:
        return {"name": self.name, "arguments": call_arguments(self.arguments)}


class ChatToolCall(ForeignModel):
    """A call of an earlier answer. What clients add to it is ignored."""

    model_config = ConfigDict(extra="ignore")
    id: str | None = None
    type: Literal["function"] = "function"
    function: ChatCalledFunction


class ChatMessageHints(ForeignModel):
    """Fields of messages that are accepted and ignored: notes on an earlier answer, and hints."""

    annotations: Any = None
    audio: None = None
    parsed: Any = None
    reasoning_details: Any = None
    thinking_blocks: Any = None
    provider_specific_fields: Any = None
    cache_control: Any = None
    id: Any = None
    phase: Any = None
    logprobs: Any = None


class ChatMessage(ChatMessageHints):
    """A message. An earlier answer's reasoning is in `reasoning_content`, or `reasoning` from other servers."""

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: (
        Annotated[list[ChatPart], BeforeValidator(_as_parts, json_schema_input_type=str | list[ChatPart])] | None
    ) = None
    name: str | None = None
    tool_calls: list[ChatToolCall] | None = None
    tool_call_id: str | None = None
    function_call: ChatCalledFunction | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    prefix: bool | None = None

    @model_validator(mode="after")
    def _require_content(self) -> ChatMessage:
        if self.role == "user" and not any(_holds_something(part) for part in self.content or ()):
            raise ValueError("a message of the user needs a text, an image or a file")
        return self

    @property
    def files(self) -> list[FileInput]:
        """Files attached to the message."""
        return [part.file for part in self.content or () if isinstance(part, ChatFilePart)]

    def to_prompt(self, number: int, call_id: str) -> PromptMessage:
        """Build the engine's message, without files.

        `number` is the message's, for the ids of calls that lack one; `call_id` is the latest function call's.
        """
        role = "tool" if self.role == "function" else self.role
        return PromptMessage(
            role,
            self._prompt_content(),
            None if self.role == "function" else self.name,
            tuple(self._prompt_calls(number)),
            call_id if self.role == "function" else self.tool_call_id,
            reasoning=self._prompt_reasoning() if self.role == "assistant" else None,
        )

    def _prompt_calls(self, number: int) -> Iterable[JSON]:
        if self.function_call is not None:
            yield _call(legacy_call_id(number), self.function_call)
        for at, call in enumerate(self.tool_calls or ()):
            yield _call(call.id or f"{legacy_call_id(number)}_{at}", call.function)

    def _prompt_content(self) -> str | list[JSON] | None:
        """Return the text, or the parts if there are images; None if an assistant only called tools."""
        parts = [part for part in self.content or () if not isinstance(part, ChatFilePart | ChatThinkingPart)]
        shown = [_prompt_part(part) for part in parts]
        if any(isinstance(part, ChatImagePart) for part in parts):
            return shown
        if not parts and self.content is None:
            return self.refusal
        return "\n".join(str(part["text"]) for part in shown)

    def _prompt_reasoning(self) -> str | None:
        parts = [part.reasoning for part in self.content or () if isinstance(part, ChatThinkingPart)]
        return self.reasoning_content or self.reasoning or "".join(parts) or None


def prompt_messages(messages: Sequence[ChatMessage]) -> list[PromptMessage]:
    """Build the engine's messages. Results of the legacy role `function` belong to the latest call."""
    built: list[PromptMessage] = []
    call_id = legacy_call_id(0)
    for number, message in enumerate(messages):
        if message.function_call is not None:
            call_id = legacy_call_id(number)
        built.append(message.to_prompt(number, call_id))
    return move_tool_images(built)


def legacy_call_id(number: int) -> str:
    """Return the id of the call in message `number`, whose client gave it none."""
    return f"call_{number}"


def _call(id: str, function: ChatCalledFunction) -> JSON:
    return {"id": id, "type": "function", "function": function.to_engine()}


def _holds_something(part: ChatPart) -> bool:
    return not isinstance(part, ChatTextPart) or part.text != ""


def _prompt_part(part: ChatTextPart | ChatImagePart | RefusalPart) -> JSON:
    if isinstance(part, ChatImagePart):
        return image_part(part.image_url.url)
    return {"type": "text", "text": part.text}
