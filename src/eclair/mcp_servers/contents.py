"""Resources and prompts of MCP servers, checked at the door: what they are called, how large they are, and their text.

Nothing in them is trusted. What does not fit is left out, or is an error in one sentence.
"""

from __future__ import annotations

import base64
import binascii
import mimetypes
import re
from collections.abc import Iterable
from dataclasses import replace

from mcp_types import BlobResourceContents, GetPromptResult, ReadResourceResult, TextResourceContents

from eclair.errors import EngineBroken
from eclair.mcp_servers.results import content_text, html_text
from eclair.schema.mcp_servers import McpContent, McpPrompt, McpResource

MAX_RESOURCES = 500
MAX_PROMPTS = 100
MAX_URI_CHARS = 2_000
MAX_ARGUMENTS = 20
MAX_TITLE_CHARS = 120
MAX_DESCRIPTION_CHARS = 500
MAX_PARTS = 10
"""Of a resource."""
MAX_PROMPT_CHARS = 50_000

_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,40}:[^\s\x00-\x1f<>\"]+")
_MEDIA = re.compile(r"[a-z0-9!#$&^_.+-]{1,60}/[a-z0-9!#$&^_.+-]{1,60}")
_NAME_BREAKS = re.compile(r"[/\\\x00-\x1f]+")
_EXTENSIONS = {"text/plain": ".txt", "text/markdown": ".md", "text/x-markdown": ".md", "application/json": ".json"}


def check_resources(found: Iterable[McpResource]) -> list[McpResource]:
    """Return the first MAX_RESOURCES resources that can be read, each once."""
    kept: dict[str, McpResource] = {}
    for each in found:
        if len(kept) == MAX_RESOURCES:
            break
        if len(each.uri) <= MAX_URI_CHARS and _URI.fullmatch(each.uri):
            kept.setdefault(each.uri, _bounded_resource(each))
    return list(kept.values())


def check_prompts(found: Iterable[McpPrompt]) -> list[McpPrompt]:
    """Return the first MAX_PROMPTS prompts that can be asked for, each once."""
    kept: dict[str, McpPrompt] = {}
    for each in found:
        if len(kept) == MAX_PROMPTS:
            break
        if 0 < len(each.name) <= MAX_TITLE_CHARS and len(each.arguments) <= MAX_ARGUMENTS:
            arguments = tuple(
                replace(one, title=_line(one.title, MAX_TITLE_CHARS), description=_line(one.description))
                for one in each.arguments
            )
            title, described = _line(each.title, MAX_TITLE_CHARS), _line(each.description)
            kept.setdefault(each.name, McpPrompt(each.name, title, described, arguments))
    return list(kept.values())


def read_contents(server: str, result: ReadResourceResult) -> list[McpContent]:
    """Return the parts of a resource. Raises EngineBroken."""
    parts = result.contents[:MAX_PARTS]
    if not parts:
        raise EngineBroken(f"The MCP server {server!r} sent nothing for this resource.")
    return [_content(server, part) for part in parts]


def file_name(resource: str, content: McpContent) -> str:
    """Return a name for a part as a file: the end of its URI, or else the title of its `resource`."""
    path = content.uri.partition("?")[0].partition("#")[0].partition(":")[2]
    last = path.rstrip("/").rpartition("/")[2]
    name = last if "." in last.strip(".") else resource or last
    name = _line(_NAME_BREAKS.sub(" ", name), MAX_TITLE_CHARS).strip(". ") or "resource"
    if content.media and mimetypes.guess_type(name)[0] is None:
        name += _EXTENSIONS.get(content.media) or mimetypes.guess_extension(content.media) or ""
    return name if "." in name else f"{name}.txt" if content.text is not None else name


def prompt_text(server: str, result: GetPromptResult) -> str:
    """Return the words of a prompt. Raises EngineBroken for one without words, or with too many."""
    said = [(message.role, content_text(message.content)) for message in result.messages]
    is_dialogue = any(role != "user" for role, _ in said)
    texts = [f"{role.capitalize()}: {text}" if is_dialogue else text for role, text in said if text.strip()]
    text = "\n\n".join(texts).replace("\0", "")
    if not text:
        raise EngineBroken(f"The MCP server {server!r} sent a prompt without words.")
    if len(text) > MAX_PROMPT_CHARS:
        raise EngineBroken(
            f"The MCP server {server!r} sent a prompt of more than {MAX_PROMPT_CHARS:,} characters; it is not used."
        )
    return text


def _content(server: str, part: TextResourceContents | BlobResourceContents) -> McpContent:
    if isinstance(part, TextResourceContents):
        return McpContent(part.uri, _media(part.mime_type), part.text)
    try:
        return McpContent(part.uri, _media(part.mime_type), data=base64.b64decode(part.blob, validate=True))
    except (binascii.Error, ValueError):
        raise EngineBroken(f"The MCP server {server!r} sent a file that is not in base64.") from None


def readable_text(content: McpContent) -> str | None:
    """Return the words of a part for a model; None for bytes."""
    if content.text is None:
        return None
    return html_text(content.text) if content.media == "text/html" else content.text


def _bounded_resource(resource: McpResource) -> McpResource:
    return replace(
        resource,
        title=_line(resource.title, MAX_TITLE_CHARS),
        description=_line(resource.description),
        media=_media(resource.media),
        size=resource.size if resource.size is not None and resource.size >= 0 else None,
    )


def _media(media: str | None) -> str:
    named = (media or "").partition(";")[0].strip().lower()
    return named if _MEDIA.fullmatch(named) else ""


def _line(text: str, limit: int = MAX_DESCRIPTION_CHARS) -> str:
    return " ".join(text.split())[:limit]
