"""Schedules: questions asked by themselves at due times, and what became of each time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eclair.schema.messages import Web

MAX_SCHEDULES = 50
"""Of one person."""
MAX_SCHEDULE_NAME_CHARS = 100
MAX_FAILURES = 3
"""In a row, after which a schedule is paused."""

ScheduleState = Literal["on", "off", "paused"]
"""Paused: by Éclair, which says why."""

PauseReason = Literal["failures", "account", "cron"]
"""It failed too often in a row, the account was locked when it was due, or its cron line has no more due times."""

ConversationRule = Literal["new", "same"]
"""Each answer in a new conversation, or all in one that goes on."""

MailRule = Literal["off", "notice", "answer"]
"""No mail, one that says that there is an answer, or one with the answer's text."""

OccurrenceStatus = Literal["due", "running", "waiting", "done", "failed", "stopped", "skipped"]
"""Due: taken, and about to be asked. Waiting: for the person's decision on a call. Skipped: one before was not done."""

OPEN_OCCURRENCES: tuple[OccurrenceStatus, ...] = ("due", "running", "waiting")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledQuestion:
    """A question to be asked: its text, and the choices that a person makes in the composer.

    `project` and `assistant` are those of new conversations. `feeds` are ids of feeds whose newest entries the answer
    reads. `tools` are those that may change something without being asked about it.
    """

    text: str
    model: str | None = None
    web: Web | None = None
    project: str | None = None
    assistant: str | None = None
    libraries: tuple[str, ...] = ()
    feeds: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """One due time of a schedule. Times are milliseconds since 1970, UTC.

    `is_missed` says that Éclair was off or asleep when it was due; `is_manual`, that the person had it run.
    `question` is the id of its message, fixed before it is asked, so that it is asked once.
    """

    id: str
    schedule: str
    due: int
    status: OccurrenceStatus
    conversation: str
    question: str
    began: int
    ended: int | None = None
    run: str | None = None
    fault: str | None = None
    is_missed: bool = False
    is_manual: bool = False
    process: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule: a question, and a cron line in a time zone that says when it is asked.

    `next_due` is None unless it is on. `reason` says why it is paused. `conversation` is the one that goes on.
    """

    id: str
    owner: str
    name: str
    asks: ScheduledQuestion
    cron: str
    zone: str
    created: int
    changed: int
    state: ScheduleState = "on"
    next_due: int | None = None
    keeps: ConversationRule = "new"
    mail: MailRule = "off"
    failures: int = 0
    reason: PauseReason | None = None
    conversation: str | None = None
    last: Occurrence | None = None
