"""Archives of one assistant with its files, in the form of the archive of everything."""

from __future__ import annotations

import asyncio
import time
import zipfile
from collections.abc import AsyncGenerator, AsyncIterable
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from eclair.assistants.service import AssistantService
from eclair.documents.ingest import Ingestor, limit_size
from eclair.errors import InvalidInput, NotFound, StoreError, TooLarge
from eclair.schema.assistants import Assistant
from eclair.schema.ids import new_id
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.storage.files import iterate_files
from eclair.transfer.archive import ArchivedAssistant, ArchivedFile, ArchivedLibrary, ArchiveRecord
from eclair.transfer.archive_importer import stream_members
from eclair.transfer.archive_writer import ZipPipe, add_file, add_index
from eclair.transfer.staging import StagedImport, stage
from eclair.util.tasks import finish


@dataclass(frozen=True, slots=True)
class UnpackedAssistant:
    """An assistant that was added from an archive, and in sentences which of its files are not here."""

    assistant: Assistant
    left_out: tuple[str, ...]


async def write_assistant(
    storage: Storage, blobs: Blobs, principal: Principal, assistant: Assistant
) -> AsyncGenerator[bytes, None]:
    """Yield the archive of an assistant that has files, without its other libraries.

    All ids in it are new, so that it can be imported beside the original. `damaged.txt` lists files that can't be read.
    """
    assert assistant.library is not None
    found = await storage.libraries.get_library(principal, assistant.library)
    library = ArchivedLibrary(new_id("lib"), found.name, found.created)
    profile = replace(assistant.profile, libraries=())
    records: list[ArchiveRecord] = [
        library,
        ArchivedAssistant(new_id("asst"), assistant.created, assistant.changed, profile, library.id),
    ]
    added = set[str]()
    damaged: list[str] = []
    out = ZipPipe()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        async for state in iterate_files(storage.files, principal, found.id):
            file = state.file
            name, size, created = file.name, file.size, file.created
            record = ArchivedFile(new_id("file"), name, size, file.sha256, file.media, created, library.id)
            try:
                if file.sha256 not in added:
                    async with blobs.open_path(file.sha256) as path:
                        async for _ in add_file(archive, record.member, path, created):
                            yield out.drain()
                    added.add(file.sha256)
                records.append(record)
            except NotFound:
                pass
            except (StoreError, OSError) as error:
                damaged.append(f"{name}: {error}")
        await asyncio.to_thread(add_index, archive, records)
        if damaged:
            archive.writestr("damaged.txt", "\n".join([*damaged, ""]))
    yield out.drain()


async def stage_assistant(file: BinaryIO, folder: Path) -> StagedImport:
    """Read an archive of an assistant. Raises InvalidInput for anything else, TooLarge and StoreError."""
    try:
        return await stage(file, "The zip", folder, int(time.time() * 1000))
    except InvalidInput as error:
        raise InvalidInput("This zip isn't the export of an assistant, or is damaged; choose another file.") from error


async def store_assistant(
    assistants: AssistantService, ingestor: Ingestor, principal: Principal, staged: StagedImport, max_file_mb: int
) -> UnpackedAssistant:
    """Add the assistant of an archive with its files; where that fails or is cancelled, nothing of it stays.

    Raises InvalidInput for an archive of anything else, Conflict where the name is taken, RightMissing and StoreError.
    """
    index = staged.index
    if len(index.assistants) != 1:
        raise InvalidInput("This zip isn't the export of one assistant; import it in the settings instead.")
    archived = index.assistants[0]
    files = [file for file in index.files if archived.library is not None and file.library == archived.library]
    added = await assistants.add(principal, replace(archived.profile, libraries=()))
    try:
        library = await assistants.open_library(principal, added.id) if files else None
        left_out = [
            why
            async for file, pieces in _read_files(staged, ingestor, files)
            if (why := await _store_file(ingestor, principal, file, pieces, library, max_file_mb)) is not None
        ]
    except BaseException:
        await finish(assistants.delete(principal, added.id, ingestor))
        raise
    return UnpackedAssistant(await assistants.get(principal, added.id), tuple(left_out))


async def _read_files(
    staged: StagedImport, ingestor: Ingestor, files: list[ArchivedFile]
) -> AsyncGenerator[tuple[ArchivedFile, AsyncIterable[bytes]], None]:
    """Yield each file with its bytes; those of the same content come together, as the archive has that once."""
    by_member: dict[str, list[ArchivedFile]] = {}
    for file in files:
        by_member.setdefault(file.member, []).append(file)
    members = [(name, same[0].size) for name, same in by_member.items()]
    async with aclosing(stream_members(staged, members)) as read:
        async for name, pieces in read:
            first, *copies = by_member[name]
            yield first, pieces
            for copy in copies:
                yield copy, ingestor.read_bytes(copy.sha256)


async def _store_file(
    ingestor: Ingestor,
    principal: Principal,
    file: ArchivedFile,
    pieces: AsyncIterable[bytes],
    library: str | None,
    max_file_mb: int,
) -> str | None:
    """Store a file, and return why it was left out; None if it wasn't."""
    source = limit_size(pieces, file.name, max_file_mb)
    try:
        state = await ingestor.ingest(principal, file.name, file.media, source, library=library, created=file.created)
    except (InvalidInput, TooLarge) as error:
        return f"{file.name}: {error.message}"
    if state.file.sha256 != file.sha256:
        await ingestor.delete(principal, state.file.id)
        return f"{file.name} is damaged"
    return None
