"""What reading one file may take, so that no file takes the machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` is the longest wait for the next page and `total_seconds` that for the last; waiting for whoever takes
    the pages does not count. Memory is address space, which is what a system can bound.

    `unpacked` is bytes of all that is packed in a file, `members` how many files an archive may hold, and `nesting` how
    many archives may be in each other.
    """

    seconds: float = 60
    total_seconds: float = 4 * 3600
    memory_mb: int = 2000
    pages: int = 20_000
    unpacked: int = 1 << 30
    members: int = 10_000
    nesting: int = 2
    pixels: int = 120_000_000
