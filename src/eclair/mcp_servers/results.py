"""Results of calls as text for a model, and pictures; nothing in them is trusted."""

from __future__ import annotations

import base64
import binascii
import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

import orjson
from mcp_types import (
    AudioContent,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ResourceLink,
    TextContent,
    TextResourceContents,
)

MAX_PICTURES = 4
MAX_PICTURE_BYTES = 8 << 20
MAX_TEXT_BYTES = 24_000

_TAG = re.compile(r"<[^<>]*>")
_BLANK = re.compile(r"\n[ \t]*\n[ \t\n]*")
_UNSEEN = ("script", "style", "head", "template")


@dataclass(frozen=True, slots=True)
class McpResult:
    """A result: text, and pictures as their server encoded them, which are yet to be decoded in a sandbox."""

    text: str
    pictures: tuple[bytes, ...] = ()
    has_failed: bool = False


def read_result(result: CallToolResult) -> McpResult:
    """Return a result; what has no text is named."""
    texts: list[str] = []
    pictures: list[bytes] = []
    size = 0
    for block in result.content:
        if isinstance(block, ImageContent) and (data := _decode(block.data)) and len(pictures) < MAX_PICTURES:
            pictures.append(data)
            continue
        texts.append(content_text(block))
        size += len(texts[-1].encode())
        if size > 4 * MAX_TEXT_BYTES:  # the loop cuts it; its end is no use to anybody
            break
    if not any(texts) and result.structured_content is not None:
        texts.append(orjson.dumps(result.structured_content, option=orjson.OPT_INDENT_2).decode())
    return McpResult("\n\n".join(text for text in texts if text), tuple(pictures), result.is_error)


def content_text(block: ContentBlock) -> str:
    """Return the words of a block; what has none is named."""
    match block:
        case TextContent(text=text):
            return text
        case ResourceLink(uri=uri, name=name):
            return f"[link: {name} {uri}]"
        case EmbeddedResource(resource=TextResourceContents() as resource):
            return html_text(resource.text) if (resource.mime_type or "").startswith("text/html") else resource.text
        case EmbeddedResource(resource=resource):
            return f"[a file of type {resource.mime_type or 'unknown'} at {resource.uri}, which is not shown]"
        case ImageContent(mime_type=media):
            return f"[a picture of type {media} that is not shown]"
        case AudioContent(mime_type=media):
            return f"[a recording of type {media} that is not shown]"


def html_text(text: str) -> str:
    """Return the words of HTML, without what nobody sees."""
    for name in _UNSEEN:
        text = "".join(_without_element(text, name))
    words = html.unescape(_TAG.sub("\n", text))
    return _BLANK.sub("\n", words).strip()


def _without_element(text: str, name: str) -> Iterable[str]:
    lower, opening, closing, at = text.lower(), f"<{name}", f"</{name}>", 0
    while (start := lower.find(opening, at)) >= 0:
        yield text[at:start]
        end = lower.find(closing, start)
        if end < 0:
            return
        at = end + len(closing)
    yield text[at:]


def _decode(data: str) -> bytes:
    if len(data) > MAX_PICTURE_BYTES * 4 // 3 + 4:
        return b""
    try:
        return base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return b""
