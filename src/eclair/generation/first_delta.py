"""Waits for the first delta of an answer, and reports what the engine is busy with meanwhile."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable

from eclair.llm.base import Delta, Engine, Health, PromptProgress
from eclair.schema.events import StepFinished, StepProgressed, StepStarted
from eclair.schema.models import Model
from eclair.util.tasks import cancel_and_wait

LOADING_NOTICE_AFTER_S = 0.4
"""After so long without a word, the person is told that the model is loading."""

WAITING_NOTICE_AFTER_S = 3.0
"""After so long without a word from a loaded model, the person is told whom the answer waits for."""

QUEUE_INTERVAL_S = 1.0
"""The answers before this one are counted so often."""

MIN_SHOWN_PROMPT_TOKENS = 256
"""Reading fewer tokens is no step of its own."""

MIN_SHOWN_PERCENT = 5
"""Loading tells of its progress in steps of so much."""

MIN_MEASURED_S = 1.0
"""The time left is told once reading was measured for so long."""

BusySteps = AsyncGenerator[StepStarted | StepProgressed | StepFinished, None]


class FirstDelta:
    """The first delta of a stream, from `engine` asked for `model`.

    `count_ahead` counts the answers that the model makes before this one. Begins to wait at once; `close` ends that,
    and has to be called.
    """

    def __init__(
        self, deltas: AsyncGenerator[Delta, None], engine: Engine, model: Model, count_ahead: Callable[[], int]
    ) -> None:
        self._engine = engine
        self._model = model
        self._count_ahead = count_ahead
        self._progress: PromptProgress | None = None
        self._first_progress: tuple[float, int] | None = None
        self._has_progressed = asyncio.Event()
        self._delta = asyncio.ensure_future(self._receive(deltas))

    @property
    def has_come(self) -> bool:
        """True once the delta has come, the stream has ended, or it has failed."""
        return self._delta.done()

    async def get(self) -> Delta | None:
        """Return the delta; None if the stream ended without one. Raises what the engine raises."""
        return await self._delta

    async def close(self) -> None:
        await cancel_and_wait(self._delta)

    async def wait(self, timeout_s: float | None, *, shows_steps: bool) -> BusySteps:
        """Wait until the timeout. Loading the model is a step, and so is what follows."""
        deadline = _Deadline(timeout_s)
        if shows_steps:
            await asyncio.wait([self._delta], timeout=deadline.left(LOADING_NOTICE_AFTER_S))
            async for step in self._loading_steps(deadline):
                yield step
            async for step in self._reading_steps(deadline):
                yield step
        await asyncio.wait([self._delta], timeout=deadline.left())

    async def _receive(self, deltas: AsyncGenerator[Delta, None]) -> Delta | None:
        """Return the first delta of the answer; note how far the engine has read until then."""
        async for delta in deltas:
            if not isinstance(delta, PromptProgress):
                return delta
            self._progress = delta
            self._first_progress = self._first_progress or (time.perf_counter(), delta.done)
            self._has_progressed.set()
        return None

    async def _loading_steps(self, deadline: _Deadline) -> BusySteps:
        """Report that the model is being loaded, and how far."""
        health = await self._loading_health(deadline)
        if health is None:
            return
        since, shown = time.perf_counter(), 0
        yield StepStarted("load", "load", f"Loading {self._model.name}")
        while health is not None:
            percent = 0 if health.loaded is None else min(99, int(100 * health.loaded))
            if percent >= shown + MIN_SHOWN_PERCENT:
                shown = percent
                yield StepProgressed("load", shown, 100)
            await asyncio.wait([self._delta], timeout=deadline.left(0.1))
            health = await self._loading_health(deadline)
        yield StepFinished("load", _milliseconds_since(since))

    async def _reading_steps(self, deadline: _Deadline) -> BusySteps:
        """Report that a long prompt is being read, and how far, or that the answer waits for its turn."""
        began = since = time.perf_counter()
        step: StepStarted | None = None
        queue = _Queue(self._count_ahead)
        while not self.has_come:
            await self._until_progress(deadline.left(_seconds_to_look(step, began)))
            if self.has_come or deadline.left() == 0:
                break
            if self._is_reading and (step is None or step.kind == "wait"):
                if step is not None:
                    yield StepFinished(step.step, _milliseconds_since(since))
                since, step = time.perf_counter(), StepStarted(f"prompt-{self._model.id}", "prompt", "Reading the text")
                yield step
            elif step is None and time.perf_counter() - began >= WAITING_NOTICE_AFTER_S:
                since = time.perf_counter()
                step = StepStarted(f"wait-{self._model.id}", "wait", f"Waiting for {self._model.name}")
                yield step
            if step is not None and step.kind == "prompt" and self._progress is not None:
                yield StepProgressed(
                    step.step, self._progress.done, self._progress.of, seconds_left=self._seconds_left()
                )
            elif step is not None and queue.has_moved():
                yield StepProgressed(step.step, queue.done, queue.length)
        if step is not None:
            yield StepFinished(step.step, _milliseconds_since(since))

    def _seconds_left(self) -> float | None:
        """Return how long it takes to read the rest, at the speed so far; None if that is unknown."""
        if self._progress is None or self._first_progress is None:
            return None
        began, first = self._first_progress
        seconds, tokens = time.perf_counter() - began, self._progress.done - first
        if seconds < MIN_MEASURED_S or tokens <= 0:
            return None
        return round(seconds / tokens * (self._progress.of - self._progress.done), 1)

    @property
    def _is_reading(self) -> bool:
        return self._progress is not None and self._progress.of >= MIN_SHOWN_PROMPT_TOKENS

    async def _until_progress(self, timeout_s: float | None) -> None:
        """Wait until the engine has read more, or the delta comes."""
        progressed = asyncio.ensure_future(self._has_progressed.wait())
        try:
            await asyncio.wait([self._delta, progressed], timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_and_wait(progressed)
        self._has_progressed.clear()

    async def _loading_health(self, deadline: _Deadline) -> Health | None:
        """Return the health of a model that is still loading; None once it isn't."""
        health = asyncio.ensure_future(self._engine.health(self._model.id))
        try:
            await asyncio.wait([self._delta, health], timeout=deadline.left(), return_when=asyncio.FIRST_COMPLETED)
            is_loading = not self.has_come and health.done() and health.result().state == "loading"
            return health.result() if is_loading else None
        finally:
            await cancel_and_wait(health)


class _Queue:
    """The answers before this one: `done` of `length` have ended since the first look."""

    def __init__(self, count_ahead: Callable[[], int]) -> None:
        self._count_ahead = count_ahead
        self.length = self.done = 0

    def has_moved(self) -> bool:
        """Look again; return whether there is something new to tell."""
        ahead = self._count_ahead()
        if self.length == 0:
            self.length = ahead
            return ahead > 0
        done = max(self.done, self.length - ahead)
        has_moved, self.done = done > self.done, done
        return has_moved


class _Deadline:
    def __init__(self, timeout_s: float | None) -> None:
        self._end = math.inf if timeout_s is None else time.perf_counter() + timeout_s

    def left(self, limit_s: float = math.inf) -> float | None:
        """Return the seconds that may still be waited, at most `limit_s`; None without an end."""
        seconds = min(limit_s, max(0.0, self._end - time.perf_counter()))
        return None if seconds == math.inf else seconds


def _seconds_to_look(step: StepStarted | None, began: float) -> float:
    """Return after how long to look again, even if nothing has come."""
    if step is None:
        return max(0.0, began + WAITING_NOTICE_AFTER_S - time.perf_counter())
    return QUEUE_INTERVAL_S if step.kind == "wait" else math.inf


def _milliseconds_since(moment: float) -> float:
    return round((time.perf_counter() - moment) * 1000, 1)
