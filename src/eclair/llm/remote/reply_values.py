"""Reads values and sentences from a server's replies."""

from __future__ import annotations

from typing import Any

import orjson

from eclair.llm.base import JSON

MAX_COUNT = 1 << 53
"""The largest number that JSON carries exactly everywhere."""

ILL_TYPED = (TypeError, AttributeError, KeyError, IndexError, OverflowError, RecursionError)
"""Raised by a reply whose values are of other types than the API's."""


def error_text(data: Any) -> str:
    """Return the message of an error, wherever the server put it; empty if there is none."""
    match data:
        case str():
            return data
        case {"error": error} if error:
            return error_text(error)
        case {"message": str(message)}:
            return message
        case {"msg": str(message), "loc": [_, *path]} if path:
            return f"{'.'.join(map(str, path))}: {message}"  # pyright: ignore[reportUnknownArgumentType]
        case {"message": detail} | {"detail": detail} | {"msg": detail} | [detail, *_]:
            return error_text(detail)  # pyright: ignore[reportUnknownArgumentType]
        case _:
            return ""


def redact_key(key: str | None, text: str) -> str:
    """Return `text` without the key, which some servers repeat in errors."""
    return text.replace(key, "(the key)") if key else text


def as_sentence(text: str) -> str:
    """Return `text` on one line of at most 500 characters, with a full stop."""
    text = " ".join(text.split())[:500]
    return text if text.endswith((".", "!", "?")) else text + "."


def optional_text(value: Any) -> str | None:
    """Return a text or None. Raises TypeError."""
    if value is None or isinstance(value, str):
        return value
    raise TypeError("not a text")


def as_object(value: Any) -> JSON:
    """Return an object. Raises TypeError."""
    if isinstance(value, dict):
        return value  # pyright: ignore[reportUnknownVariableType]
    raise TypeError("not an object")


def optional_count(value: Any) -> int | None:
    """Return a number as `as_count` does; None for None."""
    return None if value is None else as_count(value)


def as_count(value: Any) -> int:
    """Return a number of tokens or calls; 0 for None. Raises ValueError and TypeError."""
    number = int(value or 0)
    if not 0 <= number <= MAX_COUNT:
        raise ValueError(f"{number} is no number of tokens")
    return number


def parse_object(payload: bytes) -> JSON:
    """Parse a JSON object; what isn't one becomes an error of the server's. Raises ValueError for what is no JSON."""
    try:
        data: Any = orjson.loads(payload)
    except orjson.JSONDecodeError:
        # A server that cuts a character in two sends bytes that are not UTF-8; the rest is good.
        data = orjson.loads(payload.decode(errors="replace"))
    if not isinstance(data, dict):
        return {"error": "its stream holds something other than objects"}
    return data  # pyright: ignore[reportUnknownVariableType]
