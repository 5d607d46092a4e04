"""Errors in the format of Anthropic's API."""

from __future__ import annotations

from eclair.errors import EclairError, Forbidden, NotFound, Unauthorized, UpstreamError, UserError
from eclair.llm.base import JSON

PATH = "/v1/messages"


def body(error: EclairError) -> JSON:
    """Render an error in the format that Anthropic's clients read."""
    match error:
        case Unauthorized():
            kind = "authentication_error"
        case Forbidden():
            kind = "permission_error"
        case NotFound():
            kind = "not_found_error"
        case UpstreamError(status=429):
            kind = "rate_limit_error"
        case UserError() | UpstreamError(status=400):
            kind = "invalid_request_error"
        case _:
            kind = "api_error"
    return {"type": "error", "error": {"type": kind, "message": error.message}}
