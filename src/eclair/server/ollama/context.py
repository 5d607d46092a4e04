"""`context` of `/api/generate`: the conversation as numbers, which the client sends back to go on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from eclair.errors import InvalidInput
from eclair.llm.base import PromptMessage

BYTES_PER_NUMBER = 3


def encode_context(messages: Sequence[PromptMessage], answer: str) -> list[int]:
    """Encode the texts of a conversation and its answer, three bytes to a number."""
    rows = [(message.role, _text(message)) for message in messages if message.role in ("user", "assistant")]
    data = orjson.dumps([*rows, ("assistant", answer)])
    padded = data + b" " * (-len(data) % BYTES_PER_NUMBER)
    return [
        int.from_bytes(padded[start : start + BYTES_PER_NUMBER]) for start in range(0, len(padded), BYTES_PER_NUMBER)
    ]


def decode_context(numbers: Sequence[int]) -> list[PromptMessage]:
    """Return the conversation so far. Raises InvalidInput for numbers that aren't from here."""
    if not numbers:
        return []
    try:
        rows: Any = orjson.loads(b"".join(number.to_bytes(BYTES_PER_NUMBER) for number in numbers))
        return [_message(*row) for row in rows]
    except (OverflowError, TypeError, ValueError):
        raise InvalidInput(
            "`context` is not from a reply of Éclair; leave it out, or send the conversation to /api/chat.",
            param="context",
        ) from None


def _message(role: Any, text: Any) -> PromptMessage:
    if role not in ("user", "assistant") or not isinstance(text, str):
        raise TypeError("not a message")
    return PromptMessage(role, text)


def _text(message: PromptMessage) -> str:
    if isinstance(message.content, list):
        return "\n".join(str(part.get("text", "")) for part in message.content if part.get("type") == "text")
    return message.content or ""
