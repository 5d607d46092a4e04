"""A cache bounded in size that forgets what was used longest ago."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """Least recently used cache: holds values whose weights add up to `capacity` at most.

    Each value weighs 1 unless `weigh` says otherwise. A value heavier than the capacity isn't kept.
    """

    def __init__(self, capacity: int, weigh: Callable[[V], int] | None = None) -> None:
        self._capacity = capacity
        self._weigh = weigh
        self._values: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._weight = 0

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: K) -> V | None:
        """Return the value, which counts as used now; None where there is none."""
        held = self._values.get(key)
        if held is None:
            return None
        self._values.move_to_end(key)
        return held[0]

    def put(self, key: K, value: V) -> None:
        """Keep a value in place of the one before, and forget others until it fits."""
        self.remove(key)
        weight = 1 if self._weigh is None else self._weigh(value)
        self._values[key] = value, weight
        self._weight += weight
        while self._weight > self._capacity:
            _, (_, forgotten) = self._values.popitem(last=False)
            self._weight -= forgotten

    def remove(self, key: K) -> None:
        """Forget the value, if there is one."""
        _, weight = self._values.pop(key, (None, 0))
        self._weight -= weight
