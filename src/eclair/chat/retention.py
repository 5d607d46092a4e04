"""Retention: removes what the settings keep for a number of days only, in small steps between other writes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from eclair.chat.conversations import DAY_S, ConversationService
from eclair.chat.responses import ResponseService
from eclair.documents.ingest import Ingestor
from eclair.errors import HeldBack, NotFound, StoreError
from eclair.images.gallery import Gallery
from eclair.live_settings import LiveSettings
from eclair.schema.ids import Clock
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.retention import DueCount, RetentionRule
from eclair.util.log_context import log_admin_act

START_DELAY_S = 60.0
"""A start isn't slowed down by what is due."""
INTERVAL_S = 3600.0
MAX_CLOCK_LEAP_S = DAY_S
"""A clock that ran further ahead than the machine since the last round may be wrong, as one is after a boot."""
MAX_CLOCK_OFFSET_S = 3600.0
"""Between this machine's clock and that of the database."""
MAX_LOGS_PER_STEP = 50
MAX_EXAMPLES = 10
"""Conversations that a preview names."""
PAUSE_RATIO = 4.0
"""A pause lasts this many times as long as the step before it."""

log = logging.getLogger(__name__)


class RetentionService:
    """Erases what rules and settings keep for a number of days only, and the logs of old answers.

    Call `start` before use and `close` at the end.
    """

    def __init__(
        self,
        settings: LiveSettings,
        storage: Storage,
        conversations: ConversationService,
        responses: ResponseService,
        ingestor: Ingestor,
        gallery: Gallery,
        clock: Clock = time.time,
    ) -> None:
        self._settings = settings
        self._storage = storage
        self._conversations = conversations
        self._responses = responses
        self._ingestor = ingestor
        self._gallery = gallery
        self._clock = clock
        self._last_round: tuple[float, float] | None = None
        """Time of the clock and running time at the last round, in seconds."""
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run_periodically(), name="retention")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run_periodically(self) -> None:
        await asyncio.sleep(START_DELAY_S)
        while True:
            try:
                async with self._storage.jobs.hold("erase", "retention") as ours:
                    if ours:
                        await self.run_once()
            except StoreError as error:
                log.error("what is kept for a number of days cannot be removed yet: %s", error.message)
            await asyncio.sleep(INTERVAL_S)

    async def run_once(self) -> None:
        """Remove what is due. Failures are logged."""
        settings = self._settings.current
        is_steady = self._is_clock_steady()
        if self._is_clock_wrong():
            return
        try:
            if settings.keep_days and is_steady:
                await self._conversations.expire(settings.keep_days)
            if is_steady:
                await self._responses.expire()
                if rules := await self._storage.retention.list_rules():
                    await self.apply(rules)
            if settings.run_log_days:
                await self._fold_logs(settings.run_log_days)
        except StoreError as error:
            log.error("what is kept for a number of days cannot be removed yet: %s", error.message)

    async def preview(self, principal: Principal, rules: Sequence[RetentionRule]) -> DueCount:
        """Count what the rules would erase now; only the principal's own conversations are named."""
        return await self._storage.retention.count_due(principal, rules, self._now(), MAX_EXAMPLES)

    async def apply(self, rules: Sequence[RetentionRule]) -> None:
        """Erase what is due by the rules. Raises StoreError."""
        now = self._now()
        erased = await self._storage.retention.expire(rules, now)
        files = 0
        for owner, id in await self._storage.retention.list_due_files(rules, now):
            with contextlib.suppress(NotFound, HeldBack):  # deleted, or held since
                await self._ingestor.delete(Principal(owner), id)
                files += 1
        if erased.total + files == 0:
            return
        await self._gallery.delete_orphans()
        self._conversations.erase_soon()
        erased = replace(erased, files=files)
        await self._storage.retention.note_round(erased)
        sentence = f"{erased.total:,} things of {erased.people:,} people were erased, as rules of retention say."
        log_admin_act("retention.ran", sentence, count=erased.total)

    def _now(self) -> int:
        return int(self._clock() * 1000)

    def _is_clock_steady(self) -> bool:
        """Tell whether the clock ran as long as the machine since the last round; False in the first one.

        Nothing is erased by a clock that was wrong at the start, or leapt ahead, until it had an hour to be set right.
        """
        now, running = self._clock(), time.monotonic()
        before, self._last_round = self._last_round, (now, running)
        if before is None:
            return False
        leap_s = (now - before[0]) - (running - before[1])
        if leap_s <= MAX_CLOCK_LEAP_S:
            return True
        log.warning(
            "The clock is %.0f days ahead of where it should be; if it is right, old conversations are deleted in an "
            "hour.",
            leap_s / DAY_S,
        )
        return False

    def _is_clock_wrong(self) -> bool:
        """Tell whether the clock is far from that of the database, so that it says nothing of what is due."""
        offset_s = self._storage.processes.lease.clock_offset_s or 0.0
        if abs(offset_s) <= MAX_CLOCK_OFFSET_S:
            return False
        log.error(
            "The clock is %.1f hours %s that of the database; nothing is erased for its age until they agree.",
            abs(offset_s) / 3600,
            "ahead of" if offset_s > 0 else "behind",
        )
        return True

    async def _fold_logs(self, days: int) -> None:
        before = int((self._clock() - days * DAY_S) * 1000)
        await _repeat(lambda: self._storage.runs.fold_logs(before, MAX_LOGS_PER_STEP))


async def _repeat(step: Callable[[], Awaitable[int]]) -> None:
    """Repeat a step until it does nothing, with pauses in which others write."""
    began = time.perf_counter()
    while await step():
        await asyncio.sleep(PAUSE_RATIO * (time.perf_counter() - began))
        began = time.perf_counter()
