"""Keeps schedules for people: adds, changes and deletes them, and has them run at once."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from dataclasses import replace

from eclair.errors import InvalidInput
from eclair.schedules.due_times import next_due
from eclair.schema.ids import Clock, new_id
from eclair.schema.principal import Principal
from eclair.schema.schedules import (
    MAX_SCHEDULE_NAME_CHARS,
    ConversationRule,
    MailRule,
    Occurrence,
    Schedule,
    ScheduledQuestion,
    ScheduleState,
)
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.schedules import ScheduleStore

NO_PROCESS = "process_none"
"""Has no lease, so that whichever process asks the questions of schedules takes over what is its."""


class ScheduleService:
    """Reads and changes the schedules of people, and publishes each change. `on_change` is called after one.

    `process` asks the questions of due times that are made here; NO_PROCESS where another one is to.
    """

    def __init__(
        self,
        schedules: ScheduleStore,
        changes: ChangeFeed,
        process: str,
        *,
        clock: Clock = time.time,
        ids: Callable[[str], str] = new_id,
    ) -> None:
        self._schedules = schedules
        self._changes = changes
        self._process = process
        self._clock = clock
        self._ids = ids
        self.on_change: Callable[[], None] = lambda: None

    async def list(self, principal: Principal) -> list[Schedule]:
        return await self._schedules.list_schedules(principal)

    async def get(self, principal: Principal, id: str) -> Schedule:
        """Return a schedule. Raises NotFound."""
        return await self._schedules.get_schedule(principal, id)

    async def list_occurrences(self, principal: Principal, id: str) -> list[Occurrence]:
        """List what became of the last due times, newest first. Raises NotFound."""
        return await self._schedules.list_occurrences(principal, id)

    async def add(
        self,
        principal: Principal,
        name: str,
        asks: ScheduledQuestion,
        cron: str,
        zone: str,
        *,
        keeps: ConversationRule = "new",
        mail: MailRule = "off",
        state: ScheduleState = "on",
    ) -> Schedule:
        """Add a schedule. Raises InvalidInput, and Conflict if there are too many."""
        now = self._now()
        asks = _check_question(asks)
        schedule = Schedule(
            id=self._ids("sched"),
            owner=principal.id,
            name=_check_name(name or asks.text),
            asks=asks,
            cron=" ".join(cron.split()),
            zone=zone,
            created=now,
            changed=now,
            keeps=keeps,
            mail=mail,
        )
        added = await self._schedules.add_schedule(principal, self._switched(schedule, state))
        self._publish(principal)
        return added

    async def edit(self, principal: Principal, changed: Schedule) -> Schedule:
        """Replace a schedule; one that was paused counts failures from 0. Raises InvalidInput and NotFound."""
        schedule = replace(
            changed,
            name=_check_name(changed.name),
            asks=_check_question(changed.asks),
            cron=" ".join(changed.cron.split()),
            changed=self._now(),
        )
        stored = await self._schedules.edit_schedule(principal, self._switched(schedule, schedule.state))
        self._publish(principal)
        return stored

    async def delete(self, principal: Principal, id: str) -> None:
        """Erase a schedule; its conversations stay. Raises NotFound."""
        await self._schedules.delete_schedule(principal, id)
        self._publish(principal)

    async def run_now(self, principal: Principal, id: str) -> Occurrence:
        """Have a schedule's question asked as soon as nobody waits for an answer.

        Raises NotFound, and Conflict while it is being answered.
        """
        schedule = await self._schedules.get_schedule(principal, id)
        begun = await self._schedules.begin_now(principal, self.occurrence(schedule, self._now(), is_manual=True))
        self._publish(principal)
        return begun

    def occurrence(
        self, schedule: Schedule, due: int, *, is_missed: bool = False, is_manual: bool = False
    ) -> Occurrence:
        """Make the occurrence of a due time."""
        kept = schedule.conversation if schedule.keeps == "same" else None
        return Occurrence(
            id=self._ids("occ"),
            schedule=schedule.id,
            due=due,
            status="due",
            conversation=kept or self._ids("conv"),
            question=self._ids("msg"),
            began=self._now(),
            is_missed=is_missed,
            is_manual=is_manual,
            process=self._process,
        )

    def _switched(self, schedule: Schedule, state: ScheduleState) -> Schedule:
        due = next_due(schedule.cron, schedule.zone, self._now())
        if state == "on":
            return replace(schedule, state="on", next_due=due, failures=0, reason=None)
        return replace(schedule, state=state, next_due=None)

    def _publish(self, principal: Principal) -> None:
        self._changes.publish(principal, None, "schedules")
        self.on_change()

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _check_name(name: str) -> str:
    line = " ".join(unicodedata.normalize("NFC", name).split())
    if not line or not line.isprintable():
        raise InvalidInput("A schedule needs a name; write one.", param="name")
    return line[:MAX_SCHEDULE_NAME_CHARS].rstrip()


def _check_question(asks: ScheduledQuestion) -> ScheduledQuestion:
    text = asks.text.strip()
    if not text:
        raise InvalidInput("A schedule needs a question to ask; write one.", param="question")
    return replace(asks, text=text)
