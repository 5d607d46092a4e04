"""Limits on reading one file, so that no file takes the machine down."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` is the longest wait for the next page, `total_seconds` the longest for the last.

    Time spent waiting for the consumer of the pages doesn't count. Memory is address space, which is what a system can
    bound. `unpacked` is the bytes of everything packed in a file, `members` the number of files an archive may hold,
    and `nesting` how deep archives may be nested.
    """

    seconds: float = 60
    total_seconds: float = 4 * 3600
    memory_mb: int = 2000
    pages: int = 20_000
    unpacked: int = 1 << 30
    members: int = 10_000
    nesting: int = 2
    pixels: int = 120_000_000
