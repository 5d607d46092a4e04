"""Runs number and keep events and hand them to any number of followers; they never call a model.

A run is a task of its own: whoever asked may go away. Its events are numbered, encoded once and kept in
memory; followers read them at their own pace, and every FLUSH seconds what is new goes to the store, for all
runs in one write. Deltas that come within FRAME seconds become one event, so that what a follower saw live
and what is replayed later are the same bytes. A run whose process died is found by `reap`, which
ends its log.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Literal, Protocol, TypeVar

from eclair.errors import Conflict, EclairError, StoreError
from eclair.network.gate import CURRENT_RUN
from eclair.schema.events import (
    END,
    End,
    Event,
    Folding,
    Notice,
    PartDelta,
    RunFailed,
    RunInterrupted,
    RunStarted,
    RunStopped,
    decode,
    encode,
    fold,
)
from eclair.schema.messages import Message
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.runs import EventChunk, NewTurn, RunRecord
from eclair.util.background import IdleScheduler

FRAME = 0.02
FLUSH = 0.1
RETRY = 1.0
POLL = 0.2
PATIENCE = 5.0
"""Seconds for which the end of a run is waited for while the store cannot serve."""

E = TypeVar("E", bound=Event)

log = logging.getLogger(__name__)


class Work(Protocol):
    """What fills a run: an answer being made."""

    def events(self) -> AsyncGenerator[Event, None]:
        """The events after run.started, without the closing ones. Closing it stops the engine."""
        ...

    def closing(self, end: Event | None) -> list[Event]:
        """The run's last events, however `events` ended: open parts, usage, then `end` or the work's own."""
        ...


@dataclass(frozen=True, slots=True)
class Batch:
    """Events as lines of JSON, in order; `first` is the number of the first.

    `reset` says that the follower knows of events that were lost with their process: it must forget what it
    has, for what follows is the whole run.
    """

    first: int
    lines: list[bytes]
    reset: bool = False

    @property
    def last(self) -> int:
        """The number of the last event."""
        return self.first + len(self.lines) - 1


class _Live:
    """A run at work in this process."""

    def __init__(self, id: str, started: Event, dirty: asyncio.Event) -> None:
        self.id = id
        self.folding = Folding()
        self.last: Event = started
        self.lines: list[bytes] = []
        self.kept = 0
        self.flushing: asyncio.Future[None] | None = None
        self.phase: Literal["opened", "at work", "ending"] = "opened"
        self.ending: RunStopped | RunInterrupted | None = None
        self.task: asyncio.Task[None] | None = None
        self._dirty = dirty
        self._loop = asyncio.get_running_loop()
        self._waiting: list[asyncio.Future[None]] = []
        self._texts: list[str] = []
        self._index = 0
        self._emitted = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._add(started)

    def append(self, event: Event) -> None:
        """Number the event and wake the followers; deltas of one part within FRAME become one."""
        if not isinstance(event, PartDelta):
            self.emit()
            self._add(event)
            return
        if event.index != self._index:
            self.emit()
            self._index = event.index
        self._texts.append(event.text)
        if self._loop.time() - self._emitted >= FRAME:
            self.emit()
        elif self._timer is None:
            self._timer = self._loop.call_at(self._emitted + FRAME, self.emit)

    @property
    def ended(self) -> bool:
        return isinstance(self.last, END)

    def chunk(self, *, end: Event | None = None) -> EventChunk:
        """What the store does not have yet, and `end`."""
        lines = self.lines[self.kept :] + ([encode(end)] if end is not None else [])
        return EventChunk(self.id, self.kept + len(lines), b"\n".join(lines))

    def numbered(self, event: E) -> E:
        """The event with the number that it will have if it comes next."""
        return replace(event, seq=len(self.lines) + 1)

    async def next(self, after: int) -> Batch | None:
        """Wait for events after number `after`; None once the last is among those before."""
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
        self._waiting.append(waiter)
        await waiter

    def emit(self) -> None:
        """Make an event of the deltas that wait for their frame's end."""
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
        self.last = event
        self.lines.append(bytes(memoryview(encode(event))))  # orjson's own keeps 4 KB, however short the line
        self._dirty.set()
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None)


class Runs:
    """The run log. `start` before use, `close` at the end: what is still at work then is interrupted."""

    def __init__(self, storage: Storage, changes: ChangeFeed | None = None, idle: IdleScheduler | None = None) -> None:
        self._storage = storage
        self._changes = changes or ChangeFeed(storage.processes)
        self._idle = idle or IdleScheduler()
        self._live: dict[str, _Live] = {}
        self._passing: set[_Live] = set()
        self._opening: set[asyncio.Future[RunRecord]] = set()
        self._flusher: asyncio.Task[None] | None = None
        self._dirty = asyncio.Event()

    async def start(self) -> None:
        """Begin to write, after marking what dead processes left."""
        await self.reap()
        self._flusher = asyncio.create_task(self._flush_for_ever(), name="flush run logs")

    async def close(self) -> None:
        """Interrupt what is at work and write everything down."""
        await asyncio.gather(*self._opening, return_exceptions=True)
        lives = [*self._live.values(), *self._passing]
        for live in lives:
            self._end(live, RunInterrupted())
        tasks = [live.task for live in lives if live.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=PATIENCE)
            for task in late:
                task.cancel()
        if self._flusher is not None:
            self._flusher.cancel()
            await asyncio.wait([self._flusher])

    async def open(
        self, turn: NewTurn, started: RunStarted, work: Work, then: Callable[[Message], None] | None = None
    ) -> RunRecord:
        """Store the turn and set its work going. The same question asked again gives the run that it began.

        `then` is called with the message once it is written. `turn.first` is filled in here. Raises what
        `Store.open_turn` raises. Whoever asked may go away meanwhile: a turn that is stored has a run that ends.
        """
        opening = asyncio.ensure_future(self._open(turn, started, work, then))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        return await asyncio.shield(opening)

    async def _open(
        self, turn: NewTurn, started: RunStarted, work: Work, then: Callable[[Message], None] | None
    ) -> RunRecord:
        live = _Live(turn.run.id, started, self._dirty)
        turn = replace(turn, first=live.chunk())
        try:
            kept = await self._storage.runs.open_turn(turn)
        except Conflict:
            if not await self.reap(turn.run.conversation):
                raise
            kept = await self._storage.runs.open_turn(turn)
        if kept.id == turn.run.id:
            live.kept = 1
            self._live[kept.id] = live
            live.task = asyncio.create_task(self._carry(live, work, kept, then), name=kept.id)
            self._changes.publish(kept.conversation, "running")
        return kept

    def follow(self, run: RunRecord, after: int) -> AsyncGenerator[Batch, None]:
        """Yield the run's events after number `after`, those to come included, until its last."""
        live = self._live.get(run.id)
        return self._follow_kept(run, after) if live is None else _follow_live(live, after)

    async def pass_on(self, started: RunStarted, work: Work) -> AsyncGenerator[Batch, None]:
        """Yield the events of a run that is kept nowhere. Closing the generator ends its work."""
        live = _Live(started.run, started, asyncio.Event())
        live.task = asyncio.create_task(self._pass_on(live, work), name=started.run)
        self._passing.add(live)
        try:
            after = 0
            while (batch := await live.next(after)) is not None:
                yield batch
                after = batch.last
        finally:
            self._passing.discard(live)
            self._end(live, RunStopped())
            await asyncio.wait([live.task], timeout=PATIENCE)

    async def fold(self, run: RunRecord) -> tuple[Message, int]:
        """The run's message as it stands, and the number of its last event."""
        live = self._live.get(run.id)
        if live is not None:
            return live.folding.message(), len(live.lines)
        events = await self._kept_events(run)
        return fold(events), len(events)

    async def stop(self, run: RunRecord) -> None:
        """Stop the engine and end the run; one that has ended stays as it is. Returns when it is written.

        Raises Conflict when another process of this machine writes it.
        """
        live = self._live.get(run.id)
        if live is None:
            ours = run.process == self._storage.processes.current  # then it has ended since the record was read
            if run.status == "running" and not ours and not await self._reap(run):
                raise Conflict(
                    "Another Éclair on this machine writes this answer (`eclair chat`?); stop it there.",
                    run=run.id,
                )
            return
        self._end(live, RunStopped())
        if live.task is not None:
            await asyncio.wait([live.task], timeout=PATIENCE)

    async def reap(self, conversation: str | None = None) -> bool:
        """Mark as interrupted what dead processes left there, or anywhere; whether there was anything."""
        return any([await self._reap(run) for run in await self._storage.runs.list_running(conversation)])

    async def _reap(self, run: RunRecord) -> bool:
        """Mark the run as interrupted if its process died. Its text up to there is kept."""
        if run.id in self._live or self._storage.processes.is_alive(run.process):
            return False
        events = await self._kept_events(run)
        end = RunInterrupted(seq=len(events) + 1)
        await self._storage.runs.finish_run(run, fold([*events, end]), EventChunk(run.id, end.seq, encode(end)))
        self._changes.publish(run.conversation, "finished")
        return True

    async def _kept_events(self, run: RunRecord) -> list[Event]:
        chunks = await self._storage.runs.list_events(run.id, 0)
        return [decode(line) for chunk in chunks for line in chunk.lines.split(b"\n")]

    async def _follow_kept(self, run: RunRecord, after: int) -> AsyncGenerator[Batch, None]:
        """Follow a run of another process, or one that has ended, through the store."""
        seen = after
        ended = False
        while not ended:
            ended = run.status != "running" or not await self._at_work(run)  # asked before the log is read
            reset = ended and after == seen > 0 and await self._lost(run, seen)
            after = 0 if reset else after
            chunks = await self._storage.runs.list_events(run.id, after)
            for chunk in chunks:
                lines = chunk.lines.split(b"\n")
                first = chunk.last - len(lines) + 1
                fresh = lines[max(0, after + 1 - first) :]
                yield Batch(chunk.last - len(fresh) + 1, fresh, reset)
                after, reset = chunk.last, False
            if not ended and not chunks and not await self._reap(run):
                await asyncio.sleep(POLL)

    async def _at_work(self, run: RunRecord) -> bool:
        return any(other.id == run.id for other in await self._storage.runs.list_running(run.conversation))

    async def _lost(self, run: RunRecord, seen: int) -> bool:
        """Whether a follower who saw event number `seen` of an ended run saw one that died with its process."""
        chunks = await self._storage.runs.list_events(run.id, seen - 1)
        if not chunks:
            return True
        last = decode(chunks[-1].lines.rsplit(b"\n", 1)[-1])
        return last.seq == seen and isinstance(last, RunInterrupted)  # which took the number of what was lost

    def _end(self, live: _Live, ending: RunStopped | RunInterrupted) -> None:
        live.ending = live.ending or ending
        if live.task is not None and live.phase == "at work":  # a task that has not begun would never begin
            live.task.cancel()

    async def _carry(self, live: _Live, work: Work, run: RunRecord, then: Callable[[Message], None] | None) -> None:
        """Do the work, then end the run; every way it can end is written down."""
        message = await self._finish(live, await self._do(live, work), run)
        if then is not None:
            then(message)

    async def _pass_on(self, live: _Live, work: Work) -> None:
        last = await self._do(live, work)
        live.append(last)

    async def _do(self, live: _Live, work: Work) -> End:
        """Do the work. The run's last event comes back; all that come before it have been said."""
        CURRENT_RUN.set(live.id)
        end: End | None = live.ending
        try:
            if end is None:
                live.phase = "at work"
                with self._idle.answering():
                    await self._gather(live, work)
        except asyncio.CancelledError:
            end = live.ending or RunInterrupted()
        except EclairError as error:
            end = RunFailed(error.code, error.message)
        except Exception:
            log.exception("run %s failed", live.id)
            end = RunFailed("internal", "Éclair made a mistake of its own; its log has the details.")
        live.phase = "ending"
        *others, last = work.closing(end)
        assert isinstance(last, END)
        for event in others:
            live.append(event)
        return last

    async def _gather(self, live: _Live, work: Work) -> None:
        async with aclosing(work.events()) as events:
            async for event in events:
                live.append(event)

    async def _finish(self, live: _Live, last: End, run: RunRecord) -> Message:
        """Write the run's end, then let the followers see it: who has seen it may ask the next question."""
        live.emit()
        if live.flushing is not None:
            await live.flushing
        message: Message | None = None
        while message is None:
            end = live.numbered(last)
            folded = live.folding.message(end)
            try:
                await self._storage.runs.finish_run(run, folded, live.chunk(end=end))
                message = folded
            except StoreError as error:
                log.error("run %s cannot be saved yet: %s", run.id, error.message)
                if not isinstance(live.last, Notice):
                    live.append(Notice("not_saved", f"This answer is not saved yet. {error.message}"))
                await asyncio.sleep(RETRY)
        live.append(last)
        del self._live[run.id]
        self._changes.publish(run.conversation, "finished")
        return message

    async def _flush_for_ever(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(FLUSH)
            self._dirty.clear()
            try:
                await self._flush()
            except StoreError as error:
                log.error("answers at work cannot be saved yet: %s", error.message)
                self._dirty.set()
                await asyncio.sleep(RETRY)

    async def _flush(self) -> None:
        """Send every run's new events to the store in one write."""
        lives = [live for live in self._live.values() if live.kept < len(live.lines) and live.phase != "ending"]
        if not lives:
            return
        chunks = [live.chunk() for live in lives]
        flushing = asyncio.get_running_loop().create_future()
        for live in lives:
            live.flushing = flushing
        try:
            await self._storage.runs.append_events(chunks)
            for live, chunk in zip(lives, chunks, strict=True):
                live.kept = chunk.last
        finally:
            flushing.set_result(None)


async def _follow_live(live: _Live, after: int) -> AsyncGenerator[Batch, None]:
    while (batch := await live.next(after)) is not None:
        yield batch
        after = batch.last
