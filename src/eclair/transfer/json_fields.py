"""Typed access to foreign JSON: any value in, one type out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

JSON = Mapping[str, object]

MAX_TIME_MS = 253_402_300_799_000
"""The last millisecond of the year 9999."""
_UNITS = ((1e11, 1000.0), (1e14, 1.0), (1e17, 1e-3), (1e20, 1e-6))
"""Upper bounds for times in seconds, milliseconds, microseconds and nanoseconds since 1970, each with the factor that
gives milliseconds.
"""
_UNWRITABLE = re.compile("[\0\ud800-\udfff]")


def as_object(value: object) -> JSON:
    """Return the object, or an empty one."""
    return cast("JSON", value) if isinstance(value, dict) else {}


def as_list(value: object) -> list[object]:
    """Return the array, or an empty one."""
    return cast("list[object]", value) if isinstance(value, list) else []


def as_text(value: object) -> str:
    """Return the string without NUL and lone surrogates, or an empty one."""
    return _UNWRITABLE.sub("\ufffd", value) if isinstance(value, str) else ""


def as_milliseconds(value: object) -> int | None:
    """Parse a UTC time from a number in any unit or ISO 8601; None for anything else."""
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
        if not 0 < value < 1e20:  # also rejects NaN
            return None
        found = value * next(factor for limit, factor in _UNITS if value < limit)
    else:
        return None
    return int(found) if 0 < found <= MAX_TIME_MS else None
