"""A histogram: how many of the observed values are at most as large as each bound."""

from __future__ import annotations

import bisect
from collections.abc import Sequence


class Histogram:
    """Counts values by ascending `bounds`; larger ones come last."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        self._counts[bisect.bisect_left(self._bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Return each bound and how many values are at most as large; the last bound is `+Inf`."""
        total, found = 0, list[tuple[str, float]]()
        for bound, count in zip((*map(str, self._bounds), "+Inf"), self._counts, strict=True):
            total += count
            found.append((bound, total))
        return found
