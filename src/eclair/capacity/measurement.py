"""Measures a model's server: one answer alone, one after a long prompt, then more and more at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from datetime import date

from eclair.capacity.calibration import MeasuredAnswer, MeasuredSpeed, fit_speed
from eclair.errors import UpstreamError
from eclair.llm.base import Engine, LimitedEngine, PromptMessage, Reasoning, Request, Text, TokenUsage
from eclair.schema.messages import Sampling
from eclair.schema.models import Model

ANSWERS_AT_ONCE = (1, 4, 8, 16, 32, 64, 128)
"""Answers at once that are tried, up to what the server makes at a time."""

ANSWER_TOKENS = 96
LONG_PROMPT_WORDS = 900
DEFAULT_SLOTS = 32
"""Answers at a time of a server that doesn't say."""

CHUNK_TOKENS = 512

_WORDS = ("river", "glass", "winter", "market", "letter", "garden", "bread", "music", "stone", "harbor")

MeasurementProgress = Callable[[int, int], object]
"""Is told how many measurements are done, and of how many."""


async def measure_speed(engine: Engine, model: Model, today: date, progress: MeasurementProgress) -> MeasuredSpeed:
    """Measure a model. Raises EclairError if it can't be asked."""
    limit = engine.parallel if isinstance(engine, LimitedEngine) else None
    slots = limit or DEFAULT_SLOTS
    rounds = [count for count in ANSWERS_AT_ONCE if 1 < count <= slots] or [min(2, slots)]
    steps, done = len(rounds) + 3, 0
    answers: list[MeasuredAnswer] = []
    await _ask(engine, model, 0, 8, 1)
    for words, number in ((20, 1), (LONG_PROMPT_WORDS, 2)):
        answers.append(await _ask(engine, model, number, words, 1))
        progress(done := done + 1, steps)
    for count in rounds:
        answers += await asyncio.gather(
            *(_ask(engine, model, 1000 * count + number, 20, count) for number in range(count))
        )
        progress(done := done + 1, steps)
    window = model.context or 8192
    speed = fit_speed(answers, slots, float(window * max(2, slots // 4)), CHUNK_TOKENS)
    progress(steps, steps)
    return MeasuredSpeed(model.id, today, speed, tuple(answers))


async def _ask(engine: Engine, model: Model, number: int, words: int, at_once: int) -> MeasuredAnswer:
    """Ask for a long answer to a question that nobody has asked before."""
    padding = " ".join(_WORDS[(number * 7 + at * (1 + number % 5)) % len(_WORDS)] for at in range(words))
    question = f"{number}: {padding}\n\nTell a long story with these words."
    request = Request(
        model.id,
        (PromptMessage("user", question),),
        sampling=Sampling(temperature=0.0, max_tokens=ANSWER_TOKENS),
        purpose="probe",
    )
    began = time.perf_counter()
    first, last, usage = 0.0, began, TokenUsage(0, 0)
    async with aclosing(engine.stream(request)) as deltas:
        async for delta in deltas:
            if isinstance(delta, TokenUsage):
                usage = delta
            elif isinstance(delta, Text | Reasoning):
                last = time.perf_counter()
                first = first or last
    if usage.completion_tokens < 2 or first == 0.0:
        raise UpstreamError(f"{model.name} doesn't say how many tokens it wrote, so it can't be measured.")
    return MeasuredAnswer(
        at_once,
        max(1, usage.prompt_tokens - (usage.cached_tokens or 0)),
        usage.prompt_tokens + usage.completion_tokens // 2,
        first - began,
        (last - first) / (usage.completion_tokens - 1),
    )
