"""Claude's `conversations.json`: messages made of content blocks."""

from __future__ import annotations

from eclair.transfer.json_fields import JSON, as_list, as_milliseconds, as_object, as_text
from eclair.transfer.normalize import (
    ForeignConversation,
    ForeignMessage,
    ImportedConversation,
    code_block,
    unknown_kind,
)


def matches(data: JSON) -> bool:
    return isinstance(data.get("chat_messages"), list)


def read(data: JSON, now: int) -> ImportedConversation:
    found = ForeignConversation(
        kind="claude",
        id=as_text(data.get("uuid")) or as_text(data.get("name")),
        title=as_text(data.get("name")),
        nodes=[],
        leaf=as_text(data.get("current_leaf_message_uuid")) or None,
        created=as_milliseconds(data.get("created_at")),
        updated=as_milliseconds(data.get("updated_at")),
        pinned=data.get("is_starred") is True,
    )
    messages = [as_object(value) for value in as_list(data.get("chat_messages"))]
    linked = any(as_text(message.get("parent_message_uuid")) for message in messages)
    before: str | None = None
    for number, message in enumerate(messages):
        id = as_text(message.get("uuid")) or f"{number}"
        parent = (as_text(message.get("parent_message_uuid")) or None) if linked else before
        found.nodes.append(_node(id, parent, message, found))
        before = id
    found.leaf = found.leaf or before
    return found.normalize(now)


def _node(id: str, parent: str | None, message: JSON, found: ForeignConversation) -> ForeignMessage:
    sender = as_text(message.get("sender"))
    node = ForeignMessage(
        id,
        parent,
        "user" if sender in ("human", "user") else "assistant" if sender == "assistant" else None,
        created=as_milliseconds(message.get("created_at")),
        model=as_text(message.get("model")) or None,
    )
    if node.role is None:
        found.left_out.append(unknown_kind("messages", sender))
    for attachment in as_list(message.get("attachments")):
        _attachment(as_object(attachment), node, found)
    found.left_out += ["attached files"] * len(as_list(message.get("files")))
    blocks = as_list(message.get("content"))
    for block in blocks:
        _block(as_object(block), node, found)
    if not blocks:
        node.add("text", as_text(message.get("text")))
    return node


def _attachment(attachment: JSON, node: ForeignMessage, found: ForeignConversation) -> None:
    """Keep the text extracted from a file; the file itself is not in the export."""
    words = as_text(attachment.get("extracted_content"))
    if words.strip():
        node.add("text", f"{as_text(attachment.get('file_name'))}\n\n{code_block(words)}".strip())
    else:
        found.left_out.append("attached files")


def _block(block: JSON, node: ForeignMessage, found: ForeignConversation) -> None:
    kind = as_text(block.get("type"))
    if kind == "text":
        node.add("text", as_text(block.get("text")))
    elif kind == "thinking":
        node.add("reasoning", as_text(block.get("thinking")))
    elif kind == "tool_use":
        _tool(as_object(block.get("input")), node, found)
    elif kind == "tool_result":
        found.left_out.append("tool results")
    elif kind == "image":
        found.left_out.append("images")
    elif kind != "token_budget":  # the model's remaining budget, no content
        found.left_out.append(unknown_kind("parts", kind))


def _tool(given: JSON, node: ForeignMessage, found: ForeignConversation) -> None:
    """Keep text the model wrote as an artifact; other tool calls are left out."""
    words = as_text(given.get("content"))
    if as_text(given.get("command")) in ("create", "rewrite") and words.strip():
        heading = as_text(given.get("title"))
        body = (
            words
            if as_text(given.get("type")) == "text/markdown"
            else code_block(words, as_text(given.get("language")))
        )
        node.add("text", f"**{heading}**\n\n{body}" if heading else body)
    else:
        found.left_out.append("tool calls")
