"""`eclair key`: makes, lists and revokes the keys that let programs and people in."""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import date

import orjson

from eclair.accounts.api_keys import ApiKeys
from eclair.accounts.key_rights import KeyRights
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._own_figures import hides_own_figures
from eclair.cli._signals import run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.api_keys import StoredApiKey

COLUMNS = ("NAME", "FOR", "FROM", "MADE", "LAST USED", "ENDS")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    match arguments.action:
        case "new":
            return run_async(_new(settings, arguments, terminal))
        case "revoke":
            return run_async(_revoke(settings, arguments.name, terminal))
        case _:
            return run_async(_list(settings, terminal, json=arguments.json))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[ApiKeys]:
    async with opened_storage(settings) as storage:
        yield ApiKeys(storage.api_keys, storage.processes.clock)


async def _new(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print the key alone to standard output, so that it can be piped."""
    limits = (tuple(arguments.models), arguments.per_minute, arguments.at_once)
    rights = KeyRights(arguments.scope, tuple(arguments.networks), arguments.days, *limits)
    async with _opened(settings) as keys:
        made = await keys.add(LOCAL_PRINCIPAL, arguments.name, rights)
    terminal.line(made.secret)
    terminal.aside(
        "This key is shown only now. Programs send it as `Authorization: Bearer KEY`; the web app asks for it."
    )
    return 0


async def _list(settings: Settings, terminal: Terminal, *, json: bool) -> int:
    async with _opened(settings) as keys:
        listed = await keys.list_keys(LOCAL_PRINCIPAL)
    shows_use = not hides_own_figures(settings)
    if json:
        rows = [_row(key, shows_use=shows_use) for key in listed]
        terminal.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
    elif listed:
        print_table([COLUMNS, *(_cells(key, shows_use=shows_use) for key in listed)], terminal)
    else:
        terminal.line("There are no keys; `eclair key new NAME` makes one.")
    return 0


async def _revoke(settings: Settings, name: str, terminal: Terminal) -> int:
    async with _opened(settings) as keys:
        await keys.revoke(LOCAL_PRINCIPAL, name)
    terminal.line(f"Revoked {name}; whoever has that key is refused from now on.")
    return 0


def _cells(key: StoredApiKey, *, shows_use: bool) -> tuple[str, ...]:
    ends = "never" if key.expires is None else _day(key.expires)
    use = f"{key.scope}: {', '.join(key.models)}" if key.models else key.scope
    used = key.used or "never" if shows_use else "not shown"
    return key.name, use, ", ".join(key.networks) or "anywhere", _day(key.created), used, ends


def _day(milliseconds: int) -> str:
    return date.fromtimestamp(milliseconds / 1000).isoformat()


def _row(key: StoredApiKey, *, shows_use: bool) -> dict[str, object]:
    row = asdict(key)
    del row["owner"], row["digest"]
    return row if shows_use else {**row, "used": None}
