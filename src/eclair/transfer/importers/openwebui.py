"""Open WebUI's export: a message tree that ends at `currentId`."""

from __future__ import annotations

import html
import re

from eclair.transfer.json_fields import JSON, as_list, as_milliseconds, as_object, as_text
from eclair.transfer.normalize import (
    ForeignConversation,
    ForeignMessage,
    ImportedConversation,
    unknown_kind,
    valid_tags,
)

_DETAILS = re.compile(
    r'<details\b(?>[^<>]*?\btype="([a-z_]+)")[^<>]*+>([^<]*+(?:<(?!/?details\b)[^<]*+)*+)</details>\s*+'
)
"""Open WebUI keeps reasoning and tool calls inside the message text."""
_SUMMARY = re.compile(r"(?<!\s)\s*+<summary>[^<]*+(?:<(?!/?summary>)[^<]*+)*+</summary>\s*+")


def matches(data: JSON) -> bool:
    chat = as_object(data.get("chat"))
    return isinstance(chat.get("history"), dict) or isinstance(chat.get("messages"), list)


def read(data: JSON, now: int) -> ImportedConversation:
    chat = as_object(data.get("chat"))
    history = as_object(chat.get("history"))
    found = ForeignConversation(
        kind="openwebui",
        id=as_text(data.get("id")) or as_text(chat.get("id")) or as_text(data.get("title")),
        title=as_text(data.get("title")) or as_text(chat.get("title")),
        nodes=[],
        leaf=as_text(history.get("currentId")) or None,
        created=as_milliseconds(data.get("created_at")) or as_milliseconds(chat.get("timestamp")),
        updated=as_milliseconds(data.get("updated_at")),
        pinned=data.get("pinned") is True,
        archived=data.get("archived") is True,
        tags=valid_tags(as_list(as_object(data.get("meta")).get("tags")) or as_list(chat.get("tags"))),
    )
    if as_text(as_object(chat.get("params")).get("system")).strip() or as_text(chat.get("system")).strip():
        found.left_out.append("system prompts")
    tree = as_object(history.get("messages"))
    before: str | None = None
    if tree:
        for id, value in tree.items():
            message = as_object(value)
            found.nodes.append(_node(as_text(id), as_text(message.get("parentId")) or None, message, found))
    else:
        for number, value in enumerate(as_list(chat.get("messages"))):
            message = as_object(value)
            id = as_text(message.get("id")) or f"{number}"
            found.nodes.append(_node(id, as_text(message.get("parentId")) or before, message, found))
            before = id
    return found.normalize(now)


def _node(id: str, parent: str | None, message: JSON, found: ForeignConversation) -> ForeignMessage:
    role = as_text(message.get("role"))
    node = ForeignMessage(
        id,
        parent,
        "user" if role == "user" else "assistant" if role == "assistant" else None,
        created=as_milliseconds(message.get("timestamp")),
        model=as_text(message.get("model")) or None,
    )
    if role == "system":
        found.left_out.append("system prompts")
    elif node.role is None:
        found.left_out.append(unknown_kind("messages", role))
    for file in as_list(message.get("files")):
        found.left_out.append("images" if as_text(as_object(file).get("type")) == "image" else "attached files")
    if message.get("error"):
        found.left_out.append("notes on errors")
    content = message.get("content")
    if isinstance(content, str):
        _words(as_text(content), node, found)
    for block in as_list(content):
        kind = as_text(as_object(block).get("type"))
        if kind == "text":
            _words(as_text(as_object(block).get("text")), node, found)
        elif kind == "image_url":
            found.left_out.append("images")
        else:
            found.left_out.append(unknown_kind("parts", kind))
    return node


def _words(words: str, node: ForeignMessage, found: ForeignConversation) -> None:
    if node.role != "assistant":
        node.add("text", words)
        return
    said = 0
    for block in _DETAILS.finditer(words):
        node.add("text", words[said : block.start()].strip("\n"))
        said = block.end()
        kind, inside = block.group(1), block.group(2)
        if kind == "reasoning":
            node.add("reasoning", _unquoted(_SUMMARY.sub("", inside, count=1)))
        elif kind in ("tool_calls", "code_interpreter"):
            found.left_out.append("tool calls")
        else:
            found.left_out.append(unknown_kind("parts", kind))
    node.add("text", words[said:].strip("\n"))


def _unquoted(words: str) -> str:
    """Strip the `>` before each line of reasoning."""
    return "\n".join(line.removeprefix(">").removeprefix(" ") for line in html.unescape(words).strip().splitlines())
