"""Sources of a question at the command line: temporary files and libraries.

Without a library, files are read into a temporary folder. With one, they are ingested into the database and deleted
after the answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import mimetypes
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.documents.folder_sync import read_file, resolve_roots
from eclair.documents.ingest import Ingestor
from eclair.documents.service import DocumentService
from eclair.documents.vision import VisionService
from eclair.errors import NotFound, StoreError
from eclair.generation.usage import UsageLedger
from eclair.llm.registry import Registry
from eclair.schema.messages import Attachment, LibraryName
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.services import DocumentComponents, open_documents
from eclair.settings import Settings
from eclair.speech.recognizer_choice import with_speech_settings
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.documents import DocumentState
from eclair.storage.files import FileState
from eclair.util.background import IdleScheduler
from eclair.util.scratch import ScratchFolder


@dataclass(frozen=True, slots=True)
class QuestionSources:
    """Files and libraries of a question, and what retrieves from them."""

    files: tuple[Attachment, ...]
    libraries: tuple[LibraryName, ...]
    documents: DocumentService
    vision: VisionService
    idle: IdleScheduler


@asynccontextmanager
async def open_sources(
    settings: Settings,
    registry: Registry,
    files: Sequence[Path],
    libraries: Sequence[str],
    terminal: Terminal,
    ledger: UsageLedger | None,
) -> AsyncGenerator[QuestionSources]:
    """Read the files. Raises UserError for an unreadable file or an unknown library."""
    paths = resolve_roots(files)
    idle = IdleScheduler()
    with contextlib.ExitStack() as stack:
        models_dir = settings.data_dir
        settings = await asyncio.to_thread(with_speech_settings, settings)
        if not libraries:
            settings = replace(settings, data_dir=_temporary_folder(stack), blobs_url=None, blobs_key_file=None)
        async with _open_documents(settings, registry, idle, models_dir, ledger) as components:
            names = await components.documents.get_libraries(LOCAL_PRINCIPAL, libraries)
            async with _ingested(components, paths, settings.max_file_mb, forget=bool(libraries)) as ids:
                async with aclosing(components.documents.wait_until_read(LOCAL_PRINCIPAL, ids)) as states:
                    async for each in states:
                        terminal.status(describe_progress(each.file.name, each.document))
                terminal.status("")
                for id in ids:
                    if (description := await components.vision.get_description(LOCAL_PRINCIPAL, id)) is not None:
                        terminal.aside(description)
                attached = await components.documents.get_attachments(LOCAL_PRINCIPAL, ids)
                yield QuestionSources(attached, names, components.documents, components.vision, idle)


async def ingest_file(ingestor: Ingestor, path: Path, max_mb: int) -> FileState:
    """Ingest a file that belongs to no library. Raises UserError and StoreError."""
    media = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    async with aclosing(read_file(path, max_mb)) as source:
        return await ingestor.ingest(LOCAL_PRINCIPAL, path.name, media, source)


def _temporary_folder(stack: contextlib.ExitStack) -> Path:
    try:
        return stack.enter_context(ScratchFolder("question")).path
    except OSError as error:
        raise StoreError(f"There is no room to read the files in: {error.strerror}; set TMPDIR.") from error


@asynccontextmanager
async def _open_documents(
    settings: Settings, registry: Registry, idle: IdleScheduler, models_dir: Path, ledger: UsageLedger | None
) -> AsyncGenerator[DocumentComponents]:
    async with opened_storage(settings) as storage:
        ledger = ledger or UsageLedger(settings, storage.usage)
        changes = ChangeFeed(storage.processes)
        async with open_documents(settings, storage, registry, changes, idle, ledger, models_dir) as components:
            yield components


@asynccontextmanager
async def _ingested(
    components: DocumentComponents, paths: Sequence[Path], max_mb: int, *, forget: bool
) -> AsyncGenerator[tuple[str, ...]]:
    """Ingest files and yield their ids; with `forget`, delete them on exit."""
    ids: list[str] = []
    try:
        for path in paths:
            ids.append((await ingest_file(components.ingestor, path, max_mb)).file.id)
        yield tuple(ids)
    finally:
        for id in ids if forget else ():
            with contextlib.suppress(NotFound):
                await components.ingestor.delete(LOCAL_PRINCIPAL, id)


def describe_progress(name: str, document: DocumentState) -> str:
    """Describe a file's progress, as in `Reading report.pdf, page 120 of 300…`."""
    if document.state == "ready":
        return f"Preparing {name} for search by meaning, {document.embedded:,} of {document.chunks:,} passages…"
    if sound_name(name):
        of = f" of {document.pages:,}" if document.pages else ""
        return f"Listening to {name}, minute {document.pages_read:,}{of}…"
    if document.pages:
        return f"Reading {name}, page {document.pages_read:,} of {document.pages:,}…"
    return f"Reading {name}, page {document.pages_read:,}…" if document.pages_read else f"Reading {name}…"


def sound_name(name: str) -> bool:
    """Return whether a file is a recording or a film, by its name."""
    media = mimetypes.guess_type(name)[0] or ""
    return media.startswith(("audio/", "video/")) or name.lower().endswith((".opus", ".m4a", ".weba", ".flac"))
