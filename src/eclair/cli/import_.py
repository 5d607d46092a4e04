"""`eclair import`: reads another program's export, describes it and imports it."""

from __future__ import annotations

import argparse
import asyncio
import time
from contextlib import closing
from pathlib import Path

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._progress import ProgressCounter
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.open import open_storage
from eclair.transfer.import_service import open_staging_folder, store_conversations
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
    return run_async(_import(settings, arguments.file, arguments.check, terminal))


async def _import(settings: Settings, path: Path, check: bool, terminal: Terminal) -> int:
    with closing(await _read(settings, path, terminal)) as staged:
        preview = staged.preview
        terminal.line(
            f"{path.name} is from {PROGRAMS[preview.kind]}: "
            f"{preview.conversations:,} conversations, {preview.messages:,} messages."
        )
        for problem in preview.problems:
            terminal.warn(problem)
        if not check:
            await _store(settings, staged, terminal)
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


async def _store(settings: Settings, staged: StagedImport, terminal: Terminal) -> None:
    counting = ProgressCounter(terminal, "Importing")
    added = messages = skipped = 0
    problems: tuple[str, ...] = ()
    storage = await asyncio.to_thread(open_storage, settings.data_dir)
    try:
        async for step in store_conversations(storage, LOCAL_PRINCIPAL, staged):
            added, messages, skipped = step.added, step.messages, step.skipped
            problems = step.problems[len(staged.preview.problems) :]
            counting.show(step.done, step.total)
    finally:
        await storage.close()
    for problem in problems:
        terminal.warn(problem)
    terminal.line(f"New here: {added:,} conversations, {messages:,} messages. Here already: {skipped:,}.")
