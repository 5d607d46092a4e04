"""Reads the logs of runs that other processes write, for all who follow them: whatever is new, in one read.

A read follows each notice of a write, and each follower who comes to a place that nobody has read to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Generator, Sequence
from dataclasses import dataclass

from eclair.errors import DataDamaged
from eclair.schema.messages import OPEN
from eclair.storage.base import Storage
from eclair.storage.runs import EventChunk, LogPlace, NewEvents, RunRecord
from eclair.util.tasks import cancel_and_wait

POLL_INTERVAL_S = 0.2
READ_INTERVAL_S = 0.02
"""Least time between two reads, so that one answers several notices."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LogAddition:
    """Events that came after a place of a log, and whether these are the last."""

    has_ended: bool
    chunks: Sequence[EventChunk]


class FollowedLogs:
    """Reads on within `followed`. `is_live` tells if a run is one of this process, `reap` ends those of dead ones."""

    def __init__(
        self, storage: Storage, is_live: Callable[[str], bool], reap: Callable[[str], Awaitable[bool]]
    ) -> None:
        self._storage = storage
        self._is_live = is_live
        self._reap = reap
        self._followers = Counter[str]()
        """By run; those who are between two events as well."""
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[LogPlace, set[asyncio.Future[LogAddition]]] = {}
        self._read_to: dict[str, int] = {}
        """By run, the number of the last event there was at the last read."""
        self._is_due = asyncio.Event()
        self._reaped = 0.0

    @property
    def places(self) -> frozenset[LogPlace]:
        """The places behind which somebody waits."""
        return frozenset(self._waiting)

    @contextlib.contextmanager
    def followed(self, run: str) -> Generator[None]:
        """Read on within the block, in which a run is followed, as long as there is any such."""
        self._followers[run] += 1
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_on(), name="read the logs of other processes")
        try:
            yield
        finally:
            self._followers[run] -= 1
            if not self._followers[run]:
                del self._followers[run]
                self._read_to.pop(run, None)
            if not self._followers:
                self._reader.cancel()
                self._reader = None

    async def next(self, place: LogPlace) -> LogAddition:
        """Wait for events behind a place of a log, or its end; nothing is added where the run becomes this process'.

        Raises DataDamaged and StoreError.
        """
        added: asyncio.Future[LogAddition] = asyncio.get_running_loop().create_future()
        waiting = self._waiting.setdefault(place, set())
        waiting.add(added)
        if self._read_to.get(place.run) != place.after:
            self._is_due.set()
        try:
            return await added
        finally:
            waiting.discard(added)
            if not waiting and self._waiting.get(place) is waiting:
                del self._waiting[place]

    async def _read_on(self) -> None:
        while True:
            began = time.monotonic()
            self._is_due.clear()
            try:
                version = await self._storage.processes.get_foreign_version()
                await self._reap_dead(await self._read([*self._waiting]))
                await self._wait(version)
                pause_s = READ_INTERVAL_S
            except Exception as error:
                self._fail([*self._waiting], error)
                pause_s = POLL_INTERVAL_S
            await asyncio.sleep(began + pause_s - time.monotonic())

    async def _wait(self, version: int) -> None:
        """Wait until others may have written since that version, or somebody follows from another place."""
        written = asyncio.create_task(self._storage.processes.wait_for_write(POLL_INTERVAL_S, version))
        due = asyncio.create_task(self._is_due.wait())
        try:
            await asyncio.wait([written, due], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_and_wait(due)
            await cancel_and_wait(written)
        if not written.cancelled():
            written.result()

    async def _read(self, places: Sequence[LogPlace]) -> list[RunRecord]:
        """Read what was added behind these places; return the runs that go on without news."""
        if not places:
            return []
        try:
            found = await self._storage.runs.list_new_events(places)
        except DataDamaged as error:
            if len(places) == 1:
                self._fail(places, error)
                return []
            return [run for place in places for run in await self._read([place])]
        return [run for place, new in zip(places, found, strict=True) if (run := self._deliver(place, new)) is not None]

    def _deliver(self, place: LogPlace, new: NewEvents) -> RunRecord | None:
        """Give the new events to who waits for them; return the run if it goes on without any."""
        has_ended = new.run is None or new.run.status not in OPEN
        if not has_ended:
            self._read_to[place.run] = new.chunks[-1].last if new.chunks else place.after
        if not (has_ended or new.chunks or self._is_live(place.run)):
            return new.run
        for waiting in self._waiting.get(place, ()):
            if not waiting.done():
                waiting.set_result(LogAddition(has_ended, new.chunks))
        return None

    def _fail(self, places: Sequence[LogPlace], error: Exception) -> None:
        """Raise an error where somebody waits behind one of the places; log it where nobody does."""
        left = [each for place in places for each in self._waiting.get(place, ()) if not each.done()]
        for waiting in left:
            waiting.set_exception(error)
        if not left:
            log.warning("the logs of other processes can't be read: %s", error)

    async def _reap_dead(self, runs: Sequence[RunRecord]) -> None:
        """End those of the runs whose process has died."""
        if time.monotonic() - self._reaped < POLL_INTERVAL_S:
            return
        self._reaped = time.monotonic()
        dead = await self._storage.processes.list_dead(run.process for run in runs if run.status == "running")
        for conversation in {run.conversation for run in runs if run.process in dead}:
            await self._reap_conversation(conversation, runs)

    async def _reap_conversation(self, conversation: str, runs: Sequence[RunRecord]) -> None:
        try:
            if await self._reap(conversation):
                self._is_due.set()
        except Exception as error:
            ids = {run.id for run in runs if run.conversation == conversation}
            self._fail([place for place in self._waiting if place.run in ids], error)
