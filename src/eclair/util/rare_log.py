"""A log for what may happen any number of times a second: one line a minute for each subject, with a count."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from eclair.util.lru import LruCache

INTERVAL_S = 60.0
MAX_SUBJECTS = 1024


class RareLog:
    """Logs warnings; those of a subject that follow within a minute are counted by its next line."""

    def __init__(self, logger: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._logger = logger
        self._clock = clock
        self._subjects: LruCache[str, tuple[float, int]] = LruCache(MAX_SUBJECTS)

    def warn(self, subject: str, message: str) -> None:
        """Log a sentence, or count it."""
        now = self._clock()
        logged_at, left_out = self._subjects.get(subject) or (now - INTERVAL_S, 0)
        if now - logged_at < INTERVAL_S:
            self._subjects.put(subject, (logged_at, left_out + 1))
            return
        self._subjects.put(subject, (now, 0))
        since = f" ({left_out:,} more since the last line)" if left_out else ""
        self._logger.warning("%s%s", message, since)
