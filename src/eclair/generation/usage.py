"""Counts the usage that no stored message carries.

That is temporary chats, foreign APIs, titles and notes. Stored answers are added by the storage as they end. Only
sums are stored.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from eclair.errors import StoreError
from eclair.generation.cost import find_rates
from eclair.generation.meter import Meter
from eclair.llm.base import Delta, Engine, Request, Text, TokenUsage
from eclair.schema.messages import Usage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.usage import UsageStore

AskModel = Callable[[Principal, Engine, Model, Request], AsyncGenerator[Delta, None]]
"""Asks a model something for a principal, to whom the usage counts."""

log = logging.getLogger(__name__)


def ask_uncounted(principal: Principal, engine: Engine, model: Model, request: Request) -> AsyncGenerator[Delta, None]:
    """An `AskModel` that counts no usage."""
    return engine.stream(request)


class UsageLedger:
    """Adds usage to the stored sums."""

    def __init__(self, settings: Settings, usage: UsageStore) -> None:
        self._settings = settings
        self._usage = usage

    async def ask(
        self, principal: Principal, engine: Engine, model: Model, request: Request
    ) -> AsyncGenerator[Delta, None]:
        """An `AskModel` that counts the usage, however the request ends.

        Only requests with the purpose `answer` count as answers.
        """
        answer = request.purpose == "answer"
        meter = Meter(time.perf_counter(), find_rates(self._settings, model))
        try:
            async with aclosing(engine.stream(replace(request, energy=meter.energy))) as deltas:
                async for delta in deltas:
                    if isinstance(delta, TokenUsage):
                        meter.add_token_usage(delta)
                    elif isinstance(delta, Text) and answer:
                        meter.count_text(delta.text)
                    yield delta
        finally:
            await self.add(principal, model.id, meter.usage(), answers=int(answer))

    async def add(self, principal: Principal, model: str, usage: Usage | None, *, answers: int = 1) -> None:
        """Add an answer's usage, even if the caller is cancelled meanwhile.

        If the storage is unavailable, nothing is added, and the log says so.
        """
        if usage is not None:
            await asyncio.shield(self._add(principal, model, usage, answers))

    async def _add(self, principal: Principal, model: str, usage: Usage, answers: int) -> None:
        try:
            await self._usage.add_usage(principal, model, usage, answers=answers)
        except StoreError as error:
            log.error("the usage of %s cannot be stored: %s", model, error.message)
