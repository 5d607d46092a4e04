"""`eclair edit`: edits a file or piped text by an instruction."""

from __future__ import annotations

import argparse
import asyncio
import difflib
import sys
import time
from dataclasses import replace
from pathlib import Path

from eclair.chat.edit_text import TextEdit, check_edit, request_edit
from eclair.cli._arguments import load_settings
from eclair.cli._ledger import open_ledger
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput, TooLarge
from eclair.generation.usage import ask_uncounted
from eclair.llm.registry import build_registry
from eclair.llm.servers.engines import UserEngines
from eclair.network.egress_log import open_gate
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.util.file_replacement import replace_file
from eclair.util.humanize import format_duration


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    piped = arguments.file == Path("-")
    if piped and arguments.write:
        raise InvalidInput("Piped text has no file to write to; leave --write out.")
    text = read_text(None if piped else arguments.file, settings.max_message_kb)
    check_edit(text, arguments.instruction, settings.max_message_kb)
    return run_async(_edit(settings, text, arguments, terminal))


async def _edit(settings: Settings, text: str, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Print piped text edited in full; for a file show the changes, or with --write make them."""
    started = time.perf_counter()
    chosen = replace(settings, model=arguments.model or settings.model)
    async with open_gate(settings) as gate:
        registry = build_registry(chosen, UserEngines.read_once(settings, gate), gate=gate)
        try:
            engine, model = await registry.resolve(arguments.model)
            async with open_ledger(settings) as ledger:
                ask = ask_uncounted if ledger is None else ledger.ask
                asked = (text, arguments.instruction, settings.max_tokens, started, ask)
                edited = await request_edit(LOCAL_PRINCIPAL, engine, model, *asked)
        finally:
            await registry.close()
    if arguments.file == Path("-"):
        terminal.write_bytes(edited.text.encode())
    elif not arguments.write:
        terminal.write_bytes(_diff(text, edited.text, str(arguments.file)).encode())
    elif edited.changes:
        await asyncio.to_thread(_replace, arguments.file, edited.text)
    terminal.note(_summary(edited, time.perf_counter() - started))
    return 0


def _summary(edited: TextEdit, seconds: float) -> str:
    words, count = len(edited.text.split()), len(edited.changes)
    changes = f"{count:,} change{'' if count == 1 else 's'}"
    time_taken = format_duration(seconds * 1000)
    return f"{changes} · {words:,} words in {time_taken} · {words / seconds:,.0f} words/s · {edited.model}"


def _diff(before: str, after: str, name: str) -> str:
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), name, f"{name} (edited)"
    )
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def read_text(file: Path | None, max_kb: int) -> str:
    """Read the file or piped text, unchanged. Raises UserError."""
    try:
        if file is None:
            data = sys.stdin.buffer.read(max_kb * 1024 + 1)
        else:
            with file.open("rb") as handle:
                data = handle.read(max_kb * 1024 + 1)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from None
    name = "The piped text" if file is None else str(file)
    if len(data) > max_kb * 1024:
        raise TooLarge(f"{name} is over {max_kb:,} KiB, the limit (ECLAIR_MAX_MESSAGE_KB); edit a part of it.")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not UTF-8 (byte {error.start + 1:,}); convert it first.") from None


def _replace(file: Path, text: str) -> None:
    """Replace the file's content, as `replace_file` does. Raises InvalidInput."""
    try:
        with replace_file(file) as edited:
            edited.write(text.encode())
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}; the file is as it was.") from None
