"""`eclair prompts`: lists, shows, saves, changes, shares and deletes prompts."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
import time
from pathlib import Path

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._sharing import ACCESS, read_subject, share_object, show_shares
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.errors import InvalidInput
from eclair.schema.ids import new_id
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.prompts import MAX_PROMPT_CHARS, PROMPT_NAME_PATTERN, SavedPrompt

COLUMNS = ("NAME", "ACCESS", "TEXT")
MAX_TEXT_CHARS = 60


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    match arguments.action:
        case "list":
            return asyncio.run(_list(settings, terminal, as_json=arguments.json))
        case "show":
            return asyncio.run(_show(settings, arguments.name, terminal))
        case "add":
            return asyncio.run(_add(settings, arguments.name, _read_text(arguments, terminal), terminal))
        case "edit":
            has_text = arguments.text is not None or arguments.file is not None or arguments.rename is None
            text = _read_text(arguments, terminal) if has_text else None
            return asyncio.run(_edit(settings, arguments.name, arguments.rename, text, terminal))
        case "share":
            return asyncio.run(_share(settings, arguments, terminal))
        case _:
            return _remove(settings, arguments, terminal)


async def _list(settings: Settings, terminal: Terminal, *, as_json: bool) -> int:
    async with opened_storage(settings) as storage:
        found = await storage.prompts.list_prompts(LOCAL_PRINCIPAL)
    if as_json:
        terminal.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    elif found:
        print_table([COLUMNS, *map(_cells, found)], terminal)
    else:
        terminal.line("There are no prompts; `eclair prompts add NAME TEXT` saves one.")
    return 0


async def _show(settings: Settings, name: str, terminal: Terminal) -> int:
    async with opened_storage(settings) as storage:
        prompt = await storage.prompts.get_prompt_by_name(LOCAL_PRINCIPAL, name)
        terminal.line(prompt.text)
        if prompt.access == "own":
            await show_shares(storage.prompts, prompt.id, terminal)
    return 0


async def _add(settings: Settings, name: str, text: str, terminal: Terminal) -> int:
    _check_name(name)
    new = SavedPrompt(new_id("prompt"), LOCAL_PRINCIPAL.id, name, text, int(time.time() * 1000))
    async with opened_storage(settings) as storage:
        await storage.prompts.add_prompt(LOCAL_PRINCIPAL, new)
    terminal.line(f"Saved the prompt {name}.")
    return 0


async def _edit(settings: Settings, name: str, rename: str | None, text: str | None, terminal: Terminal) -> int:
    if rename is not None:
        _check_name(rename)
    async with opened_storage(settings) as storage:
        prompt = await storage.prompts.get_prompt_by_name(LOCAL_PRINCIPAL, name)
        changed = prompt.text if text is None else text
        await storage.prompts.edit_prompt(LOCAL_PRINCIPAL, prompt.id, rename or prompt.name, changed)
    terminal.line(f"Changed the prompt {rename or name}.")
    return 0


async def _share(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    subject = read_subject(arguments)
    async with opened_storage(settings) as storage:
        prompt = await storage.prompts.get_prompt_by_name(LOCAL_PRINCIPAL, arguments.name)
        await share_object(storage.prompts, prompt.id, subject, f"prompt {prompt.name}", arguments, terminal)
    return 0


def _remove(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    question = f"Delete the prompt {arguments.name} for good?"
    if not arguments.yes and not terminal.confirm(question, "There is no terminal to confirm this; add --yes."):
        terminal.line("Nothing was deleted.")
        return 0
    asyncio.run(_delete(settings, arguments.name))
    terminal.line(f"Deleted the prompt {arguments.name}.")
    return 0


async def _delete(settings: Settings, name: str) -> None:
    async with opened_storage(settings) as storage:
        prompt = await storage.prompts.get_prompt_by_name(LOCAL_PRINCIPAL, name)
        await storage.prompts.delete_prompt(LOCAL_PRINCIPAL, prompt.id)


def _check_name(name: str) -> None:
    if re.fullmatch(PROMPT_NAME_PATTERN, name) is None:
        raise InvalidInput("A prompt's name is one word of up to 40 characters, without a slash.")


def _read_text(arguments: argparse.Namespace, terminal: Terminal) -> str:
    """Return the text that was given, of a file, or from standard input. Raises InvalidInput."""
    given: str | None = arguments.text
    file: Path | None = arguments.file
    if given is None and file is None and terminal.can_ask:
        raise InvalidInput("The prompt has no text; give it after the name, with --file, or at standard input.")
    try:
        text = given if given is not None else (sys.stdin.read() if file is None else file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file or 'Standard input'} can't be read as a text: {error}") from error
    text = text.strip()
    if not text or len(text) > MAX_PROMPT_CHARS or "\0" in text:
        raise InvalidInput(f"A prompt's text is 1 to {MAX_PROMPT_CHARS:,} characters, none of them NUL.")
    return text


def _cells(prompt: SavedPrompt) -> tuple[str, ...]:
    line = " ".join(prompt.text.split())
    return prompt.name, ACCESS[prompt.access], line if len(line) <= MAX_TEXT_CHARS else f"{line[:MAX_TEXT_CHARS]}…"
