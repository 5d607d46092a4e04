"""Foreign conversations, ordered and grouped as chat templates expect."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from eclair.llm.base import PromptMessage


def merge_messages(messages: Iterable[PromptMessage]) -> tuple[PromptMessage, ...]:
    """Merge leading system messages into one, and consecutive messages of the assistant into one.

    Many templates don't know the role `developer` and reject a second system message.
    """
    merged: list[PromptMessage] = []
    for message in messages:
        if message.role == "developer":
            message = replace(message, role="system")
        last = merged[-1] if merged else None
        is_second_system = message.role == "system" and len(merged) == 1
        if last is not None and last.role == message.role and (is_second_system or message.role == "assistant"):
            merged[-1] = _merge(last, message)
        else:
            merged.append(message)
    return tuple(merged)


def last_question(messages: Iterable[PromptMessage]) -> str:
    """Return the text of the last user message."""
    contents = [message.content for message in messages if message.role == "user"]
    last = contents[-1] if contents else None
    if isinstance(last, list):
        return "\n".join(str(part.get("text", "")) for part in last if part.get("type") == "text")
    return last or ""


def tool_call_message(id: str, name: str, arguments: str) -> PromptMessage:
    """Build the assistant message that calls a tool."""
    function = {"name": name, "arguments": arguments}
    return PromptMessage("assistant", None, tool_calls=({"id": id, "type": "function", "function": function},))


def _merge(first: PromptMessage, second: PromptMessage) -> PromptMessage:
    texts = [text for text in (first.content, second.content) if isinstance(text, str) and text]
    return replace(first, content="\n\n".join(texts) or None, tool_calls=first.tool_calls + second.tool_calls)
