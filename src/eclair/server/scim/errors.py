"""Errors in SCIM's format (RFC 7644)."""

from __future__ import annotations

from typing import Any

from eclair.errors import EclairError

_SCHEMA = "urn:ietf:params:scim:api:messages:2.0:Error"


def body(error: EclairError) -> dict[str, Any]:
    """Return the body of an error."""
    return {"schemas": [_SCHEMA], "status": str(error.status), "detail": error.message}
