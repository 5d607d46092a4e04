"""Answers of people to questions of MCP servers, checked by the fields of the form before they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from urllib.parse import urlsplit

from eclair.errors import InvalidInput
from eclair.schema.elicitations import ElicitationField, FieldValue

MAX_TEXT_CHARS = 10_000


def check_answer(fields: Sequence[ElicitationField], content: Mapping[str, FieldValue]) -> dict[str, FieldValue]:
    """Return the values that a server gets; fields without a value are left out. Raises InvalidInput."""
    names = {field.name for field in fields}
    for name in content:
        if name not in names:
            raise InvalidInput(f"The form has no field {name[:80]!r}; leave it out.", param="content")
    checked: dict[str, FieldValue] = {}
    for field in fields:
        value = content.get(field.name)
        if value is None or (value in ("", []) and not field.is_required):
            if field.is_required:
                raise InvalidInput(f"“{field.title}” is required; fill it in.", param="content")
            continue
        fault = _fault(field, value)
        if fault is not None:
            raise InvalidInput(f"“{field.title}” {fault}.", param="content")
        checked[field.name] = value
    return checked


def read_value(field: ElicitationField, typed: str) -> FieldValue:
    """Return a value as somebody typed it; several choices are separated by commas. Raises InvalidInput."""
    typed = typed.strip()
    match field.kind:
        case "text":
            return typed
        case "boolean":
            if typed.lower() not in ("y", "yes", "true", "n", "no", "false"):
                raise InvalidInput(f"“{field.title}” takes y or n.", param="content")
            return typed.lower() in ("y", "yes", "true")
        case "integer" | "number":
            try:
                return int(typed) if field.kind == "integer" else float(typed)
            except ValueError:
                raise InvalidInput(f"“{field.title}” has to be a number.", param="content") from None
        case "choice":
            return _chosen(field, typed)
        case "choices":
            return [_chosen(field, each) for each in typed.split(",") if each.strip()]


def _chosen(field: ElicitationField, typed: str) -> str:
    """Return an option by its number from 1, its title or its value."""
    typed = typed.strip()
    if typed.isdecimal() and 0 < int(typed) <= len(field.options):
        return field.options[int(typed) - 1].value
    return next((each.value for each in field.options if typed in (each.title, each.value)), typed)


def _fault(field: ElicitationField, value: FieldValue) -> str | None:
    """Return what is wrong with a value, for the end of a sentence."""
    match field.kind:
        case "boolean":
            return None if isinstance(value, bool) else "has to be true or false"
        case "number" | "integer":
            if isinstance(value, bool) or not isinstance(value, int | float):
                return "has to be a number"
            if field.kind == "integer" and value != int(value):
                return "has to be a whole number"
            return _bounds_fault(field, value, "")
        case "choice":
            return None if value in [each.value for each in field.options] else "has to be one of the choices"
        case "choices":
            options = [each.value for each in field.options]
            if not isinstance(value, list) or any(each not in options for each in value):
                return "has to be some of the choices"
            return _bounds_fault(field, len(value), " choices")
        case "text":
            if not isinstance(value, str) or len(value) > MAX_TEXT_CHARS:
                return f"has to be a text of at most {MAX_TEXT_CHARS:,} characters"
            return _bounds_fault(field, len(value), " characters") or _format_fault(field, value)


def _bounds_fault(field: ElicitationField, value: float, unit: str) -> str | None:
    if field.minimum is not None and value < field.minimum:
        return f"has to be at least {field.minimum:g}{unit}"
    if field.maximum is not None and value > field.maximum:
        return f"has to be at most {field.maximum:g}{unit}"
    return None


def _format_fault(field: ElicitationField, value: str) -> str | None:
    match field.format:
        case None:
            return None
        case "email":
            name, _, host = value.rpartition("@")
            is_one = bool(name and host) and not any(char.isspace() for char in value)
            return None if is_one else "has to be an e-mail address"
        case "uri":
            return None if _is_address(value) else "has to be an address such as https://example.org"
        case "date":
            return None if _is_date(value) else "has to be a date such as 2026-11-29"
        case "date-time":
            return None if _is_moment(value) else "has to be a date and time such as 2026-11-29T12:00:00Z"


def _is_address(value: str) -> bool:
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme) and bool(parts.netloc or parts.path)


def _is_date(value: str) -> bool:
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_moment(value: str) -> bool:
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return "T" in value
