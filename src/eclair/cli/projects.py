"""`eclair projects`: lists, shows, begins, changes, shares, deletes and restores projects, and changes their files."""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import replace

import orjson

from eclair.app import open_app
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._sharing import ACCESS, read_subject, share_object, show_shares
from eclair.cli._signals import run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import check_answering_model, print_table
from eclair.errors import InvalidInput
from eclair.schema.ids import new_id
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.projects import (
    MAX_PROJECT_INSTRUCTIONS_CHARS,
    MAX_PROJECT_NAME_CHARS,
    MemoryScope,
    Project,
    ProjectSummary,
)

MEMORY_NAMES: dict[MemoryScope, str] = {"own": "the project’s", "both": "the project’s and the person’s"}
COLUMNS = ("NAME", "ACCESS", "CONVERSATIONS", "MODEL")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    match arguments.action:
        case "list":
            return asyncio.run(_list(settings, terminal, as_json=arguments.json))
        case "show":
            return asyncio.run(_show(settings, arguments.name, terminal))
        case "add":
            return asyncio.run(_add(settings, check_name(arguments.name), terminal))
        case "edit":
            return asyncio.run(_edit(settings, arguments, terminal))
        case "files":
            from eclair.cli._project_files import change_project_files  # slow to import

            return run_async(change_project_files(settings, arguments, terminal))
        case "share":
            return asyncio.run(_share(settings, arguments, terminal))
        case "restore":
            return asyncio.run(_restore(settings, arguments.id, terminal))
        case _:
            return _remove(settings, arguments, terminal)


async def _list(settings: Settings, terminal: Terminal, *, as_json: bool) -> int:
    async with opened_storage(settings) as storage:
        found = await storage.projects.list_projects(LOCAL_PRINCIPAL)
    if as_json:
        rows = [{**_fields(each.project), "conversations": each.conversations, "used": each.used} for each in found]
        terminal.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
    elif found:
        print_table([COLUMNS, *map(_cells, found)], terminal)
    else:
        terminal.line("There are no projects; `eclair projects add NAME` begins one.")
    return 0


async def _show(settings: Settings, name: str, terminal: Terminal) -> int:
    async with opened_storage(settings) as storage:
        project = await storage.projects.get_project_by_name(LOCAL_PRINCIPAL, name)
        terminal.line(project.instructions or "It has no instructions.")
        chosen = {"model": project.model, "web": project.web, "tools": _tool_text(project)}
        settled = [f"{what}: {value or 'the person’s'}" for what, value in chosen.items()]
        terminal.note(", ".join([*settled, f"memory: {MEMORY_NAMES[project.memory]}"]))
        if project.access == "own":
            await show_shares(storage.projects, project.id, terminal)
    return 0


async def _add(settings: Settings, name: str, terminal: Terminal) -> int:
    new = Project(id=new_id("proj"), owner=LOCAL_PRINCIPAL.id, name=name, created=int(time.time() * 1000))
    async with opened_storage(settings) as storage:
        await storage.projects.add_project(LOCAL_PRINCIPAL, new)
    terminal.line(f"Began the project {name}.")
    return 0


async def _edit(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with opened_storage(settings) as storage:
        project = await storage.projects.get_project_by_name(LOCAL_PRINCIPAL, arguments.name)
        changed = _changed(project, arguments)
        if changed == project:
            raise InvalidInput(
                "Nothing changes; give --rename, --instructions, --file, --model, --web, --memory or --tools."
            )
        if arguments.model:
            await check_answering_model(settings, arguments.model)
        await storage.projects.edit_project(LOCAL_PRINCIPAL, changed)
    terminal.line(f"Changed the project {changed.name}.")
    return 0


def _changed(project: Project, arguments: argparse.Namespace) -> Project:
    """Return the project with what was given. Raises InvalidInput."""
    instructions = _read_instructions(arguments)
    if arguments.rename is not None:
        project = replace(project, name=check_name(arguments.rename))
    if instructions is not None:
        project = replace(project, instructions=instructions)
    if arguments.model is not None:
        project = replace(project, model=arguments.model or None)
    if arguments.web is not None:
        project = replace(project, web=None if arguments.web == "default" else arguments.web)
    if arguments.memory is not None:
        project = replace(project, memory=arguments.memory)
    if arguments.tools is not None:
        names = tuple(name.strip() for name in arguments.tools.split(",") if name.strip())
        project = replace(project, tools={("all",): None, ("none",): ()}.get(names, names))
    return project


def _read_instructions(arguments: argparse.Namespace) -> str | None:
    try:
        given = arguments.instructions if arguments.file is None else arguments.file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{arguments.file} can't be read as a text: {error}") from error
    if given is None:
        return None
    text = str(given).strip()
    if len(text) > MAX_PROJECT_INSTRUCTIONS_CHARS or "\0" in text:
        raise InvalidInput(f"Instructions are up to {MAX_PROJECT_INSTRUCTIONS_CHARS:,} characters, none of them NUL.")
    return text


async def _share(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    subject = read_subject(arguments)
    async with opened_storage(settings) as storage:
        project = await storage.projects.get_project_by_name(LOCAL_PRINCIPAL, arguments.name)
        await share_object(storage.projects, project.id, subject, f"project {project.name}", arguments, terminal)
    return 0


def _remove(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    question = f"Delete the project {arguments.name} with its files and memories, and keep its conversations?"
    if not arguments.yes and not terminal.confirm(question, "There is no terminal to confirm this; add --yes."):
        terminal.line("Nothing was deleted.")
        return 0
    id = asyncio.run(_delete(settings, arguments.name))
    terminal.line(f"Deleted the project {arguments.name}.")
    terminal.line(f"`eclair projects restore {id}` restores it, within ten minutes.")
    return 0


async def _delete(settings: Settings, name: str) -> str:
    async with open_app(settings) as app:
        project = await app.storage.projects.get_project_by_name(LOCAL_PRINCIPAL, name)
        await app.projects.delete(LOCAL_PRINCIPAL, project.id)
        return project.id


async def _restore(settings: Settings, id: str, terminal: Terminal) -> int:
    async with open_app(settings) as app:
        project = await app.projects.restore(LOCAL_PRINCIPAL, id)
    terminal.line(f"Restored the project {project.name}.")
    return 0


def check_name(text: str) -> str:
    """Return a project's name. Raises InvalidInput."""
    name = text.strip()
    if not 1 <= len(name) <= MAX_PROJECT_NAME_CHARS or not name.isprintable():
        raise InvalidInput(f"A project's name is 1 to {MAX_PROJECT_NAME_CHARS} characters on one line.")
    return name


def _fields(project: Project) -> dict[str, object]:
    names = ("id", "owner", "name", "created", "instructions", "model", "web", "tools", "memory", "access")
    return {name: getattr(project, name) for name in names}


def _tool_text(project: Project) -> str | None:
    return None if project.tools is None else ", ".join(project.tools) or "none"


def _cells(listed: ProjectSummary) -> tuple[str, ...]:
    project = listed.project
    return project.name, ACCESS[project.access], f"{listed.conversations:,}", project.model or "–"
