"""Refusals of a server: what a status other than 200 means, as an error that says what to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NoReturn, cast

import orjson

from eclair.errors import (
    ContextExceeded,
    EngineBroken,
    EngineBusy,
    EngineRefused,
    EngineUnavailable,
    KeyRefused,
    UpstreamError,
)
from eclair.llm.base import JSON
from eclair.llm.remote.reply_values import as_sentence, error_text, redact_key
from eclair.network.retry_after import parse_retry_after

OVERLOADED = 529
"""Anthropic's own status for a server that has too much to do."""

_TOO_LONG = re.compile(
    "prompt is too long|context length|context window|context size|maximum context|exceeds the maximum number of tokens"
    "|too large for model"
)
"""Words of those who say that a conversation is too long for the model."""

OVERFLOW_CODES = {"context_length_exceeded", "exceed_context_size_error"}

_RETRY_DELAY = re.compile(rb'"retryDelay": ?"([0-9]{1,6}(?:[.][0-9]{1,9})?)s"')
MAX_ERROR_BYTES = 64 << 10


class Retryable(Exception):
    """A failure that another attempt may solve, after `after` seconds; else raise `fault`."""

    def __init__(self, fault: UpstreamError, after: float = 0.0) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.after = after


def refuse(
    status: int, headers: Mapping[str, str], content: bytes, name: str, key: str | None, setting: str
) -> NoReturn:
    """Raise the error for a reply of the engine `name`, whose key `setting` sets: an UpstreamError or Retryable."""
    said = redact_key(key, _message(content)) or f"status {status}"
    after = parse_retry_after(headers.get("Retry-After"))
    if status in (401, 403) or (status == 400 and "api key not valid" in said.lower()):
        raise KeyRefused(f"The engine {name} does not accept the key; set {setting}.")
    if status in (429, OVERLOADED):
        after = _retry_delay(content) if after is None else after
        raise EngineBusy(f"The engine {name} is busy: {as_sentence(said)}", retry_after=after)
    if status == 503 and after is not None:
        raise Retryable(EngineUnavailable(f"The engine {name} is not available: {as_sentence(said)}"), after)
    if status in (408, 502, 503, 504):
        raise EngineUnavailable(f"The engine {name} is not available: {as_sentence(said)}")
    if status >= 500 and status != 501:  # not implemented, such as filling in without the tokens for it
        raise EngineBroken(f"The engine {name} failed: {as_sentence(without_json(said))}")
    raise refused(name, as_sentence(said), _parse(content))


def refused(name: str, said: str, data: Any = None) -> EngineRefused:
    """Return the error for a request that the engine `name` refuses with the sentence `said`.

    `data` is what it sent: the code and the field that it names, and the numbers of tokens, are passed on.
    """
    found: object = cast("JSON", data).get("error") if isinstance(data, dict) else None
    error = cast("JSON", found if isinstance(found, dict) else data if isinstance(data, dict) else {})
    code, param = error.get("code"), error.get("param")
    if OVERFLOW_CODES & {str(code), str(error.get("type"))} or _TOO_LONG.search(said.lower()):
        return _context_exceeded(name, said, error)
    return EngineRefused(
        f"The engine {name} refuses the request: {said}",
        param=param if isinstance(param, str) else None,
        upstream_code=code if isinstance(code, str) else None,
    )


def without_json(said: str) -> str:
    """Return a server's words up to the JSON that some repeat: a request belongs neither in a log nor in an error."""
    return said.partition("{")[0].partition("[")[0].strip() or "it does not say why"


def _context_exceeded(name: str, said: str, error: JSON) -> ContextExceeded:
    prompt, context = error.get("n_prompt_tokens"), error.get("n_ctx")
    if not isinstance(prompt, int) or not isinstance(context, int):
        return ContextExceeded(f"The engine {name} refuses the request: {said}")
    return ContextExceeded(
        f"The prompt has {prompt:,} tokens, and the model's window {context:,}; shorten the conversation.",
        prompt_tokens=prompt,
        context=context,
    )


def _parse(content: bytes) -> Any:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError:
        return None


def _retry_delay(content: bytes) -> float | None:
    """Return the seconds to wait that Google's errors state in their body."""
    found = _RETRY_DELAY.search(content[:MAX_ERROR_BYTES])
    return float(found[1]) if found else None


def _message(content: bytes) -> str:
    """Return the server's own words in a refusal; empty if there are none to read."""
    try:
        return error_text(orjson.loads(content))
    except orjson.JSONDecodeError:
        text = content[:300].decode(errors="replace").strip()
        return "" if text.startswith("<") else text
