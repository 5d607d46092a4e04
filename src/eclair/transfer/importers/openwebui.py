"""Open WebUI's export: chats with a tree of messages, `history`, whose shown branch ends at `currentId`."""

from __future__ import annotations

import html
import re

from eclair.transfer.json_fields import JSON, items, mapping, milliseconds, text
from eclair.transfer.normalize import Found, Imported, Node, tags, unknown

_DETAILS = re.compile(r'<details\b[^<>]*?\btype="([a-z_]+)"[^<>]*>(.*?)</details>\s*', re.DOTALL)
"""What a model thought or called is kept inside its words."""
_SUMMARY = re.compile(r"\s*<summary>.*?</summary>\s*", re.DOTALL)


def fits(data: JSON) -> bool:
    chat = mapping(data.get("chat"))
    return isinstance(chat.get("history"), dict) or isinstance(chat.get("messages"), list)


def read(data: JSON, now: int) -> Imported:
    chat = mapping(data.get("chat"))
    history = mapping(chat.get("history"))
    found = Found(
        kind="openwebui",
        id=text(data.get("id")) or text(chat.get("id")) or text(data.get("title")),
        title=text(data.get("title")) or text(chat.get("title")),
        nodes=[],
        leaf=text(history.get("currentId")) or None,
        created=milliseconds(data.get("created_at")) or milliseconds(chat.get("timestamp")),
        updated=milliseconds(data.get("updated_at")),
        pinned=data.get("pinned") is True,
        archived=data.get("archived") is True,
        tags=tags(items(mapping(data.get("meta")).get("tags")) or items(chat.get("tags"))),
    )
    if text(mapping(chat.get("params")).get("system")).strip() or text(chat.get("system")).strip():
        found.left_out.append("system prompts")
    tree = mapping(history.get("messages"))
    before: str | None = None
    if tree:
        for id, value in tree.items():
            message = mapping(value)
            found.nodes.append(_node(text(id), text(message.get("parentId")) or None, message, found))
    else:
        for number, value in enumerate(items(chat.get("messages"))):
            message = mapping(value)
            id = text(message.get("id")) or f"{number}"
            found.nodes.append(_node(id, text(message.get("parentId")) or before, message, found))
            before = id
    return found.imported(now)


def _node(id: str, parent: str | None, message: JSON, found: Found) -> Node:
    role = text(message.get("role"))
    node = Node(
        id,
        parent,
        "user" if role == "user" else "assistant" if role == "assistant" else None,
        created=milliseconds(message.get("timestamp")),
        model=text(message.get("model")) or None,
    )
    if role == "system":
        found.left_out.append("system prompts")
    elif node.role is None:
        found.left_out.append(unknown("messages", role))
    for file in items(message.get("files")):
        found.left_out.append("pictures" if text(mapping(file).get("type")) == "image" else "attached files")
    if message.get("error"):
        found.left_out.append("notes on errors")
    content = message.get("content")
    if isinstance(content, str):
        _words(text(content), node, found)
    for block in items(content):
        kind = text(mapping(block).get("type"))
        if kind == "text":
            _words(text(mapping(block).get("text")), node, found)
        elif kind == "image_url":
            found.left_out.append("pictures")
        else:
            found.left_out.append(unknown("parts", kind))
    return node


def _words(words: str, node: Node, found: Found) -> None:
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
            found.left_out.append(unknown("parts", kind))
    node.add("text", words[said:].strip("\n"))


def _unquoted(words: str) -> str:
    """Thoughts without the `>` before each line."""
    return "\n".join(line.removeprefix(">").removeprefix(" ") for line in html.unescape(words).strip().splitlines())
