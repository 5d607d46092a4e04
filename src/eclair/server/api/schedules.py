"""`/api/schedules`: questions that are asked by themselves, when, and what became of each time."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.errors import InvalidInput
from eclair.schedules.due_times import MAX_LINE_CHARS, next_due
from eclair.schema.messages import Web
from eclair.schema.principal import Principal
from eclair.schema.schedules import (
    MAX_SCHEDULE_NAME_CHARS,
    ConversationRule,
    MailRule,
    Occurrence,
    OccurrenceStatus,
    PauseReason,
    Schedule,
    ScheduledQuestion,
    ScheduleState,
)
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody

MAX_SHOWN_TIMES = 5

ScheduleName = Annotated[str, Field(max_length=2 * MAX_SCHEDULE_NAME_CHARS)]
ScheduleQuestion = Annotated[str, Field(max_length=100_000)]
CronText = Annotated[str, Field(max_length=MAX_LINE_CHARS)]
ZoneName = Annotated[str, Field(max_length=80)]
ModelId = Annotated[str, Field(min_length=1, max_length=200)]
AllowedTool = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")]


_CLEARABLE = ("model", "web", "project", "assistant")


class OccurrenceBody(BaseModel):
    """A time at which a schedule was due, and what became of it; `conversation` has the answer."""

    id: str
    due: int
    status: OccurrenceStatus
    conversation: str
    began: int
    ended: int | None
    fault: str | None
    is_missed: bool
    is_manual: bool

    @classmethod
    def from_occurrence(cls, occurrence: Occurrence) -> OccurrenceBody:
        return cls(
            id=occurrence.id,
            due=occurrence.due,
            status=occurrence.status,
            conversation=occurrence.conversation,
            began=occurrence.began,
            ended=occurrence.ended,
            fault=occurrence.fault,
            is_missed=occurrence.is_missed,
            is_manual=occurrence.is_manual,
        )


class ScheduleBody(BaseModel):
    """A schedule, with times in milliseconds since 1970; `last` is what became of its last due time."""

    id: str
    name: str
    question: str
    cron: str
    zone: str
    state: ScheduleState
    next_due: int | None
    keeps: ConversationRule
    mail: MailRule
    model: str | None
    web: Web | None
    project: str | None
    assistant: str | None
    libraries: list[str]
    feeds: list[str]
    tools: list[str]
    failures: int
    reason: PauseReason | None
    created: int
    last: OccurrenceBody | None

    @classmethod
    def from_schedule(cls, schedule: Schedule) -> ScheduleBody:
        asks = schedule.asks
        return cls(
            id=schedule.id,
            name=schedule.name,
            question=asks.text,
            cron=schedule.cron,
            zone=schedule.zone,
            state=schedule.state,
            next_due=schedule.next_due,
            keeps=schedule.keeps,
            mail=schedule.mail,
            model=asks.model,
            web=asks.web,
            project=asks.project,
            assistant=asks.assistant,
            libraries=list(asks.libraries),
            feeds=list(asks.feeds),
            tools=list(asks.tools),
            failures=schedule.failures,
            reason=schedule.reason,
            created=schedule.created,
            last=None if schedule.last is None else OccurrenceBody.from_occurrence(schedule.last),
        )


class ScheduleList(BaseModel):
    """Schedules by name. Mail goes to `mail_to`; null where none can be sent."""

    schedules: list[ScheduleBody]
    mail_to: str | None


class OccurrenceList(BaseModel):
    occurrences: list[OccurrenceBody]


class DueTimes(BaseModel):
    """The next times of a cron line; none for one with a `fault`, which says what to change."""

    due: list[int]
    fault: str | None = None


class NewScheduleBody(RequestBody):
    """A schedule to add: a `question`, and a `cron` line in a time `zone`."""

    name: ScheduleName = ""
    question: ScheduleQuestion
    cron: CronText
    zone: ZoneName = "UTC"
    state: Literal["on", "off"] = "on"
    keeps: ConversationRule = "new"
    mail: MailRule = "off"
    model: ModelId | None = None
    web: Web | None = None
    project: str | None = None
    assistant: str | None = None
    libraries: Annotated[tuple[str, ...], Field(max_length=20)] = ()
    feeds: Annotated[tuple[str, ...], Field(max_length=50)] = ()
    tools: Annotated[tuple[AllowedTool, ...], Field(max_length=20)] = ()


class ScheduleEditBody(RequestBody):
    """Changes to a schedule; what is left out stays as it is."""

    name: ScheduleName | None = None
    question: ScheduleQuestion | None = None
    cron: CronText | None = None
    zone: ZoneName | None = None
    state: Literal["on", "off"] | None = None
    keeps: ConversationRule | None = None
    mail: MailRule | None = None
    model: ModelId | None = None
    web: Web | None = None
    project: str | None = None
    assistant: str | None = None
    libraries: Annotated[tuple[str, ...] | None, Field(max_length=20)] = None
    feeds: Annotated[tuple[str, ...] | None, Field(max_length=50)] = None
    tools: Annotated[tuple[AllowedTool, ...] | None, Field(max_length=20)] = None

    def apply(self, schedule: Schedule) -> Schedule:
        """Return the changed schedule. Null clears what is in `_CLEARABLE`; for other fields it means no change."""
        given = {name: value for name in self.model_fields_set if (value := getattr(self, name)) is not None}
        asks = schedule.asks
        changes = {name: given.pop(name) for name in ("libraries", "feeds", "tools") if name in given}
        changes |= {name: getattr(self, name) for name in _CLEARABLE if name in self.model_fields_set}
        asks = replace(asks, **changes, text=given.pop("question", asks.text))
        rest = {name: value for name, value in given.items() if name not in _CLEARABLE}
        return replace(schedule, **rest, asks=asks)


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/schedules", tags=["schedules"])

    async def check(principal: Principal, asks: ScheduledQuestion) -> None:
        """Raise NotFound for a model, project, assistant, library or feed that isn't there for somebody."""
        if asks.model is not None:
            await app.registry.resolve(asks.model)
        if asks.project is not None:
            await app.projects.get(principal, asks.project)
        if asks.assistant is not None:
            await app.assistants.get(principal, asks.assistant)
        await app.documents.get_libraries(principal, asks.libraries)
        for feed in asks.feeds:
            await app.storage.feeds.get_feed(principal, feed)

    @api.get("")
    async def list_schedules(principal: Caller) -> ScheduleList:
        return ScheduleList(
            schedules=[ScheduleBody.from_schedule(each) for each in await app.schedules.list(principal)],
            mail_to=await app.schedule_mail.find_address(principal),
        )

    @api.post("", status_code=201)
    async def add_schedule(principal: Caller, body: NewScheduleBody) -> ScheduleBody:
        asks = ScheduledQuestion(
            text=body.question,
            model=body.model,
            web=body.web,
            project=body.project,
            assistant=body.assistant,
            libraries=body.libraries,
            feeds=body.feeds,
            tools=body.tools,
        )
        await check(principal, asks)
        added = await app.schedules.add(
            principal, body.name, asks, body.cron, body.zone, keeps=body.keeps, mail=body.mail, state=body.state
        )
        return ScheduleBody.from_schedule(added)

    @api.get("/due-times")
    async def list_due_times(
        principal: Caller,
        cron: Annotated[str, Query(max_length=MAX_LINE_CHARS)],
        zone: Annotated[str, Query(max_length=80)] = "UTC",
    ) -> DueTimes:
        try:
            due = [next_due(cron, zone, int(app.storage.processes.clock() * 1000))]
            while len(due) < MAX_SHOWN_TIMES:
                due.append(next_due(cron, zone, due[-1]))
        except InvalidInput as error:  # while it is being written
            return DueTimes(due=[], fault=error.message)
        return DueTimes(due=due)

    @api.patch("/{id}")
    async def edit_schedule(principal: Caller, id: str, body: ScheduleEditBody) -> ScheduleBody:
        before = await app.schedules.get(principal, id)
        changed = body.apply(before)
        if changed.asks != before.asks:  # what is gone keeps nobody from switching it off
            await check(principal, changed.asks)
        return ScheduleBody.from_schedule(await app.schedules.edit(principal, changed))

    @api.delete("/{id}", status_code=204)
    async def delete_schedule(principal: Caller, id: str) -> None:
        await app.schedules.delete(principal, id)

    @api.post("/{id}/run", status_code=202)
    async def run_schedule(principal: Caller, id: str) -> OccurrenceBody:
        return OccurrenceBody.from_occurrence(await app.schedules.run_now(principal, id))

    @api.get("/{id}/occurrences")
    async def list_occurrences(principal: Caller, id: str) -> OccurrenceList:
        found = await app.schedules.list_occurrences(principal, id)
        return OccurrenceList(occurrences=[OccurrenceBody.from_occurrence(each) for each in found])

    return api
