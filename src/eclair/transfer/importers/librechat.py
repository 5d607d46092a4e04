"""LibreChat's export of one conversation: its messages in a row with their parents, or nested."""

from __future__ import annotations

from eclair.transfer.json_fields import JSON, items, mapping, milliseconds, text
from eclair.transfer.normalize import Found, Imported, Node, unknown


def fits(data: JSON) -> bool:
    return "conversationId" in data and any(isinstance(data.get(name), list) for name in ("messages", "messagesTree"))


def read(data: JSON, now: int) -> Imported:
    options = mapping(data.get("options"))
    found = Found(
        kind="librechat",
        id=text(data.get("conversationId")) or text(data.get("title")),
        title=text(data.get("title")),
        nodes=[],
        leaf=None,
        created=milliseconds(data.get("createdAt")) or milliseconds(options.get("createdAt")),
        updated=milliseconds(data.get("updatedAt")) or milliseconds(options.get("updatedAt")),
    )
    top = items(data.get("messagesTree")) or items(data.get("messages"))
    waiting: list[tuple[JSON, str | None]] = [(mapping(message), None) for message in reversed(top)]
    while waiting:
        message, parent = waiting.pop()
        id = text(message.get("messageId")) or f"{len(found.nodes)}"
        found.nodes.append(_node(id, parent or text(message.get("parentMessageId")) or None, message, found))
        waiting.extend((mapping(child), id) for child in reversed(items(message.get("children"))))
    return found.imported(now)


def _node(id: str, parent: str | None, message: JSON, found: Found) -> Node:
    by_user = message.get("isCreatedByUser")
    if not isinstance(by_user, bool):
        by_user = text(message.get("sender")).lower() == "user"
    node = Node(
        id,
        parent,
        "user" if by_user else "assistant",
        created=milliseconds(message.get("createdAt")),
        model=text(message.get("model")) or None,
    )
    for name in ("files", "attachments"):
        found.left_out += ["attached files"] * len(items(message.get(name)))
    if message.get("error") is True:
        found.left_out.append("notes on errors")
        node.role = None
        return node
    blocks = items(message.get("content"))
    for block in blocks:
        _block(mapping(block), node, found)
    if not blocks:
        node.add("text", text(message.get("text")))
    return node


def _block(block: JSON, node: Node, found: Found) -> None:
    kind = text(block.get("type"))
    if kind == "text":
        node.add("text", _words(block.get("text")))
    elif kind == "think":
        node.add("reasoning", _words(block.get("think")))
    elif kind == "tool_call":
        found.left_out.append("tool calls")
    elif kind in ("image_file", "image_url"):
        found.left_out.append("pictures")
    elif kind == "error":
        found.left_out.append("notes on errors")
    else:
        found.left_out.append(unknown("parts", kind))


def _words(value: object) -> str:
    """Words are a string, or an object around one."""
    return text(value) or text(mapping(value).get("value"))
