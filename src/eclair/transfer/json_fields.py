"""The way in for JSON of others: each function takes anything and gives a value of one type."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

JSON = Mapping[str, object]

LATEST = 253_402_300_799_000
"""The last millisecond of the year 9999."""
_UNITS = ((1e11, 1000.0), (1e14, 1.0), (1e17, 1e-3), (1e20, 1e-6))
"""Below which number a time since 1970 is in seconds, milliseconds, microseconds, nanoseconds; and what makes
milliseconds of it."""
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


def mapping(value: object) -> JSON:
    """The object, or an empty one."""
    return cast("JSON", value) if isinstance(value, dict) else {}


def items(value: object) -> list[object]:
    """The array, or an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []


def text(value: object) -> str:
    """The string without what cannot be kept (NUL, half characters), or an empty one."""
    return _UNWRITABLE.sub("\ufffd", value) if isinstance(value, str) else ""


def milliseconds(value: object) -> int | None:
    """A time since 1970, UTC, from a number in whatever unit or from ISO 8601; None for what is neither."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return None
        try:
            found = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000
        except (OverflowError, ValueError):
            return None
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not 0 < value < 1e20:  # nor what is no number
            return None
        found = value * next(factor for limit, factor in _UNITS if value < limit)
    else:
        return None
    return int(found) if 0 < found <= LATEST else None
