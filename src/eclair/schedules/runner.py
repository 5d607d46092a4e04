"""Asks the questions of schedules when they are due, while nobody waits for an answer, and says what became of them.

A due time is taken by one process in one statement, with the id of the message that its question will have: whoever
goes on after a crash asks that message again, which is the same one. What was due while Éclair was off is asked once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal, Protocol

from eclair.assistants.service import AssistantService
from eclair.chat.tree import NewMessage, Resume
from eclair.chat.turn_options import TurnOptions
from eclair.chat.turns import Turns
from eclair.errors import (
    Conflict,
    DataDamaged,
    EclairError,
    EngineBusy,
    EngineUnavailable,
    InvalidInput,
    NotFound,
    StoreError,
    TooBusy,
)
from eclair.network.gate import PRINCIPAL
from eclair.research.plan import parse_command
from eclair.schedules.due_times import find_zone, next_due
from eclair.schedules.service import NO_PROCESS, ScheduleService
from eclair.schema.ids import new_id
from eclair.schema.messages import Conversation, Message
from eclair.schema.principal import Principal
from eclair.schema.schedules import MAX_FAILURES, Occurrence, OccurrenceStatus, Schedule, ScheduledQuestion
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.util.background import IN_BACKGROUND, IdleScheduler

MAX_PAUSE_S = 15.0
"""Between two looks, since the clock may be set, and the machine may sleep."""
WATCH_INTERVAL_S = 1.0
"""Between two looks while an occurrence is open."""
RETRY_INTERVAL_S = 30.0
MAX_RETRY_MS = 600_000
"""So long a question is asked again while its conversation or its engine is busy."""
MISSED_AFTER_MS = 120_000
MAX_CONCURRENT = 8
"""Of different people."""
MAX_ANSWERS = 3
"""Of one occurrence: those that a process didn't survive are continued."""
UNDECIDED_AFTER_MS = 23 * 3_600_000

log = logging.getLogger(__name__)


class OccurrenceMail(Protocol):
    """Writes to people about occurrences."""

    def send(self, schedule: Schedule, occurrence: Occurrence, answer: Message | None) -> None:
        """Write to the owner of a schedule, without waiting, if they want that."""
        ...


class ScheduleRunner:
    """Runs schedules once `start` was called. Call `close` at the end."""

    def __init__(
        self,
        storage: Storage,
        service: ScheduleService,
        turns: Turns,
        idle: IdleScheduler,
        changes: ChangeFeed,
        find_person: Callable[[str], Awaitable[Principal | None]],
        mail: OccurrenceMail,
        assistants: AssistantService,
    ) -> None:
        self._storage = storage
        self._service = service
        self._turns = turns
        self._idle = idle
        self._changes = changes
        self._find_person = find_person
        self._mail = mail
        self._assistants = assistants
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._asking: dict[str, asyncio.Task[None]] = {}
        self._not_before: dict[str, float] = {}
        self.ended: dict[OccurrenceStatus, int] = {"done": 0, "failed": 0, "stopped": 0, "skipped": 0}
        """Occurrences that this process ended, by how."""
        self.taken_over = 0
        """Occurrences of dead processes that this one goes on with."""
        service.on_change = self._wake.set

    def start(self) -> None:
        self._wake.set()
        self._task = asyncio.create_task(self._run_forever(), name="schedules")

    async def close(self) -> None:
        tasks = [*self._asking.values(), *([self._task] if self._task is not None else [])]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _run_forever(self) -> None:
        IN_BACKGROUND.set(True)
        while True:
            pause_s = MAX_PAUSE_S
            try:
                now = self._now()
                await self._claim_due(now)
                pause_s = await self._attend(now)
            except StoreError as error:
                log.warning("schedules wait: %s", error.message)
            except Exception:
                log.exception("schedules could not be looked after")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._wake.wait()
            self._wake.clear()

    async def _claim_due(self, now: int) -> None:
        """Take all due times that have come; the next ones are after now, so that what was missed is asked once."""
        for schedule in await self._storage.schedules.list_due(now):
            try:
                await self._claim(schedule, now)
            except DataDamaged as error:  # which those of others need not wait for
                log.error("the schedule %s: %s", schedule.id, error.message)

    async def _claim(self, schedule: Schedule, now: int) -> None:
        due = schedule.next_due or now
        if await self._find_person(schedule.owner) is None:
            await self._pause(schedule, "account")
            return
        try:
            following = next_due(schedule.cron, schedule.zone, max(now, due))
        except InvalidInput:
            await self._pause(schedule, "cron")
            return
        taken = self._service.occurrence(schedule, due, is_missed=now - due > MISSED_AFTER_MS)
        claimed = await self._storage.schedules.claim_due(schedule, following, taken)
        if claimed is not None:
            self._count(claimed)
            self._publish(schedule, None)

    async def _pause(self, schedule: Schedule, reason: Literal["account", "cron"]) -> None:
        if await self._storage.schedules.pause_schedule(schedule.id, reason):
            self._publish(schedule, None)

    async def _attend(self, now: int) -> float:
        """Ask what is taken, and see what became of what was asked; return the seconds until the next look.

        What was due until `now` has been taken, as far as it can be.
        """
        opened = await self._storage.schedules.list_open()
        processes = self._storage.processes
        dead = await processes.list_dead(occurrence.process for _, occurrence in opened)
        asking = set[str]()
        for schedule, occurrence in opened:
            if occurrence.process != processes.current:
                if occurrence.process not in dead:
                    continue
                if not await self._storage.schedules.take_over(occurrence, processes.current):
                    continue
                self.taken_over += occurrence.process != NO_PROCESS
                occurrence = replace(occurrence, process=processes.current)
            if occurrence.status == "due":
                if len(asking) < MAX_CONCURRENT and schedule.owner not in asking:
                    self._begin(schedule, occurrence)
                    asking.add(schedule.owner)
            else:
                await self._look_safely(schedule, occurrence)
                if occurrence.status == "running":
                    asking.add(schedule.owner)
        if opened:
            return WATCH_INTERVAL_S
        due = await self._storage.schedules.get_next_due(now)
        return MAX_PAUSE_S if due is None else min(MAX_PAUSE_S, max(0.05, (due - self._now()) / 1000))

    def _begin(self, schedule: Schedule, occurrence: Occurrence) -> None:
        """Ask a question in a task of its own, unless one does already, or it waits to be asked again."""
        if occurrence.id in self._asking or self._not_before.get(occurrence.id, 0) > time.monotonic():
            return
        task = asyncio.create_task(self._ask_safely(schedule, occurrence), name=occurrence.id)
        self._asking[occurrence.id] = task

        def forget(_: object) -> None:
            del self._asking[occurrence.id]
            self._wake.set()

        task.add_done_callback(forget)

    async def _ask_safely(self, schedule: Schedule, occurrence: Occurrence) -> None:
        try:
            await self._ask(schedule, occurrence)
        except (Conflict, EngineUnavailable, EngineBusy, TooBusy) as error:
            if self._now() - occurrence.began > MAX_RETRY_MS:
                await self._end(schedule, occurrence, "failed", error.message)
            else:
                self._not_before[occurrence.id] = time.monotonic() + RETRY_INTERVAL_S
        except DataDamaged as error:  # waiting mends nothing, and others of this person would wait, too
            await self._end(schedule, occurrence, "failed", error.message)
        except StoreError as error:
            log.warning("a schedule waits: %s", error.message)
            self._not_before[occurrence.id] = time.monotonic() + RETRY_INTERVAL_S
        except EclairError as error:
            await self._end(schedule, occurrence, "failed", error.message)
        except Exception as error:
            log.exception("the question of %s could not be asked", schedule.id)
            await self._end(schedule, occurrence, "failed", f"Internal error ({type(error).__name__}); see the log.")

    async def _ask(self, schedule: Schedule, occurrence: Occurrence) -> None:
        """Ask a question once nobody waits for an answer here, as its owner may now."""

        async def nothing() -> bool:
            return True

        while await self._idle.run_once(nothing) is None:
            pass
        principal = await self._find_person(schedule.owner)
        if principal is None:
            await self._storage.schedules.pause_schedule(schedule.id, "account")
            await self._end(schedule, occurrence, "stopped")
            return
        PRINCIPAL.set(principal)
        conversation, occurrence = await self._conversation(principal, schedule, occurrence)
        asks = schedule.asks
        action = await self._action(principal, asks, occurrence.question)
        asked = await self._turns.ask(principal, conversation, action, _options(asks), time.perf_counter())
        await self._storage.schedules.note_run(replace(occurrence, status="running", run=asked.run.id))
        self._publish(schedule, None)

    async def _action(self, principal: Principal, asks: ScheduledQuestion, id: str) -> NewMessage:
        """Return the message to be sent; a text that begins with `/research` asks for a report."""
        request = parse_command(asks.text)
        if request is None:
            return NewMessage(asks.text, id=id, libraries=asks.libraries)
        plan = await self._turns.plan(principal, request, _options(asks))
        return NewMessage(request, id=id, libraries=asks.libraries, research=plan.questions)

    async def _conversation(
        self, principal: Principal, schedule: Schedule, occurrence: Occurrence
    ) -> tuple[str | Conversation, Occurrence]:
        """Return the conversation to ask in, which is stored with the question unless it is there."""
        try:
            await self._storage.conversations.get_conversation(principal, occurrence.conversation)
            return occurrence.conversation, occurrence
        except NotFound:
            pass
        if occurrence.conversation == schedule.conversation:  # the person has deleted it
            occurrence = replace(occurrence, conversation=new_id("conv"))
            if not await self._storage.schedules.note_run(occurrence):
                raise Conflict("Another process asks this question by now.")
        day = datetime.fromtimestamp(occurrence.due / 1000, UTC).astimezone(find_zone(schedule.zone)).date()
        title = schedule.name if schedule.keeps == "same" else f"{schedule.name}, {day.isoformat()}"
        asks, found = schedule.asks, await self._assistants.find(principal, schedule.asks.assistant)
        choices = TurnOptions(model=asks.model, web=asks.web)
        if found is not None:
            choices = TurnOptions(model=asks.model or found.profile.model, web=asks.web or found.profile.web)
        project = await self._project(principal, schedule)
        assistant = None if found is None else asks.assistant
        begun = self._turns.new_conversation(
            principal, occurrence.conversation, title, choices, project, assistant_id=assistant
        )
        return begun, occurrence

    async def _project(self, principal: Principal, schedule: Schedule) -> str | None:
        """Return the project of new conversations; None where it is gone, or not theirs any more."""
        if schedule.asks.project is None:
            return None
        try:
            return (await self._storage.projects.get_project(principal, schedule.asks.project)).id
        except NotFound:
            return None

    async def _look_safely(self, schedule: Schedule, occurrence: Occurrence) -> None:
        """See what became of a run; an occurrence whose answer is damaged has failed, and holds up no other."""
        try:
            await self._look(schedule, occurrence)
        except DataDamaged as error:
            await self._end(schedule, occurrence, "failed", error.message)

    async def _look(self, schedule: Schedule, occurrence: Occurrence) -> None:
        """See what became of a run, and store that."""
        status = None if occurrence.run is None else await self._storage.runs.get_status(occurrence.run)
        if status in ("running", "waiting"):
            if status != occurrence.status:
                await self._note(schedule, replace(occurrence, status=status))
            return
        answers = await self._answers(schedule, occurrence)
        if not answers:  # the person has deleted it
            await self._end(schedule, occurrence, "stopped")
            return
        answer = answers[-1]
        if answer.run is not None and answer.run != occurrence.run:  # the person went on with it
            await self._note(schedule, replace(occurrence, status="running", run=answer.run))
        elif answer.status == "interrupted" and all(call.agent for call in answer.calls) and len(answers) < MAX_ANSWERS:
            await self._resume(schedule, occurrence, answer)
        else:
            await self._settle(schedule, occurrence, answer)

    async def _settle(self, schedule: Schedule, occurrence: Occurrence, answer: Message) -> None:
        """End an occurrence as its answer has ended."""
        match answer.status:
            case "finished":
                await self._end(schedule, occurrence, "done", answer=answer)
            case "failed":
                fault = answer.fault.message if answer.fault is not None else "The answer failed."
                await self._end(schedule, occurrence, "failed", fault, answer)
            case "interrupted":
                fault = "Éclair ended while it answered; the conversation has what was written until then."
                await self._end(schedule, occurrence, "failed", fault, answer)
            case _ if occurrence.status == "waiting" and self._now() - occurrence.began > UNDECIDED_AFTER_MS:
                fault = "Nobody decided within a day whether a call may be made; allow its tool for this schedule."
                await self._end(schedule, occurrence, "failed", fault, answer)
            case _:
                await self._end(schedule, occurrence, "stopped", answer=answer)

    async def _answers(self, schedule: Schedule, occurrence: Occurrence) -> list[Message]:
        """Return the answers to an occurrence's question, oldest first."""
        try:
            _, messages = await self._storage.conversations.get_tree(Principal(schedule.owner), occurrence.conversation)
        except NotFound:
            return []
        return [each for each in messages if each.role == "assistant" and each.parent == occurrence.question]

    async def _resume(self, schedule: Schedule, occurrence: Occurrence, answer: Message) -> None:
        """Go on with an answer that a process didn't survive and that has changed nothing."""
        principal = await self._find_person(schedule.owner)
        if principal is None:
            await self._end(schedule, occurrence, "stopped", answer=answer)
            return
        PRINCIPAL.set(principal)
        asks, conversation = _options(schedule.asks), occurrence.conversation
        try:
            asked = await self._turns.ask(principal, conversation, Resume(answer.id), asks, time.perf_counter())
        except Conflict:
            return  # the person goes on with it; the next look finds that
        except EclairError as error:
            await self._end(schedule, occurrence, "failed", error.message, answer)
            return
        await self._note(schedule, replace(occurrence, status="running", run=asked.run.id))

    async def _note(self, schedule: Schedule, occurrence: Occurrence) -> None:
        if await self._storage.schedules.note_run(occurrence):
            self._publish(schedule, occurrence if occurrence.status == "waiting" else None)
            if occurrence.status == "waiting":
                self._mail.send(schedule, occurrence, None)

    async def _end(
        self,
        schedule: Schedule,
        occurrence: Occurrence,
        status: OccurrenceStatus,
        fault: str | None = None,
        answer: Message | None = None,
    ) -> None:
        """Store an end, pause a schedule that fails again and again, and tell its owner."""
        ended = replace(occurrence, status=status, ended=self._now(), fault=fault)
        failures = {"failed": schedule.failures + 1, "done": 0}.get(status, schedule.failures)
        if failures >= MAX_FAILURES:
            schedule = replace(schedule, state="paused", reason="failures")
        schedule = replace(schedule, failures=failures)
        if not await self._storage.schedules.end_occurrence(ended, schedule):
            return
        self._not_before.pop(occurrence.id, None)
        self._count(ended)
        self._publish(schedule, ended)
        if status in ("done", "failed"):
            self._mail.send(schedule, ended, answer)

    def _count(self, occurrence: Occurrence) -> None:
        if occurrence.ended is not None:
            self.ended[occurrence.status] += 1

    def _publish(self, schedule: Schedule, occurrence: Occurrence | None) -> None:
        """Tell the owner's pages; with an occurrence, that they should look at its conversation."""
        conversation = occurrence.conversation if occurrence is not None else None
        self._changes.publish(Principal(schedule.owner), conversation, "schedules")

    def _now(self) -> int:
        return int(self._storage.processes.clock() * 1000)


def _options(asks: ScheduledQuestion) -> TurnOptions:
    return TurnOptions(model=asks.model, web=asks.web, feeds=asks.feeds, allowed_tools=asks.tools, is_unattended=True)
