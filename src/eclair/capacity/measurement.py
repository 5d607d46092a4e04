"""Measures a model's server: one answer alone, one after a long prompt, then more and more at once."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import date

from eclair.capacity.calibration import MeasuredAnswer, MeasuredSpeed, fit_speed
from eclair.errors import UpstreamError
from eclair.llm.base import Engine, LimitedEngine, PromptMessage, Reasoning, Request, Text, TokenUsage
from eclair.llm.local.endpoint_file import EMBEDDED_ENGINE
from eclair.llm.local.llama_server import PROMPT_BATCH_TOKENS
from eclair.schema.messages import Sampling
from eclair.schema.models import Model

ANSWERS_AT_ONCE = (4, 8, 16, 32, 64, 128)
"""Answers at once that are tried, up to what the server makes at a time."""

PAGES_AT_ONCE = (2, 4, 8)
"""The same with a page to read for each, which tells what held tokens cost."""

ANSWER_TOKENS = 96
SHORT_PROMPT_WORDS, PAGE_WORDS, LONG_PROMPT_WORDS = 20, 300, 900
DEFAULT_SLOTS = 32
"""Answers at a time of a server that doesn't say."""

CHUNK_TOKENS = 512
"""Tokens of prompts that a server reads in a step, if it doesn't say: vLLM's default with chunked prefill."""

MIN_COUNTED_DELTAS = 8
"""Fewer, while all of a round's answers are under way, aren't counted by themselves."""

_WORDS = ("river", "glass", "winter", "market", "letter", "garden", "bread", "music", "stone", "harbor")

MeasurementProgress = Callable[[int, int], object]
"""Is told how many measurements are done, and of how many."""


@dataclass(frozen=True, slots=True)
class _Timed:
    """An answer with the times of its deltas, on the monotonic clock."""

    began: float
    deltas: Sequence[float]
    usage: TokenUsage


async def measure_speed(engine: Engine, model: Model, today: date, progress: MeasurementProgress) -> MeasuredSpeed:
    """Measure a model. Raises EclairError if it can't be asked."""
    limit = engine.parallel if isinstance(engine, LimitedEngine) else None
    slots = limit or DEFAULT_SLOTS
    several = [count for count in ANSWERS_AT_ONCE if count <= slots] or [min(2, slots)]
    rounds = [(1, SHORT_PROMPT_WORDS), (1, SHORT_PROMPT_WORDS), (1, PAGE_WORDS), (1, LONG_PROMPT_WORDS)]
    rounds += [(count, SHORT_PROMPT_WORDS) for count in several]
    rounds += [(count, PAGE_WORDS) for count in PAGES_AT_ONCE if count <= slots]
    answers: list[MeasuredAnswer] = []
    await _ask(engine, model, 0, SHORT_PROMPT_WORDS)
    for done, (count, words) in enumerate(rounds):
        progress(done + 1, len(rounds) + 1)
        numbers = range(1000 * done + 1, 1000 * done + 1 + count)
        answers += _measured(await asyncio.gather(*(_ask(engine, model, number, words) for number in numbers)))
    window = model.context or 8192
    is_embedded = engine.name == EMBEDDED_ENGINE
    speed = fit_speed(
        answers,
        slots,
        float(window * max(2, slots // 4)),
        PROMPT_BATCH_TOKENS if is_embedded else CHUNK_TOKENS,
        shares_cache=is_embedded,
    )
    progress(len(rounds) + 1, len(rounds) + 1)
    return MeasuredSpeed(model.id, today, speed, tuple(answers))


async def _ask(engine: Engine, model: Model, number: int, words: int) -> _Timed:
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
    deltas: list[float] = []
    usage = TokenUsage(0, 0)
    async with aclosing(engine.stream(request)) as stream:
        async for delta in stream:
            if isinstance(delta, TokenUsage):
                usage = delta
            elif isinstance(delta, Text | Reasoning):
                deltas.append(time.perf_counter())
    if usage.completion_tokens < 2 or not deltas:
        raise UpstreamError(f"{model.name} doesn't say how many tokens it wrote, so it can't be measured.")
    return _Timed(began, deltas, usage)


def _measured(answers: Sequence[_Timed]) -> list[MeasuredAnswer]:
    """Return the answers of one round, with the time of a token while all of them were under way."""
    start, end = max(each.deltas[0] for each in answers), min(each.deltas[-1] for each in answers)
    found: list[MeasuredAnswer] = []
    for each in answers:
        first, last = bisect_left(each.deltas, start), bisect_right(each.deltas, end) - 1
        if last - first < MIN_COUNTED_DELTAS:
            first, last = 0, len(each.deltas) - 1
        tokens = (last - first) * (each.usage.completion_tokens - 1) / max(1, len(each.deltas) - 1)
        prompt, cached = each.usage.prompt_tokens, each.usage.cached_tokens or 0
        found.append(
            MeasuredAnswer(
                at_once=len(answers),
                read_tokens=max(1, prompt - cached),
                held_tokens=prompt + each.usage.completion_tokens // 2,
                first_s=each.deltas[0] - each.began,
                token_s=(each.deltas[last] - each.deltas[first]) / max(1.0, tokens),
            )
        )
    return found
