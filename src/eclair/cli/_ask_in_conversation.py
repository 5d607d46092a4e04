"""Asks one question in a project or with MCP servers: in a conversation that is deleted after the answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

from eclair.app import App, open_app
from eclair.chat.tree import NewMessage
from eclair.chat.turn_options import NO_CHOICES, TurnOptions
from eclair.cli._call_prompts import CallPrompts, RunReplies, show_asking
from eclair.cli._remote_ask import TITLE
from eclair.cli._sources import describe_progress, ingest_file
from eclair.cli._terminal import Terminal
from eclair.documents.folder_sync import resolve_roots
from eclair.errors import NotFound
from eclair.schema.events import Event, decode
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.runs import RunRecord


async def ask_in_conversation(
    settings: Settings,
    text: str,
    options: TurnOptions,
    accepted: float,
    files: Sequence[Path],
    libraries: Sequence[str],
    project: str | None,
    servers: Sequence[str],
    show: Callable[[Event], None],
    terminal: Terminal,
) -> int:
    """Ask, show the answer as it comes, and have the person decide on its calls; return an exit code.

    `project` and `servers` are names. Raises what `Turns.ask` raises.
    """
    async with open_app(settings) as app, _ingested(app, files, terminal) as ids:
        found = None if project is None else await app.storage.projects.get_project_by_name(LOCAL_PRINCIPAL, project)
        options = replace(options, mcp_servers=dict.fromkeys([await _server_id(app, name) for name in servers], True))
        new = app.turns.new_conversation(
            LOCAL_PRINCIPAL, title=TITLE, choices=NO_CHOICES, project=None if found is None else found.id
        )
        asked = NewMessage(text, files=ids, libraries=tuple(libraries))
        try:
            run = (await app.turns.ask(LOCAL_PRINCIPAL, new, asked, options, accepted)).run
            replies = RunReplies(app, run)
            return await show_asking(_events(app, run), show, CallPrompts.at(terminal), replies)
        finally:
            with suppress(NotFound):  # it was never stored, or somebody has deleted it
                await app.conversations.delete(LOCAL_PRINCIPAL, new.id, forever=True)


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


@asynccontextmanager
async def _ingested(app: App, files: Sequence[Path], terminal: Terminal) -> AsyncGenerator[tuple[str, ...]]:
    """Have the files read, and yield their ids; delete them on exit. Raises UserError."""
    ids: list[str] = []
    try:
        for path in resolve_roots(files):
            ids.append((await ingest_file(app.ingestor, path, app.settings.max_file_mb)).file.id)
        async with aclosing(app.documents.wait_until_read(LOCAL_PRINCIPAL, ids)) as states:
            async for each in states:
                terminal.status(describe_progress(each.file.name, each.document))
        terminal.status("")
        yield tuple(ids)
    finally:
        for id in ids:
            with suppress(NotFound):
                await app.ingestor.delete(LOCAL_PRINCIPAL, id)
