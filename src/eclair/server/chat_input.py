"""What was said so far, as foreign dialects tell it, in the order and grouping that chat templates expect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from eclair.llm.base import PromptMessage


def grouped(messages: Iterable[PromptMessage]) -> tuple[PromptMessage, ...]:
    """One system message at the head, and one message for what the assistant said and called without an answer between.

    Many templates know no `developer` and refuse a second system message beside the first.
    """
    grouped: list[PromptMessage] = []
    for message in messages:
        if message.role == "developer":
            message = replace(message, role="system")
        last = grouped[-1] if grouped else None
        second = message.role == "system" and len(grouped) == 1
        if last is not None and last.role == message.role and (second or message.role == "assistant"):
            grouped[-1] = _joined(last, message)
        else:
            grouped.append(message)
    return tuple(grouped)


def question(messages: Iterable[PromptMessage]) -> str:
    """What the person said last."""
    contents = [message.content for message in messages if message.role == "user"]
    last = contents[-1] if contents else None
    if isinstance(last, list):
        return "\n".join(str(part.get("text", "")) for part in last if part.get("type") == "text")
    return last or ""


def call(id: str, name: str, arguments: str) -> PromptMessage:
    """The assistant called a tool."""
    function = {"name": name, "arguments": arguments}
    return PromptMessage("assistant", None, tool_calls=({"id": id, "type": "function", "function": function},))


def _joined(one: PromptMessage, other: PromptMessage) -> PromptMessage:
    texts = [text for text in (one.content, other.content) if isinstance(text, str) and text]
    return replace(one, content="\n\n".join(texts) or None, tool_calls=one.tool_calls + other.tool_calls)
