"""`eclair libraries` and `eclair files`: list libraries and files, remove them."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import dataclass

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._ingestor import open_ingestor
from eclair.cli._logging import log_if_debugging
from eclair.cli._logins import find_login
from eclair.cli._remote_files import find_there, list_there, remove_there
from eclair.cli._signals import run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.llm.base import JSON
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.files import FileState, iterate_files
from eclair.storage.libraries import LibrarySummary
from eclair.util.humanize import format_size

LIBRARY_COLUMNS = ("NAME", "FILES", "SIZE", "STATE")
FILE_COLUMNS = ("ID", "NAME", "SIZE", "PAGES", "LIBRARY", "STATE")


@dataclass(frozen=True, slots=True)
class Removal:
    """A file or library to remove, with its description for the confirmation."""

    id: str
    description: str


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    files = arguments.what == "ID"
    login = find_login(arguments)
    if login is not None and arguments.action != "list":
        there = asyncio.run(find_there(settings, login, arguments.which, files=files))
        if not arguments.yes and not _confirm(f"{there.description} at {login.url}", terminal):
            terminal.line("Nothing was removed.")
            return 0
        asyncio.run(remove_there(settings, login, there))
        terminal.line(f"Removed {there.description} at {login.url}.")
        return 0
    if arguments.action == "list":
        if login is not None:
            terminal.note(f"at {login.url}")
            listing = list_there(settings, login, arguments.library if files else None, files=files)
        else:
            listing = _files(settings, arguments.library) if files else _libraries(settings)
        head, rows, data = asyncio.run(listing)
        if arguments.json:
            terminal.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
        elif rows:
            print_table([head, *rows], terminal)
        else:
            terminal.line("There are none; `eclair add FOLDER` adds files.")
        return 0
    removal = asyncio.run(_find(settings, arguments.which, files=files))
    if not arguments.yes and not _confirm(removal.description, terminal):
        terminal.line("Nothing was removed.")
        return 0
    return run_async(_remove(settings, removal, terminal, files=files))


LibraryTable = tuple[tuple[str, ...], list[tuple[str, ...]], list[JSON]]


async def _libraries(settings: Settings) -> LibraryTable:
    async with opened_storage(settings) as storage:
        listed = await storage.libraries.list_libraries(LOCAL_PRINCIPAL)
    return LIBRARY_COLUMNS, [_library_cells(each) for each in listed], [_library_json(each) for each in listed]


async def _files(settings: Settings, library: str | None) -> LibraryTable:
    async with opened_storage(settings) as storage:
        names = {each.library.id: each.library.name for each in await storage.libraries.list_libraries(LOCAL_PRINCIPAL)}
        only = (
            (await storage.libraries.get_library_by_name(LOCAL_PRINCIPAL, library)).id if library is not None else None
        )
        found = [each async for each in iterate_files(storage.files, LOCAL_PRINCIPAL, only)]
    of = {each.file.id: names.get(each.file.library or "", "") for each in found}
    rows = [file_cells(each, of[each.file.id]) for each in found]
    return FILE_COLUMNS, rows, [file_json(each, of[each.file.id]) for each in found]


async def _find(settings: Settings, which: str, *, files: bool) -> Removal:
    """Find the file or library to remove. Raises NotFound."""
    async with opened_storage(settings) as storage:
        if files:
            file = (await storage.files.get_file(LOCAL_PRINCIPAL, which)).file
            return Removal(file.id, f"the file {file.name}")
        library = await storage.libraries.get_library_by_name(LOCAL_PRINCIPAL, which)
        (listed,) = (
            each for each in await storage.libraries.list_libraries(LOCAL_PRINCIPAL) if each.library.id == library.id
        )
        count = f"{listed.files:,} file{'' if listed.files == 1 else 's'}"
        return Removal(library.id, f"the library {library.name} with its {count}")


def _confirm(description: str, terminal: Terminal) -> bool:
    return terminal.confirm(
        f"Remove {description} from Éclair for good?",
        f"There is no terminal to ask before removing {description}; add --yes to do it anyway.",
    )


async def _remove(settings: Settings, removal: Removal, terminal: Terminal, *, files: bool) -> int:
    async with open_ingestor(settings) as (_, ingestor):
        terminal.status("Removing…")
        await (ingestor.delete if files else ingestor.delete_library)(LOCAL_PRINCIPAL, removal.id)
    terminal.line(f"Removed {removal.description}.")
    return 0


def _library_cells(each: LibrarySummary) -> tuple[str, ...]:
    failed = each.states.get("failed", 0)
    states = [
        f"{each.waiting:,} to be read" if each.waiting else "",
        f"{failed:,} unreadable" if failed else "",
        f"search by meaning {each.embedded / each.chunks:.0%}" if each.embedded < each.chunks else "",
    ]
    return each.library.name, f"{each.files:,}", format_size(each.bytes), ", ".join(filter(None, states)) or "ready"


def _library_json(each: LibrarySummary) -> JSON:
    return {
        "id": each.library.id,
        "name": each.library.name,
        "created": each.library.created,
        "files": each.files,
        "bytes": each.bytes,
        "waiting": each.waiting,
        "failed": each.states.get("failed", 0),
        "chunks": each.chunks,
        "embedded": each.embedded,
    }


def file_cells(each: FileState, library: str) -> tuple[str, ...]:
    """Return the row of a file below `FILE_COLUMNS`."""
    document = each.document
    state = document.fault.message if document.fault is not None else document.state
    if document.state == "reading" and document.pages:
        state = f"reading, page {document.pages_read:,} of {document.pages:,}"
    pages = document.pages or document.pages_read
    return each.file.id, each.file.name, format_size(each.file.size), f"{pages:,}" if pages else "", library, state


def file_json(each: FileState, library: str) -> JSON:
    """Return a file as JSON; `library` is the name of the one that it is in."""
    document = each.document
    return {
        "id": each.file.id,
        "name": each.file.name,
        "size": each.file.size,
        "media": each.file.media,
        "created": each.file.created,
        "library": library or None,
        "path": each.file.path,
        "state": document.state,
        "pages": document.pages,
        "pages_read": document.pages_read,
        "chunks": document.chunks,
        "embedded": document.embedded,
        "fault": None if document.fault is None else document.fault.message,
        "remarks": document.remarks,
    }
