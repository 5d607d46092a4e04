"""What every request's body has in common: a field that is not known is refused by name."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class Fields(BaseModel):
    """A part of a body."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class Body(Fields):
    """A whole body. JSON can say half a character (a lone surrogate); nothing after this door could write it."""

    @model_validator(mode="before")
    @classmethod
    def _whole_characters(cls, data: Any) -> Any:
        try:
            json.dumps(data, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("the body holds half a character (a lone surrogate)") from None
        return data
