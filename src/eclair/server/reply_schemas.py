"""Replies of `/v1` and errors as the OpenAPI document shows them. Nothing is validated with these when it is sent."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel

from eclair.llm.base import JSON

FinishWord = Literal["stop", "length", "tool_calls", "content_filter"]


class OwnFault(BaseModel):
    """`code` is for programs, `message` for people; `param` is the field at fault, `run` the one that is in the way."""

    code: str
    message: str
    param: str | None = None
    run: str | None = None


class OwnError(BaseModel):
    """An error of `/api`."""

    error: OwnFault


class OpenAIFault(BaseModel):
    message: str
    type: str
    param: str | None
    code: str | None


class OpenAIError(BaseModel):
    """An error of `/v1`, in OpenAI's form."""

    error: OpenAIFault


class AnthropicFault(BaseModel):
    type: str
    message: str


class AnthropicError(BaseModel):
    """An error of `/v1/messages`, in Anthropic's form."""

    type: Literal["error"]
    error: AnthropicFault


class OllamaError(BaseModel):
    """An error in Ollama's form."""

    error: str


class CompletionUsage(BaseModel):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: JSON | None = None
    completion_tokens_details: JSON | None = None


class ToolCallReply(BaseModel):
    id: str
    type: Literal["function"]
    function: JSON


class ChatReplyMessage(BaseModel):
    role: Literal["assistant"]
    content: str | None
    refusal: None = None
    reasoning_content: str | None = None
    annotations: list[JSON] | None = None
    tool_calls: list[ToolCallReply] | None = None


class ChatChoice(BaseModel):
    index: int
    message: ChatReplyMessage
    logprobs: JSON | None
    finish_reason: FinishWord


class ChatCompletionReply(BaseModel):
    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[ChatChoice]
    usage: CompletionUsage | None


class ChatDelta(BaseModel):
    index: int
    delta: JSON
    logprobs: JSON | None
    finish_reason: FinishWord | None


class ChatCompletionChunk(BaseModel):
    id: str
    object: Literal["chat.completion.chunk"]
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[ChatDelta]
    usage: CompletionUsage | None = None


class TextChoice(BaseModel):
    index: int
    text: str
    logprobs: JSON | None
    finish_reason: FinishWord | None


class TextCompletionReply(BaseModel):
    """A completion, or a chunk of one."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str | None
    choices: list[TextChoice]
    usage: CompletionUsage | None = None


class ModelEntry(BaseModel):
    id: str
    object: Literal["model"]
    created: int
    owned_by: str


class ModelListReply(BaseModel):
    object: Literal["list"]
    data: list[ModelEntry]


class FileEntry(BaseModel):
    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    expires_at: int | None
    filename: str
    purpose: str
    status: Literal["uploaded", "processed", "error"]
    status_details: str | None


class FileListReply(BaseModel):
    object: Literal["list"]
    data: list[FileEntry]
    has_more: bool


class DeletedReply(BaseModel):
    id: str
    object: str
    deleted: Literal[True]


class EmbeddingEntry(BaseModel):
    """`embedding` is base64 where that was asked for."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class EmbeddingsReply(BaseModel):
    id: str
    object: Literal["list"]
    data: list[EmbeddingEntry]
    model: str
    usage: JSON


class TranscriptReply(BaseModel):
    """A transcript; `verbose_json` has times too."""

    text: str
    usage: JSON
    task: str | None = None
    language: str | None = None
    duration: float | None = None
    segments: list[JSON] | None = None
    words: list[JSON] | None = None


class TranscriptStreamEvent(BaseModel):
    """More text, or all of it."""

    type: str
    delta: str | None = None
    text: str | None = None


class RerankedEntry(BaseModel):
    index: int
    relevance_score: float


class RerankReply(BaseModel):
    id: str
    model: str
    results: list[RerankedEntry]


class ModerationsReply(BaseModel):
    id: str
    model: str
    results: list[JSON]


class ImageEntry(BaseModel):
    b64_json: str | None = None
    url: str | None = None
    revised_prompt: str | None = None


class ImagesReply(BaseModel):
    created: int
    data: list[ImageEntry]


class ResponseReply(BaseModel):
    id: str
    object: Literal["response"]
    created_at: int
    status: Literal["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"]
    model: str
    output: list[JSON]
    error: JSON | None
    incomplete_details: JSON | None
    usage: JSON | None


class ResponseStreamEvent(BaseModel):
    """An event of OpenAI's reference, named by its `type`."""

    type: str
    sequence_number: int


class MessageReply(BaseModel):
    id: str
    type: Literal["message"]
    role: Literal["assistant"]
    model: str
    content: list[JSON]
    stop_reason: Literal["end_turn", "max_tokens", "stop_sequence", "tool_use", "refusal"] | None
    stop_sequence: str | None
    usage: JSON


class MessageStreamEvent(BaseModel):
    """An event of Anthropic's reference."""

    type: str


class TokenCountReply(BaseModel):
    input_tokens: int
