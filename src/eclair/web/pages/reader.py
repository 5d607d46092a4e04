"""Reads web pages: fetches, parses in a sandbox, dates and caches them.

A page is data: nothing on it leads to a further call.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from urllib.parse import unquote, urldefrag, urlsplit

from eclair.documents.document_parser import Parser
from eclair.documents.limits import Limits
from eclair.documents.parse_protocol import ServedPage
from eclair.errors import NotFound, TooLarge, UnreadableFile
from eclair.network.client import WebClient
from eclair.network.gate import CallContext
from eclair.schema.documents import About
from eclair.schema.documents import Page as Sheet
from eclair.schema.web import WebPage
from eclair.util.lru import LruCache
from eclair.util.scratch import ScratchFolder
from eclair.web.pages.fetch import FetchedPage, PageFetcher, PageUnreadable, Validators
from eclair.web.pages.sitemaps import parse_days

PAGE_LIMITS = Limits(seconds=8, total_seconds=20, memory_mb=1500, pages=500, unpacked=256 << 20, members=1000)
"""Limits on parsing one page."""

REVALIDATE_AFTER_S = 300.0
"""A younger cached page is used without asking the server."""

CACHE_TTL_S = 3600.0
"""An older page is dropped from the cache."""

MAX_CACHED_CHARS = 32 << 20

SITEMAP_TIMEOUT_S = 1.0
"""Short, as the page itself is already there."""

SITEMAP_TTL_S = 600.0
"""Also for hosts without a sitemap."""

MAX_SITEMAP_DAYS = 20_000
"""Entries and hosts in the cache of sitemaps."""


@dataclass(frozen=True, slots=True)
class _CachedPage:
    page: WebPage
    validators: Validators
    read: float


@dataclass(frozen=True, slots=True)
class _SitemapDays:
    until: float
    days: dict[str, date]


def page_parser() -> Parser:
    """Make the parser of web pages, with its sandboxes."""
    return Parser(PAGE_LIMITS, min(2, os.cpu_count() or 1), "eclair.web.pages.worker")


class PageReader:
    """Implements `PageSource`. `clock` gives seconds, `now` seconds since 1970."""

    def __init__(
        self,
        client: WebClient,
        parser: Parser,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = PageFetcher(client, clock)
        self._parser = parser
        self._clock = clock
        self._now = now
        self._cache = LruCache[str, _CachedPage](
            MAX_CACHED_CHARS, lambda cached: sum(len(sheet.text) for sheet in cached.page.pages)
        )
        self._sitemaps = LruCache[str, _SitemapDays](MAX_SITEMAP_DAYS, lambda listed: len(listed.days) + 1)

    async def read(self, url: str, context: CallContext, *, timeout_s: float) -> WebPage:
        """Return a page, from the cache if it is fresh enough. Raises PageUnreadable."""
        began = self._clock()
        url = urldefrag(url.strip()).url
        cached = self._get_cached(url)
        if cached is not None and began - cached.read < REVALIDATE_AFTER_S:
            return cached.page
        known = cached.validators if cached is not None else Validators()
        fetched = await self._fetch.fetch(url, context, timeout_s=timeout_s, known=known)
        if fetched is None:
            assert cached is not None
            page, validators, keep = replace(cached.page, fetched=self._now_ms()), known, True
        else:
            page = await self._parse(fetched, timeout_s - (self._clock() - began))
            if page.published is None and page.media == "text/html" and page.wall is None:
                left = min(SITEMAP_TIMEOUT_S, timeout_s - (self._clock() - began))
                page = replace(page, published=await self._sitemap_date(page.url, context, left))
            validators, keep = fetched.validators, fetched.is_cacheable
        if keep:
            self._cache.put(url, _CachedPage(page, validators, self._clock()))
        return page

    async def warm(self) -> None:
        """Start a process, so that the first page needn't wait for it."""
        await self._parser.warm()

    async def close(self) -> None:
        await self._parser.close()

    async def _parse(self, fetched: FetchedPage, timeout_s: float) -> WebPage:
        """Parse a page in a sandbox. Raises PageUnreadable."""
        served = ServedPage(fetched.url, fetched.media, fetched.charset, self._today().isoformat())
        host = site_name(fetched.url)
        try:
            async with asyncio.timeout(timeout_s):
                with ScratchFolder("page") as folder:
                    path = folder.path / "page"
                    await asyncio.to_thread(path.write_bytes, fetched.body)
                    media, about, sheets = await self._parser.read_web_page(path, _file_name(fetched.url), served)
        except TimeoutError:
            raise PageUnreadable(
                "late", f"The page of {host} takes longer to read than the time that is left."
            ) from None
        except TooLarge as error:
            raise PageUnreadable("failed", f"The page of {host} takes more memory to read than it may.") from error
        except (UnreadableFile, NotFound) as error:
            raise PageUnreadable(
                "failed", f"The page of {host} cannot be read: it is empty, damaged or not text."
            ) from error
        if about.wall is None and not any(sheet.text.strip() for sheet in sheets):
            raise PageUnreadable("nothing", f"There is no text on the page of {host}.")
        return self._page(fetched, media, about, sheets)

    async def _sitemap_date(self, url: str, context: CallContext, timeout_s: float) -> date | None:
        """Return the page's date in its host's news sitemap, if it is there."""
        host = site_name(url)
        known = self._sitemaps.get(host)
        if known is None or known.until <= self._clock():
            found = await self._fetch.news_sitemap(url, context, timeout_s=timeout_s)
            listed = await asyncio.to_thread(parse_days, found, self._today()) if found is not None else {}
            known = _SitemapDays(self._clock() + SITEMAP_TTL_S, listed)
            self._sitemaps.put(host, known)
        return known.days.get(url)

    def _page(self, fetched: FetchedPage, media: str, about: About, sheets: tuple[Sheet, ...]) -> WebPage:
        return WebPage(
            url=fetched.url,
            fetched=self._now_ms(),
            title=about.title or _first_heading(sheets) or _file_name(fetched.url),
            site=site_name(fetched.url),
            pages=sheets,
            media=media,
            author=about.author,
            language=about.language or _language(fetched.language),
            published=about.published,
            wall=about.wall,
        )

    def _get_cached(self, url: str) -> _CachedPage | None:
        cached = self._cache.get(url)
        if cached is None or self._clock() - cached.read < CACHE_TTL_S:
            return cached
        self._cache.remove(url)
        return None

    def _now_ms(self) -> int:
        return int(self._now() * 1000)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now(), UTC).date()


def site_name(url: str) -> str:
    """Return the name of a page's site for people, such as `tagesschau.de`."""
    return (urlsplit(url).hostname or url).removeprefix("www.")


def _file_name(url: str) -> str:
    """Return the file name in a URL, or else its site."""
    return unquote(PurePosixPath(urlsplit(url).path).name)[:200].strip() or site_name(url)


def _first_heading(sheets: tuple[Sheet, ...]) -> str:
    """Return a heading among the first blocks, or an empty string."""
    blocks = sheets[0].blocks[:3] if sheets else ()
    found = next((block for block in blocks if block.kind == "heading"), None)
    return " ".join(sheets[0].text[found.start : found.end].split())[:300] if found is not None else ""


def _language(header: str | None) -> str | None:
    code = (header or "").strip().lower()[:2]
    return code if len(code) == 2 and code.isalpha() else None
