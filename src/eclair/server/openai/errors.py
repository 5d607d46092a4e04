"""Errors in the format of OpenAI's API."""

from __future__ import annotations

from eclair.errors import EclairError, NotFound, TooLarge, Unauthorized, UpstreamError, UserError
from eclair.llm.base import JSON


def body(error: EclairError) -> JSON:
    """Render an error in the format that OpenAI's clients read."""
    match error:
        case Unauthorized():
            kind = "authentication_error"
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
        case _:
            code = error.code
    return {"error": {"message": error.message, "type": kind, "param": error.param, "code": code}}
