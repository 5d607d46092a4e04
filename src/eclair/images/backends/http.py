"""Asking a server for pictures: its troubles in our words, and what it sends taken for a picture only if it is one."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit

import orjson

from eclair.errors import EngineBroken, EngineBusy, EngineRefused, EngineUnavailable, UpstreamError
from eclair.llm.openai.stream_parser import as_sentence, error_text, redact_key
from eclair.network.client import BrokenReply, Reply, ReplyTooLarge, TimedOut, Unreachable
from eclair.network.retry_after import parse_retry_after

MOST = 64 << 20
"""Bytes of an answer: a picture of four million pixels as base64 has some ten."""

MAGIC = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")


async def read(name: str, call: AbstractAsyncContextManager[Reply]) -> tuple[Reply, bytes]:
    """A reply with all its bytes. Raises UpstreamError."""
    try:
        async with call as reply:
            content = await reply.body(MOST + 1)
    except Unreachable as error:
        raise EngineUnavailable(f"The engine {name} cannot be reached: {error}.") from error
    except TimedOut as error:
        raise EngineUnavailable(f"The engine {name} does not answer: {error}.") from error
    except BrokenReply as error:
        raise EngineBroken(f"The engine {name} broke off its answer: {error}; try again.") from error
    except ReplyTooLarge as error:
        raise EngineBroken(f"The engine {name} sends too much: {error}") from error
    if len(content) > MOST:
        raise EngineBroken(f"The engine {name} sends more than {MOST >> 20} MiB, which is no picture.")
    return reply, content


def parsed(name: str, content: bytes) -> dict[str, Any]:
    """The JSON object in `content`. Raises EngineBroken."""
    try:
        data: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise EngineBroken(f"The engine {name} sends what is no JSON; check its address.") from error
    if not isinstance(data, dict):
        raise EngineBroken(f"The engine {name} sends what nobody understands; check its address.")
    return data  # pyright: ignore[reportUnknownVariableType]


def refusal(name: str, key: str | None, reply: Reply, content: bytes) -> UpstreamError:
    """What a reply other than 200 means."""
    status, said = reply.status, told(key, content) or f"status {reply.status}"
    if status in (401, 403):
        wrong = "does not accept the key" if key else "asks for a key"
        return EngineRefused(f"The engine {name} {wrong}; set another in the settings of its engine.")
    if status == 402 or "quota" in said.lower() or "billing" in said.lower():
        return EngineRefused(f"The engine {name} has nothing left to pay with: {as_sentence(said)}")
    if status == 429:
        after = parse_retry_after(reply.headers.get("Retry-After"))
        return EngineBusy(f"The engine {name} is busy: {as_sentence(said)}", retry_after=after)
    if status in (408, 502, 503, 504):
        return EngineUnavailable(f"The engine {name} is not available: {as_sentence(said)}")
    if status >= 500:
        return EngineBroken(f"The engine {name} failed: {as_sentence(said)}")
    return EngineRefused(f"The engine {name} refuses the wish: {as_sentence(said)}")


def told(key: str | None, content: bytes) -> str:
    """The server's own words in the body of a refusal; empty where it has none that a person can read."""
    try:
        return redact_key(key, error_text(orjson.loads(content)))
    except orjson.JSONDecodeError:
        text = content[:300].decode(errors="replace").strip()
        return "" if text.startswith("<") else redact_key(key, text)


def picture(name: str, content: bytes) -> bytes:
    """`content` if it begins as a picture does. Raises EngineBroken."""
    if not content.startswith(MAGIC):
        raise EngineBroken(f"What the engine {name} sends as a picture is none; try again.")
    return content


def host(url: str) -> str:
    """The host of an address; empty for what is none."""
    try:
        parts = urlsplit(url)
        return (parts.hostname or "").rstrip(".") if parts.scheme in ("http", "https") else ""
    except ValueError:
        return ""
