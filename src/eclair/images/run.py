"""Answers that are pictures: what the studio makes becomes steps and parts of a message. A `Drawing` is the work of one
run."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import assert_never

from eclair.generation.parts import Parts
from eclair.images.service import Commission, Studio
from eclair.schema.events import (
    Event,
    PartDelta,
    RunFailed,
    RunFinished,
    StepFinished,
    StepProgressed,
    StepStarted,
)
from eclair.schema.images import Finished, Underway, Waiting
from eclair.schema.messages import Outcome, StepKind

OFTEN = 0.1
"""Seconds after which progress is told again."""
LONGEST = 80
"""Characters of the prompt in a title."""


class Drawing:
    """The work of one run, as `runs.Work` has it; or a stretch of an answer that has other `parts` too."""

    def __init__(
        self,
        studio: Studio,
        commission: Commission,
        parts: Parts | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._studio = studio
        self._commission = commission
        self._clock = clock
        self._parts = parts or Parts()
        self._step: str | None = None
        self._began = self._told = 0.0
        self._preview: int | None = None
        self._most = 0
        self._waits = 0

    async def events(self) -> AsyncGenerator[Event, None]:
        """Have the pictures made, and say how far they are."""
        async with aclosing(self._studio.draw(self._commission)) as making:
            async for each in making:
                match each:
                    case Waiting(before=before):
                        events = self._wait(before)
                    case Underway():
                        events = self._go_on(each)
                    case Finished():
                        events = self._finish(each)
                    case _:
                        assert_never(each)
                for event in events:
                    yield event

    def closing(self, end: Event | None) -> list[Event]:
        """End what is under way, where it failed, and the run."""
        failed = self._end("failed") if isinstance(end, RunFailed) else []
        return [*failed, *self._parts.finish(), end or RunFinished("stop")]

    def _wait(self, before: int) -> list[Event]:
        """So many are made first."""
        events: list[Event] = []
        if self._step is None:
            self._waits += 1
            self._most = before
            events = self._begin(f"queue-{self._waits}", "load", "Waiting until other pictures are made")
        assert self._step is not None
        self._most = max(self._most, before)
        return [*events, StepProgressed(self._step, self._most - before, self._most)]

    def _go_on(self, now: Underway) -> list[Event]:
        events: list[Event] = []
        if self._step != now.picture:
            shown = " ".join(self._commission.prompt.split())
            shown = shown if len(shown) <= LONGEST else f"{shown[:LONGEST].rstrip()}…"
            events = [*self._end("done"), *self._begin(now.picture, "draw", f"Drawing “{shown}”")]
        elif now.preview == self._preview and now.done < now.of and self._clock() - self._told < OFTEN:
            return []
        self._told, self._preview = self._clock(), now.preview
        return [*events, StepProgressed(now.picture, now.done, now.of, now.preview)]

    def _finish(self, made: Finished) -> list[Event]:
        picture = made.picture
        started = self._parts.start("picture", picture.id, picture.model)
        return [
            *self._end("done"),
            *started,
            PartDelta(self._parts.current, picture.revised_prompt or picture.prompt),
            *self._parts.finish(),
        ]

    def _begin(self, step: str, kind: StepKind, title: str) -> list[Event]:
        self._step, self._began, self._preview = step, self._clock(), None
        return [StepStarted(step, kind, title)]

    def _end(self, outcome: Outcome) -> list[Event]:
        """End the step that is under way, if one is."""
        if self._step is None:
            return []
        step, self._step = self._step, None
        return [StepFinished(step, round((self._clock() - self._began) * 1000, 1), outcome)]
