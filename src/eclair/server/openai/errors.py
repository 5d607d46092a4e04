"""Errors in the format of OpenAI's API."""

from __future__ import annotations

from eclair.errors import (
    BudgetExceeded,
    ContextExceeded,
    EclairError,
    EngineRefused,
    NotFound,
    TooLarge,
    Unauthorized,
    UpstreamError,
    UserError,
)
from eclair.llm.base import JSON


def body(error: EclairError) -> JSON:
    """Render an error in the format that OpenAI's clients read."""
    match error:
        case Unauthorized():
            kind = "authentication_error"
        case BudgetExceeded():
            kind = "insufficient_quota"
        case TooLarge() | UserError():
            kind = "invalid_request_error"
        case UpstreamError(status=429):
            kind = "rate_limit_error"
        case UpstreamError(status=400):
            kind = "invalid_request_error"
        case _:
            kind = "server_error"
    match error:
        case NotFound(param="model"):
            code = "model_not_found"
        case Unauthorized():
            code = "invalid_api_key"
        case EngineRefused(upstream_code=str(upstream_code)):
            code = upstream_code
        case _:
            code = error.code
    return {"error": {"message": _message(error), "type": kind, "param": error.param, "code": code}}


def _message(error: EclairError) -> str:
    """Return the message; that of a prompt that is too long as OpenAI begins it, by which clients know it."""
    if isinstance(error, ContextExceeded) and error.context is not None:
        return (
            f"This model's maximum context length is {error.context} tokens, and the messages have "
            f"{error.prompt_tokens}; shorten them."
        )
    return error.message
