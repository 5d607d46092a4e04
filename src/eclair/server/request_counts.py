"""Counts of the requests of this process, by method, route and status."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from eclair.util.histogram import Histogram

COUNTS_KEY = "request_counts"
"""The key of the counts in the state of a request."""

SECONDS_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)


@dataclass(slots=True)
class RequestCounts:
    """`seconds` has every request's time, event streams to their end among them."""

    counts: Counter[tuple[str, str, int]] = field(default_factory=Counter[tuple[str, str, int]])
    seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS_BOUNDS))
