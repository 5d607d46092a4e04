"""Adds to the sums of usage what no stored message holds: temporary chats, answers of foreign APIs, titles, notes.

A stored answer is added by the store as it ends. Of all this only numbers are kept.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from eclair.errors import StoreError
from eclair.generation.cost import rates
from eclair.generation.meter import Meter
from eclair.llm.base import Delta, Engine, Request, Text, TokenUsage
from eclair.schema.messages import Usage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.settings import Settings
from eclair.storage.usage import UsageStore

AskModel = Callable[[Principal, Engine, Model, Request], AsyncGenerator[Delta, None]]
"""Ask a model something for an principal, whose usage it counts to, such as a title or notes."""

log = logging.getLogger(__name__)


def ask_uncounted(principal: Principal, engine: Engine, model: Model, request: Request) -> AsyncGenerator[Delta, None]:
    """An `AskModel` for where no usage is kept."""
    return engine.stream(request)


class UsageLedger:
    def __init__(self, settings: Settings, usage: UsageStore) -> None:
        self._settings = settings
        self._usage = usage

    async def ask(
        self, principal: Principal, engine: Engine, model: Model, request: Request
    ) -> AsyncGenerator[Delta, None]:
        """An `AskModel` that adds what the request takes, however it ends. Only an answer counts as one."""
        answer = request.purpose == "answer"
        meter = Meter(time.perf_counter(), rates(self._settings, model))
        try:
            async with aclosing(engine.stream(replace(request, energy=meter.tab))) as deltas:
                async for delta in deltas:
                    if isinstance(delta, TokenUsage):
                        meter.counted(delta)
                    elif isinstance(delta, Text) and answer:
                        meter.text(delta.text)
                    yield delta
        finally:
            await self.add(principal, model.id, meter.usage(), answers=int(answer))

    async def add(self, principal: Principal, model: str, usage: Usage | None, *, answers: int = 1) -> None:
        """Add an answer's usage, even if the caller is cancelled meanwhile.

        A store that cannot serve keeps nobody waiting: nothing is added then, and the log says so.
        """
        if usage is not None:
            await asyncio.shield(self._add(principal, model, usage, answers))

    async def _add(self, principal: Principal, model: str, usage: Usage, answers: int) -> None:
        try:
            await self._usage.add_usage(principal, model, usage, answers=answers)
        except StoreError as error:
            log.error("what %s took cannot be added to the sums: %s", model, error.message)
