"""`eclair admin announcements`: lists, adds and removes what the house says to everybody."""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from datetime import datetime
from typing import Final

import orjson
from pydantic import ValidationError

from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.errors import InvalidInput
from eclair.policy.policy_entries import AnnouncementEntry
from eclair.schema.announcements import Announcement
from eclair.schema.ids import new_id
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.announcements import AnnouncementStore

COLUMNS: Final = ("ID", "LEVEL", "FROM", "UNTIL", "LANGUAGES", "TEXT")
MAX_SHOWN_CHARS: Final = 60


async def run_announcements(
    store: AnnouncementStore, action: str, arguments: argparse.Namespace, terminal: Terminal
) -> None:
    """List, add or remove announcements. Raises InvalidInput and NotFound."""
    match action:
        case "add":
            added = await store.put_announcement(LOCAL_PRINCIPAL, _parse(arguments))
            shown = added.is_shown(int(time.time() * 1000))
            terminal.line(f"Added {added.id}, {'shown now' if shown else 'not shown now'}.")
        case "remove":
            await store.delete_announcement(LOCAL_PRINCIPAL, arguments.id)
            terminal.line(f"Removed {arguments.id}.")
        case _:
            found = await store.list_announcements()
            if arguments.json:
                rows = [asdict(each) for each in found]
                terminal.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
            elif found:
                print_table([COLUMNS, *map(_cells, found)], terminal)
            else:
                terminal.line("There are no announcements.")


def _parse(arguments: argparse.Namespace) -> Announcement:
    """Return the announcement that arguments state. Raises InvalidInput."""
    texts = dict(_split(text) for text in arguments.text)
    body = {
        "level": arguments.level,
        "begins": arguments.begins,
        "ends": arguments.ends,
        "closable": not arguments.keep_open,
        "language": next(iter(texts)),
        "texts": texts,
    }
    try:
        return AnnouncementEntry.model_validate(body).to_announcement(new_id("ann"))
    except ValidationError as error:
        first = error.errors()[0]
        option = {"begins": "--from", "ends": "--until"}.get(str(first["loc"][0]) if first["loc"] else "", "--text")
        raise InvalidInput(f"{option}: {first['msg'].removeprefix('Value error, ')}.") from None


def _split(text: str) -> tuple[str, str]:
    """Return language and text of `LANGUAGE=TEXT`, or of an English text."""
    language, equals, rest = text.partition("=")
    return (language, rest) if equals and len(language) == 2 and language.islower() else ("en", text)


def _cells(announcement: Announcement) -> tuple[str, ...]:
    text = " ".join(announcement.texts[announcement.language].split())
    return (
        announcement.id,
        announcement.level,
        _moment(announcement.begins),
        _moment(announcement.ends),
        ", ".join(announcement.texts),
        text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…",
    )


def _moment(moment: int | None) -> str:
    return "" if moment is None else f"{datetime.fromtimestamp(moment / 1000):%Y-%m-%d %H:%M}"
