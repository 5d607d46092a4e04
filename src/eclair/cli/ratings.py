"""`eclair ratings`: lists the ratings of answers, exports them with the answers, or removes one."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import datetime
from typing import TypeVar

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.ratings import RatedAnswer, RatingStore
from eclair.transfer.rating_export import export_ratings

COLUMNS = ("DATE", "RATING", "MODEL", "REASON", "COMMENT", "MESSAGE")

T = TypeVar("T")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    if arguments.action == "export":
        return asyncio.run(_export(settings, terminal))
    if arguments.action == "remove":
        return _remove(settings, arguments, terminal)
    found = asyncio.run(_with_ratings(settings, lambda store: store.list_ratings(LOCAL_PRINCIPAL, arguments.limit)))
    if arguments.json:
        terminal.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")
    elif found:
        print_table([COLUMNS, *map(_cells, found)], terminal)
    else:
        terminal.line("No answer was rated.")
    return 0


def _remove(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    message: str = arguments.which
    question = f"Remove the rating of {message}?"
    if not arguments.yes and not terminal.confirm(question, "There is no terminal to confirm this; add --yes."):
        terminal.line("Nothing was removed.")
        return 0
    asyncio.run(_with_ratings(settings, lambda store: store.rate_answer(LOCAL_PRINCIPAL, message, None)))
    terminal.line("The rating was removed.")
    return 0


async def _export(settings: Settings, terminal: Terminal) -> int:
    async with opened_storage(settings) as storage, aclosing(export_ratings(storage, LOCAL_PRINCIPAL)) as lines:
        async for line in lines:
            terminal.write_bytes(line)
    return 0


async def _with_ratings(settings: Settings, work: Callable[[RatingStore], Awaitable[T]]) -> T:
    async with opened_storage(settings) as storage:
        return await work(storage.ratings)


def _cells(answer: RatedAnswer) -> tuple[str, ...]:
    rating = answer.rating
    day = datetime.fromtimestamp(rating.created / 1000).date().isoformat()
    return (
        day,
        "good" if rating.value == "up" else "bad",
        answer.model or "",
        rating.reason or "",
        " ".join(rating.comment.split()),
        answer.message,
    )
