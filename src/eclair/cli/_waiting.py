"""A status line that says what an answer waits for, how far that is, and for how long it has waited."""

from __future__ import annotations

import asyncio
import time

from eclair.cli._terminal import Terminal
from eclair.schema.events import StepFinished, StepProgressed, StepStarted
from eclair.util.humanize import format_duration

SHOWN_AFTER_S = 0.4
"""A fast answer comes without a word about waiting."""

SECONDS_SHOWN_AFTER_S = 3.0
"""From here on the seconds that have passed are told, where nothing better is known."""

_STEP_VERBS = {"ask": "Asking ", "fetch": "Reading "}
"""Verbs before the titles of steps."""


class WaitingLine:
    """The line of one answer, from `begin` to `end`. It needs a running event loop to count the seconds."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self._model = ""
        self._began = 0.0
        self._step: StepStarted | None = None
        self._progress: StepProgressed | None = None
        self._ticking: asyncio.Task[None] | None = None

    def begin(self, model: str) -> None:
        """Begin to wait for a model's first word."""
        self._model = model
        if self._ticking is None and self._terminal.is_interactive:
            self._began = time.monotonic()
            self._ticking = asyncio.get_running_loop().create_task(self._tick(), name="waiting line")

    def end(self) -> None:
        if self._ticking is not None:
            self._ticking.cancel()
            self._ticking = None
        self._terminal.status("")

    def show(self, event: StepStarted | StepProgressed | StepFinished) -> None:
        """Show what a step says."""
        match event:
            case StepStarted():
                self._step, self._progress = event, None
            case StepProgressed():
                self._progress = event
            case StepFinished():
                self._step = self._progress = None
        self._terminal.status(self._text() if self._step is not None else "")

    async def _tick(self) -> None:
        await asyncio.sleep(SHOWN_AFTER_S)
        while True:
            self._terminal.status(self._text())
            await asyncio.sleep(1.0)

    def _text(self) -> str:
        step, progress = self._step, self._progress
        title = f"Waiting for {self._model}" if step is None else f"{_STEP_VERBS.get(step.kind, '')}{step.title}"
        kind = step.kind if step is not None else "wait"
        if progress is not None and progress.of:
            share = f"{progress.done / progress.of:.0%}"
            match kind:
                case "prompt":
                    return f"Reading {progress.of:,} tokens… {share}{_describe_left(progress.seconds_left)}"
                case "load":
                    return f"{title}… {share}"
                case "wait":
                    title += f", {progress.of - progress.done} other answers first"
                case _:
                    return f"{title}… {progress.done} of {progress.of}{_describe_left(progress.seconds_left)}"
        waited = time.monotonic() - self._began
        is_long = self._ticking is not None and waited >= SECONDS_SHOWN_AFTER_S
        return f"{title}… {_describe_waited(waited)}" if is_long else f"{title}…"


def _describe_left(seconds: float | None) -> str:
    return "" if seconds is None else f", about {format_duration(1000 * seconds)} left"


def _describe_waited(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else format_duration(1000 * seconds)
