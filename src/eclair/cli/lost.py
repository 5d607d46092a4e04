"""`eclair lost`: lists, sets aside and erases files that the database doesn't know."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

from eclair.cli._arguments import load_settings
from eclair.cli._audit import add_act
from eclair.cli._terminal import Terminal
from eclair.errors import Conflict
from eclair.network.blob_calls import open_blob_store
from eclair.network.egress_log import open_gate
from eclair.settings import Settings
from eclair.storage.lost import (
    LostBlobs,
    count_blobs,
    erase_lost,
    erase_lost_in,
    list_lost,
    list_lost_in,
    set_all_aside,
)
from eclair.storage.open import has_database
from eclair.util.humanize import format_size


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    folder = settings.data_dir
    if arguments.set_aside:
        return _set_aside(folder, arguments.yes, terminal)
    if arguments.erase:
        return _erase(settings, arguments.yes, terminal)
    found = [*list_lost(folder), *asyncio.run(_list_in_bucket(settings))]
    for lost in found:
        terminal.line(f"{lost.day}  {lost.count:,} of {lost.folder}/, {format_size(lost.size)}")
    if not found:
        terminal.line("Nothing is set aside.")
    return 0


async def _list_in_bucket(settings: Settings) -> list[LostBlobs]:
    if settings.blobs_url is None:
        return []
    async with open_gate(settings) as gate:
        return await list_lost_in(open_blob_store(settings, gate))


async def _erase_in_bucket(settings: Settings) -> None:
    if settings.blobs_url is not None:
        async with open_gate(settings) as gate:
            await erase_lost_in(open_blob_store(settings, gate))


def _set_aside(folder: Path, is_confirmed: bool, terminal: Terminal) -> int:
    if has_database(folder):
        raise Conflict(f"{folder} has a database; at its next start Éclair sets aside what that doesn't know.")
    count = count_blobs(folder)
    question = f"Set aside {count:,} files of {folder}, so that Éclair can begin with an empty database?"
    if count and (is_confirmed or terminal.confirm(question, f"{question[:-1]}: add --yes to do it.")):
        terminal.line(f"{set_all_aside(folder):,} files are in {folder / 'lost'} now.")
    else:
        terminal.line("Nothing was set aside.")
    return 0


def _erase(settings: Settings, is_confirmed: bool, terminal: Terminal) -> int:
    folder = settings.data_dir
    count = sum(lost.count for lost in [*list_lost(folder), *asyncio.run(_list_in_bucket(settings))])
    question = f"Erase {count:,} files that were set aside, for good?"
    if count and (is_confirmed or terminal.confirm(question, f"{question[:-1]}: add --yes to do it.")):
        asyncio.run(add_act(settings, "file.deleted", details={"what": "set aside", "count": count}))
        erase_lost(folder)
        asyncio.run(_erase_in_bucket(settings))
        terminal.line(f"{count:,} files were erased.")
    else:
        terminal.line("Nothing was erased.")
    return 0
