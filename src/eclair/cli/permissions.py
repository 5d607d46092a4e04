"""`eclair permissions`: what tools may do without asking, or may never do, and taking that back."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from datetime import datetime

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.tool_permissions import ToolPermission

COLUMNS = ("ID", "DATE", "TOOL", "CALLS", "ALLOWED")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    if arguments.action == "remove":
        return run_async(_remove(settings, arguments.which, terminal))
    return run_async(_list(settings, terminal, json=arguments.json))


async def _list(settings: Settings, terminal: Terminal, *, json: bool) -> int:
    async with opened_storage(settings) as storage:
        listed = await storage.tool_permissions.list_permissions(LOCAL_PRINCIPAL)
    if json:
        terminal.write_bytes(orjson.dumps([asdict(each) for each in listed], option=orjson.OPT_INDENT_2) + b"\n")
    elif listed:
        print_table([COLUMNS, *map(_row, listed)], terminal)
    else:
        terminal.line("No tool was allowed or refused beyond one call.")
    return 0


async def _remove(settings: Settings, which: list[str], terminal: Terminal) -> int:
    async with opened_storage(settings) as storage:
        for id in dict.fromkeys(which):
            await storage.tool_permissions.delete_permission(LOCAL_PRINCIPAL, id)
    terminal.line("Asked again from now on.")
    return 0


def _row(permission: ToolPermission) -> tuple[str, ...]:
    day = datetime.fromtimestamp(permission.created / 1000).date().isoformat()
    where = "always" if permission.conversation is None else f"in {permission.conversation}"
    allowed = "never" if permission.is_denied else where
    return permission.id, day, permission.tool, permission.scope or "all", allowed
