"""Runs: number, store and stream events to followers; they never call a model.

A run is a task of its own: the client that asked may disconnect. Its events are numbered, encoded once and kept in
memory; followers read them at their own pace. Every FLUSH_INTERVAL_S seconds the new events of all runs are written
in one transaction. Deltas within FRAME_S seconds become one event, so that a replay is byte for byte what a follower
saw live. `reap` ends the log of a run whose process died.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace
from typing import Protocol

from eclair.chat.live_run import Batch, LiveRun, describe_loss
from eclair.errors import INTERNAL_ERROR, Conflict, DataDamaged, EclairError, StoreError
from eclair.network.gate import CURRENT_RUN
from eclair.schema.events import (
    END,
    End,
    Event,
    RunFailed,
    RunInterrupted,
    RunStarted,
    RunStopped,
    decode,
    encode,
    fold,
    unfold,
)
from eclair.schema.messages import Message
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.runs import EventChunk, FoldedRun, NewTurn, RunRecord
from eclair.util.background import IdleScheduler

FLUSH_INTERVAL_S = 0.1
RETRY_INTERVAL_S = 1.0
POLL_INTERVAL_S = 0.2
REAP_INTERVAL_S = 5.0
END_TIMEOUT_S = 5.0
"""Limits the wait for a run's end while the storage is unavailable."""

log = logging.getLogger(__name__)


class EventProducer(Protocol):
    """Produces the events of a run: an answer being made."""

    def events(self) -> AsyncGenerator[Event, None]:
        """Yield the events after run.started, without the closing ones.

        Closing the generator stops the engine.
        """
        ...

    def closing_events(self, end: Event | None) -> list[Event]:
        """Return the last events: open parts, usage, then `end` or the producer's own end."""
        ...


class Runs:
    """The run log. Call `start` before use; `close` interrupts what is under way."""

    def __init__(self, storage: Storage, changes: ChangeFeed | None = None, idle: IdleScheduler | None = None) -> None:
        self._storage = storage
        self._changes = changes or ChangeFeed(storage.processes)
        self._idle = idle or IdleScheduler()
        self._live: dict[str, LiveRun] = {}
        self._unstored: set[LiveRun] = set()
        self._opening: set[asyncio.Future[RunRecord]] = set()
        self._dirty = asyncio.Event()
        self._has_live = asyncio.Event()
        self._background: list[asyncio.Task[None]] = []
        self.unsaved = 0
        """Answers whose end could not be stored when this was closed."""

    async def start(self) -> None:
        """Mark runs of dead processes as interrupted, and start to write."""
        await self.reap()
        self._background = [
            asyncio.create_task(self._flush_periodically(), name="flush run logs"),
            asyncio.create_task(self._stop_when_requested(), name="stop runs for other processes"),
            asyncio.create_task(self._reap_periodically(), name="end runs of dead processes"),
        ]

    async def close(self) -> None:
        """Interrupt the runs under way and store everything."""
        await asyncio.gather(*self._opening, return_exceptions=True)
        lives = [*self._live.values(), *self._unstored]
        for live in lives:
            self._end(live, RunInterrupted())
        tasks = [live.task for live in lives if live.task is not None]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=END_TIMEOUT_S)
            for task in late:
                task.cancel()
            for live in lives:
                if live.task in late:
                    self.unsaved += 1
                    log.error("%s", describe_loss(live))
        for task in self._background:
            task.cancel()
        if self._background:
            await asyncio.wait(self._background)

    async def open(
        self,
        turn: NewTurn,
        started: RunStarted,
        producer: EventProducer,
        on_finish: Callable[[Message], None] | None = None,
    ) -> RunRecord:
        """Store a turn and start its run. Asking the same question again returns the same run.

        `on_finish` is called with the message once it is stored. `turn.first` is filled in here. If the caller is
        cancelled, a stored turn still gets a run that ends. Raises what `RunStore.open_turn` raises.
        """
        opening = asyncio.ensure_future(self._open(turn, started, producer, on_finish))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        return await asyncio.shield(opening)

    async def _open(
        self, turn: NewTurn, started: RunStarted, producer: EventProducer, on_finish: Callable[[Message], None] | None
    ) -> RunRecord:
        live = LiveRun(turn.run.id, started, self._dirty)
        turn = replace(turn, first=live.chunk())
        try:
            record = await self._storage.runs.open_turn(turn)
        except Conflict:
            if not await self.reap(turn.run.conversation):
                raise
            record = await self._storage.runs.open_turn(turn)
        if record.id == turn.run.id:
            live.stored_lines = 1
            self._live[record.id] = live
            self._has_live.set()
            live.task = asyncio.create_task(self._run(live, producer, record, on_finish), name=record.id)
            self._changes.publish(turn.principal, record.conversation, "running")
        return record

    def follow(self, run: RunRecord, after: int) -> AsyncGenerator[Batch, None]:
        """Yield the run's events after number `after` until its last, including future ones."""
        live = self._live.get(run.id)
        return self._follow_stored(run, after) if live is None else _follow_live(live, after)

    async def stream_unstored(self, started: RunStarted, producer: EventProducer) -> AsyncGenerator[Batch, None]:
        """Yield the events of a run that isn't stored. Closing the generator ends it."""
        live = LiveRun(started.run, started, asyncio.Event())
        live.task = asyncio.create_task(self._run_unstored(live, producer), name=started.run)
        self._unstored.add(live)
        try:
            after = 0
            while (batch := await live.next(after)) is not None:
                yield batch
                after = batch.last
        finally:
            self._unstored.discard(live)
            self._end(live, RunStopped())
            await asyncio.wait([live.task], timeout=END_TIMEOUT_S)

    async def fold(self, run: RunRecord) -> tuple[Message, int]:
        """Return the run's message as it stands, and the number of its last event."""
        live = self._live.get(run.id)
        if live is not None:
            return live.folding.message(), len(live.lines)
        if run.status == "running":
            await self._reap(run)
        events = await self._stored_events(run)
        if not events and (folded := await self._storage.runs.find_folded(run.id)) is not None:
            return folded.message, folded.last
        return fold(events), len(events)

    async def stop(self, run: RunRecord) -> None:
        """Stop the engine and end the run; return once that is stored. Does nothing if ended.

        Raises Conflict if another process writes the run and doesn't stop it.
        """
        live = self._live.get(run.id)
        if live is not None:
            self._end(live, RunStopped())
            if live.task is not None:
                await asyncio.wait([live.task], timeout=END_TIMEOUT_S)
        elif run.status == "running" and run.process != self._storage.processes.current:
            await self._stop_elsewhere(run)

    async def _stop_elsewhere(self, run: RunRecord) -> None:
        """Have the process that writes the run stop it."""
        await self._storage.runs.request_stop(run.id)
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                while await self._is_running(run) and not await self._reap(run):  # noqa: ASYNC110 (no event tells)
                    await asyncio.sleep(POLL_INTERVAL_S)
        except TimeoutError:
            raise Conflict(
                "Another Éclair on this machine writes this answer and does not stop; end that one, and try again.",
                run=run.id,
            ) from None

    async def _stop_when_requested(self) -> None:
        """Stop runs of this process as others ask."""
        while await self._has_live.wait():
            await asyncio.sleep(POLL_INTERVAL_S)
            with contextlib.suppress(StoreError):  # which `_flush_periodically` says; the next poll tries again
                for id in await self._storage.runs.list_stop_requests():
                    if (live := self._live.get(id)) is not None:
                        self._end(live, RunStopped())

    async def _reap_periodically(self) -> None:
        while True:
            await asyncio.sleep(REAP_INTERVAL_S)
            try:
                await self.reap()
            except StoreError as error:
                log.warning("answers of processes that died cannot be ended yet: %s", error.message)

    async def reap(self, conversation: str | None = None) -> bool:
        """Mark runs of dead processes as interrupted; return whether there were any.

        Without `conversation` all conversations are checked.
        """
        return any([await self._reap(run) for run in await self._storage.runs.list_running(conversation)])

    async def _reap(self, run: RunRecord) -> bool:
        """Mark a run as interrupted if its process died; its text so far is kept."""
        if run.id in self._live or self._storage.processes.is_alive(run.process):
            return False
        try:
            events = await self._stored_events(run)
        except DataDamaged as error:
            log.error("run %s: %s", run.id, error.message)
            return False
        end = RunInterrupted(seq=len(events) + 1)
        rest = EventChunk(run.id, end.seq, encode(end))
        self._publish_end(run, await self._storage.runs.finish_run(run, fold([*events, end]), rest))
        return True

    async def _stored_events(self, run: RunRecord) -> list[Event]:
        chunks = await self._storage.runs.list_events(run.id, 0)
        try:
            return [decode(line) for chunk in chunks for line in chunk.lines.split(b"\n")]
        except ValueError as error:
            raise DataDamaged("The log of this answer is damaged; its text is in the conversation.") from error

    async def _follow_stored(self, run: RunRecord, after: int) -> AsyncGenerator[Batch, None]:
        """Follow a run of another process, or one that has ended, through the storage; a damaged log interrupts it."""
        seen = after
        ended = False
        while not ended:
            ended = run.status != "running" or not await self._is_running(run)  # asked before the log is read
            shown = after
            reset = ended and after == seen > 0 and await self._was_lost(run, seen)
            after = 0 if reset else after
            try:
                chunks = await self._storage.runs.list_events(run.id, after)
            except DataDamaged as error:
                log.error("run %s: %s", run.id, error.message)
                yield Batch(seen + 1, [encode(RunInterrupted(seq=seen + 1))], False)
                return
            if ended and not chunks and (folded := await self._storage.runs.find_folded(run.id)) is not None:
                if (batch := _replay(folded, shown)) is not None:
                    yield batch
                return
            for chunk in chunks:
                lines = chunk.lines.split(b"\n")
                first = chunk.last - len(lines) + 1
                new_lines = lines[max(0, after + 1 - first) :]
                yield Batch(chunk.last - len(new_lines) + 1, new_lines, reset)
                after, reset = chunk.last, False
            if not ended and not chunks and not await self._reap(run):
                await asyncio.sleep(POLL_INTERVAL_S)

    async def _is_running(self, run: RunRecord) -> bool:
        return any(other.id == run.id for other in await self._storage.runs.list_running(run.conversation))

    async def _was_lost(self, run: RunRecord, seen: int) -> bool:
        """Return whether a follower saw event `seen` of an ended run before it was lost."""
        chunks = await self._storage.runs.list_events(run.id, seen - 1)
        if not chunks:
            return True
        last = decode(chunks[-1].lines.rsplit(b"\n", 1)[-1])
        return last.seq == seen and isinstance(last, RunInterrupted)  # which took the number of what was lost

    def _end(self, live: LiveRun, ending: RunStopped | RunInterrupted) -> None:
        live.ending = live.ending or ending
        if live.task is not None and live.phase == "running":  # a task that has not begun would never begin
            live.task.cancel()

    async def _run(
        self, live: LiveRun, producer: EventProducer, run: RunRecord, on_finish: Callable[[Message], None] | None
    ) -> None:
        """Run the producer, then store the run's end, however it ends."""
        message = await self._finish(live, await self._produce(live, producer), run)
        if on_finish is not None:
            on_finish(message)

    async def _run_unstored(self, live: LiveRun, producer: EventProducer) -> None:
        last = await self._produce(live, producer)
        live.append(last)

    async def _produce(self, live: LiveRun, producer: EventProducer) -> End:
        """Run the producer; return the run's last event, after emitting all before it."""
        CURRENT_RUN.set(live.id)
        end: End | None = live.ending
        try:
            if end is None:
                live.phase = "running"
                with self._idle.answering():
                    await self._collect(live, producer)
        except asyncio.CancelledError:
            end = live.ending or RunInterrupted()
        except EclairError as error:
            end = RunFailed(error.code, error.message)
        except Exception:
            log.exception("run %s failed", live.id)
            end = RunFailed("internal", INTERNAL_ERROR)
        live.phase = "ending"
        *others, last = producer.closing_events(end)
        assert isinstance(last, END)
        for event in others:
            live.append(event)
        return last

    async def _collect(self, live: LiveRun, producer: EventProducer) -> None:
        async with aclosing(producer.events()) as events:
            async for event in events:
                live.append(event)

    async def _finish(self, live: LiveRun, last: End, run: RunRecord) -> Message:
        """Store the run's end, then show it to followers: they may ask the next question."""
        live.emit()
        if live.flushing is not None:
            await live.flushing
        message: Message | None = None
        owner: Principal | None = None
        while message is None:
            end = live.numbered(last)
            folded = live.folding.message(end)
            try:
                owner = await self._storage.runs.finish_run(run, folded, live.chunk(end=end))
                message = folded
            except StoreError as error:
                log.error("run %s cannot be saved yet: %s", run.id, error.message)
                live.note_unsaved(error)
                await asyncio.sleep(RETRY_INTERVAL_S)
        live.append(last)
        del self._live[run.id]
        if not self._live:
            self._has_live.clear()
        self._publish_end(run, owner)
        return message

    def _publish_end(self, run: RunRecord, owner: Principal | None) -> None:
        if owner is not None:
            self._changes.publish(owner, run.conversation, "finished")

    async def _flush_periodically(self) -> None:
        while True:
            await self._dirty.wait()
            await asyncio.sleep(FLUSH_INTERVAL_S)
            self._dirty.clear()
            try:
                await self._flush()
            except StoreError as error:
                log.error("running answers cannot be saved yet: %s", error.message)
                for live in [*self._live.values()]:
                    live.note_unsaved(error)
                self._dirty.set()
                await asyncio.sleep(RETRY_INTERVAL_S)

    async def _flush(self) -> None:
        """Store the new events of all runs in one write."""
        lives = [live for live in self._live.values() if live.stored_lines < len(live.lines) and live.phase != "ending"]
        if not lives:
            return
        chunks = [live.chunk() for live in lives]
        flushing = asyncio.get_running_loop().create_future()
        for live in lives:
            live.flushing = flushing
        try:
            await self._storage.runs.append_events(chunks)
            for live, chunk in zip(lives, chunks, strict=True):
                live.stored_lines = chunk.last
                if live.phase != "ending":
                    live.note_saved()
        finally:
            flushing.set_result(None)


def _replay(folded: FoldedRun, seen: int) -> Batch | None:
    """Rebuild the events of a run from its message once its log is gone; None for a follower who has seen its end.

    Events that the death of a process took from the log may have had the last one's number.
    """
    if seen == folded.last and folded.message.status != "interrupted":
        return None
    return Batch(1, [encode(event) for event in unfold(folded.message)], reset=seen > 0)


async def _follow_live(live: LiveRun, after: int) -> AsyncGenerator[Batch, None]:
    while (batch := await live.next(after)) is not None:
        yield batch
        after = batch.last
