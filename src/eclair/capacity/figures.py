"""Figures that are known within a range."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """A quantity: its likely value, between the lowest and the highest that a source allows."""

    low: float
    likely: float
    high: float

    @classmethod
    def exactly(cls, value: float) -> Figure:
        return cls(value, value, value)

    def times(self, factor: Figure | float) -> Figure:
        """Multiply by a factor of at least 0."""
        other = factor if isinstance(factor, Figure) else Figure.exactly(factor)
        return Figure(self.low * other.low, self.likely * other.likely, self.high * other.high)

    def plus(self, other: Figure) -> Figure:
        return Figure(self.low + other.low, self.likely + other.likely, self.high + other.high)


def quantile(values: list[float], share: float) -> float:
    """Return the value that `share` of the values don't exceed; infinity of none."""
    if not values:
        return math.inf
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))]


def span(values: list[float]) -> Figure:
    """Return the least, the middle and the greatest of the values."""
    return Figure(min(values), quantile(values, 0.5), max(values))
