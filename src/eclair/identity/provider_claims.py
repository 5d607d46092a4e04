"""Claims: reads what a provider says about a person, whose types nothing guarantees."""

from __future__ import annotations

from typing import Any, cast

MAX_TEXT_CHARS = 300

JSON = dict[str, Any]


def as_object(value: object) -> JSON | None:
    return cast("JSON", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[object] | None:
    return cast("list[object]", value) if isinstance(value, list) else None


def as_number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def as_text(value: object) -> str | None:
    """Return a text without white space around it, cut where it is long; None for an empty one."""
    return value.strip()[:MAX_TEXT_CHARS] or None if isinstance(value, str) else None


def as_names(value: object) -> tuple[str, ...] | None:
    """Return the texts in a claim that is a text, a list, or an object whose names they are."""
    if isinstance(value, str):
        return (value,)
    found = as_list(value) or as_object(value)
    if found is None:
        return () if value == [] or value == {} else None
    return tuple(each for each in found if isinstance(each, str))


def find_claim(claims: JSON, path: str) -> object:
    """Return a claim by its name, or by a path of names with dots; None where there is none."""
    if path in claims:
        return claims[path]
    found: object = claims
    for step in path.split("."):
        inner = as_object(found)
        found = None if inner is None else inner.get(step)
    return found
