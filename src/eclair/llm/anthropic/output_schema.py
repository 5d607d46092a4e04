"""JSON schemas as Anthropic's API takes them: objects are closed, and limits become part of the description."""

from __future__ import annotations

from typing import Any, cast

from eclair.llm.base import JSON

KEPT_KEYS = ("type", "enum", "const", "description", "title", "$ref", "default", "required")
"""Keywords that are passed on as they are."""

FORMATS = ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
NESTED_KEYS = ("properties", "$defs", "definitions")
LISTED_KEYS = ("anyOf", "allOf")


def close_schema(schema: JSON) -> JSON:
    """Return the schema with closed objects, and with the limits that the API doesn't enforce in words."""
    closed: JSON = {}
    limits: list[str] = []
    for key, value in schema.items():
        if key in NESTED_KEYS and isinstance(value, dict):
            closed[key] = {name: _close(inner) for name, inner in cast("JSON", value).items()}
        elif key in LISTED_KEYS and isinstance(value, list):
            closed[key] = [_close(inner) for inner in cast("list[Any]", value)]
        elif key == "oneOf" and isinstance(value, list):
            closed["anyOf"] = [_close(inner) for inner in cast("list[Any]", value)]
        elif key == "items":
            closed[key] = _close(value)
        elif key in KEPT_KEYS or (key == "format" and value in FORMATS) or (key == "minItems" and value in (0, 1)):
            closed[key] = value
        elif key not in ("$schema", "additionalProperties"):
            limits.append(f"{key}: {value}")
    if closed.get("type") == "object" or "properties" in closed:
        closed["additionalProperties"] = False
    if limits:
        closed["description"] = "\n\n".join(
            text for text in (closed.get("description"), "{" + ", ".join(limits) + "}") if text
        )
    return closed


def _close(schema: Any) -> Any:
    return close_schema(cast("JSON", schema)) if isinstance(schema, dict) else schema
