"""Foreign conversations, ordered and grouped as chat templates expect."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import orjson

from eclair.llm.base import JSON, PromptMessage

MALFORMED_FIELD = "malformed"
"""The field that holds arguments of an earlier call that were no JSON object."""

TOOL_IMAGES_TEXT = "These images belong to the results of the tools."


def merge_messages(messages: Iterable[PromptMessage]) -> tuple[PromptMessage, ...]:
    """Merge leading system messages into one, and consecutive messages of the assistant into one.

    Many templates don't know the role `developer` and reject a second system message. Reasoning at the
    end is dropped: nothing follows it.
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
    if merged and merged[-1].reasoning and not merged[-1].content and not merged[-1].tool_calls:
        merged.pop()
    return tuple(merged)


def move_tool_images(messages: Sequence[PromptMessage]) -> list[PromptMessage]:
    """Move images in tools' results to the user's message after them: engines take only text from tools."""
    moved: list[PromptMessage] = []
    images: list[JSON] = []
    for message in messages:
        if message.role == "tool" and isinstance(message.content, list):
            found = [part for part in message.content if part.get("type") == "image_url"]
            images += found
            text = join_texts(message.content)
            message = replace(message, content=text or "The result is an image." if found else text)
        elif images and message.role != "tool":
            if message.role == "user":
                content = message.content
                parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
                message = replace(message, content=[*images, *parts])
            else:
                moved.append(_tool_images(images))
            images = []
        moved.append(message)
    return [*moved, _tool_images(images)] if images else moved


def join_texts(parts: Iterable[JSON]) -> str:
    """Join the texts of a message's parts."""
    return "\n".join(str(part.get("text", "")) for part in parts if part.get("type") == "text")


def call_arguments(arguments: str | JSON | None) -> str:
    """Return the arguments of an earlier call as a JSON object: engines refuse anything else.

    A model's slip must not stop its conversation, so arguments that are no JSON object become a field of one.
    """
    if not isinstance(arguments, str):
        return orjson.dumps(arguments or {}).decode()
    try:
        value: Any = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        value = None
    return (arguments or "{}") if isinstance(value, dict) else orjson.dumps({MALFORMED_FIELD: arguments}).decode()


def last_question(messages: Iterable[PromptMessage]) -> str:
    """Return the text of the last user message."""
    contents = [message.content for message in messages if message.role == "user"]
    last = contents[-1] if contents else None
    return join_texts(last) if isinstance(last, list) else last or ""


def tool_call_message(id: str, name: str, arguments: str | JSON) -> PromptMessage:
    """Build the assistant message that calls a tool."""
    function = {"name": name, "arguments": call_arguments(arguments)}
    return PromptMessage("assistant", None, tool_calls=({"id": id, "type": "function", "function": function},))


def _merge(first: PromptMessage, second: PromptMessage) -> PromptMessage:
    texts = [text for text in (first.content, second.content) if isinstance(text, str) and text]
    thoughts = [thought for thought in (first.reasoning, second.reasoning) if thought]
    return replace(
        first,
        content="\n\n".join(texts) or None,
        tool_calls=first.tool_calls + second.tool_calls,
        reasoning="\n\n".join(thoughts) or None,
    )


def _tool_images(images: Sequence[JSON]) -> PromptMessage:
    return PromptMessage("user", [*images, {"type": "text", "text": TOOL_IMAGES_TEXT}])
