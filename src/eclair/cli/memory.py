"""`eclair memory`: lists, adds, edits, removes and exports what is kept for later conversations."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.errors import InvalidInput, NotFound, UserError
from eclair.memory.recall import MemoryRecall
from eclair.memory.service import MemoryService
from eclair.schema.memories import Memory
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.text.terms import fold_text

COLUMNS = ("ID", "DATE", "MEMORY")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    if arguments.project is not None and arguments.action not in ("list", "add"):
        raise InvalidInput(f"`eclair memory {arguments.action}` takes no --project; leave it out.")
    match arguments.action:
        case "add":
            return run_async(_add(settings, " ".join(arguments.words), arguments.project, terminal))
        case "edit":
            return run_async(_edit(settings, arguments.which, " ".join(arguments.words), terminal))
        case "remove":
            return run_async(_remove(settings, arguments.which, terminal))
        case "export":
            return run_async(_export(settings, arguments.output, terminal))
        case _:
            words = " ".join(arguments.words)
            return run_async(_list(settings, words, arguments.project, terminal, json=arguments.json))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[tuple[MemoryService, Storage]]:
    async with opened_storage(settings) as storage:
        yield MemoryService(storage.memories, ChangeFeed(storage.processes), MemoryRecall(None)), storage


async def _list(settings: Settings, words: str, project: str | None, terminal: Terminal, *, json: bool) -> int:
    async with _opened(settings) as (memory, storage):
        listed = await memory.list(LOCAL_PRINCIPAL)
        if project is not None:
            id = await _project_id(storage, project)
            listed = [each for each in listed if each.project_id == id]
    found = [each for each in listed if fold_text(words) in fold_text(each.text)]
    if json:
        terminal.write_bytes(_dump(found))
    elif found:
        print_table([COLUMNS, *((each.id, _day(each), each.text) for each in found)], terminal)
    elif listed:
        terminal.line(f"No memory has {words!r}.")
    elif project is not None:
        terminal.line(f"Nothing is kept in {project}; `eclair memory add --project NAME WORDS` keeps a sentence there.")
    else:
        terminal.line("Nothing is kept; `eclair memory add WORDS` keeps a sentence for later conversations.")
    return 0


async def _add(settings: Settings, text: str, project: str | None, terminal: Terminal) -> int:
    async with _opened(settings) as (memory, storage):
        id = None if project is None else await _project_id(storage, project)
        kept = await memory.keep(LOCAL_PRINCIPAL, text, project=id)
    terminal.line(f"Kept as {kept.id}: {kept.text}")
    return 0


async def _project_id(storage: Storage, name: str) -> str:
    """Return the id of a project. Raises NotFound."""
    return (await storage.projects.get_project_by_name(LOCAL_PRINCIPAL, name)).id


async def _edit(settings: Settings, which: str, text: str, terminal: Terminal) -> int:
    async with _opened(settings) as (memory, _):
        changed = await memory.edit(LOCAL_PRINCIPAL, which, text)
    terminal.line(f"{changed.id} is now: {changed.text}")
    return 0


async def _remove(settings: Settings, which: list[str], terminal: Terminal) -> int:
    async with _opened(settings) as (memory, _):
        known = {each.id for each in await memory.list(LOCAL_PRINCIPAL)}
        for id in which:
            if id not in known:
                raise NotFound(f"There is no memory {id!r}; `eclair memory` lists them.")
        for id in dict.fromkeys(which):
            await memory.delete(LOCAL_PRINCIPAL, id)
    terminal.line("Erased." if len(which) == 1 else f"Erased {len(set(which)):,} memories.")
    return 0


async def _export(settings: Settings, output: Path | None, terminal: Terminal) -> int:
    async with _opened(settings) as (memory, _):
        listed = await memory.list(LOCAL_PRINCIPAL)
    if output is None:
        terminal.write_bytes(_dump(listed))
        return 0
    try:
        await asyncio.to_thread(output.write_bytes, _dump(listed))
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}.") from error
    terminal.line(f"Wrote {len(listed):,} memories to {output}.")
    return 0


def _dump(memories: list[Memory]) -> bytes:
    return orjson.dumps([_json(each) for each in memories], option=orjson.OPT_INDENT_2) + b"\n"


def _json(memory: Memory) -> dict[str, Any]:
    fields = asdict(memory)
    del fields["owner"]
    return fields


def _day(memory: Memory) -> str:
    return datetime.fromtimestamp(memory.created / 1000).date().isoformat()
