"""A run of this process that is under way: its events, numbered and encoded once, and who waits for more."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

from eclair.errors import StoreError
from eclair.schema.events import (
    END,
    CallAsked,
    Event,
    Folding,
    Notice,
    PartDelta,
    RunInterrupted,
    RunStopped,
    RunWaiting,
    decode,
    encode,
)
from eclair.storage.runs import EventChunk

FRAME_S = 0.02
FOLLOWER_S = 0.0003
"""The time for sending an event to one follower: where many follow, frames are as long as it takes to serve all."""

E = TypeVar("E", bound=Event)


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive events as lines of JSON; `first` is the number of the first.

    `reset` tells the follower to forget what it has, since events were lost with their process: the whole run
    follows.
    """

    first: int
    lines: list[bytes]
    reset: bool = False

    @property
    def last(self) -> int:
        """The number of the last event."""
        return self.first + len(self.lines) - 1


class LiveRun:
    """A run of this process that is under way."""

    def __init__(self, id: str, started: Event, dirty: asyncio.Event, stored: Sequence[Event] = ()) -> None:
        """`stored` are the events of a run that is taken up again; `started` follows them."""
        self.id = id
        self.folding = Folding()
        self.last: Event = started
        self.lines: list[bytes] = []
        self.stored_lines = 0
        self.is_unsaved = False
        """True while followers are told that it can't be saved."""
        self.flushing: asyncio.Future[None] | None = None
        self.effects = set[str]()
        """Calls that may have an effect, whose beginning is stored before they are made."""
        self.phase: Literal["opened", "running", "ending"] = "opened"
        self.ending: RunStopped | RunInterrupted | None = None
        self.task: asyncio.Task[None] | None = None
        self._dirty = dirty
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[asyncio.Future[None], None] = {}
        self._followers = 0
        self._texts: list[str] = []
        self._index = 0
        self._emitted = 0.0
        self._timer: asyncio.TimerHandle | None = None
        for event in stored:
            self._add(event)
        self.stored_lines = len(self.lines)
        self._add(started)

    def append(self, event: Event) -> None:
        """Number an event and wake the followers; merge deltas of one part within a frame."""
        if not isinstance(event, PartDelta):
            self.emit()
            self._add(event)
            return
        if event.index != self._index:
            self.emit()
            self._index = event.index
        self._texts.append(event.text)
        frame_s = max(FRAME_S, self._followers * FOLLOWER_S)
        if self._loop.time() - self._emitted >= frame_s:
            self.emit()
        elif self._timer is None:
            self._timer = self._loop.call_at(self._emitted + frame_s, self.emit)

    @property
    def ended(self) -> bool:
        """True once it has ended here: for good, or until it is taken up again."""
        return isinstance(self.last, END) or self.is_parked

    @property
    def is_parked(self) -> bool:
        return isinstance(self.last, RunWaiting)

    def chunk(self, *, end: Event | None = None) -> EventChunk:
        """Return the events that aren't stored yet, and `end`."""
        lines = self.lines[self.stored_lines :] + ([encode(end)] if end is not None else [])
        return EventChunk(self.id, self.stored_lines + len(lines), b"\n".join(lines))

    def note_unsaved(self, fault: StoreError) -> None:
        """Tell followers once that it can't be saved."""
        if not self.is_unsaved:
            self.is_unsaved = True
            self.append(Notice("not_saved", f"This answer is not saved yet. {fault.message}"))

    def note_saved(self) -> None:
        """Tell followers who were told otherwise that it is saved again."""
        if self.is_unsaved:
            self.is_unsaved = False
            self.append(Notice("saved", "This answer is saved again."))

    def numbered(self, event: E) -> E:
        """Return the event with the number that it gets if it comes next."""
        return replace(event, seq=len(self.lines) + 1)

    @contextmanager
    def followed(self) -> Generator[None]:
        """Count a follower for as long as the block lasts."""
        self._followers += 1
        try:
            yield
        finally:
            self._followers -= 1

    async def next(self, after: int) -> Batch | None:
        """Wait for events after number `after`; None if the run's last event is among those."""
        reset = after > len(self.lines)
        seen = 0 if reset else after
        while seen == len(self.lines):
            if self.ended:
                return None
            await self._changed()
        return Batch(seen + 1, self.lines[seen:], reset)

    async def _changed(self) -> None:
        """Wait for the next event."""
        waiter = self._loop.create_future()
        self._waiting[waiter] = None
        try:
            await waiter
        finally:
            self._waiting.pop(waiter, None)

    def emit(self) -> None:
        """Turn the pending deltas into one event."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._texts:
            self._emitted = self._loop.time()
            texts, self._texts = self._texts, []
            self._add(PartDelta(self._index, "".join(texts)))

    def _add(self, event: Event) -> None:
        event = self.numbered(event)
        self.folding.add(event)
        if isinstance(event, CallAsked) and event.access in ("outbound", "write"):
            self.effects.add(event.call)
        self.last = event
        self.lines.append(bytes(memoryview(encode(event))))  # orjson's own keeps 4 KB, however short the line
        self._dirty.set()
        waiting, self._waiting = self._waiting, {}
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)


def describe_loss(live: LiveRun) -> str:
    """Say what is lost of a run whose end can't be stored, without its words."""
    events = [decode(line) for line in live.lines[live.stored_lines :]]
    count = sum(len(event.text) for event in events if isinstance(event, PartDelta))
    where = live.folding.message().conversation
    return f"The answer of {live.id} in {where} ends without its last {count:,} characters: they cannot be saved."
