"""Le Chat's export: a JSON file for each chat, an array of messages in any order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eclair.transfer.json_fields import JSON, as_list, as_milliseconds, as_object, as_text
from eclair.transfer.normalize import ForeignConversation, ForeignMessage, ImportedConversation, unknown_kind

_LEFT_OUT = {"tool_call": "tool calls", "reference": "marks of sources", "image_url": "images"}


def matches(data: JSON) -> bool:
    return isinstance(data.get("chatId"), str) and "role" in data and "createdAt" in data


def read(records: Sequence[JSON], now: int) -> Iterator[ImportedConversation]:
    chats: dict[str, list[JSON]] = {}
    for record in records:
        chats.setdefault(as_text(record.get("chatId")), []).append(record)
    for id, messages in chats.items():
        messages.sort(key=lambda message: as_milliseconds(message.get("createdAt")) or now)
        yield _chat(id, messages).normalize(now)


def _chat(id: str, messages: Sequence[JSON]) -> ForeignConversation:
    """Chain the messages in order of time; a second answer to a question is a branch."""
    found = ForeignConversation(kind="lechat", id=id, title="", nodes=[], leaf=None)
    before: str | None = None
    question: str | None = None
    for number, message in enumerate(messages):
        node = _node(number, message, found)
        if node.role == "assistant" and question is not None:
            node.parent = question
        else:
            node.parent = before
        if node.is_shown:
            before = node.id
            question = node.id if node.role == "user" else question
        found.nodes.append(node)
    found.leaf = before
    return found


def _node(number: int, message: JSON, found: ForeignConversation) -> ForeignMessage:
    role = as_text(message.get("role"))
    node = ForeignMessage(
        f"{as_text(message.get('id'))}:{number}",
        None,
        "user" if role == "user" else "assistant" if role == "assistant" else None,
        created=as_milliseconds(message.get("createdAt")),
    )
    if node.role is None:
        found.left_out.append(unknown_kind("messages", role))
    found.left_out += ["attached files"] * len(as_list(message.get("files")))
    found.left_out += ["canvases"] * len(as_list(message.get("canvas")))
    words = "".join(_text(as_object(chunk), found) for chunk in as_list(message.get("contentChunks")))
    node.add("text", words if words.strip() else as_text(message.get("content")))
    return node


def _text(chunk: JSON, found: ForeignConversation) -> str:
    kind = as_text(chunk.get("type"))
    if kind == "text":
        return as_text(chunk.get("text"))
    found.left_out.append(_LEFT_OUT.get(kind) or unknown_kind("parts", kind))
    return ""
