"""A run whose question may ask to remember something: that is kept once the question is stored."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass

from eclair.chat.runs import EventProducer
from eclair.schema.events import Event


@dataclass(frozen=True, slots=True)
class RememberingRun:
    """Implements `EventProducer`: calls `keep` and yields what it returns, then the events of `producer`."""

    keep: Callable[[], Awaitable[Event | None]]
    producer: EventProducer

    async def events(self) -> AsyncGenerator[Event, None]:
        kept = await self.keep()
        if kept is not None:
            yield kept
        async with aclosing(self.producer.events()) as events:
            async for event in events:
                yield event

    def closing_events(self, end: Event | None) -> list[Event]:
        return self.producer.closing_events(end)
