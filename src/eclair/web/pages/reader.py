"""Reads pages of the web: fetched, parsed in a bounded process, dated, and kept for a while. See `fetch` and `article`.

What is read is data: nothing of it leads to a further call.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urldefrag, urlsplit

from eclair.documents.limits import Limits
from eclair.documents.parse_protocol import ServedPage
from eclair.documents.parser import Parser
from eclair.errors import NotFound, TooLarge, UnreadableFile
from eclair.network.client import WebClient
from eclair.network.gate import CallContext
from eclair.schema.documents import About
from eclair.schema.documents import Page as Sheet
from eclair.schema.web import WebPage
from eclair.util.lru import LruCache
from eclair.web.pages.fetch import FetchedPage, PageFetcher, PageUnreadable, Validators
from eclair.web.pages.sitemaps import parse_days

PAGE_LIMITS = Limits(seconds=8, total_seconds=20, memory_mb=1500, pages=500, unpacked=256 << 20, members=1000)
"""What reading one page may take."""

REVALIDATE_AFTER_S = 300.0
"""Seconds for which a page is not asked for again."""

CACHE_TTL_S = 3600.0
"""Seconds for which it is kept, to be asked for only if it has changed."""

MAX_CACHED_CHARS = 32 << 20
"""Characters of the pages that are kept."""


SITEMAP_TIMEOUT_S = 1.0
"""Seconds in which a sitemap is to come; the page is there already."""

SITEMAP_TTL_S = 600.0
"""Seconds for which what it lists is believed, also that there is none."""

MAX_SITEMAP_DAYS = 20_000
"""Pages and servers whose days are kept."""


@dataclass(frozen=True, slots=True)
class _Kept:
    page: WebPage
    validators: Validators
    read: float


@dataclass(frozen=True, slots=True)
class _Days:
    until: float
    days: dict[str, date]


def page_parser() -> Parser:
    """Processes that read pages of the web."""
    return Parser(PAGE_LIMITS, min(2, os.cpu_count() or 1), "eclair.web.pages.worker")


class PageReader:
    """Reads pages. `clock` gives seconds, `now` the moment in seconds since 1970."""

    def __init__(
        self,
        browser: WebClient,
        parser: Parser,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._fetch = PageFetcher(browser, clock)
        self._parser = parser
        self._clock = clock
        self._now = now
        self._kept = LruCache[str, _Kept](
            MAX_CACHED_CHARS, lambda kept: sum(len(sheet.text) for sheet in kept.page.pages)
        )
        self._days = LruCache[str, _Days](MAX_SITEMAP_DAYS, lambda listed: len(listed.days) + 1)

    async def read(self, url: str, context: CallContext, *, timeout_s: float) -> WebPage:
        """The page, in `within` seconds: fetched, or as it was read a moment ago. Raises Unread."""
        began = self._clock()
        url = urldefrag(url.strip()).url
        kept = self._known(url)
        if kept is not None and began - kept.read < REVALIDATE_AFTER_S:
            return kept.page
        known = kept.validators if kept is not None else Validators()
        fetched = await self._fetch.fetch(url, context, timeout_s=timeout_s, known=known)
        if fetched is None:
            assert kept is not None
            page, validators, keep = replace(kept.page, fetched=self._moment()), known, True
        else:
            page = await self._parsed(fetched, timeout_s - (self._clock() - began))
            if page.published is None and page.media == "text/html" and page.wall is None:
                left = min(SITEMAP_TIMEOUT_S, timeout_s - (self._clock() - began))
                page = replace(page, published=await self._listed(page.url, context, left))
            validators, keep = fetched.validators, fetched.is_cacheable
        if keep:
            self._kept.put(url, _Kept(page, validators, self._clock()))
        return page

    async def warm(self) -> None:
        """Get ready, so that the first page need not wait for a process."""
        await self._parser.warm()

    async def close(self) -> None:
        await self._parser.close()

    async def _parsed(self, fetched: FetchedPage, within: float) -> WebPage:
        """Raises Unread."""
        served = ServedPage(fetched.url, fetched.media, fetched.charset, self._today().isoformat())
        host = site_name(fetched.url)
        try:
            async with asyncio.timeout(within):
                with tempfile.NamedTemporaryFile(prefix="eclair-page-") as file:
                    path = Path(file.name)
                    await asyncio.to_thread(path.write_bytes, fetched.body)
                    media, about, sheets = await self._parser.read_web_page(path, _name(fetched.url), served)
        except TimeoutError:
            raise PageUnreadable(
                "late", f"The page of {host} takes longer to read than the time that is left."
            ) from None
        except TooLarge as error:
            raise PageUnreadable("failed", f"The page of {host} takes more memory to read than it may.") from error
        except (UnreadableFile, NotFound) as error:
            raise PageUnreadable(
                "failed", f"The page of {host} cannot be read: it is empty, damaged or no text."
            ) from error
        if about.wall is None and not any(sheet.text.strip() for sheet in sheets):
            raise PageUnreadable("nothing", f"There is no text on the page of {host}.")
        return self._page(fetched, media, about, sheets)

    async def _listed(self, url: str, context: CallContext, within: float) -> date | None:
        """The day that the news sitemap of its server has for the page."""
        host = site_name(url)
        known = self._days.get(host)
        if known is None or known.until <= self._clock():
            found = await self._fetch.news_sitemap(url, context, timeout_s=within)
            listed = await asyncio.to_thread(parse_days, found, self._today()) if found is not None else {}
            known = _Days(self._clock() + SITEMAP_TTL_S, listed)
            self._days.put(host, known)
        return known.days.get(url)

    def _page(self, fetched: FetchedPage, media: str, about: About, sheets: tuple[Sheet, ...]) -> WebPage:
        return WebPage(
            url=fetched.url,
            fetched=self._moment(),
            title=about.title or _heading(sheets) or _name(fetched.url),
            site=site_name(fetched.url),
            pages=sheets,
            media=media,
            author=about.author,
            language=about.language or _language(fetched.language),
            published=about.published,
            wall=about.wall,
        )

    def _known(self, url: str) -> _Kept | None:
        kept = self._kept.get(url)
        if kept is None or self._clock() - kept.read < CACHE_TTL_S:
            return kept
        self._kept.remove(url)
        return None

    def _moment(self) -> int:
        return int(self._now() * 1000)

    def _today(self) -> date:
        return datetime.fromtimestamp(self._now(), UTC).date()


def site_name(url: str) -> str:
    """The name of a page's site for people, such as `tagesschau.de`."""
    return (urlsplit(url).hostname or url).removeprefix("www.")


def _name(url: str) -> str:
    """What a file at that address would be called."""
    return unquote(PurePosixPath(urlsplit(url).path).name)[:200].strip() or site_name(url)


def _heading(sheets: tuple[Sheet, ...]) -> str:
    """The first heading, if it stands at the beginning."""
    blocks = sheets[0].blocks[:3] if sheets else ()
    found = next((block for block in blocks if block.kind == "heading"), None)
    return " ".join(sheets[0].text[found.start : found.end].split())[:300] if found is not None else ""


def _language(said: str | None) -> str | None:
    code = (said or "").strip().lower()[:2]
    return code if len(code) == 2 and code.isalpha() else None
