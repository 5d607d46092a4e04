"""A model is shown as much as it reads in a few seconds."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from eclair.documents.reading_budget import (
    MIN_DOCUMENT_CHARS,
    MIN_PASSAGES,
    MIN_UNREAD_CHARS,
    ReadingBudget,
    chars_read_in,
    reading_budget,
    reads_slowly,
)
from eclair.llm.base import TokenUsage
from eclair.llm.local.reading_rate import ReadingRate, reading_rate
from eclair.schema.models import Model, Tier
from eclair.settings import Settings


def budget(tier: Tier, rate: float | None, parameters: float = 1.5) -> ReadingBudget:
    return reading_budget(
        Model("m", "M", "e", context=32_768, parameters=parameters, stated_tier=tier, reading_rate=rate)
    )


@pytest.mark.parametrize(
    ("tier", "rate", "expected"),
    [
        ("tiny", None, ReadingBudget(4, 3600, 3600)),
        ("tiny", 10.0, ReadingBudget(4, 3600, 3600)),
        ("small", None, ReadingBudget(8, 6000, 6000)),
        ("small", 1.0, ReadingBudget(MIN_PASSAGES, MIN_DOCUMENT_CHARS, MIN_UNREAD_CHARS)),
        ("small", 140.0, ReadingBudget(4, 5040, 2520)),
        ("small", 5000.0, ReadingBudget(8, 6000, 6000)),
        ("capable", 400.0, ReadingBudget(8, 14_400, 7200)),
        ("capable", 1000.0, ReadingBudget(15, 36_000, 18_000)),
        ("capable", 5000.0, ReadingBudget(20, 43_690, 43_690)),
        ("capable", None, ReadingBudget(8, 43_690, 43_690)),
    ],
)
def test_the_budget_follows_tier_and_speed(tier: Tier, rate: float | None, expected: ReadingBudget) -> None:
    assert budget(tier, rate) == expected


@pytest.mark.parametrize(("context", "passages"), [(None, 20), (131_072, 20), (16_384, 12), (8_192, 12)])
def test_a_large_model_with_a_large_window_is_shown_many_passages(context: int | None, passages: int) -> None:
    assert reading_budget(Model("m", "M", "e", context=context, parameters=14.0)).passages == passages


def test_what_was_read_ahead_follows_the_speed() -> None:
    slow, unknown = Model("m", "M", "e", reading_rate=60.0), Model("m", "M", "e")
    assert [chars_read_in(slow, seconds) for seconds in (0.0, 1.0, 11.0, math.inf)] == [0, 180, 1980, math.inf]
    assert chars_read_in(unknown, 0.0) == math.inf


def test_a_model_that_is_shown_fewer_passages_since_it_reads_slowly_reads_for_drafts() -> None:
    rates = (10.0, 260.0, 270.0, None)
    small = [Model("m", "M", "e", stated_tier="small", reading_rate=rate) for rate in rates]
    assert list(map(reads_slowly, small)) == [True, True, False, False]
    assert not reads_slowly(replace(small[0], stated_tier="tiny")), "it quotes"


def test_the_rate_is_estimated_until_it_is_measured() -> None:
    estimate = reading_rate(Settings(embedded_threads=2), Model("m", "M", "e", parameters=1.4))
    assert estimate.tokens_per_second == pytest.approx(100.0)
    assert reading_rate(Settings(), Model("m", "M", "e")).tokens_per_second is None
    rate = ReadingRate(100.0)
    rate.record(TokenUsage(20, 5, 0, reading_seconds=1.0))
    assert rate.tokens_per_second == 100.0, "too short to tell"
    rate.record(TokenUsage(500, 5, 100, reading_seconds=2.0))
    assert rate.tokens_per_second == 200.0
    for tokens in (300, 220, 210):
        rate.record(TokenUsage(tokens, 5, None, reading_seconds=1.0))
    assert rate.tokens_per_second == 215.0, "the best is not what it mostly reads"
    rate.record(TokenUsage(300, 5, None))
    rate.record(TokenUsage(200, 5, None, reading_seconds=10.0))
    assert rate.tokens_per_second == 210.0, "a busy moment changes little"
    for _ in range(5):
        rate.record(TokenUsage(200, 5, None, reading_seconds=10.0))
    assert rate.tokens_per_second == 20.0
