"""A wait for whoever tries passwords of an account, wherever the attempts come from."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from eclair.errors import TooBusy
from eclair.util.lru import LruCache

FREE_ATTEMPTS = 5
FIRST_WAIT_S = 2.0
MAX_WAIT_S = 60.0
"""Few enough attempts an hour that no password is found, and never so long that an account can be shut from outside."""
FORGET_AFTER_S = 3600.0
MAX_NAMES = 10_000


class SignInThrottle:
    """Counts the failures of each name since its last success."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures: LruCache[str, tuple[int, float]] = LruCache(MAX_NAMES)

    def check(self, name: str) -> None:
        """Raise TooBusy while a name must wait."""
        failures, latest = self._failures.get(name) or (0, 0.0)
        left = latest + _wait_after(failures) - self._clock()
        if left > 0:
            wait_s = math.ceil(left)
            raise TooBusy(f"Too many wrong attempts; wait {wait_s} s and try again.", retry_after=wait_s)

    def note_failure(self, name: str) -> None:
        failures, latest = self._failures.get(name) or (0, 0.0)
        now = self._clock()
        self._failures.put(name, (1 if now - latest > FORGET_AFTER_S else failures + 1, now))

    def note_success(self, name: str) -> None:
        self._failures.remove(name)


def _wait_after(failures: int) -> float:
    if failures < FREE_ATTEMPTS:
        return 0.0
    return min(FIRST_WAIT_S * 2.0 ** min(failures - FREE_ATTEMPTS, 16), MAX_WAIT_S)
