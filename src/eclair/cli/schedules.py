"""`eclair schedules`: lists, adds, removes and runs questions that are asked by themselves."""

from __future__ import annotations

import argparse
import asyncio
import os
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from eclair.assistants.service import AssistantService
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.errors import InvalidInput, NotFound
from eclair.schedules.due_times import find_zone
from eclair.schedules.service import ScheduleService
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.schedules import Schedule, ScheduledQuestion
from eclair.settings import Settings
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.open import open_storage

COLUMNS = ("ID", "STATE", "NEXT", "LAST", "CRON", "ZONE", "NAME")
DAYS = {"day": "* * *", "weekday": "* * 1-5", "week": "* * 1", "month": "1 * *"}
_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    match arguments.action:
        case "add":
            return run_async(_add(settings, arguments, terminal))
        case "remove":
            return run_async(_remove(settings, arguments.which, terminal))
        case "run":
            return run_async(_run(settings, arguments.which, terminal))
        case _:
            return run_async(_list(settings, terminal, json=arguments.json))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[tuple[ScheduleService, AssistantService]]:
    storage = await asyncio.to_thread(open_storage, settings)
    changes = ChangeFeed(storage.processes)
    try:
        schedules = ScheduleService(storage.schedules, changes, storage.processes.current)
        yield schedules, AssistantService(storage.assistants, changes)
    finally:
        await storage.close()


async def _list(settings: Settings, terminal: Terminal, *, json: bool) -> int:
    async with _opened(settings) as (schedules, _):
        listed = await schedules.list(LOCAL_PRINCIPAL)
    if json:
        terminal.write_bytes(orjson.dumps([*map(_json, listed)], option=orjson.OPT_INDENT_2) + b"\n")
    elif listed:
        print_table([COLUMNS, *map(_cells, listed)], terminal)
    else:
        terminal.line("Nothing is scheduled; `eclair schedules add QUESTION --at 07:00` asks it every day.")
    return 0


async def _add(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    cron = arguments.cron or _plain_cron(arguments.every, arguments.at)
    async with _opened(settings) as (schedules, assistants):
        named = arguments.assistant and await assistants.get_by_name(LOCAL_PRINCIPAL, arguments.assistant)
        asks = ScheduledQuestion(
            text=" ".join(arguments.words),
            model=arguments.model,
            web="on" if arguments.web else None,
            assistant=named.id if named else None,
            tools=tuple(dict.fromkeys(arguments.allow)),
        )
        added = await schedules.add(
            LOCAL_PRINCIPAL,
            arguments.name,
            asks,
            cron,
            arguments.zone or _own_zone(),
            keeps="same" if arguments.same else "new",
        )
    terminal.line(f"Added as {added.id}: next {_moment(added.next_due)}, while Éclair runs (`eclair serve`).")
    return 0


async def _remove(settings: Settings, which: list[str], terminal: Terminal) -> int:
    async with _opened(settings) as (schedules, _):
        known = {each.id for each in await schedules.list(LOCAL_PRINCIPAL)}
        for id in which:
            if id not in known:
                raise NotFound(f"There is no schedule {id!r}; `eclair schedules` lists them.")
        for id in dict.fromkeys(which):
            await schedules.delete(LOCAL_PRINCIPAL, id)
    terminal.line("Erased." if len(which) == 1 else f"Erased {len(set(which)):,} schedules.")
    return 0


async def _run(settings: Settings, which: str, terminal: Terminal) -> int:
    async with _opened(settings) as (schedules, _):
        begun = await schedules.run_now(LOCAL_PRINCIPAL, which)
    terminal.line(f"Éclair answers in conversation {begun.conversation} once it runs and nobody waits.")
    return 0


def _plain_cron(every: str, at: str) -> str:
    found = _TIME.fullmatch(at)
    if found is None:
        raise InvalidInput(f"{at!r} is no time of day; write one such as 07:00.")
    return f"{int(found[2])} {int(found[1])} {DAYS[every]}"


def _own_zone() -> str:
    """Return the time zone of this machine; UTC where it doesn't say one."""
    named = os.environ.get("TZ", "").lstrip(":") or str(Path("/etc/localtime").resolve()).partition("zoneinfo/")[2]
    try:
        return str(find_zone(named or "UTC"))
    except InvalidInput:
        return "UTC"


def _cells(schedule: Schedule) -> tuple[str, ...]:
    last = "" if schedule.last is None else f"{_moment(schedule.last.due)} {schedule.last.status}"
    when = (_moment(schedule.next_due), last, schedule.cron, schedule.zone)
    return (schedule.id, schedule.state, *when, schedule.name)


def _moment(milliseconds: int | None) -> str:
    return "" if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000).isoformat(" ", "minutes")


def _json(schedule: Schedule) -> dict[str, Any]:
    fields = asdict(schedule)
    del fields["owner"]
    if fields["last"] is not None:
        del fields["last"]["process"], fields["last"]["schedule"], fields["last"]["question"]
    return fields
