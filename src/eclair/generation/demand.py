"""The need of one call of a model, before it is made, and its use of each measure, as it goes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import orjson

from eclair.generation.cost import Rates, add_costs
from eclair.llm.base import (
    Delta,
    EnergyUse,
    Engine,
    PromptCountingEngine,
    PromptMessage,
    PromptProgress,
    Reasoning,
    Request,
    Text,
    TokenUsage,
    ToolCall,
    estimate_tokens,
)
from eclair.schema.budgets import ENERGY, RATE_SCALE, TOKENS, Demand, Measure, NeedRate
from eclair.schema.messages import Usage
from eclair.schema.models import Model

MAX_OPEN_TOKENS = 32_768
"""An answer without a limit of its own may have so many tokens where a budget applies."""
MIN_ANSWER_TOKENS = 64
"""With less than this left, or less than was asked for, no answer begins."""
WRAPPING_TOKENS = 16
"""Around each message, at most."""
GUESSED_JOULES_PER_TOKEN = 1.0
"""Before a model was measured once."""


class CallDemand:
    """The need of a call of `model`, at its `rates`; `joules_per_token` is what it took last, if that is known."""

    def __init__(self, model: Model, request: Request, rates: Rates, joules_per_token: float | None) -> None:
        self.model = model
        self.request = request
        self.rates = rates
        self.prompt_tokens = 0
        self._joules_per_token = rates.joules_per_token or joules_per_token or GUESSED_JOULES_PER_TOKEN

    async def count_prompt(self, engine: Engine) -> None:
        """Count the prompt, by the engine where it can, else by a safe estimate."""
        images = sum(image.tokens for message in self.request.messages for image in message.images)
        counted = await engine.count_prompt(self.request) if isinstance(engine, PromptCountingEngine) else None
        self.prompt_tokens = images + (estimate_prompt(self.request) if counted is None else counted)

    def demand(self) -> Demand:
        """Return the need in every measure."""
        most = self._max_answer_tokens()
        millijoules = self._joules_per_token * 1000
        needs: dict[Measure, NeedRate] = {
            TOKENS: NeedRate(self.prompt_tokens, RATE_SCALE),
            ENERGY: NeedRate(math.ceil(self.prompt_tokens * millijoules), math.ceil(millijoules * RATE_SCALE)),
        }
        if (price := self.rates.price) is not None:
            base = math.ceil(self.prompt_tokens * price.input)
            needs["money", price.currency] = NeedRate(base, math.ceil(price.output * RATE_SCALE))
        asked = self.request.sampling.max_tokens
        is_open = asked is None or asked > MAX_OPEN_TOKENS
        return Demand(needs, min(most, MIN_ANSWER_TOKENS), most, is_open)

    def limited(self, tokens: int | None) -> Request:
        """Return the request, whose answer has at most so many tokens."""
        asked = self.request.sampling.max_tokens
        if tokens is None or (asked is not None and asked <= tokens):
            return self.request
        return replace(self.request, sampling=replace(self.request.sampling, max_tokens=tokens))

    def _max_answer_tokens(self) -> int:
        asked = self.request.sampling.max_tokens
        window = None if self.model.context is None else max(1, self.model.context - self.prompt_tokens)
        if asked is not None:
            return asked if window is None else min(asked, window)
        return MAX_OPEN_TOKENS if window is None else min(window, MAX_OPEN_TOKENS)


class CallCount:
    """Counts what a call takes, from its deltas."""

    def __init__(self, demand: CallDemand) -> None:
        self._demand = demand
        self._energy = demand.request.energy
        self._measured = self._energy.measured_joules
        self._estimated = self._energy.estimated_joules
        self._began: float | None = None
        self._has_answered = False
        self._read_tokens = 0
        self._bytes = 0
        self._counted: TokenUsage | None = None

    def begin(self) -> None:
        """Note that the engine is asked now."""
        self._began = time.perf_counter()

    def add(self, delta: Delta) -> None:
        match delta:
            case Text(text=text) | Reasoning(text=text) | ToolCall(arguments=text):
                self._has_answered = True
                self._bytes += len(text.encode())
            case PromptProgress(done=done):
                self._read_tokens = done
            case TokenUsage():
                self._counted = delta
            case _:
                pass

    def spent(self) -> Mapping[Measure, int]:
        """Return what was spent of each measure; an answer that was broken off counts by its length."""
        usage = self._usage()
        spent: dict[Measure, int] = {TOKENS: (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)}
        if usage.energy is not None:
            spent[ENERGY] = math.ceil(usage.energy.joules * 1000)
        if usage.cost is not None:
            spent["money", usage.cost.currency] = usage.cost.micros
        return spent

    def joules_per_token(self) -> float | None:
        """Return what a token took; None if that is unknown."""
        usage = self._usage()
        tokens = (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
        return usage.energy.joules / tokens if usage.energy is not None and tokens > 0 else None

    def _usage(self) -> Usage:
        counted = self._counted
        if counted is None:
            prompt = self._demand.prompt_tokens if self._has_answered else self._read_tokens
            counted = TokenUsage(prompt, -(-self._bytes // 3))
        seconds = 0.0 if self._began is None else time.perf_counter() - self._began
        usage = Usage(
            prompt_tokens=counted.prompt_tokens,
            cached_tokens=counted.cached_tokens,
            completion_tokens=counted.completion_tokens,
            first_word_ms=None,
            words=0,
            words_per_second=None,
            seconds=seconds,
        )
        return add_costs(usage, self._demand.rates, self._taken())

    def _taken(self) -> EnergyUse:
        energy = self._energy
        return EnergyUse(energy.measured_joules - self._measured, energy.estimated_joules - self._estimated)


def reading_needs(rates: Rates, tokens: int) -> dict[Measure, NeedRate]:
    """Return the need of reading so many tokens; the energy where it is stated."""
    needs: dict[Measure, NeedRate] = {TOKENS: NeedRate(tokens)}
    if rates.joules_per_token is not None:
        needs[ENERGY] = NeedRate(math.ceil(tokens * rates.joules_per_token * 1000))
    if rates.price is not None:
        needs["money", rates.price.currency] = NeedRate(math.ceil(tokens * rates.price.input))
    return needs


def estimate_prompt(request: Request) -> int:
    """Estimate the tokens of a prompt without its images, rather too many than too few."""
    texts = [request.prompt or "", request.suffix or "", *(_text(message) for message in request.messages)]
    tools = orjson.dumps(request.tools).decode() if request.tools else ""
    return sum(map(estimate_tokens, texts)) + estimate_tokens(tools) + WRAPPING_TOKENS * (1 + len(request.messages))


def _text(message: PromptMessage) -> str:
    """Return the text of a message, and what it calls."""
    content: Any = message.content
    if isinstance(content, list):
        content = "\n".join(str(part.get("text", "")) for part in message.content or [] if isinstance(part, dict))
    calls = orjson.dumps(message.tool_calls).decode() if message.tool_calls else ""
    return f"{content or ''}{message.reasoning or ''}{calls}"
