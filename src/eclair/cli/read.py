"""`eclair read`: prints the clean text of a web page; nothing is stored."""

from __future__ import annotations

import argparse
import re

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.errors import EclairError, Refused, UpstreamError
from eclair.network.client import WebClient
from eclair.network.egress_log import open_gate
from eclair.network.gate import CallContext
from eclair.schema.documents import Wall
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.web import WebPage
from eclair.settings import Settings
from eclair.web.pages.fetch import PageUnreadable
from eclair.web.pages.reader import PageReader, page_parser
from eclair.web.web_settings import with_web_settings

READ_TIMEOUT_S = 30.0

WALL_TEXTS: dict[Wall, str] = {
    "pay": "The page has a paywall and shows only a part of its text.",
    "consent": "The page shows nothing before cookies are accepted; open it in a browser.",
    "script": "The page is built by a script, which is not run; open it in a browser.",
}


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = with_web_settings(load_settings(arguments).settings)
    log_if_debugging(settings)
    url = arguments.url if re.match(r"[a-z][a-z0-9+.-]*:(?!\d)", arguments.url, re.I) else f"https://{arguments.url}"
    return run_async(_show(settings, url, terminal, as_json=arguments.json))


async def _show(settings: Settings, url: str, terminal: Terminal, *, as_json: bool) -> int:
    terminal.status(f"Reading {url}…")
    page = await _read(settings, url)
    if as_json:
        terminal.write_bytes(orjson.dumps(_json(page), option=orjson.OPT_INDENT_2) + b"\n")
        return 0
    facts = (page.title, page.site, page.author, page.published and page.published.isoformat())
    terminal.aside(" · ".join(filter(None, facts)))
    if page.wall is not None:
        terminal.aside(WALL_TEXTS[page.wall])
    for sheet in page.pages:
        blocks = [sheet.text[block.start : block.end] for block in sheet.blocks] or [sheet.text]
        terminal.write("".join(f"{block}\n\n" for block in blocks if block.strip()))
    return 0


async def _read(settings: Settings, url: str) -> WebPage:
    """Fetch and read the page. Raises Refused and UpstreamError."""
    async with open_gate(settings) as gate:
        browser = WebClient(gate)
        reader = PageReader(browser, page_parser())
        try:
            return await reader.read(url, CallContext(LOCAL_PRINCIPAL, "page"), timeout_s=READ_TIMEOUT_S)
        except PageUnreadable as fault:
            raise _error(fault) from fault
        finally:
            await reader.close()
            await browser.close()


def _error(fault: PageUnreadable) -> EclairError:
    return Refused(fault.message) if fault.outcome == "refused" else UpstreamError(fault.message)


def _json(page: WebPage) -> dict[str, object]:
    return {
        "url": page.url,
        "title": page.title,
        "site": page.site,
        "author": page.author,
        "published": page.published,
        "language": page.language,
        "media": page.media,
        "wall": page.wall,
        "fetched": page.fetched,
        "text": page.text,
    }
