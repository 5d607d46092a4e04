"""Files of assistants at the command line: listed, added, removed, exported, imported and deleted."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from contextlib import aclosing, closing
from pathlib import Path

import orjson

from eclair.assistants.service import AssistantService
from eclair.cli._gate import open_recorded_gate
from eclair.cli._ingestor import open_ingestor
from eclair.cli._terminal import Terminal
from eclair.cli.add import LibrarySync, SyncRequest, open_documents_storage
from eclair.cli.assistants import list_files, show_imported
from eclair.cli.libraries import FILE_COLUMNS, file_cells, file_json
from eclair.cli.models import print_table
from eclair.documents.folder_sync import resolve_roots
from eclair.documents.ingest import Ingestor
from eclair.errors import NotFound
from eclair.network.blob_calls import FILES, open_blobs
from eclair.schema.assistants import Assistant
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.files import FileState
from eclair.transfer.assistant_archive import stage_assistant, store_assistant, write_assistant
from eclair.transfer.import_service import open_staging_folder
from eclair.util.file_replacement import replace_file


async def change_files(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """List, add or remove files, as the arguments say; return the exit status."""
    if arguments.add:
        return await _add(settings, arguments.name, arguments.add, terminal)
    async with open_ingestor(settings) as (storage, ingestor):
        assistant = await _service(storage).get_by_name(LOCAL_PRINCIPAL, arguments.name)
        files = await list_files(storage, assistant)
        if arguments.remove:
            await _remove(ingestor, assistant, files, arguments, terminal)
        elif arguments.json:
            data = [file_json(each, assistant.name) for each in files]
            terminal.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
        elif files:
            print_table([FILE_COLUMNS, *(file_cells(each, "") for each in files)], terminal)
        else:
            terminal.line(f"{assistant.name} has no files; `eclair assistants files NAME --add PATH` adds some.")
    return 0


async def delete_assistant(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Delete an assistant with its files; return the exit status."""
    async with open_ingestor(settings) as (storage, ingestor):
        assistants = _service(storage)
        found = await assistants.get_by_name(LOCAL_PRINCIPAL, arguments.name)
        await assistants.delete(LOCAL_PRINCIPAL, found.id, ingestor)
    terminal.line(f"Deleted the assistant {found.name}.")
    return 0


async def import_zip(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Add the assistant of a zip with its files; return the exit status."""
    terminal.status("Importing…")
    folder = await asyncio.to_thread(open_staging_folder, settings.data_dir / "imports")
    with arguments.file.open("rb") as file, closing(await stage_assistant(file, folder)) as staged:
        async with open_ingestor(settings) as (storage, ingestor):
            max_mb = settings.max_file_mb
            found = await store_assistant(_service(storage), ingestor, LOCAL_PRINCIPAL, staged, max_mb)
    terminal.status("")
    show_imported(found.assistant, found.left_out, terminal)
    return 0


async def export_zip(settings: Settings, storage: Storage, assistant: Assistant, output: Path, umask: int) -> None:
    """Write an assistant with its files, as `replace_file` does. Raises OSError."""
    with replace_file(output, umask) as file:
        await storage.audit.add_act(LOCAL_PRINCIPAL, "export.made", assistant.id, details={"format": "zip"})
        async with open_recorded_gate(settings, storage) as gate:
            pieces = write_assistant(storage, open_blobs(settings, FILES, gate), LOCAL_PRINCIPAL, assistant)
            async with aclosing(pieces):
                async for piece in pieces:
                    await asyncio.to_thread(file.write, piece)


async def _add(settings: Settings, name: str, paths: Sequence[Path], terminal: Terminal) -> int:
    roots = resolve_roots(paths)
    async with open_documents_storage(settings) as (storage, documents):
        service = _service(storage)
        assistant = await service.get_by_name(LOCAL_PRINCIPAL, name)
        id = await service.open_library(LOCAL_PRINCIPAL, assistant.id)
        library = await storage.libraries.get_library(LOCAL_PRINCIPAL, id)
        syncing = LibrarySync(settings, storage, documents, library, terminal)
        return 2 if await syncing.sync(SyncRequest(roots, library.name, sync=False)) else 0


async def _remove(
    ingestor: Ingestor, assistant: Assistant, files: list[FileState], arguments: argparse.Namespace, terminal: Terminal
) -> None:
    wanted: Sequence[str] = arguments.remove
    found = {name: [each.file for each in files if name in (each.file.id, each.file.name)] for name in wanted}
    for name, same in found.items():
        if not same:
            raise NotFound(f"{assistant.name} has no file {name!r}; `eclair assistants files` lists those that it has.")
    chosen = {file.id: file.name for same in found.values() for file in same}
    names = ", ".join(chosen.values())
    question = f"Remove {names} from {assistant.name} for good?"
    if not arguments.yes and not terminal.confirm(question, "There is no terminal to confirm this; add --yes."):
        terminal.line("Nothing was removed.")
        return
    for id in chosen:
        await ingestor.delete(LOCAL_PRINCIPAL, id)
    terminal.line(f"Removed {names} from {assistant.name}.")


def _service(storage: Storage) -> AssistantService:
    return AssistantService(storage.assistants, ChangeFeed(storage.processes))
