"""`eclair erasure`: asks for a person's erasure, withdraws it, and shows or verifies the receipts."""

from __future__ import annotations

import argparse
import asyncio
import time
from datetime import datetime
from pathlib import Path

from eclair.chat.conversations import DAY_S
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.errors import HeldBack, NotFound, UnreadableFile
from eclair.schema.ids import new_id
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.settings import Settings
from eclair.storage.personal_data import ErasureRequest
from eclair.transfer.person_erasure import check_erasure_receipt

NOT_VALID_EXIT_CODE = 2


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    match arguments.action:
        case "verify":
            return _verify(arguments.file, terminal)
        case "ask":
            return asyncio.run(_ask(settings, arguments.person, terminal, is_sure=arguments.yes))
        case "withdraw":
            return asyncio.run(_withdraw(settings, arguments.person, terminal))
        case "receipt":
            return asyncio.run(_print_receipt(settings, arguments.id, terminal))
        case _:
            return asyncio.run(_list(settings, terminal))


async def _ask(settings: Settings, person: str, terminal: Terminal, *, is_sure: bool) -> int:
    async with opened_storage(settings) as storage:
        data, who = storage.personal_data, Principal(person)
        counts = await data.count_rows(who)
        if not counts:
            raise NotFound(f"There is nothing of {person!r} here; give the id of a person.")
        if await data.is_held(who):
            raise HeldBack("This data is under a legal hold, so it can't be erased; lift that first.")
        named = counts if settings.works_council else [f"{count:,} {kind}" for kind, count in counts.items()]
        what = f"everything of {person}: {', '.join(named)}"
        unasked = f"There is no terminal to ask before erasing {what}; add --yes to do it anyway."
        if not is_sure and not terminal.confirm(f"Erase {what}?", unasked):
            terminal.line("Nothing was asked for.")
            return 0
        now = int(time.time() * 1000)
        due = now + settings.erasure_days * DAY_S * 1000
        request = ErasureRequest(id=new_id("erasure"), owner=person, asked_by="local", asked=now, due=due)
        await data.add_request(LOCAL_PRINCIPAL, request)
    terminal.line(f"The running Éclair, or the next one to start, erases it from {_date(due)} on ({request.id}).")
    terminal.line(f"Until then, `eclair erasure withdraw {person}` withdraws it.")
    return 0


async def _withdraw(settings: Settings, person: str, terminal: Terminal) -> int:
    async with opened_storage(settings) as storage:
        request = await storage.personal_data.find_open_request(Principal(person))
        if request is None:
            raise NotFound(f"There is no open request to erase {person!r}.")
        await storage.personal_data.withdraw_request(LOCAL_PRINCIPAL, request.id)
    terminal.line("Withdrawn; nothing is erased.")
    return 0


async def _print_receipt(settings: Settings, id: str, terminal: Terminal) -> int:
    async with opened_storage(settings) as storage:
        request = await storage.personal_data.get_request(id)
    if request.receipt is None:
        raise NotFound("This erasure isn't done yet, so there is no receipt of it.")
    terminal.line(request.receipt)
    return 0


async def _list(settings: Settings, terminal: Terminal) -> int:
    async with opened_storage(settings) as storage:
        requests = await storage.personal_data.list_requests()
    for each in requests:
        state = f"due {_date(each.due)}" if each.ended is None else f"erased {_date(each.ended)}"
        terminal.line(f"{each.id}  {each.owner}  asked {_date(each.asked)} by {each.asked_by}  {state}")
    if not requests:
        terminal.line("Nobody's erasure was asked for.")
    return 0


def _verify(file: Path, terminal: Terminal) -> int:
    try:
        is_valid = check_erasure_receipt(file.read_bytes())
    except OSError as error:
        raise UnreadableFile(f"{file} cannot be read: {error.strerror}; check the path.") from error
    terminal.line(f"{file} is {'unaltered since it was signed' if is_valid else 'no receipt as it was signed'}.")
    return 0 if is_valid else NOT_VALID_EXIT_CODE


def _date(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000).strftime("%Y-%m-%d %H:%M")
