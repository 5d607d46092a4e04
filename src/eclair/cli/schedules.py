"""`eclair schedules`: lists, adds, changes, switches, removes and runs questions that are asked by themselves."""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import orjson

from eclair.assistants.service import AssistantService
from eclair.cli._arguments import load_settings
from eclair.cli._feeds import find_feed
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import check_answering_model, print_table
from eclair.errors import InvalidInput, NotFound
from eclair.schedules.due_times import find_zone
from eclair.schedules.service import ScheduleService
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.schedules import PauseReason, Schedule, ScheduledQuestion
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed

COLUMNS = ("ID", "STATE", "NEXT", "LAST", "CRON", "ZONE", "NAME")
DAYS = {"day": "* * *", "weekday": "* * 1-5", "week": "* * 1", "month": "1 * *"}
USUAL_CRON = "0 7 * * *"
REASONS: dict[PauseReason, str] = {
    "failures": "after three failures",
    "account": "the account was locked",
    "cron": "its cron line has no more times",
}
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    match arguments.action:
        case "add":
            return run_async(_add(settings, arguments, terminal))
        case "edit":
            return run_async(_edit(settings, arguments, terminal))
        case "on" | "off":
            return run_async(_switch(settings, arguments.which, arguments.action, terminal))
        case "remove":
            return run_async(_remove(settings, arguments.which, terminal))
        case "run":
            return run_async(_run(settings, arguments.which, terminal))
        case _:
            return run_async(_list(settings, terminal, json=arguments.json))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[tuple[ScheduleService, Storage]]:
    async with opened_storage(settings) as storage:
        changes = ChangeFeed(storage.processes)
        process, clock = storage.processes.current, storage.processes.clock
        yield ScheduleService(storage.schedules, changes, process, clock=clock), storage


async def _list(settings: Settings, terminal: Terminal, *, json: bool) -> int:
    async with _opened(settings) as (schedules, _):
        listed = await schedules.list(LOCAL_PRINCIPAL)
    if json:
        terminal.write_bytes(orjson.dumps([*map(schedule_json, listed)], option=orjson.OPT_INDENT_2) + b"\n")
    elif listed:
        print_table([COLUMNS, *map(_cells, listed)], terminal)
    else:
        terminal.line("Nothing is scheduled; `eclair schedules add QUESTION --at 07:00` asks it every day.")
    return 0


async def _add(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with _opened(settings) as (schedules, storage):
        added = await schedules.add(
            LOCAL_PRINCIPAL,
            arguments.name,
            ScheduledQuestion(text=" ".join(arguments.words), **await _stated(settings, storage, arguments)),
            _cron(USUAL_CRON, arguments),
            arguments.zone or _own_zone(),
            keeps=arguments.keeps,
            mail=arguments.mail or "off",
        )
    _warn_of_mail(settings, added, terminal)
    terminal.line(f"Added as {added.id}: next {_moment(added.next_due)}, while Éclair runs (`eclair serve`).")
    return 0


async def _edit(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with _opened(settings) as (schedules, storage):
        before = await _get(schedules, arguments.which)
        stated = await _stated(settings, storage, arguments)
        if arguments.question is not None:
            stated["text"] = arguments.question
        names = ("name", "zone", "keeps", "mail")
        given = {name: value for name in names if (value := getattr(arguments, name)) is not None}
        asks = replace(before.asks, **stated)
        changed = replace(before, asks=asks, cron=_cron(before.cron, arguments), **given)
        if changed == before:
            raise InvalidInput("Nothing is to be changed; name what, such as --at.")
        edited = await schedules.edit(LOCAL_PRINCIPAL, changed)
    _warn_of_mail(settings, edited, terminal)
    terminal.line(f"Changed. {_described(edited)}")
    return 0


async def _switch(settings: Settings, which: list[str], state: Literal["on", "off"], terminal: Terminal) -> int:
    async with _opened(settings) as (schedules, _):
        found = [await _get(schedules, id) for id in dict.fromkeys(which)]
        for each in found:
            switched = await schedules.edit(LOCAL_PRINCIPAL, replace(each, state=state))
            terminal.line(_described(switched))
    return 0


async def _stated(settings: Settings, storage: Storage, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return what was stated of the question but its text, by field; an empty name clears it.

    Raises NotFound, and EngineUnavailable for a model that an unreachable server might have.
    """
    fields: dict[str, Any] = {}
    if arguments.model is not None:
        if arguments.model:
            await check_answering_model(settings, arguments.model)
        fields["model"] = arguments.model or None
    if arguments.web is not None:
        fields["web"] = None if arguments.web == "default" else arguments.web
    if arguments.assistant is not None:
        assistants = AssistantService(storage.assistants, ChangeFeed(storage.processes))
        named = arguments.assistant and await assistants.get_by_name(LOCAL_PRINCIPAL, arguments.assistant)
        fields["assistant"] = named.id if named else None
    if arguments.project is not None:
        named = arguments.project and await storage.projects.get_project_by_name(LOCAL_PRINCIPAL, arguments.project)
        fields["project"] = named.id if named else None
    if arguments.library is not None:
        find = storage.libraries.get_library_by_name
        fields["libraries"] = tuple([(await find(LOCAL_PRINCIPAL, name)).id for name in _several(arguments.library)])
    if arguments.feed is not None:
        listed = await storage.feeds.list_feeds(LOCAL_PRINCIPAL)
        fields["feeds"] = tuple(find_feed(listed, which).feed.id for which in _several(arguments.feed))
    if arguments.allow is not None:
        fields["tools"] = tuple(_several(arguments.allow))
    return fields


def _several(given: Iterable[str]) -> Iterable[str]:
    """Return each name once, without empty ones, which stand for none."""
    return dict.fromkeys(name for name in given if name)


async def _get(schedules: ScheduleService, id: str) -> Schedule:
    """Return a schedule. Raises NotFound, which says how to list them."""
    for each in await schedules.list(LOCAL_PRINCIPAL):
        if each.id == id:
            return each
    raise NotFound(f"There is no schedule {id!r}; `eclair schedules` lists them.")


def _warn_of_mail(settings: Settings, schedule: Schedule, terminal: Terminal) -> None:
    """Say that its mail has nowhere to go; with accounts, each person's own address is known."""
    needed = (settings.smtp_host, settings.smtp_from, settings.smtp_to if settings.accounts == "off" else "")
    if schedule.mail != "off" and None in needed:
        terminal.warn("No mail is sent yet: set smtp_host, smtp_from and smtp_to (`eclair config`).")


async def _remove(settings: Settings, which: list[str], terminal: Terminal) -> int:
    async with _opened(settings) as (schedules, _):
        for each in [await _get(schedules, id) for id in dict.fromkeys(which)]:
            await schedules.delete(LOCAL_PRINCIPAL, each.id)
    terminal.line("Erased." if len(which) == 1 else f"Erased {len(set(which)):,} schedules.")
    return 0


async def _run(settings: Settings, which: str, terminal: Terminal) -> int:
    async with _opened(settings) as (schedules, _):
        begun = await schedules.run_now(LOCAL_PRINCIPAL, which)
    terminal.line(f"Éclair answers in conversation {begun.conversation} once it runs and nobody waits.")
    return 0


def _cron(cron: str, arguments: argparse.Namespace) -> str:
    """Return a cron line with what was given of the time of day and the days, or the one that was given instead."""
    at, every = arguments.at, arguments.every
    if arguments.cron is not None:
        if at is not None or every is not None:
            raise InvalidInput("Give either --cron, or --every and --at.")
        return str(arguments.cron)
    fields = cron.split()
    if every is not None:
        fields[2:] = DAYS[every].split()
    if at is not None:
        found = _TIME.fullmatch(at)
        if found is None:
            raise InvalidInput(f"{at!r} is no time of day; write one such as 07:00.")
        fields[:2] = str(int(found[2])), str(int(found[1]))
    return " ".join(fields)


def _own_zone() -> str:
    """Return the time zone of this machine; UTC where it doesn't say one."""
    named = os.environ.get("TZ", "").lstrip(":") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    try:
        return str(find_zone(named or "UTC"))
    except InvalidInput:
        return "UTC"


def _described(schedule: Schedule) -> str:
    """Name a schedule with its state, as in `News is on: next 2026-12-01 07:00`."""
    when = f": next {_moment(schedule.next_due)}" if schedule.next_due is not None else ""
    return f"{schedule.name} is {_state(schedule)}{when}."


def _state(schedule: Schedule) -> str:
    """Say if it is on, and why it is paused."""
    if schedule.state != "paused" or schedule.reason is None:
        return schedule.state
    return f"paused ({REASONS[schedule.reason]})"


def _cells(schedule: Schedule) -> tuple[str, ...]:
    last = "" if schedule.last is None else f"{_moment(schedule.last.due)} {schedule.last.status}"
    when = (_moment(schedule.next_due), last, schedule.cron, schedule.zone)
    return (schedule.id, _state(schedule), *when, schedule.name)


def _moment(milliseconds: int | None) -> str:
    return "" if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000).isoformat(" ", "minutes")


def schedule_json(schedule: Schedule) -> dict[str, Any]:
    """Return the fields of a schedule for `--json`."""
    fields = asdict(schedule)
    del fields["owner"]
    if fields["last"] is not None:
        del fields["last"]["process"], fields["last"]["schedule"], fields["last"]["question"]
    return fields
