"""Limits of people and keys: requests a minute, and answers under way at a time; counted in this process."""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter
from collections.abc import Callable, Generator

from eclair.errors import TooBusy
from eclair.live_settings import LiveSettings
from eclair.schema.principal import Principal
from eclair.util.lru import LruCache

MAX_SUBJECTS = 100_000
"""People and keys whose rate is remembered, those that asked last."""
BURST_S = 10.0
BURST_REQUESTS = 3
"""So many requests may come at once, or those of so many seconds."""
AT_ONCE_RETRY_S = 5.0


class PersonLimits:
    """Counts what people and keys ask for.

    The rate is kept by the generic cell rate algorithm: one moment a subject, at which it will have made up for all
    that it asked.
    """

    def __init__(self, settings: LiveSettings, clock: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._clock = clock
        self._made_up: LruCache[str, float] = LruCache(MAX_SUBJECTS)
        self._under_way = Counter[str]()

    def charge(self, principal: Principal) -> None:
        """Count a request of a principal and its key. Raises TooBusy where it comes too soon; then nothing counts."""
        now = self._clock()
        moments = {
            subject: self._next_moment(subject, per_minute, now)
            for subject, per_minute in self._limits(principal, "minute")
        }
        for subject, moment in moments.items():
            self._made_up.put(subject, moment)

    @contextlib.contextmanager
    def answering(self, principal: Principal) -> Generator[None]:
        """Count an answer of a principal and its key while it is under way. Raises TooBusy."""
        limits = self._limits(principal, "at_once")
        for subject, most in limits:
            if self._under_way[subject] >= most:
                who = "This key has" if subject.startswith("key:") else "You have"
                raise TooBusy(
                    f"{who} {most:,} answer{'' if most == 1 else 's'} under way, the limit; wait until one is done.",
                    retry_after=AT_ONCE_RETRY_S,
                )
        subjects = [subject for subject, _ in limits]
        self._under_way.update(subjects)
        try:
            yield
        finally:
            self._under_way.subtract(subjects)
            for subject in subjects:
                if not self._under_way[subject]:
                    del self._under_way[subject]

    def _next_moment(self, subject: str, per_minute: int, now: float) -> float:
        interval = 60 / per_minute
        due = max(self._made_up.get(subject) or now, now)
        tolerance_s = max(BURST_S - interval, (BURST_REQUESTS - 1) * interval)
        wait_s = due - tolerance_s - now
        if wait_s > 0:
            who = "This key asks" if subject.startswith("key:") else "You ask"
            seconds = math.ceil(wait_s)
            raise TooBusy(f"{who} more than {per_minute:,} times a minute; wait {seconds} s.", retry_after=seconds)
        return due + interval

    def _limits(self, principal: Principal, kind: str) -> list[tuple[str, int]]:
        """Return the limits of a kind that apply, by the person or key that they count for."""
        settings, key = self._settings.current, principal.limits
        if kind == "minute":
            person, own = settings.person_requests_per_minute, key and key.per_minute
        else:
            person, own = settings.person_answers_at_once, key and key.at_once
        found = [(f"person:{principal.id}", person), (f"key:{principal.key}", own or 0)]
        return [(subject, most) for subject, most in found if most]
