"""Base classes of request bodies: an unknown field is rejected by name."""

from __future__ import annotations

from typing import Any, cast

import orjson
from pydantic import BaseModel, ConfigDict, Discriminator, Tag, model_validator


class StrictModel(BaseModel):
    """A part of a body; unknown fields are rejected."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class RequestBody(StrictModel):
    """A request's body. Values that could not be stored or sent as JSON again are rejected."""

    @model_validator(mode="before")
    @classmethod
    def _require_serializable(cls, data: Any) -> Any:
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


class ForeignBody(ForeignModel, RequestBody):
    """The body of a request of a foreign API."""


def union_tag(name: str) -> Tag:
    """Tag one alternative of a union, in a form that errors leave out of the field's name."""
    return Tag(f"dict[{name}]")


def type_discriminator(sentence: str, default: str | None = None) -> Discriminator:
    """Discriminate a union by `type`; `sentence` is the error for any other type."""

    def find_tag(value: Any) -> str:
        given = cast("dict[str, Any]", value) if isinstance(value, dict) else {"type": getattr(value, "type", default)}
        return f"dict[{given.get('type', default)}]"

    return Discriminator(find_tag, custom_error_type="no_such_type", custom_error_message=sentence)
