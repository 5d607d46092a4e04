"""Files of assistants at the command line: listed, added, removed, exported, imported and deleted."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import aclosing, closing
from pathlib import Path

from eclair.assistants.service import AssistantService
from eclair.cli._gate import open_recorded_gate
from eclair.cli._ingestor import open_ingestor
from eclair.cli._owned_files import FileOwner, change_files
from eclair.cli._terminal import Terminal
from eclair.cli.assistants import show_imported
from eclair.documents.ingest import Ingestor
from eclair.network.blob_calls import FILES, open_blobs
from eclair.schema.assistants import Assistant
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.transfer.assistant_archive import stage_assistant, store_assistant, write_assistant
from eclair.transfer.import_service import open_staging_folder
from eclair.util.file_replacement import replace_file


class AssistantFiles:
    """Implements `FileOwners`."""

    command = "assistants"

    async def find(self, storage: Storage, name: str) -> FileOwner:
        """See `FileOwners.find`."""
        assistant = await _service(storage).get_by_name(LOCAL_PRINCIPAL, name)
        return FileOwner(assistant.id, assistant.name, assistant.library)

    async def open_library(self, storage: Storage, ingestor: Ingestor, owner: FileOwner) -> str:
        """See `FileOwners.open_library`."""
        return await _service(storage).open_library(LOCAL_PRINCIPAL, owner.id)


async def change_assistant_files(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """List, add or remove files of an assistant, as the arguments say; return the exit status."""
    return await change_files(settings, arguments, terminal, AssistantFiles())


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


def _service(storage: Storage) -> AssistantService:
    return AssistantService(storage.assistants, ChangeFeed(storage.processes))
