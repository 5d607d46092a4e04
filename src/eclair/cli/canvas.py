"""`eclair canvas`: lists canvases and their versions, prints, edits, restores, exports and erases them."""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import leave_interrupts, run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.edit import read_text
from eclair.cli.export import output_path, single_chunk, write_new
from eclair.cli.models import print_table
from eclair.errors import InvalidInput, UserError
from eclair.provenance.service import Provenance
from eclair.schema.canvases import Canvas, CanvasVersion, NewCanvasVersion
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.open import open_storage_for_reading
from eclair.transfer.canvas_export import load_canvas, render_canvas
from eclair.util.child_environment import EDITOR_PREFIXES, child_environment
from eclair.util.humanize import format_size

COLUMNS = ("CHANGED", "LANGUAGE", "VERSION", "TITLE", "CANVAS")
VERSION_COLUMNS = ("VERSION", "WRITTEN", "BY", "FROM", "NAME")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    match arguments.action:
        case "edit":
            return _edit(settings, arguments, terminal)
        case "restore":
            return run_async(_restore(settings, arguments.which, arguments.version, terminal))
        case "remove":
            return _remove(settings, arguments, terminal)
        case _:
            return run_async(_read(settings, arguments, terminal))


async def _read(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
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


def _edit(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Make a version of the text as the person edits it, or of that of a file. Raises UserError."""
    canvas, before, name = asyncio.run(_load(settings, arguments.which))
    if arguments.file is not None:
        piped = arguments.file == Path("-")
        text = read_text(None if piped else arguments.file, settings.max_message_kb)
        return run_async(_add_version(settings, canvas, before, text, terminal))
    folder = Path(tempfile.mkdtemp(prefix="eclair-"))
    path = folder / name
    path.write_text(before, "utf-8", newline="")
    done = 1
    try:
        _open_editor(path)
        text = read_text(path, settings.max_message_kb)
        if not before.endswith("\n"):
            text = text.removesuffix("\n")  # editors end the last line
        done = run_async(_add_version(settings, canvas, before, text, terminal))
    finally:
        if done != 0 and path.is_file() and path.read_bytes() != before.encode():
            terminal.warn(f"What you wrote is in {path}.")
        else:
            shutil.rmtree(folder)
    return done


async def _load(settings: Settings, which: str) -> tuple[Canvas, str, str]:
    """Return a canvas, its text, and the name of a file for that. Raises NotFound."""
    async with opened_storage(settings) as storage:
        canvas = await storage.canvases.get_canvas(LOCAL_PRINCIPAL, which)
        exported = await load_canvas(storage, LOCAL_PRINCIPAL, which, canvas.current)
    name, _ = await render_canvas(exported, "source", Provenance.configured(settings))
    return canvas, exported.text, name


def _open_editor(path: Path) -> None:
    """Have the person's editor change a file. Raises UserError."""
    name = "VISUAL" if os.environ.get("VISUAL") else "EDITOR"
    given = os.environ.get(name, "")
    try:
        command = shlex.split(given)
    except ValueError as error:  # an open quotation mark, or a backslash before nothing
        raise InvalidInput(f"{name} is no command: {given!r} has {str(error).lower()}.") from error
    if not command:
        raise InvalidInput("There is no editor; set EDITOR, or give the text by --file.")
    try:
        with leave_interrupts():
            env = child_environment(*EDITOR_PREFIXES)
            ended = subprocess.run([*command, path], check=False, env=env).returncode
    except OSError as error:
        raise UserError(f"The editor {command[0]} can't be started: {error.strerror}.") from error
    if ended != 0:
        raise UserError(f"The editor {command[0]} ended with {ended}; the canvas is as it was.")


async def _add_version(settings: Settings, canvas: Canvas, before: str, text: str, terminal: Terminal) -> int:
    if "\0" in text:
        raise InvalidInput("The text holds a NUL character; remove it.")
    if text == before:
        terminal.line("Nothing changed.")
        return 0
    async with opened_storage(settings) as storage:
        new = NewCanvasVersion(canvas.current, text, "person")
        await _store(storage, canvas, new, terminal)
    return 0


async def _restore(settings: Settings, which: str, number: int, terminal: Terminal) -> int:
    async with opened_storage(settings) as storage:
        canvas = await storage.canvases.get_canvas(LOCAL_PRINCIPAL, which)
        version, text = await storage.canvases.get_version(LOCAL_PRINCIPAL, which, number)
        if number == canvas.current:
            terminal.line(f"Version {number} is the current one.")
            return 0
        new = NewCanvasVersion(canvas.current, text, version.author, version.model, version.name)
        await _store(storage, canvas, new, terminal)
    return 0


async def _store(storage: Storage, canvas: Canvas, new: NewCanvasVersion, terminal: Terminal) -> None:
    """Add a version and say which it is, or that it is beside what was written meanwhile."""
    after, version = await storage.canvases.add_version(LOCAL_PRINCIPAL, canvas.id, new)
    ChangeFeed(storage.processes).publish(LOCAL_PRINCIPAL, canvas.conversation, "canvases")
    if version.number == after.current:
        terminal.line(f"{canvas.title} is at version {version.number} now.")
    else:
        terminal.warn(
            f"{canvas.title} was changed elsewhere meanwhile; your text is kept as version {version.number} beside it."
        )


def _remove(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    canvases = asyncio.run(_find(settings, arguments.which))
    titles = ", ".join(canvas.title for canvas in canvases)
    question = f"Erase {titles} with all versions for good?"
    if not arguments.yes and not terminal.confirm(question, "There is no terminal to confirm this; add --yes."):
        terminal.line("Nothing was erased.")
        return 0
    return run_async(_erase(settings, canvases, terminal))


async def _find(settings: Settings, which: Sequence[str]) -> list[Canvas]:
    """Return canvases by their ids, each once. Raises NotFound."""
    async with opened_storage(settings) as storage:
        return [await storage.canvases.get_canvas(LOCAL_PRINCIPAL, id) for id in dict.fromkeys(which)]


async def _erase(settings: Settings, canvases: Sequence[Canvas], terminal: Terminal) -> int:
    async with opened_storage(settings) as storage:
        changes = ChangeFeed(storage.processes)
        for canvas in canvases:
            await storage.canvases.delete_canvas(LOCAL_PRINCIPAL, canvas.id)
            changes.publish(LOCAL_PRINCIPAL, canvas.conversation, "canvases")
            terminal.line(f"Erased {canvas.title}.")
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
