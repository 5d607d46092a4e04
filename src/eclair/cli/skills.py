"""`eclair skills`: lists, shows, imports, switches, exports and deletes skills."""

from __future__ import annotations

import argparse
import asyncio
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.errors import InvalidInput, NotFound, UserError
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.skills import MAX_SKILL_BYTES, MAX_SKILL_FILES, MAX_SKILL_ZIP_BYTES, SKILL_FILE, Skill
from eclair.settings import Settings
from eclair.skills.service import TOO_LARGE, SkillService, pack_skill
from eclair.storage.change_feed import ChangeFeed

COLUMNS = ("NAME", "STATE", "FROM", "DESCRIPTION")
MAX_DESCRIPTION_CHARS = 60


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    actions = {
        "list": _list,
        "show": _show,
        "import": _import,
        "on": _switch_on,
        "off": _switch_off,
        "export": _export,
        "remove": _remove,
    }
    return run_async(_act(settings, actions[arguments.action], arguments, terminal))


async def _act(settings: Settings, action: Any, arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with _opened(settings) as skills:
        await action(skills, arguments, terminal)
    return 0


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[SkillService]:
    async with opened_storage(settings) as storage:
        yield SkillService(storage.skills, ChangeFeed(storage.processes))


async def _list(skills: SkillService, arguments: argparse.Namespace, terminal: Terminal) -> None:
    found = await skills.list(LOCAL_PRINCIPAL)
    if arguments.json:
        terminal.write_bytes(orjson.dumps([_json(each) for each in found], option=orjson.OPT_INDENT_2) + b"\n")
    else:
        print_table([COLUMNS, *map(_cells, found)], terminal)


async def _show(skills: SkillService, arguments: argparse.Namespace, terminal: Terminal) -> None:
    skill = await skills.get_by_name(LOCAL_PRINCIPAL, arguments.name)
    files = await skills.read_files(LOCAL_PRINCIPAL, skill.id)
    _print_file(skill, files, arguments.file or SKILL_FILE, terminal)
    if arguments.file is None:
        _print_others(skill, terminal)


async def _import(skills: SkillService, arguments: argparse.Namespace, terminal: Terminal) -> None:
    data = await asyncio.to_thread(_read, arguments.path)
    name = (await skills.import_skill(LOCAL_PRINCIPAL, data)).name
    terminal.line(f"Imported the skill {name}; `eclair skills on {name}` shows it and switches it on.")


async def _switch_on(skills: SkillService, arguments: argparse.Namespace, terminal: Terminal) -> None:
    skill = await skills.get_by_name(LOCAL_PRINCIPAL, arguments.name)
    if not (arguments.yes or skill.is_packaged):
        files = await skills.read_files(LOCAL_PRINCIPAL, skill.id)
        _print_file(skill, files, SKILL_FILE, terminal)
        _print_others(skill, terminal)
        question = f"Have models do as the skill {skill.name} says?"
        if not terminal.confirm(question, "There is no terminal to confirm this; read the skill, then add --yes."):
            terminal.line("Nothing was switched on.")
            return
    await skills.switch(LOCAL_PRINCIPAL, skill.id, is_on=True, changed=skill.changed)
    terminal.line(f"The skill {skill.name} is on.")


async def _switch_off(skills: SkillService, arguments: argparse.Namespace, terminal: Terminal) -> None:
    skill = await skills.get_by_name(LOCAL_PRINCIPAL, arguments.name)
    await skills.switch(LOCAL_PRINCIPAL, skill.id, is_on=False, changed=skill.changed)
    terminal.line(f"The skill {skill.name} is off.")


async def _export(skills: SkillService, arguments: argparse.Namespace, terminal: Terminal) -> None:
    skill = await skills.get_by_name(LOCAL_PRINCIPAL, arguments.name)
    output: Path = arguments.output or Path(f"{skill.name}.zip")
    _, data = await skills.export(LOCAL_PRINCIPAL, skill.id)
    try:
        await asyncio.to_thread(output.write_bytes, data)
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}.") from error
    terminal.line(f"Wrote {skill.name} to {output}.")


async def _remove(skills: SkillService, arguments: argparse.Namespace, terminal: Terminal) -> None:
    skill = await skills.get_by_name(LOCAL_PRINCIPAL, arguments.name)
    if not (arguments.yes or skill.is_packaged):
        question = f"Delete the skill {skill.name} for good?"
        if not terminal.confirm(question, "There is no terminal to confirm this; add --yes."):
            terminal.line("Nothing was deleted.")
            return
    await skills.delete(LOCAL_PRINCIPAL, skill.id)
    terminal.line(f"Deleted the skill {skill.name}.")


def _print_file(skill: Skill, files: Mapping[str, bytes], path: str, terminal: Terminal) -> None:
    if path not in files:
        raise NotFound(f"The skill {skill.name} has no file {path!r}.")
    try:
        terminal.line(files[path].decode("utf-8-sig").rstrip())
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} is no text; `eclair skills export {skill.name}` writes it.") from None


def _print_others(skill: Skill, terminal: Terminal) -> None:
    for file in skill.files:
        if file.path != SKILL_FILE:
            terminal.line(f"{file.path} ({file.size:,} bytes)")


def _read(path: Path) -> bytes:
    """Return the bytes of a zip or SKILL.md, or a zip of a folder. Raises InvalidInput."""
    try:
        if path.is_dir():
            return _pack(path)
        if path.stat().st_size > MAX_SKILL_ZIP_BYTES:
            raise InvalidInput(TOO_LARGE)
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} can't be read: {error.strerror}.") from error


def _pack(folder: Path) -> bytes:
    """Pack a folder; links in it are refused, and hidden files left out. Raises InvalidInput and OSError."""
    files: dict[str, bytes] = {}
    room = MAX_SKILL_BYTES
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".") and name != "__pycache__"]
        for each in folders:
            if Path(where, each).is_symlink():
                raise InvalidInput(f"{Path(where, each)} is a link; put the folder itself in its place.")
        for name in (name for name in names if not name.startswith(".")):
            file = Path(where, name)
            if file.is_symlink() or not file.is_file():
                raise InvalidInput(f"{file} is a link or no plain file; put the file itself in its place.")
            room -= file.stat().st_size
            if room < 0 or len(files) >= MAX_SKILL_FILES:
                limits = f"{MAX_SKILL_FILES} files and {MAX_SKILL_BYTES >> 20} MB"
                raise InvalidInput(f"{folder} is too large for a skill; the limits are {limits}.")
            files[file.relative_to(folder).as_posix()] = file.read_bytes()
    return pack_skill(folder.resolve().name, files)


def _cells(skill: Skill) -> tuple[str, ...]:
    text = skill.head.description
    shown = text if len(text) <= MAX_DESCRIPTION_CHARS else f"{text[:MAX_DESCRIPTION_CHARS]}…"
    return skill.name, "on" if skill.is_on else "off", "Éclair" if skill.is_packaged else "you", shown


def _json(skill: Skill) -> dict[str, Any]:
    fields = asdict(skill)
    head = fields.pop("head")
    metadata = dict(head.pop("metadata"))
    return {"id": fields.pop("id"), **head, "metadata": metadata, **fields, "is_packaged": skill.is_packaged}
