"""Content blocks of `/v1/messages`: texts, images, documents, thinking, calls and their results."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator

from eclair.llm.base import JSON, PromptMessage
from eclair.server.chat_input import tool_call_message
from eclair.server.openai.retriever import FileInput
from eclair.server.request_body import ForeignModel, type_discriminator, union_tag
from eclair.server.request_images import image_part


class CacheControl(ForeignModel):
    """A hint that is not needed: engines cache every prefix they can."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class TextBlock(ForeignModel):
    type: Literal["text"]
    text: str
    cache_control: CacheControl | None = None
    citations: list[Any] | None = None


class Base64Source(ForeignModel):
    type: Literal["base64"]
    media_type: Literal["image/jpeg", "image/png", "image/gif", "image/webp"]
    data: str

    @property
    def image_url(self) -> str:
        return f"data:{self.media_type};base64,{self.data}"


class UrlSource(ForeignModel):
    type: Literal["url"]
    url: str

    @property
    def image_url(self) -> str:
        return self.url


class ImageBlock(ForeignModel):
    type: Literal["image"]
    source: Annotated[
        Annotated[Base64Source, union_tag("base64")] | Annotated[UrlSource, union_tag("url")],
        type_discriminator("an image comes as base64 or by its url"),
    ]
    cache_control: CacheControl | None = None


def as_blocks(value: Any) -> Any:
    """Wrap a text in a list of blocks."""
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


Texts = Annotated[
    list[Annotated[Annotated[TextBlock, union_tag("text")], type_discriminator("only text is taken here")]],
    BeforeValidator(as_blocks, json_schema_input_type=str | list[TextBlock]),
]


class DocumentData(ForeignModel):
    """A document's bytes in base64, or its text."""

    type: Literal["base64", "text"]
    media_type: str = "text/plain"
    data: str

    def to_file(self, title: str | None) -> FileInput:
        data, end = self.data, ".pdf" if self.media_type == "application/pdf" else ".txt"
        if self.type == "text":
            data = base64.b64encode(data.encode()).decode()
        name = (title or "document").replace("/", "-").replace("\\", "-")[:200]
        return FileInput(file_data=data, filename=name if name.endswith(end) else name + end)


class DocumentContent(ForeignModel):
    """A document as text blocks."""

    type: Literal["content"]
    content: Texts

    def to_file(self, title: str | None) -> FileInput:
        return DocumentData(type="text", data=join_text(self.content)).to_file(title)


class StoredDocument(ForeignModel):
    """A document by the id of a file in Éclair."""

    type: Literal["file"]
    file_id: str

    def to_file(self, title: str | None) -> FileInput:
        return FileInput(file_id=self.file_id)


class DocumentBlock(ForeignModel):
    """A document, read as in the other dialects; `context` and the switch of citations are ignored."""

    type: Literal["document"]
    source: Annotated[
        Annotated[DocumentData, union_tag("base64")]
        | Annotated[DocumentData, union_tag("text")]
        | Annotated[DocumentContent, union_tag("content")]
        | Annotated[StoredDocument, union_tag("file")],
        type_discriminator("a document comes as base64, text, content or by the id of a file"),
    ]
    title: str | None = None
    context: str | None = None
    citations: Any = None
    cache_control: CacheControl | None = None

    @property
    def file(self) -> FileInput:
        return self.source.to_file(self.title)


class SearchResultBlock(ForeignModel):
    """A passage that the client found; it is shown to the model as text."""

    type: Literal["search_result"]
    source: str
    title: str
    content: Texts
    citations: Any = None
    cache_control: CacheControl | None = None

    @property
    def text(self) -> str:
        return f"{self.title} ({self.source}):\n{join_text(self.content)}"


class ThinkingBlock(ForeignModel):
    """Thinking of an earlier answer, which engines that take it are shown again. Signatures aren't checked."""

    type: Literal["thinking", "redacted_thinking"]
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None


class ToolUseBlock(ForeignModel):
    type: Literal["tool_use"]
    id: str
    name: str
    input: dict[str, Any]
    caller: Any = None
    toolset_name: str | None = None
    cache_control: CacheControl | None = None


ResultBlock = Annotated[
    Annotated[TextBlock, union_tag("text")]
    | Annotated[ImageBlock, union_tag("image")]
    | Annotated[DocumentBlock, union_tag("document")]
    | Annotated[SearchResultBlock, union_tag("search_result")],
    type_discriminator("only blocks of the types text, image, document and search_result are taken here"),
]


class ToolResultBlock(ForeignModel):
    type: Literal["tool_result"]
    tool_use_id: str
    content: (
        Annotated[list[ResultBlock], BeforeValidator(as_blocks, json_schema_input_type=str | list[ResultBlock])] | None
    ) = None
    is_error: bool | None = None
    toolset_name: str | None = None
    cache_control: CacheControl | None = None

    def to_prompt(self) -> PromptMessage:
        """Build the tool message; engines have no flag for failed results, so the text says it."""
        content = _prompt_content(self.content or ())
        if self.is_error and isinstance(content, str):
            content = f"Error: {content}"
        return PromptMessage("tool", content, tool_call_id=self.tool_use_id)


ContentBlock = Annotated[
    Annotated[TextBlock, union_tag("text")]
    | Annotated[ImageBlock, union_tag("image")]
    | Annotated[DocumentBlock, union_tag("document")]
    | Annotated[SearchResultBlock, union_tag("search_result")]
    | Annotated[ThinkingBlock, union_tag("thinking")]
    | Annotated[ThinkingBlock, union_tag("redacted_thinking")]
    | Annotated[ToolUseBlock, union_tag("tool_use")]
    | Annotated[ToolResultBlock, union_tag("tool_result")],
    type_discriminator(
        "only blocks of the types text, image, document, search_result, thinking, tool_use and tool_result are taken"
    ),
]


def to_prompt(role: Literal["user", "assistant", "system"], blocks: Sequence[ContentBlock]) -> Iterator[PromptMessage]:
    """Yield messages in the order of the blocks; consecutive texts and images become one message."""
    said: list[ContentBlock] = []
    for block in blocks:
        if not isinstance(block, ThinkingBlock | ToolUseBlock | ToolResultBlock):
            said.append(block)
            continue
        if said:
            yield PromptMessage(role, _prompt_content(said))
            said = []
        if isinstance(block, ToolUseBlock):
            yield tool_call_message(block.id, block.name, block.input)
        elif isinstance(block, ToolResultBlock):
            yield block.to_prompt()
        elif block.thinking:
            yield PromptMessage("assistant", None, reasoning=block.thinking)
    if said:
        yield PromptMessage(role, _prompt_content(said))


def block_files(blocks: Sequence[ContentBlock]) -> Iterator[FileInput]:
    """Yield the documents among the blocks and in the results of tools."""
    for block in blocks:
        if isinstance(block, DocumentBlock):
            yield block.file
        elif isinstance(block, ToolResultBlock):
            yield from block_files(block.content or ())


def join_text(blocks: Sequence[TextBlock]) -> str:
    """Join the texts of blocks."""
    return "\n".join(block.text for block in blocks)


def _prompt_content(blocks: Sequence[ContentBlock]) -> str | list[JSON]:
    """Return the text of blocks, with their images before it if there are any. Documents are read apart."""
    text = "\n".join(block.text for block in blocks if isinstance(block, TextBlock | SearchResultBlock))
    images = [image_part(block.source.image_url) for block in blocks if isinstance(block, ImageBlock)]
    if not text and any(isinstance(block, DocumentBlock) for block in blocks):
        text = "The document is attached."
    return [*images, {"type": "text", "text": text}] if images else text
