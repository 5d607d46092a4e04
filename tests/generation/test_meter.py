"""The meter counts words between white space, and tells a rate only where there is one."""

from __future__ import annotations

import time

import pytest

from eclair.generation.meter import Meter


def test_a_meter_that_measured_nothing_says_nothing() -> None:
    meter = Meter(time.perf_counter())
    assert meter.usage() is None
    meter.count_text(" ")
    assert meter.usage() is None
    meter.count_text("one")
    usage = meter.usage()
    assert usage is not None
    assert (usage.words, usage.words_per_second, usage.completion_tokens) == (1, None, None)


def test_a_meter_counts_between_white_space() -> None:
    now = iter((10.0, 11.0, 12.0, 14.0, 15.0))
    meter = Meter(9.0, clock=lambda: next(now))
    for piece in ("Hel", "lo wor", "ld", "\n\nagain"):
        meter.count_text(piece)
    usage = meter.usage()
    assert usage is not None
    assert (usage.words, usage.first_word_ms, usage.words_per_second) == (3, 1000.0, 0.5)


@pytest.mark.parametrize(("seconds", "rate"), [(0.0, None), (0.001, None), (0.049, None), (0.05, 980.0), (2.0, 24.5)])
def test_a_meter_tells_no_rate_of_what_came_at_once(seconds: float, rate: float | None) -> None:
    now = iter((0.0, seconds, seconds))
    meter = Meter(0.0, clock=lambda: next(now))
    meter.count_text("one ")
    meter.count_text("more " * 49)
    usage = meter.usage()
    assert usage is not None
    assert (usage.words, usage.words_per_second) == (50, rate)
