"""Models of arguments by the schemas of servers: what a model wrote is checked before it is sent anywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

from pydantic import BaseModel, RootModel, model_validator

MAX_NAMED_FAULTS = 3
_PATTERNS = frozenset({"pattern", "patternProperties", "propertyNames"})
"""Keywords whose expressions may take forever; their server checks them itself."""


def argument_model(name: str, schema: Mapping[str, Any]) -> type[BaseModel]:
    """Return a pydantic model that takes what a JSON schema allows; its `root` is an object."""
    checked = cast("dict[str, Any]", without_patterns(schema))

    class Arguments(RootModel[dict[str, Any]]):
        @model_validator(mode="after")
        def check(self) -> Arguments:
            faults = list(_faults(checked, self.root))
            if faults:
                raise ValueError("; ".join(faults))
            return self

    Arguments.__name__ = name
    return Arguments


def without_patterns(value: Any) -> Any:
    """Leave out of a schema what matches texts by expressions."""
    if isinstance(value, list):
        return [without_patterns(each) for each in cast("list[Any]", value)]
    if not isinstance(value, Mapping):
        return value
    items = cast("Mapping[str, Any]", value)
    properties = items.get("properties")
    kept = {key: without_patterns(each) for key, each in items.items() if key not in _PATTERNS and key != "properties"}
    if isinstance(properties, Mapping):  # names of properties are no keywords
        kept["properties"] = {
            key: without_patterns(each) for key, each in cast("Mapping[str, Any]", properties).items()
        }
    return kept


def _faults(schema: dict[str, Any], value: dict[str, Any]) -> Iterator[str]:
    from jsonschema import Draft202012Validator  # slow to import

    for number, error in enumerate(Draft202012Validator(schema).iter_errors(value)):
        if number == MAX_NAMED_FAULTS:
            return
        path = ".".join(map(str, error.absolute_path))
        yield f"{path}: {error.message[:200]}" if path else error.message[:200]
