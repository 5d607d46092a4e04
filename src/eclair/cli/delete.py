"""`eclair delete`: deletes all conversations, or restores those it deleted; deletes what the API stored."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from eclair.chat.conversations import ConversationService
from eclair.chat.runs import Runs
from eclair.cli._arguments import load_settings
from eclair.cli._gate import open_recorded_gate
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.documents.document_parser import Parser
from eclair.documents.ingest import Ingestor
from eclair.errors import InvalidInput
from eclair.images.open import open_gallery
from eclair.network.blob_calls import FILES, open_blobs
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.change_feed import ChangeFeed
from eclair.util.background import IdleScheduler


@dataclass(frozen=True, slots=True)
class KeptForPrograms:
    """Numbers of what programs stored through the API."""

    responses: int
    conversations: int
    batches: int
    files: int

    def __str__(self) -> str:
        return (
            f"{_plural(self.responses, 'response')}, {_plural(self.conversations, 'conversation')}, "
            f"{_plural(self.batches, 'batch', 'batches')} and {_plural(self.files, 'file')} of the API"
        )


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    if arguments.responses:
        if arguments.undo is not None:
            raise InvalidInput("Responses are deleted for good; leave out --undo or --responses.")
        return _delete_responses(settings, arguments, terminal)
    if arguments.undo is not None:
        return run_async(_restore(settings, arguments.undo, terminal))
    count = asyncio.run(_count(settings))
    if count == 0:
        terminal.line("There is nothing to delete.")
        return 0
    if not arguments.yes and not _confirm(count, terminal):
        terminal.line("Nothing was deleted.")
        return 0
    return run_async(_delete(settings, terminal))


def _delete_responses(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    what = asyncio.run(_count_kept(settings))
    if what == KeptForPrograms(0, 0, 0, 0):
        terminal.line("There is nothing to delete.")
        return 0
    question = f"Delete {what} for good?"
    unasked = f"There is no terminal to ask before deleting {what}; add --yes to do it anyway."
    if not arguments.yes and not terminal.confirm(question, unasked):
        terminal.line("Nothing was deleted.")
        return 0
    run_async(_erase_kept(settings))
    terminal.line(f"Deleted {what}.")
    return 0


async def _count_kept(settings: Settings) -> KeptForPrograms:
    async with opened_storage(settings) as storage:
        kept = await storage.responses.count_kept(LOCAL_PRINCIPAL, 0)
        batches = await storage.batches.count_kept(LOCAL_PRINCIPAL)
        uploads = await storage.files.list_uploaded_files(LOCAL_PRINCIPAL)
    return KeptForPrograms(kept.responses, kept.conversations, batches.batches, batches.files + len(uploads))


async def _erase_kept(settings: Settings) -> int:
    async with opened_storage(settings) as storage:
        await storage.responses.delete_all(LOCAL_PRINCIPAL)
        await storage.batches.delete_all(LOCAL_PRINCIPAL)
        async with open_recorded_gate(settings, storage) as gate:
            blobs, changes = open_blobs(settings, FILES, gate), ChangeFeed(storage.processes)
            ingestor = Ingestor(storage, blobs, Parser(), None, changes, IdleScheduler())
            await ingestor.delete_uploads(LOCAL_PRINCIPAL)
    return 0


def _confirm(count: int, terminal: Terminal) -> bool:
    return terminal.confirm(
        f"Delete {_count_text(count)}, with what is in the archive and what is shared?",
        f"There is no terminal to ask before deleting {_count_text(count)}; add --yes to do it anyway.",
    )


@asynccontextmanager
async def _conversations(settings: Settings) -> AsyncGenerator[ConversationService]:
    async with opened_storage(settings) as storage, open_recorded_gate(settings, storage) as gate:
        changes, gallery = ChangeFeed(storage.processes), open_gallery(settings, storage, gate)
        yield ConversationService(storage, Runs(storage, changes), changes, gallery)


async def _count(settings: Settings) -> int:
    async with opened_storage(settings) as storage:
        return await storage.conversations.count_conversations(LOCAL_PRINCIPAL)


async def _delete(settings: Settings, terminal: Terminal) -> int:
    async with _conversations(settings) as conversations:
        deleted = await conversations.delete_all(LOCAL_PRINCIPAL)
    terminal.line(f"Deleted {_count_text(deleted.count)}.")
    terminal.line(f"For ten minutes, `eclair delete --undo {deleted.moment}` restores what was deleted.")
    return 0


async def _restore(settings: Settings, moment: int, terminal: Terminal) -> int:
    async with _conversations(settings) as conversations:
        count = await conversations.restore_all(LOCAL_PRINCIPAL, moment)
    terminal.line(f"Restored {_count_text(count)}.")
    return 0


def _count_text(count: int) -> str:
    return _plural(count, "conversation")


def _plural(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"
