"""Waits for the first delta of an answer, and reports what the engine is busy with meanwhile."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator

from eclair.generation.fallback import cancel_and_wait
from eclair.llm.base import Delta, Engine, PromptProgress
from eclair.schema.events import StepFinished, StepProgressed, StepStarted
from eclair.schema.models import Model

LOADING_NOTICE_AFTER_S = 0.4
"""After so long without a word, the person is told that the model is loading."""

WAITING_NOTICE_AFTER_S = 6.0
"""After so long without a word from a loaded model, the person is told whom the answer waits for."""

MIN_SHOWN_PROMPT_TOKENS = 256
"""Reading fewer tokens is no step of its own."""

BusySteps = AsyncGenerator[StepStarted | StepProgressed | StepFinished, None]


class FirstDelta:
    """The first delta of a stream, from `engine` asked for `model`.

    Begins to wait at once. `close` ends that, and has to be called.
    """

    def __init__(self, deltas: AsyncGenerator[Delta, None], engine: Engine, model: Model) -> None:
        self._engine = engine
        self._model = model
        self._progress: PromptProgress | None = None
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
            if await self._is_loading(deadline):
                since = time.perf_counter()
                yield StepStarted("load", "load", f"Loading {self._model.name}")
                while await self._is_loading(deadline):
                    await asyncio.wait([self._delta], timeout=deadline.left(0.1))
                yield StepFinished("load", _milliseconds_since(since))
            async for step in self._reading_steps(deadline):
                yield step
        await asyncio.wait([self._delta], timeout=deadline.left())

    async def _receive(self, deltas: AsyncGenerator[Delta, None]) -> Delta | None:
        """Return the first delta of the answer; note how far the engine has read until then."""
        async for delta in deltas:
            if not isinstance(delta, PromptProgress):
                return delta
            self._progress = delta
            self._has_progressed.set()
        return None

    async def _reading_steps(self, deadline: _Deadline) -> BusySteps:
        """Report that a long prompt is being read, and how far, or that the answer waits for its turn."""
        began = since = time.perf_counter()
        step: StepStarted | None = None
        while not self.has_come:
            limit = math.inf if step is not None else max(0.0, began + WAITING_NOTICE_AFTER_S - time.perf_counter())
            await self._until_progress(deadline.left(limit))
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
                yield StepProgressed(step.step, self._progress.done, self._progress.of)
        if step is not None:
            yield StepFinished(step.step, _milliseconds_since(since))

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

    async def _is_loading(self, deadline: _Deadline) -> bool:
        """Return whether the engine says that the model is still loading."""
        health = asyncio.ensure_future(self._engine.health(self._model.id))
        try:
            await asyncio.wait([self._delta, health], timeout=deadline.left(), return_when=asyncio.FIRST_COMPLETED)
            return not self.has_come and health.done() and health.result().state == "loading"
        finally:
            await cancel_and_wait(health)


class _Deadline:
    def __init__(self, timeout_s: float | None) -> None:
        self._end = math.inf if timeout_s is None else time.perf_counter() + timeout_s

    def left(self, limit_s: float = math.inf) -> float | None:
        """Return the seconds that may still be waited, at most `limit_s`; None without an end."""
        seconds = min(limit_s, max(0.0, self._end - time.perf_counter()))
        return None if seconds == math.inf else seconds


def _milliseconds_since(moment: float) -> float:
    return round((time.perf_counter() - moment) * 1000, 1)
