"""Runs: number, store and stream events to followers; they never call a model.

A run is a task of its own: the client that asked may disconnect. Its events are numbered, encoded once and kept in
memory; followers read them at their own pace. Every FLUSH_INTERVAL_S seconds the new events of all runs are written
in one transaction. Deltas within a frame become one event, so that a replay is byte for byte what a follower
saw live. `reap` ends the log of a run whose process died. A run that waits for a person's decision belongs to no
process; whoever has the decision takes it up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Protocol

from eclair.chat.followed_logs import POLL_INTERVAL_S
from eclair.chat.live_run import Batch, LiveRun, describe_loss
from eclair.chat.stored_runs import StoredRuns
from eclair.errors import INTERNAL_ERROR, Conflict, Draining, EclairError, StoreError
from eclair.network.gate import CURRENT_CONVERSATION, CURRENT_RUN
from eclair.schema.events import (
    END,
    CallBegan,
    CallElicited,
    End,
    Event,
    RunFailed,
    RunInterrupted,
    RunResumed,
    RunStarted,
    RunStopped,
    RunWaiting,
    fold,
)
from eclair.schema.ids import Clock
from eclair.schema.messages import Message
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.runs import NewTurn, RunRecord, TakenUpRun
from eclair.util.background import IdleScheduler

FLUSH_INTERVAL_S = 0.05
REQUESTS_INTERVAL_S = 0.05
"""Least time between two looks at what other processes ask for, so that one answers several notices."""
RETRY_INTERVAL_S = 1.0
REAP_INTERVAL_S = 5.0
MAX_WAIT_MS = 86_400_000
"""So long a run waits for a decision; then its calls are declined."""

END_TIMEOUT_S = 5.0
"""Limits the wait for a run's end while the storage is unavailable."""

log = logging.getLogger(__name__)


class EventProducer(Protocol):
    """Produces the events of a run: an answer being made."""

    def events(self) -> AsyncGenerator[Event, None]:
        """Yield the events after run.started or run.resumed, without the closing ones.

        Closing the generator stops the engine.
        """
        ...

    def closing_events(self, end: Event | None) -> list[Event]:
        """Return the last events: open parts, usage, then `end` or the producer's own end, or that it waits."""
        ...


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to begin. `on_finish` is called with the message once it is stored."""

    started: RunStarted
    producer: EventProducer
    on_finish: Callable[[Message], None] | None = None


class Runs:
    """The run log. Call `start` before use; `close` interrupts what is under way."""

    def __init__(
        self,
        storage: Storage,
        changes: ChangeFeed | None = None,
        idle: IdleScheduler | None = None,
        clock: Clock = time.time,
    ) -> None:
        self._storage = storage
        self._clock = clock
        self._changes = changes or ChangeFeed(storage.processes)
        self._stored = StoredRuns(storage, self._changes, self._has, self._try_reap)
        self._idle = idle or IdleScheduler()
        self._live: dict[str, LiveRun] = {}
        self._unstored: set[LiveRun] = set()
        self._opening: set[asyncio.Future[RunRecord]] = set()
        self._dirty = asyncio.Event()
        self._has_live = asyncio.Event()
        self._background: list[asyncio.Task[None]] = []
        self.on_decided: Callable[[RunRecord], Awaitable[None]] | None = None
        """Takes up a waiting run that a decision has come for."""
        self.on_enough: Callable[[str, str | None], None] = lambda run, agent: None
        """Has a run of this process, or a sub-agent of it, rest on what was read so far."""
        self._is_draining = False
        self._losses = storage.processes.losses
        self.interrupted = 0
        """Answers of dead processes that this one has ended."""
        self.unsaved = 0
        """Answers whose end could not be stored when this was closed."""

    async def start(self) -> None:
        """Mark runs of dead processes as interrupted, and start to write."""
        try:
            await self.reap()
        except StoreError as error:  # `_reap_periodically` tries again
            log.warning("answers of processes that died cannot be ended yet: %s", error.message)
        self._background = [
            asyncio.create_task(self._flush_periodically(), name="flush run logs"),
            asyncio.create_task(self._stop_when_requested(), name="stop runs for other processes"),
            asyncio.create_task(self._reap_periodically(), name="end runs of dead processes"),
        ]

    def drain(self) -> None:
        """Begin no further runs. Those that wait for a decision are left to other processes."""
        self._is_draining = True

    @property
    def is_draining(self) -> bool:
        return self._is_draining

    @property
    def is_busy(self) -> bool:
        """True while runs are under way."""
        return bool(self._live or self._unstored or self._opening)

    def _refuse_if_draining(self) -> None:
        if self._is_draining:
            raise Draining

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
        beside: Sequence[NewRun] = (),
    ) -> RunRecord:
        """Store a turn and start its runs; return the first. Asking the same question again returns the same run.

        `on_finish` is called with the message once it is stored. The first chunks of the logs are filled in here. If
        the caller is cancelled, a stored turn still gets runs that end. Raises Draining, and what `RunStore.open_turn`
        raises.
        """
        self._refuse_if_draining()
        opening = asyncio.ensure_future(self._open(turn, (NewRun(started, producer, on_finish), *beside)))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)
        return await asyncio.shield(opening)

    async def _open(self, turn: NewTurn, new: Sequence[NewRun]) -> RunRecord:
        lives = [LiveRun(each.started.run, each.started, self._dirty) for each in new]
        first, *rest = [live.chunk() for live in lives]
        beside = tuple(replace(answer, first=chunk) for answer, chunk in zip(turn.beside, rest, strict=True))
        turn = replace(turn, first=first, beside=beside)
        try:
            record = await self._storage.runs.open_turn(turn)
        except Conflict:
            if not await self.reap(turn.run.conversation):
                raise
            record = await self._storage.runs.open_turn(turn)
        if record.id == turn.run.id:
            for live, each, run in zip(lives, new, (record, *(answer.run for answer in beside)), strict=True):
                live.stored_lines = 1
                self._live[run.id] = live
                live.task = asyncio.create_task(self._run(live, each.producer, run, each.on_finish), name=run.id)
            self._has_live.set()
            self._changes.publish(turn.principal, record.conversation, "running")
        return record

    async def reopen(
        self, taken: TakenUpRun, producer: EventProducer, on_finish: Callable[[Message], None] | None = None
    ) -> None:
        """Go on with a run that waited and that `RunStore.take_up_run` gave to this process. Raises DataDamaged."""
        run = taken.run
        with self._stored.abandoning(run):
            events = await self._stored.list_events(run)
        live = LiveRun(run.id, RunResumed(), self._dirty, events)
        self._live[run.id] = live
        self._has_live.set()
        live.task = asyncio.create_task(self._run(live, producer, run, on_finish), name=run.id)
        self._changes.publish(taken.owner, run.conversation, "running")

    async def follow(self, run: RunRecord, after: int) -> AsyncGenerator[Batch, None]:
        """Yield the run's events after number `after` until its last, including future ones."""
        goes_on = True
        while goes_on:
            live = self._live.get(run.id)
            if live is not None:
                with live.followed():
                    while (batch := await live.next(after)) is not None:
                        yield batch
                        after = batch.last
            else:
                async with aclosing(self._stored.follow(run, after)) as batches:
                    async for batch in batches:
                        after = batch.last
                        yield batch
            goes_on = run.id in self._live if live is None else live.is_parked

    async def stream_unstored(self, started: RunStarted, producer: EventProducer) -> AsyncGenerator[Batch, None]:
        """Yield the events of a run that isn't stored. Closing the generator ends it."""
        self._refuse_if_draining()
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
            await self._try_reap(run.conversation)
        events = await self._stored.list_events(run)
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
            return
        if run.status == "running" and run.process != self._storage.processes.current:
            await self._stop_elsewhere(run)
        await self._stored.end_waiting(run, "stopped")

    async def finish_early(self, run: RunRecord, agent: str | None = None) -> None:
        """Have a run, or one of its sub-agents, rest on what was read so far, whichever process writes it.

        Does nothing if it has ended, or reads nothing.
        """
        if run.id in self._live:
            self.on_enough(run.id, agent)
        elif run.status == "running":
            await self._storage.runs.request_finish(run.id, agent)

    async def _stop_elsewhere(self, run: RunRecord) -> None:
        """Have the process that writes the run stop it."""
        await self._storage.runs.request_stop(run.id)
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                while await self._stored.is_running(run) and not await self.reap(run.conversation):
                    await self._storage.processes.wait_for_write(POLL_INTERVAL_S)
        except TimeoutError:
            raise Conflict(
                "Another Éclair writes this answer and does not stop; end that one, and try again.",
                run=run.id,
            ) from None

    async def _stop_when_requested(self) -> None:
        """Stop runs of this process, or have them finished, as others ask."""
        version: int | None = None
        while await self._has_live.wait():
            version = await self._storage.processes.wait_for_write(POLL_INTERVAL_S, version)
            with contextlib.suppress(StoreError):  # which `_flush_periodically` says; the next poll tries again
                for request in await self._storage.runs.take_requests():
                    if not request.is_stop:
                        self.on_enough(request.run, request.agent)
                    elif (live := self._live.get(request.run)) is not None:
                        self._end(live, RunStopped())
            await asyncio.sleep(REQUESTS_INTERVAL_S)

    async def _reap_periodically(self) -> None:
        while True:
            await asyncio.sleep(REAP_INTERVAL_S)
            try:
                await self.reap()
                await self._take_up_decided()
                for run in await self._storage.runs.list_waiting_runs(self._now() - MAX_WAIT_MS):
                    await self._stored.end_waiting(run, "declined")
            except StoreError as error:
                log.warning("answers of processes that died cannot be ended yet: %s", error.message)

    async def reap(self, conversation: str | None = None) -> bool:
        """Mark runs of dead processes, and runs that could not go on, as interrupted; return whether there were any.

        Without `conversation` all conversations are checked.
        """
        running = [run for run in await self._storage.runs.list_running(conversation) if run.id not in self._live]
        dead = await self._storage.processes.list_dead(run.process for run in running)
        ended = [run for run in running if run.process in dead or run.id in self._stored.abandoned]
        interrupted = sum([await self._stored.interrupt(run) for run in ended])
        self.interrupted += interrupted
        return interrupted > 0

    async def _try_reap(self, conversation: str) -> bool:
        """Reap; return False if that can't be stored, so that reading goes on. `_reap_periodically` logs why."""
        try:
            return await self.reap(conversation)
        except StoreError:
            return False

    async def _take_up_decided(self) -> None:
        """Go on with waiting runs whose decisions have come, here or in another process."""
        if self.on_decided is not None and not self._is_draining:
            for run in await self._storage.runs.list_decided_runs():
                await self.on_decided(run)

    def _now(self) -> int:
        """The time in milliseconds since 1970."""
        return int(self._clock() * 1000)

    def _end(self, live: LiveRun, ending: RunStopped | RunInterrupted) -> None:
        live.ending = live.ending or ending
        if live.task is not None and live.phase == "running":  # a task that has not begun would never begin
            live.task.cancel()

    async def _run(
        self, live: LiveRun, producer: EventProducer, run: RunRecord, on_finish: Callable[[Message], None] | None
    ) -> None:
        """Run the producer, then store the run's end, however it ends."""
        CURRENT_CONVERSATION.set(run.conversation)
        last = await self._produce(live, producer, is_stored=True)
        if isinstance(last, RunWaiting) and live.ending is None:
            await self._park(live, last, run)
            return
        message = await self._finish(live, live.ending or RunStopped() if isinstance(last, RunWaiting) else last, run)
        if on_finish is not None:
            on_finish(message)

    async def _run_unstored(self, live: LiveRun, producer: EventProducer) -> None:
        last = await self._produce(live, producer, is_stored=False)
        live.append(last)

    async def _produce(self, live: LiveRun, producer: EventProducer, *, is_stored: bool) -> End | RunWaiting:
        """Run the producer; return the run's last event, after emitting all before it."""
        CURRENT_RUN.set(live.id)
        end: End | None = live.ending
        try:
            if end is None:
                live.phase = "running"
                with self._idle.answering():
                    await self._collect(live, producer, is_stored=is_stored)
        except asyncio.CancelledError:
            end = live.ending or RunInterrupted()
        except EclairError as error:
            end = RunFailed(error.code, error.message)
        except Exception:
            log.exception("run %s failed", live.id)
            end = RunFailed("internal", INTERNAL_ERROR)
        live.phase = "ending"
        *others, last = producer.closing_events(end)
        assert isinstance(last, (*END, RunWaiting))
        for event in others:
            live.append(event)
        return last

    async def _collect(self, live: LiveRun, producer: EventProducer, *, is_stored: bool) -> None:
        """Append what is produced.

        A call that may have an effect isn't made until its beginning is stored, and no question is asked before.
        """
        async with aclosing(producer.events()) as events:
            async for event in events:
                live.append(event)
                is_effect = isinstance(event, CallBegan) and event.call in live.effects
                if is_stored and (is_effect or isinstance(event, CallElicited)):
                    await asyncio.shield(asyncio.ensure_future(self._store_safely(live)))

    async def _store_safely(self, live: LiveRun) -> None:
        """Store all events of a run so far, however long the storage is unavailable."""
        while True:
            while live.flushing is not None and not live.flushing.done():
                await live.flushing
            if live.ending is not None:  # whose end stores the rest
                return
            chunk, live.flushing = live.chunk(), asyncio.get_running_loop().create_future()
            try:
                if not await self._storage.runs.append_safely(chunk):
                    self._end(live, RunInterrupted())
                    return
                live.stored_lines = chunk.last
                if live.phase != "ending":
                    live.note_saved()
                return
            except StoreError as error:
                log.error("run %s cannot be saved yet: %s", live.id, error.message)
                live.note_unsaved(error)
            finally:
                live.flushing.set_result(None)
            await self._pause(live)

    async def _park(self, live: LiveRun, last: RunWaiting, run: RunRecord) -> None:
        """Store that a run waits, and let go of it: the decision may come to any process."""
        live.emit()
        if live.flushing is not None:
            await live.flushing
        while True:
            waiting = live.numbered(last)
            try:
                owner = await self._storage.runs.park_run(run, live.folding.message(waiting), live.chunk(end=waiting))
                break
            except StoreError as error:
                log.error("run %s cannot be saved yet: %s", run.id, error.message)
                live.note_unsaved(error)
                await self._pause(live)
        live.append(last)
        self._forget(run)
        if owner is not None:
            self._changes.publish(owner, run.conversation, "changed")
        if live.ending is not None and isinstance(live.ending, RunStopped):
            await self._stored.end_waiting(run, "stopped")
        await self._take_up_decided()

    def _has(self, id: str) -> bool:
        return id in self._live

    def _forget(self, run: RunRecord) -> None:
        del self._live[run.id]
        if not self._live:
            self._has_live.clear()

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
                await self._pause(live)
        live.append(last)
        self._forget(run)
        self._stored.publish_end(run, owner)
        return message

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
        busy = {live for live in lives if live.flushing is not None and not live.flushing.done()}
        if busy:
            self._dirty.set()
        lives = [live for live in lives if live not in busy]
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
        if (losses := self._storage.processes.losses) != self._losses:
            await self._look_for_losses([*self._live.values()])  # also of those that have nothing new
            self._losses = losses
            self._dirty.set()

    async def _pause(self, live: LiveRun) -> None:
        """Wait before the next attempt to store an answer, and see then how much of it is stored."""
        await asyncio.sleep(RETRY_INTERVAL_S)
        with contextlib.suppress(StoreError):  # which the next attempt says
            await self._look_for_losses([live])

    async def _look_for_losses(self, lives: Sequence[LiveRun]) -> None:
        """See how much of these logs is stored, so that what the database lost is stored again. Raises StoreError.

        What is being stored meanwhile may be stored twice, which readers allow for.
        """
        stored = await self._storage.runs.list_last_events([live.id for live in lives])
        for live in lives:
            live.stored_lines = stored.get(live.id, live.stored_lines)
