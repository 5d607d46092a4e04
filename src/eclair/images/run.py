"""Answers made of images: the service's progress as steps and parts."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import assert_never

from eclair.generation.parts import Parts
from eclair.images.job import ImageJob
from eclair.images.service import ImageService
from eclair.schema.events import (
    Event,
    PartDelta,
    RunFailed,
    RunFinished,
    StepFinished,
    StepProgressed,
    StepStarted,
)
from eclair.schema.images import ImageFinished, ImageProgressed, ImageQueued
from eclair.schema.messages import StepKind, StepOutcome

PROGRESS_INTERVAL_S = 0.1
MAX_TITLE_CHARS = 80
"""Of the prompt in a step's title."""


class ImageRun:
    """The images of a job as the work of one run, or as a stretch of an answer that has other `parts` too."""

    def __init__(
        self,
        service: ImageService,
        job: ImageJob,
        parts: Parts | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._service = service
        self._job = job
        self._clock = clock
        self._parts = parts or Parts()
        self._step: str | None = None
        self._step_began = self._reported_at = 0.0
        self._preview: int | None = None
        self._most_ahead = 0
        self._wait_count = 0

    async def events(self) -> AsyncGenerator[Event, None]:
        """Have the images generated, and report the progress."""
        async with aclosing(self._service.generate(self._job)) as updates:
            async for update in updates:
                match update:
                    case ImageQueued(before=ahead):
                        events = self._wait(ahead)
                    case ImageProgressed():
                        events = self._progress(update)
                    case ImageFinished():
                        events = self._finish(update)
                    case _:
                        assert_never(update)
                for event in events:
                    yield event

    def closing_events(self, end: Event | None) -> list[Event]:
        """End the open step if the run failed, and the run."""
        failed = self._end_step("failed") if isinstance(end, RunFailed) else []
        return [*failed, *self._parts.finish(), end or RunFinished("stop")]

    def _wait(self, ahead: int) -> list[Event]:
        events: list[Event] = []
        if self._step is None:
            self._wait_count += 1
            self._most_ahead = ahead
            events = self._begin_step(f"queue-{self._wait_count}", "load", "Waiting until other images are made")
        assert self._step is not None
        self._most_ahead = max(self._most_ahead, ahead)
        return [*events, StepProgressed(self._step, self._most_ahead - ahead, self._most_ahead)]

    def _progress(self, update: ImageProgressed) -> list[Event]:
        events: list[Event] = []
        is_early = self._clock() - self._reported_at < PROGRESS_INTERVAL_S
        if self._step != update.picture:
            shown = " ".join(self._job.asked_prompt.split())
            shown = shown if len(shown) <= MAX_TITLE_CHARS else f"{shown[:MAX_TITLE_CHARS].rstrip()}…"
            events = [*self._end_step("done"), *self._begin_step(update.picture, "draw", f"Drawing “{shown}”")]
        elif update.preview == self._preview and update.done < update.of and is_early:
            return []
        self._reported_at, self._preview = self._clock(), update.preview
        return [*events, StepProgressed(update.picture, update.done, update.of, update.preview)]

    def _finish(self, update: ImageFinished) -> list[Event]:
        image = update.picture
        started = self._parts.start("picture", image.id, image.model)
        return [
            *self._end_step("done"),
            *started,
            PartDelta(self._parts.current, image.revised_prompt or image.prompt),
            *self._parts.finish(),
        ]

    def _begin_step(self, step: str, kind: StepKind, title: str) -> list[Event]:
        self._step, self._step_began, self._preview = step, self._clock(), None
        return [StepStarted(step, kind, title)]

    def _end_step(self, outcome: StepOutcome) -> list[Event]:
        """End the open step, if there is one."""
        if self._step is None:
            return []
        step, self._step = self._step, None
        return [StepFinished(step, round((self._clock() - self._step_began) * 1000, 1), outcome)]
