"""Claude's `conversations.json`: messages in a row, each of content blocks, in newer files with their parents."""

from __future__ import annotations

from eclair.transfer.json_fields import JSON, items, mapping, milliseconds, text
from eclair.transfer.normalize import Found, Imported, Node, fenced, unknown


def fits(data: JSON) -> bool:
    return isinstance(data.get("chat_messages"), list)


def read(data: JSON, now: int) -> Imported:
    found = Found(
        kind="claude",
        id=text(data.get("uuid")) or text(data.get("name")),
        title=text(data.get("name")),
        nodes=[],
        leaf=text(data.get("current_leaf_message_uuid")) or None,
        created=milliseconds(data.get("created_at")),
        updated=milliseconds(data.get("updated_at")),
        pinned=data.get("is_starred") is True,
    )
    messages = [mapping(value) for value in items(data.get("chat_messages"))]
    linked = any(text(message.get("parent_message_uuid")) for message in messages)
    before: str | None = None
    for number, message in enumerate(messages):
        id = text(message.get("uuid")) or f"{number}"
        parent = (text(message.get("parent_message_uuid")) or None) if linked else before
        found.nodes.append(_node(id, parent, message, found))
        before = id
    found.leaf = found.leaf or before
    return found.imported(now)


def _node(id: str, parent: str | None, message: JSON, found: Found) -> Node:
    sender = text(message.get("sender"))
    node = Node(
        id,
        parent,
        "user" if sender in ("human", "user") else "assistant" if sender == "assistant" else None,
        created=milliseconds(message.get("created_at")),
        model=text(message.get("model")) or None,
    )
    if node.role is None:
        found.left_out.append(unknown("messages", sender))
    for attachment in items(message.get("attachments")):
        _attachment(mapping(attachment), node, found)
    found.left_out += ["attached files"] * len(items(message.get("files")))
    blocks = items(message.get("content"))
    for block in blocks:
        _block(mapping(block), node, found)
    if not blocks:
        node.add("text", text(message.get("text")))
    return node


def _attachment(attachment: JSON, node: Node, found: Found) -> None:
    """The text that was read out of a file is part of what was said; the file itself is not in the export."""
    words = text(attachment.get("extracted_content"))
    if words.strip():
        node.add("text", f"{text(attachment.get('file_name'))}\n\n{fenced(words)}".strip())
    else:
        found.left_out.append("attached files")


def _block(block: JSON, node: Node, found: Found) -> None:
    kind = text(block.get("type"))
    if kind == "text":
        node.add("text", text(block.get("text")))
    elif kind == "thinking":
        node.add("reasoning", text(block.get("thinking")))
    elif kind == "tool_use":
        _tool(mapping(block.get("input")), node, found)
    elif kind == "tool_result":
        found.left_out.append("tool results")
    elif kind == "image":
        found.left_out.append("pictures")
    elif kind != "token_budget":  # how much was left to say: nothing that was said
        found.left_out.append(unknown("parts", kind))


def _tool(given: JSON, node: Node, found: Found) -> None:
    """A text that the model wrote into a window of its own (an artifact) is kept; what else it called is not."""
    words = text(given.get("content"))
    if text(given.get("command")) in ("create", "rewrite") and words.strip():
        heading = text(given.get("title"))
        body = words if text(given.get("type")) == "text/markdown" else fenced(words, text(given.get("language")))
        node.add("text", f"**{heading}**\n\n{body}" if heading else body)
    else:
        found.left_out.append("tool calls")
