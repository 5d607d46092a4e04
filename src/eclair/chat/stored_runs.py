"""Runs that no task of this process works on: read, followed and ended through the storage."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from dataclasses import replace

from eclair.chat.followed_logs import FollowedLogs
from eclair.chat.live_run import Batch
from eclair.errors import DataDamaged, EclairError
from eclair.generation.call_rounds import end_calls
from eclair.schema.events import (
    CallDecided,
    CallEnded,
    Event,
    RunInterrupted,
    RunResumed,
    RunStopped,
    decode,
    encode,
    fold,
    unfold,
)
from eclair.schema.messages import CallOutcome, Message
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.runs import EventChunk, FoldedRun, LogPlace, RunRecord

DAMAGED_LOG = "The log of this answer is damaged; its text is in the conversation."

log = logging.getLogger(__name__)


class StoredRuns:
    """The logs of runs in the storage."""

    def __init__(
        self,
        storage: Storage,
        changes: ChangeFeed,
        is_live: Callable[[str], bool],
        reap: Callable[[str], Awaitable[bool]],
    ) -> None:
        self._storage = storage
        self._changes = changes
        self._is_live = is_live
        self._logs = FollowedLogs(storage, is_live, reap)
        self.abandoned = set[str]()
        """Runs that were taken up here, but could not go on."""

    async def list_events(self, run: RunRecord) -> list[Event]:
        """Return the events of a run. Raises DataDamaged."""
        events, is_whole = await self._list_sound_events(run)
        if not is_whole:
            raise DataDamaged(DAMAGED_LOG)
        return events

    async def interrupt(self, run: RunRecord) -> bool:
        """Mark a run that no process works on as interrupted; its text so far is kept, in a damaged log up to there.

        False for a log that is damaged from its beginning.
        """
        end = RunInterrupted()
        try:
            events, is_whole = await self._list_sound_events(run)
            rest = [*end_calls(_fold(events).calls, end), end]
        except DataDamaged as error:
            log.error("run %s: %s", run.id, error.message)
            return False
        if is_whole:
            await self.end(run, events, rest)
        else:
            log.error("run %s: %s", run.id, DAMAGED_LOG)
            self.publish_end(run, await self._storage.runs.finish_run(run, fold([*events, *rest]), None))
        self.abandoned.discard(run.id)
        return True

    async def end(self, run: RunRecord, events: Sequence[Event], rest: Sequence[Event]) -> None:
        """End a run that no task works on: append the rest of its log."""
        rest = [replace(event, seq=number) for number, event in enumerate(rest, len(events) + 1)]
        chunk = EventChunk(run.id, rest[-1].seq, b"\n".join(map(encode, rest)))
        self.publish_end(run, await self._storage.runs.finish_run(run, fold([*events, *rest]), chunk))

    async def end_waiting(self, run: RunRecord, outcome: CallOutcome) -> None:
        """End a run that waits, whose calls are not made; does nothing for others."""
        taken = await self._storage.runs.take_up_run(run.id)
        if taken is None:
            return
        with self.abandoning(taken.run):
            await self._end_taken(taken.run, outcome)

    @contextlib.contextmanager
    def abandoning(self, run: RunRecord) -> Generator[None]:
        """Have a run that was taken up interrupted later where the block fails: no other process may touch it."""
        try:
            yield
        except EclairError:
            self.abandoned.add(run.id)
            raise

    async def _end_taken(self, run: RunRecord, outcome: CallOutcome) -> None:
        events = await self.list_events(run)
        rest: list[Event] = [RunResumed()]
        for call in _fold(events).calls:
            if call.outcome is None and call.has_begun:  # its server asked something
                rest.append(CallEnded(call.call, "late" if outcome == "declined" else outcome, 0.0))
            elif call.outcome is None:
                rest += [CallDecided(call.call, "declined", None)] if outcome == "declined" else []
                rest.append(CallEnded(call.call, outcome, 0.0))
        await self.end(run, events, [*rest, RunStopped()])

    async def _list_sound_events(self, run: RunRecord) -> tuple[list[Event], bool]:
        """Return the events of a run up to the first damaged one, and whether there is none. Raises DataDamaged."""
        events: list[Event] = []
        try:
            for chunk in await self._storage.runs.list_events(run.id, 0):
                for line in chunk.lines_after(len(events)):
                    events.append(decode(line))
        except ValueError:
            return events, False
        return events, True

    async def follow(self, run: RunRecord, after: int) -> AsyncGenerator[Batch, None]:
        """Follow a run of another process, or one that has ended, through the storage; a damaged log interrupts it."""
        with self._logs.followed(run.id):
            async with contextlib.aclosing(self._read_on(run, after)) as batches:
                async for batch in batches:
                    yield batch

    async def _read_on(self, run: RunRecord, after: int) -> AsyncGenerator[Batch, None]:
        seen = after
        ended = False
        while not ended and not self._is_live(run.id):  # else it waited, and was taken up here
            shown = after
            try:
                added = await self._logs.next(LogPlace(run.id, after))
                ended, chunks = added.has_ended, added.chunks
                reset = ended and not chunks and after == seen > 0 and await self._was_lost(run, seen)
                if reset:
                    after = 0
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
                new_lines = chunk.lines_after(after)
                yield Batch(chunk.last - len(new_lines) + 1, new_lines, reset)
                after, reset = chunk.last, False

    async def is_running(self, run: RunRecord) -> bool:
        """Return whether a process works on the run."""
        return await self._storage.runs.get_status(run.id) == "running"

    async def _was_lost(self, run: RunRecord, seen: int) -> bool:
        """Return whether a follower saw event `seen` of an ended run before it was lost."""
        chunks = await self._storage.runs.list_events(run.id, seen - 1)
        if not chunks:
            return True
        last = decode(chunks[-1].lines.rsplit(b"\n", 1)[-1])
        return last.seq == seen and isinstance(last, RunInterrupted)  # which took the number of what was lost

    def publish_end(self, run: RunRecord, owner: Principal | None) -> None:
        """Tell followers of the owner's conversations that a run has ended."""
        if owner is not None:
            self._changes.publish(owner, run.conversation, "finished")


def _fold(events: Sequence[Event]) -> Message:
    """Return the message of a log. Raises DataDamaged for one without its beginning."""
    try:
        return fold(events)
    except ValueError as error:
        raise DataDamaged(DAMAGED_LOG) from error


def _replay(folded: FoldedRun, seen: int) -> Batch | None:
    """Rebuild the events of a run from its message once its log is gone; None for a follower who has seen its end.

    Events that the death of a process took from the log may have had the last one's number.
    """
    if seen == folded.last and folded.message.status != "interrupted":
        return None
    return Batch(1, [encode(event) for event in unfold(folded.message)], reset=seen > 0)
