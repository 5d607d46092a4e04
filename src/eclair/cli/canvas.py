"""`eclair canvas`: lists canvases and their versions, prints one, or exports it as a file."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.cli.export import output_path, single_chunk, write_new
from eclair.cli.models import print_table
from eclair.provenance.service import Provenance
from eclair.schema.canvases import Canvas, CanvasVersion
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.open import open_storage_for_reading
from eclair.transfer.canvas_export import load_canvas, render_canvas
from eclair.util.humanize import format_size

COLUMNS = ("CHANGED", "LANGUAGE", "VERSION", "TITLE", "CANVAS")
VERSION_COLUMNS = ("VERSION", "WRITTEN", "BY", "FROM", "NAME")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    return run_async(_run(settings, arguments, terminal))


async def _run(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    storage = await asyncio.to_thread(open_storage_for_reading, settings)
    try:
        if arguments.action == "list":
            _list(await storage.canvases.list_canvases(LOCAL_PRINCIPAL), terminal, as_json=arguments.json)
            return 0
        if arguments.action == "versions":
            canvas = await storage.canvases.get_canvas(LOCAL_PRINCIPAL, arguments.which)
            versions = await storage.canvases.list_versions(LOCAL_PRINCIPAL, canvas.id)
            _list_versions(canvas, versions, terminal, as_json=arguments.json)
            return 0
        exported = await load_canvas(storage, LOCAL_PRINCIPAL, arguments.which, arguments.version)
        if arguments.action == "show":
            terminal.write_bytes(exported.text.encode() + (b"" if exported.text.endswith("\n") else b"\n"))
            return 0
        name, data = await render_canvas(exported, arguments.format, Provenance.configured(settings))
    finally:
        await storage.close()
    output: Path | None = arguments.output
    path = output_path(output, name)
    await write_new(path, single_chunk(data))
    terminal.line(f"Exported to {path} ({format_size(path.stat().st_size)})")
    return 0


def _list(canvases: Sequence[Canvas], terminal: Terminal, *, as_json: bool) -> None:
    if as_json:
        terminal.write_bytes(orjson.dumps(canvases, option=orjson.OPT_INDENT_2) + b"\n")
    elif canvases:
        print_table([COLUMNS, *map(_cells, canvases)], terminal)
    else:
        terminal.line("There are no canvases.")


def _list_versions(canvas: Canvas, versions: Sequence[CanvasVersion], terminal: Terminal, *, as_json: bool) -> None:
    if as_json:
        terminal.write_bytes(orjson.dumps(versions, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        print_table([VERSION_COLUMNS, *(_version_cells(each, canvas.current) for each in versions)], terminal)


def _version_cells(version: CanvasVersion, current: int) -> tuple[str, ...]:
    number = f"{version.number} (current)" if version.number == current else str(version.number)
    written = datetime.fromtimestamp(version.created / 1000).isoformat(" ", "minutes")
    author = "you" if version.author == "person" else version.model or "AI"
    return number, written, author, "" if version.parent is None else str(version.parent), version.name


def _cells(canvas: Canvas) -> tuple[str, ...]:
    day = datetime.fromtimestamp(canvas.updated / 1000).date().isoformat()
    return day, canvas.language, str(canvas.current), canvas.title, canvas.id
