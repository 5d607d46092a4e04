"""What every request's body has in common: a field that is not known is refused by name."""

from __future__ import annotations

from typing import Any, cast

import orjson
from pydantic import BaseModel, ConfigDict, Discriminator, Tag, model_validator


class Fields(BaseModel):
    """A part of a body."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Body(Fields):
    """A whole body. JSON can say what nothing after this door could write again."""

    @model_validator(mode="before")
    @classmethod
    def _can_be_written(cls, data: Any) -> Any:
        try:
            orjson.dumps(data)
        except orjson.JSONEncodeError as error:
            half = "surrogates" in str(error)
            what = "half a character (a lone surrogate)" if half else "a number beyond 64 bits, or too many brackets"
            raise ValueError(f"the body holds {what}") from None
        return data


def kind(name: str) -> Tag:
    """The tag of one alternative of a union, in the form by which errors leave it out of a field's name."""
    return Tag(f"dict[{name}]")


def by_type(sentence: str, default: str | None = None) -> Discriminator:
    """Tells the alternatives of a union apart by their `type`; `sentence` is what a person hears of any other."""

    def find(value: Any) -> str:
        given = cast("dict[str, Any]", value) if isinstance(value, dict) else {"type": getattr(value, "type", default)}
        return f"dict[{given.get('type', default)}]"

    return Discriminator(find, custom_error_type="no_such_type", custom_error_message=sentence)
