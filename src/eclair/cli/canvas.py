"""`eclair canvas`: lists canvases, or prints the text of one."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from datetime import datetime

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.schema.canvases import Canvas
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.open import open_storage_for_reading

COLUMNS = ("CHANGED", "LANGUAGE", "VERSION", "TITLE", "CANVAS")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    return run_async(_run(settings, arguments, terminal))


async def _run(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    storage = await asyncio.to_thread(open_storage_for_reading, settings.data_dir)
    try:
        if arguments.action == "list":
            _list(await storage.canvases.list_canvases(LOCAL_PRINCIPAL), terminal, as_json=arguments.json)
            return 0
        canvas = await storage.canvases.get_canvas(LOCAL_PRINCIPAL, arguments.which)
        number: int = arguments.version or canvas.current
        _, text = await storage.canvases.get_version(LOCAL_PRINCIPAL, canvas.id, number)
        terminal.write_bytes(text.encode() + (b"" if text.endswith("\n") else b"\n"))
        return 0
    finally:
        await storage.close()


def _list(canvases: Sequence[Canvas], terminal: Terminal, *, as_json: bool) -> None:
    if as_json:
        terminal.write_bytes(orjson.dumps(canvases, option=orjson.OPT_INDENT_2) + b"\n")
    elif canvases:
        print_table([COLUMNS, *map(_cells, canvases)], terminal)
    else:
        terminal.line("There are no canvases.")


def _cells(canvas: Canvas) -> tuple[str, ...]:
    day = datetime.fromtimestamp(canvas.updated / 1000).date().isoformat()
    return day, canvas.language, str(canvas.current), canvas.title, canvas.id
