"""Identifiers: a prefix and 26 characters.

Those that are made here sort by time: 48 bits of milliseconds and 80 random bits (as ULID has them).
"""

from __future__ import annotations

import hashlib
import secrets
import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds since 1970, as `time.time` gives them."""

NewId = Callable[[str], str]
"""A prefix to a fresh identifier."""

ID_PATTERN = r"[0-9a-hjkmnp-tv-z]{26}$"
"""The characters after the prefix and its underscore, as a regular expression."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def new_id(prefix: str, clock: Clock = time.time) -> str:
    """A fresh identifier such as `run_01jd…`: the prefix, an underscore and 26 characters."""
    number = (int(clock() * 1000) << 80) | secrets.randbits(80)
    return f"{prefix}_{_written(number)}"


def derived_id(prefix: str, *source: str) -> str:
    """Return an id that is always the same for the same source, for things that may arrive again."""
    digest = hashlib.sha256("".join(f"{len(part)}:{part}" for part in source).encode("utf-8", "surrogatepass")).digest()
    return f"{prefix}_{_written(int.from_bytes(digest) >> 126)}"


def secret_id(prefix: str) -> str:
    """An identifier that nobody can guess: 130 random bits."""
    return f"{prefix}_{_written(secrets.randbits(130))}"


def _written(number: int) -> str:
    """130 bits in 26 characters."""
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -5, -5))
