"""A day of a fleet that grows and shrinks with its load, minute by minute.

A replica starts when the load of the last minutes asks for it, and serves once its model is loaded. Questions beyond
what the ready replicas answer wait for the next minute.
"""

from __future__ import annotations

import math
import random
from collections import deque
from dataclasses import dataclass

from eclair.capacity.arrivals import draw_wave
from eclair.capacity.workload import QuestionDemand

START_MINUTES = 5
"""From the decision until the model is loaded."""

CALM_MINUTES = 15
"""A replica stops once the load of so many minutes did without it."""

MINUTES = 24 * 60


@dataclass(frozen=True, slots=True)
class ScaledDay:
    """A day: hours of all replicas together, replicas ready in each hour, and minutes in which questions waited."""

    replica_hours: float
    ready_by_hour: tuple[float, ...]
    late_minutes: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """Replicas that answer `held_rate` questions a second each, and are meant for `planned_rate`."""

    held_rate: float
    planned_rate: float
    most: int
    spare: int

    def wanted(self, rate: float) -> int:
        return max(1, min(self.most, math.ceil(rate / self.planned_rate))) + self.spare


def simulate_day(demand: QuestionDemand, fleet: Fleet, burst: float, seed: int = 1) -> ScaledDay:
    """Simulate a day of a fleet."""
    draw = random.Random(f"day {seed}")  # noqa: S311  # of a simulation
    hourly = demand.hourly()
    recent: deque[int] = deque(maxlen=CALM_MINUTES)
    starting: deque[tuple[int, int]] = deque()
    ready = fleet.wanted(hourly[0] / 3600)
    waiting, late, hours, by_hour = 0.0, 0, 0.0, [0.0] * 24
    for minute in range(MINUTES):
        while starting and starting[0][0] <= minute:
            ready += starting.popleft()[1]
        rate = hourly[minute // 60] / 3600
        wave = draw_wave(draw, burst)
        waiting = max(0.0, waiting + rate * wave * 60 - ready * fleet.held_rate * 60)
        late += waiting > 0
        recent.append(fleet.wanted(rate))
        coming = sum(count for _, count in starting)
        if recent[-1] > ready + coming:
            starting.append((minute + START_MINUTES, recent[-1] - ready - coming))
        ready = min(ready, max(recent))
        hours += (ready + coming) / 60
        by_hour[minute // 60] += ready / 60
    return ScaledDay(hours, tuple(by_hour), late)
