"""Base classes of request bodies: an unknown field is rejected by name."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, cast

import orjson
from pydantic import BaseModel, ConfigDict, Discriminator, GetCoreSchemaHandler, Tag, model_validator

MAX_INTEGER = (1 << 63) - 1
"""The largest number that the database can hold."""

_NO_SCHEMAS = frozenset({"default", "metadata", "serialization"})
"""Keys of a schema whose values are no schemas, or don't concern input."""


def _strict(schema: Any) -> Any:
    """Make the booleans and numbers of a schema strict, and its whole numbers no larger than `MAX_INTEGER`."""
    if isinstance(schema, list | tuple):
        parts = [_strict(each) for each in cast("Sequence[Any]", schema)]
        return tuple(parts) if isinstance(schema, tuple) else parts
    if not isinstance(schema, dict):
        return schema
    given = cast("dict[str, Any]", schema)
    strict: Any = {name: value if name in _NO_SCHEMAS else _strict(value) for name, value in given.items()}
    match strict.get("type"):
        case "bool" | "float":
            strict["strict"] = True
        case "int":
            limits = {"ge": -MAX_INTEGER - 1, "le": MAX_INTEGER} if not {"le", "lt"} & strict.keys() else {}
            strict = limits | strict | {"strict": True}
            return {"type": "function-before", "function": {"type": "no-info", "function": _whole}, "schema": strict}
        case _:
            pass
    return strict


def _whole(value: Any) -> Any:
    """Return 5 for 5.0, which JSON doesn't tell apart."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class StrictModel(BaseModel):
    """A part of a body; unknown fields are rejected, and values of another type than JSON's own."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> Any:
        return _strict(handler(source))


class RequestBody(StrictModel):
    """A request's body. Values that could not be stored or sent as JSON again are rejected.

    JSON is taken under any content type, since `curl -d` calls it a form.
    """

    @model_validator(mode="before")
    @classmethod
    def _require_serializable(cls, data: Any) -> Any:
        if isinstance(data, bytes):
            data = _parse(data)
        try:
            orjson.dumps(data)
        except orjson.JSONEncodeError as error:
            is_surrogate = "surrogates" in str(error)
            what = (
                "half a character (a lone surrogate)"
                if is_surrogate
                else "a number beyond 64 bits, or too many brackets"
            )
            raise ValueError(f"the body holds {what}") from None
        return data


class ForeignModel(StrictModel):
    """A part of a request of a foreign API: null means left out, whatever the field."""

    @model_validator(mode="before")
    @classmethod
    def _drop_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in cast("dict[str, Any]", data).items() if value is not None}


class ForeignBody(RequestBody, ForeignModel):
    """The body of a request of a foreign API."""


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        raise ValueError("the body is not JSON; send JSON with `Content-Type: application/json`") from None


def union_tag(name: str) -> Tag:
    """Tag one alternative of a union, in a form that errors leave out of the field's name."""
    return Tag(f"dict[{name}]")


def type_discriminator(sentence: str, default: str | None = None) -> Discriminator:
    """Discriminate a union by `type`; `sentence` is the error for any other type."""

    def find_tag(value: Any) -> str:
        given = cast("dict[str, Any]", value) if isinstance(value, dict) else {"type": getattr(value, "type", default)}
        return f"dict[{given.get('type', default)}]"

    return Discriminator(find_tag, custom_error_type="no_such_type", custom_error_message=sentence)
