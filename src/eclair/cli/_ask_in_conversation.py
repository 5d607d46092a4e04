"""Asks one question in a project, with MCP servers or of several models: in a conversation.

It is deleted after the answer, unless one of several is kept.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path

from eclair.app import App, open_app
from eclair.chat.tree import NewMessage
from eclair.chat.turn_options import NO_CHOICES
from eclair.cli._answer_view import AnswerView
from eclair.cli._call_prompts import RunReplies
from eclair.cli._question import Question
from eclair.cli._sources import describe_progress, ingest_file
from eclair.cli._terminal import Terminal
from eclair.documents.folder_sync import resolve_roots
from eclair.errors import NotFound
from eclair.schema.events import Event, decode
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.runs import RunRecord


async def ask_in_conversation(settings: Settings, question: Question, view: AnswerView, terminal: Terminal) -> None:
    """Ask, and show the answers as they come. Raises what `Turns.ask` raises."""
    async with open_app(settings) as app:
        files: list[str] = []
        conversation, kept = "", None
        try:
            await _ingest(app, question.files, files, terminal)
            projects = app.storage.projects
            project = (
                None
                if question.project is None
                else (await projects.get_project_by_name(LOCAL_PRINCIPAL, question.project)).id
            )
            servers = [await _server_id(app, name) for name in question.servers]
            options = replace(question.turn_options, mcp_servers=dict.fromkeys(servers, True))
            new = app.turns.new_conversation(LOCAL_PRINCIPAL, title=question.title, choices=NO_CHOICES, project=project)
            message = NewMessage(
                question.text, files=tuple(files), libraries=question.libraries, models=question.models
            )
            conversation = new.id
            asked = await app.turns.ask(LOCAL_PRINCIPAL, new, message, options, question.accepted)
            runs = [asked.run, *(each.run for each in asked.beside)]
            for run in runs:
                await view.show(_events(app, run), RunReplies(app, run))
            kept = await view.choose()
            if kept is not None:
                assert asked.question is not None
                await app.comparisons.keep(LOCAL_PRINCIPAL, new.id, asked.question, runs[kept].message)
                terminal.note(f"Kept; `eclair chat --conversation {new.id}` goes on from it.")
        finally:
            if kept is None:
                await _clean_up(app, conversation, files)


async def _clean_up(app: App, conversation: str, files: Sequence[str]) -> None:
    """Stop the answers in the conversation, and delete it with the files."""
    with suppress(NotFound):  # it was never stored, or somebody has deleted it
        await app.conversations.delete(LOCAL_PRINCIPAL, conversation, forever=True)
    for id in files:
        with suppress(NotFound):
            await app.ingestor.delete(LOCAL_PRINCIPAL, id)


async def _events(app: App, run: RunRecord) -> AsyncGenerator[Event, None]:
    async with aclosing(app.runs.follow(run, 0)) as batches:
        async for batch in batches:
            for line in batch.lines:
                yield decode(line)


async def _server_id(app: App, name: str) -> str:
    for server in await app.mcp.list(LOCAL_PRINCIPAL):
        if server.name == name:
            return server.id
    raise NotFound(f"There is no MCP server {name!r}; `eclair mcp` lists them.")


async def _ingest(app: App, files: Sequence[Path], ids: list[str], terminal: Terminal) -> None:
    """Have the files read, and add each one's id to `ids` as soon as it is stored. Raises UserError."""
    for path in resolve_roots(files):
        ids.append((await ingest_file(app.ingestor, path, app.settings.max_file_mb)).file.id)
    async with aclosing(app.documents.wait_until_read(LOCAL_PRINCIPAL, ids)) as states:
        async for each in states:
            terminal.status(describe_progress(each.file.name, each.document))
    terminal.status("")
