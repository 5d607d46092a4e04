"""Adds to the sums what is kept nowhere else: temporary chats, the answers of /v1, and titles.

A kept answer is added by the store as it ends. Of all this only numbers are kept.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from eclair.errors import StoreError
from eclair.generation.cost import Rates
from eclair.generation.meter import Meter
from eclair.llm.base import Counted, Engine, Piece, Request, Text
from eclair.schema.messages import Usage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.storage.usage import UsageStore

log = logging.getLogger(__name__)


class Ledger:
    def __init__(self, usage: UsageStore) -> None:
        self._usage = usage

    async def stream(
        self, principal: Principal, engine: Engine, model: Model, request: Request, rates: Rates
    ) -> AsyncGenerator[Piece, None]:
        """What the engine says to the request; what that takes is added however it ends. A title is no answer."""
        answer = request.purpose == "answer"
        meter = Meter(time.perf_counter(), rates)
        try:
            async with aclosing(engine.stream(replace(request, energy=meter.tab))) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Counted):
                        meter.counted(piece)
                    elif isinstance(piece, Text) and answer:
                        meter.text(piece.text)
                    yield piece
        finally:
            usage = meter.usage()
            if usage is not None:
                await asyncio.shield(self.add(principal, model.id, usage, answers=int(answer)))

    async def add(self, principal: Principal, model: str, usage: Usage, *, answers: int = 1) -> None:
        """Nobody waits for a store that cannot serve: it is not added then, and the log says so."""
        try:
            await self._usage.add_usage(principal, model, usage, answers=answers)
        except StoreError as error:
            log.error("what %s took cannot be added to the sums: %s", model, error.message)
