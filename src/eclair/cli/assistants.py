"""`eclair assistants`: lists, shows, sets up, changes, shares, imports, exports and deletes assistants."""

from __future__ import annotations

import argparse
import asyncio
import zipfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson
from pydantic import ValidationError

from eclair.assistants.assistant_fields import AssistantFields
from eclair.assistants.assistant_files import export_assistant, read_assistant_file
from eclair.assistants.service import AssistantService
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._sharing import ACCESS, read_subject, share_object, show_shares
from eclair.cli._signals import run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import check_answering_model, print_table
from eclair.errors import InvalidInput, UserError
from eclair.schema.assistants import Assistant, AssistantProfile
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.files import list_own_files
from eclair.util.file_replacement import replace_file

COLUMNS = ("NAME", "ACCESS", "DESCRIPTION")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    if arguments.action == "remove" and not arguments.yes:
        question = f"Delete the assistant {arguments.name} with its files for good?"
        if not terminal.confirm(question, "There is no terminal to confirm this; add --yes."):
            terminal.line("Nothing was deleted.")
            return 0
    if arguments.action in ("files", "remove") or (arguments.action == "import" and zipfile.is_zipfile(arguments.file)):
        from eclair.cli import _assistant_files  # slow to import

        actions = {
            "files": _assistant_files.change_assistant_files,
            "remove": _assistant_files.delete_assistant,
            "import": _assistant_files.import_zip,
        }
        return run_async(actions[arguments.action](settings, arguments, terminal))
    return run_async(_act(settings, arguments, terminal))


async def _act(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with opened_storage(settings) as storage:
        assistants = AssistantService(storage.assistants, ChangeFeed(storage.processes))
        if arguments.action in ("add", "edit") and arguments.model:
            await check_answering_model(settings, arguments.model)
        match arguments.action:
            case "import":
                await _import(assistants, arguments.file, terminal)
            case "export":
                await _export(settings, storage, assistants, arguments, terminal)
            case _:
                await _ACTIONS[arguments.action](storage, assistants, arguments, terminal)
    return 0


async def _list(
    storage: Storage, assistants: AssistantService, arguments: argparse.Namespace, terminal: Terminal
) -> None:
    found = await assistants.list(LOCAL_PRINCIPAL)
    if arguments.json:
        terminal.write_bytes(orjson.dumps([_json(each) for each in found], option=orjson.OPT_INDENT_2) + b"\n")
    elif found:
        rows = ((each.name, ACCESS[each.access], each.profile.description) for each in found)
        print_table([COLUMNS, *rows], terminal)
    else:
        terminal.line("There are no assistants; `eclair assistants add NAME --instructions TEXT` sets one up.")


async def _show(
    storage: Storage, assistants: AssistantService, arguments: argparse.Namespace, terminal: Terminal
) -> None:
    found = await assistants.get_by_name(LOCAL_PRINCIPAL, arguments.name)
    profile = found.profile
    names = {each.library.id: each.library.name for each in await storage.libraries.list_libraries(LOCAL_PRINCIPAL)}
    facts = (
        ("description", profile.description),
        ("model", profile.model),
        ("web", profile.web),
        ("tools", None if profile.tools is None else ", ".join(profile.tools) or "none"),
        ("libraries", ", ".join(names.get(id, "one that isn't shared with you") for id in profile.libraries)),
        (
            "files",
            ", ".join(each.file.name for each in await list_own_files(storage.files, LOCAL_PRINCIPAL, found.library)),
        ),
        *(("starter", each) for each in profile.starters),
    )
    terminal.line(f"{profile.emoji} {profile.name}".strip())
    for name, value in facts:
        if value:
            terminal.line(f"{name}: {value}")
    if profile.instructions:
        terminal.line(f"\n{profile.instructions}")
    if found.access == "own":
        await show_shares(storage.assistants, found.id, terminal)


async def _add(
    storage: Storage, assistants: AssistantService, arguments: argparse.Namespace, terminal: Terminal
) -> None:
    fields = {"name": arguments.name, **await _stated(storage, arguments)}
    added = await assistants.add(LOCAL_PRINCIPAL, _check(fields))
    command = f"eclair chat --assistant {_quoted(added.name)}"
    terminal.line(f"Set up {added.name}; `{command}` begins a conversation with it.")


async def _edit(
    storage: Storage, assistants: AssistantService, arguments: argparse.Namespace, terminal: Terminal
) -> None:
    found = await assistants.get_by_name(LOCAL_PRINCIPAL, arguments.name)
    stated = await _stated(storage, arguments)
    if arguments.rename is not None:
        stated["name"] = arguments.rename
    if not stated:
        raise InvalidInput("Nothing is to be changed; name what, such as --instructions.")
    edited = await assistants.edit(LOCAL_PRINCIPAL, found.id, _check({**asdict(found.profile), **stated}))
    terminal.line(f"Changed the assistant {edited.name}.")


async def _share(
    storage: Storage, assistants: AssistantService, arguments: argparse.Namespace, terminal: Terminal
) -> None:
    subject = read_subject(arguments)
    found = await assistants.get_by_name(LOCAL_PRINCIPAL, arguments.name)
    await share_object(storage.assistants, found.id, subject, f"assistant {found.name}", arguments, terminal)


async def _import(assistants: AssistantService, path: Path, terminal: Terminal) -> None:
    found = read_assistant_file(await asyncio.to_thread(_read, path))
    show_imported(await assistants.add(LOCAL_PRINCIPAL, found.profile), found.left_out, terminal)


def show_imported(added: Assistant, left_out: Sequence[str], terminal: Terminal) -> None:
    terminal.line(f"Added the assistant {added.name}.")
    if added.library is not None:
        terminal.line("Its files are read while Éclair runs (`eclair serve`).")
    if left_out:
        terminal.line(f"Not imported: {'; '.join(left_out)}.")


async def _export(
    settings: Settings,
    storage: Storage,
    assistants: AssistantService,
    arguments: argparse.Namespace,
    terminal: Terminal,
) -> None:
    found = await assistants.get_by_name(LOCAL_PRINCIPAL, arguments.name)
    output, files = arguments.output, await list_own_files(storage.files, LOCAL_PRINCIPAL, found.library)
    if output is None and files:
        raise InvalidInput(f"{found.name} has files, so it is exported as a zip; say where to with -o FILE.")
    if output is None:
        terminal.write_bytes(export_assistant(found.profile))
        return
    try:
        if files:
            from eclair.cli._assistant_files import export_zip  # slow to import

            await export_zip(settings, storage, found, output, terminal.umask)
        else:
            with replace_file(output, terminal.umask) as file:
                await asyncio.to_thread(file.write, export_assistant(found.profile))
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}.") from error
    number = f" with {len(files):,} file{'' if len(files) == 1 else 's'}" if files else ""
    terminal.line(f"Wrote {found.name}{number} to {output}.")


async def _stated(storage: Storage, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the fields that were stated, with the ids of libraries. Raises InvalidInput and NotFound."""
    fields: dict[str, Any] = {
        "instructions": arguments.instructions,
        "description": arguments.description,
        "emoji": arguments.emoji,
        "model": arguments.model,
        "web": arguments.web,
        "tools": arguments.tool,
        "starters": arguments.starter,
    }
    if arguments.file is not None:
        data = await asyncio.to_thread(_read, arguments.file)
        try:
            fields["instructions"] = data.decode()
        except UnicodeDecodeError as error:
            raise InvalidInput(f"{arguments.file} can't be read as a text: {error}") from error
    if arguments.library is not None:
        names: Sequence[str] = arguments.library
        store = storage.libraries
        fields["libraries"] = [(await store.get_library_by_name(LOCAL_PRINCIPAL, name)).id for name in names]
    return {name: value for name, value in fields.items() if value is not None}


def _check(fields: dict[str, Any]) -> AssistantProfile:
    try:
        return AssistantFields.model_validate(fields).profile()
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(each) for each in first["loc"])
        raise InvalidInput(f"{where}: {first['msg'].removeprefix('Value error, ')}.") from error


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{file} can't be read: {error.strerror}.") from error


def _json(assistant: Assistant) -> dict[str, Any]:
    fields = asdict(assistant)
    return {"id": fields.pop("id"), **fields.pop("profile"), **fields}


def _quoted(name: str) -> str:
    return f"'{name}'" if " " in name else name


_ACTIONS = {"list": _list, "show": _show, "add": _add, "edit": _edit, "share": _share}
