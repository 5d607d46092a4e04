"""Errors in the format of Anthropic's API."""

from __future__ import annotations

from eclair.errors import (
    BudgetExceeded,
    ContextExceeded,
    EclairError,
    EngineUnavailable,
    Forbidden,
    NotFound,
    TooBusy,
    TooLarge,
    Unauthorized,
    UpstreamError,
    UserError,
)
from eclair.llm.base import JSON

PATH = "/v1/messages"


def body(error: EclairError) -> JSON:
    """Render an error in the format that Anthropic's clients read."""
    match error:
        case Unauthorized():
            kind = "authentication_error"
        case Forbidden():
            kind = "permission_error"
        case TooLarge():
            kind = "request_too_large"
        case EngineUnavailable():
            kind = "overloaded_error"
        case TooBusy() | BudgetExceeded():
            kind = "rate_limit_error"
        case NotFound():
            kind = "not_found_error"
        case UpstreamError(status=429):
            kind = "rate_limit_error"
        case UserError() | UpstreamError(status=400):
            kind = "invalid_request_error"
        case _:
            kind = "api_error"
    return {"type": "error", "error": {"type": kind, "message": _message(error)}}


def _message(error: EclairError) -> str:
    """Return the message; that of a prompt that is too long as Anthropic begins it, by which clients know it."""
    match error:
        case ContextExceeded(prompt_tokens=int(tokens), context=int(context)):
            return f"prompt is too long: {tokens} tokens > {context} maximum"
        case ContextExceeded():
            return f"prompt is too long: {error.message}"
        case _:
            return error.message
