"""`eclair export`: one conversation as a file, or everything as a zip."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace
from pathlib import Path

from eclair.chat.runs import Runs
from eclair.cli._arguments import load_settings
from eclair.cli._audit import add_act
from eclair.cli._gate import open_recorded_gate
from eclair.cli._logging import log_if_debugging
from eclair.cli._progress import ProgressCounter
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput, StoreError
from eclair.images.open import open_gallery
from eclair.network.blob_calls import FILES, open_blobs
from eclair.provenance.service import Provenance
from eclair.schema.audit import ActDetails
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.open import open_storage_for_reading
from eclair.transfer.archive_writer import ArchiveWriter, archive_name
from eclair.transfer.export_service import load_conversation, render_conversation
from eclair.transfer.export_view import parse_reviewer
from eclair.transfer.exporters import EXPORTERS, ExportFormat
from eclair.util.humanize import format_size


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    if arguments.conversation is None and arguments.format is not None:
        raise InvalidInput(
            "Everything goes into a zip; export one conversation to choose its format: `eclair export ID`."
        )
    if arguments.conversation is None and arguments.reviewer is not None:
        raise InvalidInput("A person answers for one conversation; name it: `eclair export ID --reviewer NAME`.")
    reviewer = parse_reviewer(arguments.reviewer) if arguments.reviewer is not None else None
    return run_async(_export(settings, arguments.conversation, arguments.format, arguments.output, reviewer, terminal))


async def _export(
    settings: Settings,
    id: str | None,
    format: ExportFormat | None,
    output: Path | None,
    reviewer: str | None,
    terminal: Terminal,
) -> int:
    storage = await asyncio.to_thread(open_storage_for_reading, settings)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(storage.close)
        gate = await stack.enter_async_context(open_recorded_gate(settings, storage))
        runs, gallery = Runs(storage, ChangeFeed(storage.processes)), open_gallery(settings, storage, gate)
        if id is None:
            counting = ProgressCounter(terminal, "Exporting")
            archives = ArchiveWriter(storage, runs, gallery, open_blobs(settings, FILES, gate))
            size = await archives.measure(LOCAL_PRINCIPAL)
            terminal.status(f"Exporting {format_size(size.bytes)} of files and images…")
            name, pieces = archive_name(), archives.write(LOCAL_PRINCIPAL, counting.show)
        else:
            format = format or "markdown"
            embedded = gallery if EXPORTERS[format].embeds_images else None
            exported = await load_conversation(storage, runs, LOCAL_PRINCIPAL, id, embedded)
            exported = replace(exported, reviewer=reviewer)
            name, data = await render_conversation(exported, format, Provenance.configured(settings))
            pieces = single_chunk(data)
        await _note_export(settings, id, format, reviewer, terminal)
        path = output_path(output, name)
        async with aclosing(pieces):
            await write_new(path, pieces)
    terminal.line(f"Exported to {path} ({format_size(path.stat().st_size)})")
    return 0


async def _note_export(
    settings: Settings, id: str | None, format: ExportFormat | None, reviewer: str | None, terminal: Terminal
) -> None:
    """Add the act to the audit log; on a disk that takes no writes, only say that it is missing."""
    archive: ActDetails = {"all": True}
    single: ActDetails = {"format": format or "markdown", "reviewed": reviewer is not None}
    try:
        await add_act(settings, "export.made", id, archive if id is None else single)
    except StoreError as error:
        terminal.warn(f"The audit log doesn't say that this was exported: {error.message}")


def output_path(output: Path | None, name: str) -> Path:
    """Return the file to write: `output`, or `name` in it if it is a folder."""
    if output is None:
        return Path(name)
    return output / name if output.is_dir() else output


async def single_chunk(data: bytes) -> AsyncGenerator[bytes, None]:
    yield data


async def write_new(path: Path, pieces: AsyncGenerator[bytes, None]) -> None:
    """Write a new file; remove it if that fails. Raises InvalidInput, also for an existing file."""
    try:
        with path.open("xb") as file:
            try:
                async for piece in pieces:
                    await asyncio.to_thread(file.write, piece)
                file.flush()
            except BaseException:
                await asyncio.to_thread(path.unlink)
                raise
    except FileExistsError:
        raise InvalidInput(f"{path} already exists; choose another name with --output.") from None
    except OSError as error:
        raise InvalidInput(f"{path} cannot be written: {error.strerror}.") from error
