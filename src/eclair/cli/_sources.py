"""What a question at the command line is answered from: files of which nothing is kept, and libraries.

Files alone are read into a folder of their own, which goes with the answer; beside a library they are taken into the
store and erased after it.
"""

from __future__ import annotations

import asyncio
import contextlib
import mimetypes
import tempfile
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from eclair.app import Reading, open_reading
from eclair.cli._terminal import Terminal
from eclair.documents.folder_sync import read_file, resolve_roots
from eclair.documents.ingest import Ingestor
from eclair.documents.retriever import DocumentService
from eclair.documents.vision import VisionService
from eclair.errors import NotFound, StoreError
from eclair.generation.usage import UsageLedger
from eclair.llm.registry import Registry
from eclair.schema.messages import Attachment, LibraryName
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.documents import DocumentState
from eclair.storage.files import FileState
from eclair.storage.open import open_storage
from eclair.util.background import IdleScheduler


@dataclass(frozen=True, slots=True)
class Sources:
    """What goes along with a question. While it is answered, `idle` is to know."""

    files: tuple[Attachment, ...]
    libraries: tuple[LibraryName, ...]
    documents: DocumentService
    vision: VisionService
    idle: IdleScheduler


@asynccontextmanager
async def open_sources(
    settings: Settings, registry: Registry, files: Sequence[Path], libraries: Sequence[str], terminal: Terminal
) -> AsyncGenerator[Sources]:
    """The sources, read. Raises UserError for a file that cannot be read and a library that is not there."""
    paths = resolve_roots(files)
    idle = IdleScheduler()
    with contextlib.ExitStack() as stack:
        home = settings.data_dir
        if not libraries:
            settings = replace(settings, data_dir=_room(stack))
        async with _opened(settings, registry, idle, home) as reading:
            names = await reading.documents.get_libraries(LOCAL_PRINCIPAL, libraries)
            async with _taken(reading, paths, settings.max_file_mb, forget=bool(libraries)) as ids:
                async with aclosing(reading.documents.wait_until_read(LOCAL_PRINCIPAL, ids)) as states:
                    async for each in states:
                        terminal.status(how_far(each.file.name, each.document))
                terminal.status("")
                for id in ids:
                    if (told := await reading.vision.get_description(LOCAL_PRINCIPAL, id)) is not None:
                        terminal.aside(told)
                attached = await reading.documents.get_attachments(LOCAL_PRINCIPAL, ids)
                yield Sources(attached, names, reading.documents, reading.vision, idle)


async def take(ingestor: Ingestor, path: Path, most_mb: int) -> FileState:
    """Take a file in that is in no library. Raises UserError, StoreError."""
    media = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    async with aclosing(read_file(path, most_mb)) as source:
        return await ingestor.ingest(LOCAL_PRINCIPAL, path.name, media, source)


def _room(stack: contextlib.ExitStack) -> Path:
    try:
        return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eclair-")))
    except OSError as error:
        raise StoreError(f"There is no room to read the files in: {error.strerror}; set TMPDIR.") from error


@asynccontextmanager
async def _opened(settings: Settings, registry: Registry, idle: IdleScheduler, home: Path) -> AsyncGenerator[Reading]:
    storage = await asyncio.to_thread(open_storage, settings.data_dir)
    try:
        ask = UsageLedger(settings, storage.usage).ask
        changes = ChangeFeed(storage.processes)
        async with open_reading(settings, storage, registry, changes, idle, ask, home) as reading:
            yield reading
    finally:
        await storage.close()


@asynccontextmanager
async def _taken(
    reading: Reading, paths: Sequence[Path], most_mb: int, *, forget: bool
) -> AsyncGenerator[tuple[str, ...]]:
    """The ids of the files, which are erased at the end where they are to be forgotten."""
    ids: list[str] = []
    try:
        for path in paths:
            ids.append((await take(reading.ingestor, path, most_mb)).file.id)
        yield tuple(ids)
    finally:
        for id in ids if forget else ():
            with contextlib.suppress(NotFound):
                await reading.ingestor.delete(LOCAL_PRINCIPAL, id)


def how_far(name: str, document: DocumentState) -> str:
    """Such as `Reading report.pdf, page 120 of 300…`."""
    if document.state == "ready":
        return f"Embedding {name}, {document.embedded:,} of {document.chunks:,} passages…"
    if document.pages:
        return f"Reading {name}, page {document.pages_read:,} of {document.pages:,}…"
    return f"Reading {name}, page {document.pages_read:,}…" if document.pages_read else f"Reading {name}…"
