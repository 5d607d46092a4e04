"""The one loop: ask the engine, pass on what it says, count.

An `Answer` is the work of one run. It says events and keeps nothing; `runs` numbers and stores them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import assert_never

from eclair.context import Laid
from eclair.engines.base import Counted, Ended, Engine, Model, Piece, Reasoning, Request, Text, ToolCall
from eclair.errors import EngineBroken
from eclair.events import (
    Event,
    PartDelta,
    Remarked,
    RunFinished,
    StepFinished,
    StepStarted,
    UsageCounted,
)
from eclair.messages import FinishReason, Message, Sampling, Usage
from eclair.parts import Parts

PATIENCE = 0.4
"""Seconds without a word after which the person is told what is waited for."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be answered, by which model.

    `continues` is an answer that was cut off and is to be taken up. `accepted` is the moment at which the
    person asked, on the clock of `time.perf_counter`.
    """

    engine: Engine
    model: Model
    laid: Laid
    sampling: Sampling
    accepted: float
    continues: Message | None = None


def effective(asked: Sampling, recommended: Sampling, max_tokens: int) -> Sampling:
    """What was asked for, then what the model's makers recommend, then the setting."""
    return replace(
        asked,
        temperature=asked.temperature if asked.temperature is not None else recommended.temperature,
        top_p=asked.top_p if asked.top_p is not None else recommended.top_p,
        max_tokens=asked.max_tokens or recommended.max_tokens or max_tokens,
    )


class Meter:
    """Measures an answer: when its first word came, how many came, how fast."""

    def __init__(self, accepted: float) -> None:
        self._accepted = accepted
        self._first: float | None = None
        self._last = 0.0
        self._words = 0
        self._in_word = False
        self._counted: Counted | None = None

    def text(self, text: str) -> None:
        """More words came just now; a word may come in pieces."""
        self._last = time.perf_counter()
        if self._first is None and text.strip():
            self._first = self._last
        if text:
            self._words += len(text.split()) - (self._in_word and not text[0].isspace())
            self._in_word = not text[-1].isspace()

    def counted(self, counted: Counted) -> None:
        self._counted = counted

    def usage(self) -> Usage | None:
        """What was measured; None when nothing came at all."""
        if self._first is None and self._counted is None:
            return None
        words = self._words
        seconds = self._last - self._first if self._first is not None else 0.0
        counted = self._counted
        return Usage(
            prompt_tokens=counted.prompt_tokens if counted else None,
            cached_tokens=counted.cached_tokens if counted else None,
            completion_tokens=counted.completion_tokens if counted else None,
            first_word_ms=None if self._first is None else round((self._first - self._accepted) * 1000, 1),
            words=words,
            words_per_second=round((words - 1) / seconds, 1) if words > 1 and seconds > 0 else None,
            drafted_tokens=counted.drafted_tokens if counted else None,
            accepted_tokens=counted.accepted_tokens if counted else None,
        )


class Answer:
    """The work of one run, as `runs.Work` has it."""

    def __init__(self, turn: Turn) -> None:
        self._turn = turn
        self._meter = Meter(turn.accepted)
        self._parts = Parts()
        self._reason: FinishReason | None = None

    async def events(self) -> AsyncGenerator[Event, None]:
        """Ask, and pass on what comes."""
        turn = self._turn
        request = Request(turn.model.id, turn.laid.messages, sampling=turn.sampling)
        if turn.laid.dropped:
            yield _trimmed(turn)
        for event in self._take_up():
            yield event
        async with aclosing(turn.engine.stream(request)) as pieces:
            async with aclosing(self._await_first(pieces)) as beginning:
                async for event in beginning:
                    yield event
            async for piece in pieces:
                for event in self._say(piece):
                    yield event
        if self._reason is None:
            raise EngineBroken("The engine broke off before the end of its answer; try again.")

    def closing(self, end: Event | None) -> list[Event]:
        """Close the open part, state the usage, end the run."""
        usage = self._meter.usage()
        return [
            *self._parts.finish(),
            *([UsageCounted(usage)] if usage is not None else []),
            end or RunFinished(self._reason or "stop"),
        ]

    def _take_up(self) -> list[Event]:
        """The parts of the answer that is continued; its last text stays open for more."""
        if self._turn.continues is None:
            return []
        events: list[Event] = []
        for index, part in enumerate(self._turn.continues.parts):
            events += self._parts.start(part.kind, part.id, part.name)
            events.append(PartDelta(index, part.text))
        return events

    async def _await_first(self, pieces: AsyncGenerator[Piece, None]) -> AsyncGenerator[Event, None]:
        """The first piece; while it is long in coming, say what the engine is busy with."""
        first = asyncio.ensure_future(anext(pieces, None))
        try:
            await asyncio.wait([first], timeout=PATIENCE)
            if not first.done() and (await self._turn.engine.health(self._turn.model.id)).state == "loading":
                since = time.perf_counter()
                yield StepStarted("load", "load", f"Loading {self._turn.model.name}")
                while not first.done() and (await self._turn.engine.health(self._turn.model.id)).state == "loading":
                    await asyncio.wait([first], timeout=0.1)
                yield StepFinished("load", round((time.perf_counter() - since) * 1000, 1))
            piece = await first
        finally:
            if not first.done():
                first.cancel()
                await asyncio.wait([first])
        if piece is not None:
            for event in self._say(piece):
                yield event

    def _say(self, piece: Piece) -> Sequence[Event]:
        match piece:
            case Text() | Reasoning() | ToolCall():
                if isinstance(piece, Text):
                    self._meter.text(piece.text)
                return self._parts.take(piece)
            case Counted():
                self._meter.counted(piece)
            case Ended(reason=reason):
                self._reason = reason
            case _:
                assert_never(piece)
        return []


def _trimmed(turn: Turn) -> Remarked:
    return Remarked(
        "history_trimmed",
        f"The conversation is longer than {turn.model.name} can read at once; "
        f"its oldest {turn.laid.dropped} messages were left out.",
    )
