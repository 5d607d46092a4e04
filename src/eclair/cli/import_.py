"""`eclair import`: reads another program's export, describes it and imports it."""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import AsyncExitStack, closing
from pathlib import Path

from eclair.chat.preferences import PreferenceService
from eclair.cli._arguments import load_settings
from eclair.cli._gate import open_recorded_gate
from eclair.cli._logging import log_if_debugging
from eclair.cli._progress import ProgressCounter
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.cli.add import open_documents_storage
from eclair.errors import InvalidInput
from eclair.images.open import open_gallery
from eclair.llm.servers.service import ServerService
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.skills.service import SkillService
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.transfer.archive_importer import ArchiveImporter, ImportChoices, ItemKind
from eclair.transfer.import_service import compare_import, open_staging_folder, store_import
from eclair.transfer.normalize import ImportKind
from eclair.transfer.staging import StagedImport, stage

PROGRAMS: dict[ImportKind, str] = {
    "chatgpt": "ChatGPT",
    "claude": "Claude",
    "openwebui": "Open WebUI",
    "librechat": "LibreChat",
    "lechat": "Le Chat",
    "gemini": "Gemini",
    "copilot": "Copilot",
    "eclair": "Éclair",
}


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    return run_async(
        _import(
            settings,
            arguments.file,
            terminal,
            check=arguments.check,
            choices=ImportChoices(
                replace_settings=arguments.replace_settings, switch_skills_on=arguments.switch_skills_on
            ),
        )
    )


ITEMS: dict[ItemKind, str] = {
    "conversations": "conversations",
    "canvases": "canvases",
    "libraries": "libraries",
    "files": "files",
    "images": "images",
    "prompts": "prompts",
    "assistants": "assistants",
    "skills": "skills",
    "settings": "settings",
    "feeds": "feeds",
    "servers": "servers, without keys",
    "memories": "memories",
}


async def _import(settings: Settings, path: Path, terminal: Terminal, *, check: bool, choices: ImportChoices) -> int:
    with closing(await _read(settings, path, terminal)) as staged:
        preview = staged.preview
        terminal.line(
            f"{path.name} is from {PROGRAMS[preview.kind]}: "
            f"{preview.conversations:,} conversations, {preview.messages:,} messages."
        )
        for problem in preview.problems:
            terminal.warn(problem)
        if check and not len(staged.index):
            return 0
        async with AsyncExitStack() as stack:
            storage, documents = await stack.enter_async_context(open_documents_storage(settings))
            gate = await stack.enter_async_context(open_recorded_gate(settings, storage))
            gallery = open_gallery(settings, storage, gate)
            await gallery.start()
            stack.push_async_callback(gallery.close)
            preferences, servers = PreferenceService(storage.preferences), ServerService(settings, storage)
            skills = SkillService(storage.skills, ChangeFeed(storage.processes))
            archives = ArchiveImporter(storage, documents.ingestor, gallery, preferences, servers, skills)
            if len(staged.index):
                for items in await compare_import(storage, archives, LOCAL_PRINCIPAL, staged):
                    here = f", of which {items.here:,} are here already" if items.here else ""
                    terminal.line(f"  {items.count:,} {ITEMS[items.kind]}{here}")
            if not check:
                await _store(storage, archives, staged, terminal, choices)
    return 0


async def _read(settings: Settings, path: Path, terminal: Terminal) -> StagedImport:
    folder = await asyncio.to_thread(open_staging_folder, settings.data_dir / "imports")
    try:
        file = path.open("rb")
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        counter = ProgressCounter(terminal, "Reading")
        return await stage(file, path.name, folder, int(time.time() * 1000), counter.show)


async def _store(
    storage: Storage,
    archives: ArchiveImporter,
    staged: StagedImport,
    terminal: Terminal,
    choices: ImportChoices,
) -> None:
    counting = ProgressCounter(terminal, "Importing")
    last = None
    async for step in store_import(storage, archives, LOCAL_PRINCIPAL, staged, choices):
        last = step
        counting.show(step.done, step.total)
    if last is None:
        return
    imported = {"from": staged.preview.kind, "conversations": last.added}
    await storage.audit.add_act(LOCAL_PRINCIPAL, "conversations.imported", details=imported)
    for problem in last.problems[len(staged.preview.problems) :]:
        terminal.warn(problem)
    terminal.line(
        f"New here: {last.added:,} conversations, {last.messages:,} messages. Here already: {last.skipped:,}."
    )
    for items in last.items:
        terminal.line(f"  {items.count - items.here:,} of {items.count:,} {ITEMS[items.kind]} are new")
