"""JSON Schema, as far as it decides whether arguments fit a tool. No I/O.

Keywords beyond these, and `pattern` and `format`, are taken to hold: a foreign pattern can take for ever.
"""

from __future__ import annotations

from typing import Any

MAX_STEPS = 20_000
"""Schemas and values that are compared at most: references can make a small schema endless."""

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
    "number": (int, float),
    "integer": (int, float),
}


class SchemaCheck:
    """Compares values with a schema. Comparing costs steps, and without any left nothing fits."""

    def __init__(self, schema: Any) -> None:
        self._root = schema
        self._steps_left = MAX_STEPS

    def fits(self, value: Any) -> bool:
        """Return whether a value fits the schema; False also if that is too much to find out."""
        try:
            return self._fits(value, self._root)
        except (RecursionError, TypeError, AttributeError, ValueError):  # too deep, or no schema
            return False

    def _fits(self, value: Any, schema: Any) -> bool:
        self._steps_left -= 1
        if self._steps_left < 0:
            raise RecursionError
        if isinstance(schema, bool):
            return schema
        if "$ref" in schema and not self._fits(value, self._resolve(schema["$ref"])):
            return False
        return (
            _has_type(value, schema.get("type"))
            and ("const" not in schema or _is_equal(value, schema["const"]))
            and ("enum" not in schema or any(_is_equal(value, each) for each in schema["enum"]))
            and self._fits_combination(value, schema)
            and (not isinstance(value, dict) or self._fits_object(value, schema))  # pyright: ignore[reportUnknownArgumentType]
            and (not isinstance(value, list) or self._fits_array(value, schema))  # pyright: ignore[reportUnknownArgumentType]
            and (not isinstance(value, str) or _is_within(len(value), schema, "minLength", "maxLength"))
            and (not isinstance(value, int | float) or _is_within(value, schema, "minimum", "maximum"))
        )

    def _fits_combination(self, value: Any, schema: dict[str, Any]) -> bool:
        return (
            all(self._fits(value, each) for each in schema.get("allOf", ()))
            and ("anyOf" not in schema or any(self._fits(value, each) for each in schema["anyOf"]))
            and ("oneOf" not in schema or sum(self._fits(value, each) for each in schema["oneOf"]) == 1)
            and ("not" not in schema or not self._fits(value, schema["not"]))
        )

    def _fits_object(self, value: dict[str, Any], schema: dict[str, Any]) -> bool:
        known = schema.get("properties", {})
        others = schema.get("additionalProperties", True) if "patternProperties" not in schema else True
        return (
            all(name in value for name in schema.get("required", ()))
            and all(self._fits(each, known.get(name, others)) for name, each in value.items())
            and _is_within(len(value), schema, "minProperties", "maxProperties")
        )

    def _fits_array(self, value: list[Any], schema: dict[str, Any]) -> bool:
        first = schema.get("prefixItems", [])
        others = schema.get("items", True)
        return _is_within(len(value), schema, "minItems", "maxItems") and all(
            self._fits(each, first[at] if at < len(first) else others) for at, each in enumerate(value)
        )

    def _resolve(self, reference: str) -> Any:
        if not reference.startswith("#"):
            raise ValueError(f"a reference to {reference!r}, which is elsewhere")
        found = self._root
        for step in reference[1:].split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            found = found[int(name)] if isinstance(found, list) else found.get(name, True)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return found  # pyright: ignore[reportUnknownVariableType]


def _has_type(value: Any, wanted: str | list[str] | None) -> bool:
    if wanted is None:
        return True
    if isinstance(wanted, list):
        return any(_has_type(value, each) for each in wanted)
    if isinstance(value, bool):
        return wanted == "boolean"
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES.get(wanted, object))


def _is_equal(value: Any, other: Any) -> bool:
    """Compare as JSON does, where true isn't 1."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _is_within(number: float, schema: dict[str, Any], least: str, most: str) -> bool:
    return schema.get(least, number) <= number <= schema.get(most, number)
