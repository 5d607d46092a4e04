"""`eclair feeds`: lists, adds, fetches and removes news feeds; OPML in and out."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._feeds import find_feed
from eclair.cli._logging import log_if_debugging
from eclair.cli._progress import ProgressCounter
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.errors import EclairError, InvalidInput, UserError
from eclair.live_settings import LiveSettings
from eclair.network.client import OutboundGate, WebClient
from eclair.network.egress_log import EgressLog
from eclair.network.policy import OutboundPolicy
from eclair.schema.feeds import FeedOutline
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.services import open_feeds
from eclair.settings import Settings
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.feeds import FeedSummary
from eclair.storage.open import open_storage
from eclair.web.feeds.feed_parser import starter_feeds, write_opml
from eclair.web.feeds.service import FeedService, FeedState, ImportedFeeds
from eclair.web.web_settings import with_web_settings

FEED_COLUMNS = ("ID", "TITLE", "LANGUAGE", "ENTRIES", "LAST", "STATE")
STARTER_COLUMNS = ("LANGUAGE", "NAME", "COUNTRY", "ADDRESS", "LISTED")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    match arguments.action:
        case "add":
            return run_async(_add(settings, arguments.urls, terminal))
        case "remove":
            return run_async(_remove(settings, arguments.which, terminal))
        case "refresh":
            return run_async(_refresh(settings, arguments.which, terminal))
        case "import":
            return run_async(_import(settings, arguments.file, terminal))
        case "export":
            return run_async(_export(settings, arguments.output, terminal))
        case "starter":
            return run_async(_starter(settings, arguments, terminal))
        case _:
            return run_async(_list(settings, terminal, json=arguments.json))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[FeedService]:
    storage = await asyncio.to_thread(open_storage, settings)
    settings = with_web_settings(settings)
    try:
        calls = EgressLog(storage.egress)
        browser = WebClient(OutboundGate(OutboundPolicy.from_settings(settings), calls))
        try:
            async with open_feeds(LiveSettings(settings), storage, ChangeFeed(storage.processes), browser) as feeds:
                yield feeds
        finally:
            await browser.close()
            await calls.close()
    finally:
        await storage.close()


async def _list(settings: Settings, terminal: Terminal, *, json: bool) -> int:
    async with _opened(settings) as feeds:
        listed: list[tuple[FeedSummary, FeedState]] = [
            (each, feeds.get_state(each.feed)) for each in await feeds.list_feeds(LOCAL_PRINCIPAL)
        ]
    if json:
        rows = [_json(each, state) for each, state in listed]
        terminal.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
    elif listed:
        print_table([FEED_COLUMNS, *(_cells(each, state) for each, state in listed)], terminal)
    else:
        terminal.line("There are no feeds; `eclair feeds add URL` adds one, `eclair feeds starter` lists some.")
    return 0


async def _add(settings: Settings, urls: list[str], terminal: Terminal) -> int:
    """Add each feed; report failures and go on."""
    code = 0
    async with _opened(settings) as feeds:
        for url in urls:
            terminal.status(f"Asking {url}…")
            try:
                added = await feeds.add(LOCAL_PRINCIPAL, url)
            except EclairError as error:
                terminal.warn(error.message)
                code = error.exit_code
                continue
            (listed,) = (each for each in await feeds.list_feeds(LOCAL_PRINCIPAL) if each.feed.id == added.id)
            terminal.line(f"Added {added.title} ({added.url}), which has {_entries(listed.entries)}.")
    return code


async def _remove(settings: Settings, which: str, terminal: Terminal) -> int:
    async with _opened(settings) as feeds:
        listed = find_feed(await feeds.list_feeds(LOCAL_PRINCIPAL), which)
        terminal.status("Removing…")
        await feeds.delete(LOCAL_PRINCIPAL, listed.feed.id)
    terminal.line(f"Removed {listed.feed.title or listed.feed.url} with {_entries(listed.entries)}.")
    return 0


async def _refresh(settings: Settings, which: list[str], terminal: Terminal) -> int:
    counting = ProgressCounter(terminal, "Fetching")
    failed = of = 0
    async with _opened(settings) as feeds:
        listed = await feeds.list_feeds(LOCAL_PRINCIPAL)
        ids = [find_feed(listed, each).feed.id for each in which]
        feeds.start(after=0)
        async with aclosing(feeds.refresh(LOCAL_PRINCIPAL, ids)) as steps:
            async for step in steps:
                of = step.total
                for feed in step.feeds:
                    if feed.fault is not None:
                        failed += 1
                        terminal.warn(f"{feed.title or feed.host}: {feed.fault}")
                counting.show(step.done, step.total)
        entries = sum(each.entries for each in await feeds.list_feeds(LOCAL_PRINCIPAL))
    if of == 0:
        terminal.line("There is no feed to fetch; `eclair feeds add URL` adds one.")
    else:
        terminal.line(f"Fetched {of - failed:,} of {of:,} feeds; there are {_entries(entries)} now.")
    return 0


async def _import(settings: Settings, path: Path, terminal: Terminal) -> int:
    try:
        data = await asyncio.to_thread(path.read_bytes)
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}.") from error
    async with _opened(settings) as feeds:
        _report_import(await feeds.import_opml(LOCAL_PRINCIPAL, data, path.name), terminal)
    return 0


async def _export(settings: Settings, output: Path | None, terminal: Terminal) -> int:
    async with _opened(settings) as feeds:
        listed = [each.feed for each in await feeds.list_feeds(LOCAL_PRINCIPAL)]
    written = write_opml((FeedOutline(feed.url, feed.title, feed.site, feed.language) for feed in listed), time.time())
    if output is None:
        terminal.write_bytes(written)
        return 0
    try:
        await asyncio.to_thread(output.write_bytes, written)
    except OSError as error:
        raise UserError(f"{output} cannot be written: {error.strerror}.") from error
    terminal.line(f"Wrote {len(listed):,} feeds to {output}.")
    return 0


async def _starter(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """List the starter feeds, or add them with --add."""
    chosen = [each for each in starter_feeds() if arguments.language in (None, each.language)]
    if not chosen:
        known = ", ".join(sorted({each.language for each in starter_feeds()}))
        raise InvalidInput(f"The starter list has no feed in {arguments.language!r}; it has {known}.")
    async with _opened(settings) as feeds:
        if arguments.add:
            outlines = [FeedOutline(each.url, each.name, None, each.language) for each in chosen]
            _report_import(await feeds.import_outlines(LOCAL_PRINCIPAL, outlines), terminal)
            return 0
        listed = {each.feed.url for each in await feeds.list_feeds(LOCAL_PRINCIPAL)}
    rows = [(each.language, each.name, each.country, each.url, "yes" if each.url in listed else "") for each in chosen]
    print_table([STARTER_COLUMNS, *rows], terminal)
    language = arguments.language or "LANGUAGE"
    terminal.note(f"`eclair feeds starter --language {language} --add` switches those of a language on.")
    return 0


def _report_import(imported: ImportedFeeds, terminal: Terminal) -> None:
    known = f"; {imported.already_listed:,} were listed already" if imported.already_listed else ""
    terminal.line(f"Added {len(imported.added):,} feeds{known}. `eclair feeds refresh` fetches them, or a server does.")


def _entries(count: int) -> str:
    return "1 entry" if count == 1 else f"{count:,} entries"


def _cells(each: FeedSummary, state: FeedState) -> tuple[str, ...]:
    feed = each.feed
    last = "" if feed.checked is None else f"{datetime.fromtimestamp(feed.checked / 1000):%Y-%m-%d %H:%M}"
    return feed.id, feed.title or feed.url, feed.language or "", f"{each.entries:,}", last, feed.fault or state


def _json(each: FeedSummary, state: FeedState) -> dict[str, Any]:
    names = ("id", "url", "title", "site", "language", "active", "checked", "brought", "due", "fault")
    fields = asdict(each.feed)
    return {name: fields[name] for name in names} | {"state": state, "entries": each.entries}
