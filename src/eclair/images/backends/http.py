"""Shared by backends that call a server: replies, and errors in our words."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any
from urllib.parse import urlsplit

import orjson

from eclair.errors import EngineBroken, EngineBusy, EngineRefused, EngineUnavailable, KeyRefused, UpstreamError
from eclair.llm.remote.reply_values import as_sentence, error_text, redact_key
from eclair.network.client import BrokenReply, Reply, ReplyTooLarge, TimedOut, Unreachable
from eclair.network.retry_after import parse_retry_after
from eclair.network.ssrf import DEFAULT_PORTS

MAX_REPLY_BYTES = 64 << 20
"""An image of four million pixels as base64 has some 10 MiB."""

IMAGE_SIGNATURES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")


async def read_reply(name: str, call: AbstractAsyncContextManager[Reply]) -> tuple[Reply, bytes]:
    """Read a reply with all its bytes. Raises UpstreamError."""
    try:
        async with call as reply:
            content = await reply.body(MAX_REPLY_BYTES + 1)
    except Unreachable as error:
        raise EngineUnavailable(f"The engine {name} cannot be reached: {error}.") from error
    except TimedOut as error:
        raise EngineUnavailable(f"The engine {name} does not answer: {error}.") from error
    except BrokenReply as error:
        raise EngineBroken(f"The engine {name} broke off its answer: {error}; try again.") from error
    except ReplyTooLarge as error:
        raise EngineBroken(f"The engine {name} sends too much: {error}") from error
    if len(content) > MAX_REPLY_BYTES:
        raise EngineBroken(f"The engine {name} sends more than {MAX_REPLY_BYTES >> 20} MiB, too much for an image.")
    return reply, content


def parse_json(name: str, content: bytes) -> dict[str, Any]:
    """Parse a JSON object. Raises EngineBroken."""
    try:
        data: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise EngineBroken(f"The engine {name} doesn't send JSON; check its address.") from error
    if not isinstance(data, dict):
        raise EngineBroken(f"The engine {name} sends a reply that isn't understood; check its address.")
    return data  # pyright: ignore[reportUnknownVariableType]


def refusal_error(name: str, key: str | None, reply: Reply, content: bytes) -> UpstreamError:
    """Turn a reply other than 200 into an error."""
    status, said = reply.status, server_message(key, content) or f"status {reply.status}"
    if status in (401, 403):
        wrong = "does not accept the key" if key else "asks for a key"
        return KeyRefused(f"The engine {name} {wrong}; set another in the settings of its engine.")
    if status == 402 or "quota" in said.lower() or "billing" in said.lower():
        return EngineRefused(f"The engine {name} has no credit left: {as_sentence(said)}")
    if status == 429:
        after = parse_retry_after(reply.headers.get("Retry-After"))
        return EngineBusy(f"The engine {name} is busy: {as_sentence(said)}", retry_after=after)
    if status in (408, 502, 503, 504):
        return EngineUnavailable(f"The engine {name} is not available: {as_sentence(said)}")
    if status >= 500:
        return EngineBroken(f"The engine {name} failed: {as_sentence(said)}")
    return EngineRefused(f"The engine {name} refuses the request: {as_sentence(said)}")


def server_message(key: str | None, content: bytes) -> str:
    """Return the server's own message in the body of an error; empty where there is none for people."""
    try:
        return redact_key(key, error_text(orjson.loads(content)))
    except orjson.JSONDecodeError:
        text = content[:300].decode(errors="replace").strip()
        return "" if text.startswith("<") else redact_key(key, text)


def check_image(name: str, content: bytes) -> bytes:
    """Return `content` if it begins like an image. Raises EngineBroken."""
    if not content.startswith(IMAGE_SIGNATURES):
        raise EngineBroken(f"The engine {name} sent no valid image; try again.")
    return content


def origin_of(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an HTTP URL; None for anything else."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme, 0)
    except ValueError:
        return None
    host = (parts.hostname or "").rstrip(".")
    return (parts.scheme, host, port) if host and parts.scheme in DEFAULT_PORTS and "@" not in parts.netloc else None
