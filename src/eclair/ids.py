"""Identifiers that sort by time: a prefix, 48 bits of milliseconds and 80 random bits (as ULID has them)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds since 1970, as `time.time` gives them."""

NewId = Callable[[str], str]
"""A prefix to a fresh identifier."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str, clock: Clock = time.time) -> str:
    """A fresh identifier such as `run_01jd…`: the prefix, an underscore and 26 characters."""
    number = (int(clock() * 1000) << 80) | secrets.randbits(80)
    return f"{prefix}_" + "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))
