"""Microsoft Copilot's activity history, a CSV of messages, newest first, with the titles of their conversations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from eclair.transfer.json_fields import JSON, as_milliseconds, as_text
from eclair.transfer.normalize import ForeignConversation, ForeignMessage, ImportedConversation, unknown_kind

HEADER = ("Conversation", "Time", "Author", "Message")


def matches(data: JSON) -> bool:
    return tuple(data) == HEADER


def read(records: Sequence[JSON], now: int) -> Iterator[ImportedConversation]:
    """Reverse the rows: a question and its answer often have the same time."""
    found: dict[str, ForeignConversation] = {}
    for record in reversed(records):
        title = as_text(record.get("Conversation"))
        chat = found.setdefault(title, ForeignConversation(kind="copilot", id=title, title=title, nodes=[], leaf=None))
        author = as_text(record.get("Author"))
        node = ForeignMessage(
            f"{len(chat.nodes)}",
            chat.leaf,
            "user" if author == "Human" else "assistant" if author == "AI" else None,
            created=as_milliseconds(record.get("Time")),
        )
        if node.role is None:
            chat.left_out.append(unknown_kind("messages", author))
        node.add("text", as_text(record.get("Message")))
        chat.nodes.append(node)
        chat.leaf = node.id
    for chat in found.values():
        yield chat.normalize(now)
