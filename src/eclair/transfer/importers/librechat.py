"""LibreChat's export of one conversation: messages with parents, or nested."""

from __future__ import annotations

from eclair.transfer.json_fields import JSON, as_list, as_milliseconds, as_object, as_text
from eclair.transfer.normalize import ForeignConversation, ForeignMessage, ImportedConversation, unknown_kind


def matches(data: JSON) -> bool:
    return "conversationId" in data and any(isinstance(data.get(name), list) for name in ("messages", "messagesTree"))


def read(data: JSON, now: int) -> ImportedConversation:
    options = as_object(data.get("options"))
    found = ForeignConversation(
        kind="librechat",
        id=as_text(data.get("conversationId")) or as_text(data.get("title")),
        title=as_text(data.get("title")),
        nodes=[],
        leaf=None,
        created=as_milliseconds(data.get("createdAt")) or as_milliseconds(options.get("createdAt")),
        updated=as_milliseconds(data.get("updatedAt")) or as_milliseconds(options.get("updatedAt")),
    )
    top = as_list(data.get("messagesTree")) or as_list(data.get("messages"))
    waiting: list[tuple[JSON, str | None]] = [(as_object(message), None) for message in reversed(top)]
    while waiting:
        message, parent = waiting.pop()
        id = as_text(message.get("messageId")) or f"{len(found.nodes)}"
        found.nodes.append(_node(id, parent or as_text(message.get("parentMessageId")) or None, message, found))
        waiting.extend((as_object(child), id) for child in reversed(as_list(message.get("children"))))
    return found.normalize(now)


def _node(id: str, parent: str | None, message: JSON, found: ForeignConversation) -> ForeignMessage:
    by_user = message.get("isCreatedByUser")
    if not isinstance(by_user, bool):
        by_user = as_text(message.get("sender")).lower() == "user"
    node = ForeignMessage(
        id,
        parent,
        "user" if by_user else "assistant",
        created=as_milliseconds(message.get("createdAt")),
        model=as_text(message.get("model")) or None,
    )
    for name in ("files", "attachments"):
        found.left_out += ["attached files"] * len(as_list(message.get(name)))
    if message.get("error") is True:
        found.left_out.append("notes on errors")
        node.role = None
        return node
    blocks = as_list(message.get("content"))
    for block in blocks:
        _block(as_object(block), node, found)
    if not blocks:
        node.add("text", as_text(message.get("text")))
    return node


def _block(block: JSON, node: ForeignMessage, found: ForeignConversation) -> None:
    kind = as_text(block.get("type"))
    if kind == "text":
        node.add("text", _words(block.get("text")))
    elif kind == "think":
        node.add("reasoning", _words(block.get("think")))
    elif kind == "tool_call":
        found.left_out.append("tool calls")
    elif kind in ("image_file", "image_url"):
        found.left_out.append("images")
    elif kind == "error":
        found.left_out.append("notes on errors")
    else:
        found.left_out.append(unknown_kind("parts", kind))


def _words(value: object) -> str:
    """Return a text, which is a string or an object with one."""
    return as_text(value) or as_text(as_object(value).get("value"))
