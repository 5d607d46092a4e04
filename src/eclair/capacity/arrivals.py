"""Questions as they arrive: at random, in bursts of a minute, with lengths that vary."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

PROMPT_SIGMA = 0.8
ANSWER_SIGMA = 0.6
"""Spread of the lengths, which are lognormal: a twentieth of the answers has 2.4 times the mean or more."""

MINUTE_S = 60.0

LEAST_BURST = 0.001
"""Less is even."""


@dataclass(frozen=True, slots=True)
class Lengths:
    """Mean tokens of a prompt and an answer, and the share of a prompt that the prefix cache holds."""

    prompt_tokens: float
    answer_tokens: float
    cached_share: float


@dataclass(frozen=True, slots=True)
class SimulatedQuestion:
    """A question that arrives at a time in seconds. `read_tokens` of its prompt aren't in the cache."""

    at: float
    prompt_tokens: int
    read_tokens: int
    answer_tokens: int


def draw_questions(rate: float, seconds: float, lengths: Lengths, burst: float, seed: int) -> list[SimulatedQuestion]:
    """Draw the questions of so many seconds, `rate` a second on average.

    The rate of each minute varies with the coefficient of variation `burst`; 0 is a Poisson process. A seed always
    gives the same lengths, so that loads are compared on the same questions.
    """
    clock = random.Random(f"arrivals {seed}")  # noqa: S311  # of a simulation
    sizes = random.Random(f"lengths {seed}")  # noqa: S311
    found: list[SimulatedQuestion] = []
    for minute in range(math.ceil(seconds / MINUTE_S)):
        wave = draw_wave(clock, burst)
        at, end = minute * MINUTE_S, min(seconds, (minute + 1) * MINUTE_S)
        while wave * rate > 0 and (at := at + clock.expovariate(wave * rate)) < end:
            prompt = _draw(sizes, lengths.prompt_tokens, PROMPT_SIGMA)
            read = max(1, round(prompt * (1 - lengths.cached_share)))
            found.append(SimulatedQuestion(at, prompt, read, _draw(sizes, lengths.answer_tokens, ANSWER_SIGMA)))
    return found


def draw_wave(source: random.Random, burst: float) -> float:
    """Draw what the load of a minute is multiplied by: 1 on average, with that coefficient of variation."""
    return source.gammavariate(1 / burst**2, burst**2) if burst >= LEAST_BURST else 1.0


def _draw(source: random.Random, mean: float, sigma: float) -> int:
    return max(1, round(source.lognormvariate(math.log(mean) - sigma**2 / 2, sigma)))
