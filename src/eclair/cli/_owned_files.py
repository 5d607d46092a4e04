"""Files of assistants and projects, each of which has a library of its own: listed, added and removed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import orjson

from eclair.cli._ingestor import open_ingestor
from eclair.cli._terminal import Terminal
from eclair.cli.add import LibrarySync, SyncRequest, open_documents_storage
from eclair.cli.libraries import FILE_COLUMNS, file_cells, file_json
from eclair.cli.models import print_table
from eclair.documents.folder_sync import resolve_roots
from eclair.documents.ingest import Ingestor
from eclair.errors import NotFound
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.files import FileState, list_own_files


@dataclass(frozen=True, slots=True)
class FileOwner:
    """Something with files. `library` is None before its first one."""

    id: str
    name: str
    library: str | None


class FileOwners(Protocol):
    """Finds what has files, and makes the library for them. The command `eclair COMMAND files` changes them."""

    command: str

    async def find(self, storage: Storage, name: str) -> FileOwner:
        """Return what has this name. Raises NotFound."""
        ...

    async def open_library(self, storage: Storage, ingestor: Ingestor, owner: FileOwner) -> str:
        """Return the id of its library, made if needed."""
        ...


async def change_files(
    settings: Settings, arguments: argparse.Namespace, terminal: Terminal, owners: FileOwners
) -> int:
    """List, add or remove files, as the arguments say; return the exit status."""
    if arguments.add:
        return await _add(settings, arguments.name, arguments.add, terminal, owners)
    async with open_ingestor(settings) as (storage, ingestor):
        owner = await owners.find(storage, arguments.name)
        files = await list_own_files(storage.files, LOCAL_PRINCIPAL, owner.library)
        if arguments.remove:
            await _remove(ingestor, owner, files, arguments, terminal, owners)
        elif arguments.json:
            data = [file_json(each, owner.name) for each in files]
            terminal.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
        elif files:
            print_table([FILE_COLUMNS, *(file_cells(each, "") for each in files)], terminal)
        else:
            terminal.line(f"{owner.name} has no files; `eclair {owners.command} files NAME --add PATH` adds some.")
    return 0


async def _add(settings: Settings, name: str, paths: Sequence[Path], terminal: Terminal, owners: FileOwners) -> int:
    roots = resolve_roots(paths)
    async with open_documents_storage(settings) as (storage, documents):
        owner = await owners.find(storage, name)
        id = await owners.open_library(storage, documents.ingestor, owner)
        library = await storage.libraries.get_library(LOCAL_PRINCIPAL, id)
        syncing = LibrarySync(settings, storage, documents, library, terminal)
        return 2 if await syncing.sync(SyncRequest(roots, library.name, sync=False)) else 0


async def _remove(
    ingestor: Ingestor,
    owner: FileOwner,
    files: Sequence[FileState],
    arguments: argparse.Namespace,
    terminal: Terminal,
    owners: FileOwners,
) -> None:
    wanted: Sequence[str] = arguments.remove
    found = {name: [each.file for each in files if name in (each.file.id, each.file.name)] for name in wanted}
    for name, same in found.items():
        if not same:
            raise NotFound(
                f"{owner.name} has no file {name!r}; `eclair {owners.command} files` lists those that it has."
            )
    chosen = {file.id: file.name for same in found.values() for file in same}
    names = ", ".join(chosen.values())
    question = f"Remove {names} from {owner.name} for good?"
    if not arguments.yes and not terminal.confirm(question, "There is no terminal to confirm this; add --yes."):
        terminal.line("Nothing was removed.")
        return
    for id in chosen:
        await ingestor.delete(LOCAL_PRINCIPAL, id)
    terminal.line(f"Removed {names} from {owner.name}.")
