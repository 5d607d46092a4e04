"""Fetches pages of the web as they are served: as robots.txt asks, and gently. What stands in them is `read`'s affair.

A page that is known is asked for with what tells whether it has changed. No cookie is kept, no script is run, and
nothing on a page leads to a further call.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from urllib.parse import urldefrag, urlsplit

from eclair.documents.readers import READERS
from eclair.errors import Refused
from eclair.network.client import WebClient
from eclair.network.gate import CallContext
from eclair.network.response import BrokenReply, Reply, ReplyTooLarge, TimedOut, Unreachable
from eclair.network.retry_after import parse_retry_after
from eclair.schema.messages import Outcome
from eclair.util.lru import LruCache
from eclair.web.pages.robots import RobotsCache
from eclair.web.pages.sitemaps import MAX_SITEMAP_BYTES as SITEMAP
from eclair.web.pages.sitemaps import is_news_sitemap

log = logging.getLogger(__name__)

MAX_CONCURRENT_PER_HOST = 2
"""Pages that are fetched of one server at the same time."""

MIN_PAUSE_S = 0.1
"""Seconds between two calls to one server."""

MAX_PAGE_BYTES = 8 << 20
"""Bytes of a page in HTML or text."""

MAX_FILE_BYTES = 32 << 20
"""Bytes of a document, such as a PDF."""

ROBOTS_TIMEOUT_S = 3.0
"""Seconds in which a server is to say what it lets programs read."""

MAX_BACKOFF_S = 600.0
"""Seconds for which a server is left alone that asks for it."""

MAX_HOSTS = 500
"""Servers of which is known when they were last called."""

HTML_TYPES = ("text/html", "application/xhtml+xml")
TEXT_TYPES = ("text/plain", "text/markdown")
GENERIC_TYPES = ("", "application/octet-stream", "binary/octet-stream", "application/x-download")
"""Types that say nothing; the ending of the address does then."""

DOCUMENT_TYPES = frozenset(READERS) - {
    "application/json",
    "application/xml",
    "application/zip",
    "message/rfc822",
    "text/x-code",
}
"""Types of files that are read, as long as they are no pictures."""

_ENDINGS = re.compile(r"\.(?:pdf|docx?|odt|odp|ods|pptx?|xlsx?|epub|rtf|txt|md|csv)")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)


class PageUnreadable(Exception):
    """A page could not be read: how that ended, and the sentence for people."""

    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.outcome: Outcome = outcome
        self.message = message


@dataclass(frozen=True, slots=True)
class Validators:
    """What a server gave to tell whether a page has changed."""

    etag: str | None = None
    modified: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        said = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in said.items() if value is not None}


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A page as it was served. `url` is where redirects led, `media` its type by what the server says, empty where
    that says nothing; `kept` whether it may be kept."""

    url: str
    media: str
    charset: str | None
    language: str | None
    body: bytes
    validators: Validators
    is_cacheable: bool


@dataclass(slots=True)
class _Lane:
    """The way to one server: so many calls at once, one after another, and none before `free`."""

    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONCURRENT_PER_HOST))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    free: float = 0.0
    rests: float = 0.0


class PageFetcher:
    """Fetches pages. `clock` gives seconds."""

    def __init__(self, browser: WebClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._browser = browser
        self._clock = clock
        self._robots = RobotsCache(browser, clock)
        self._lanes = LruCache[str, _Lane](MAX_HOSTS)

    async def fetch(
        self,
        url: str,
        context: CallContext,
        *,
        timeout_s: float,
        known: Validators = Validators(),
    ) -> FetchedPage | None:
        """The page, in `within` seconds; None where it is still as it was `known`. Raises Unread."""
        url = urldefrag(url.strip()).url
        try:
            async with asyncio.timeout(timeout_s):
                return await self._got(url, context, timeout_s, known)
        except (TimeoutError, TimedOut):
            raise PageUnreadable(
                "late", f"{_host(url)} was not done within {timeout_s:g} seconds; try again."
            ) from None
        except Refused as error:
            raise PageUnreadable("refused", error.message) from error
        except (Unreachable, BrokenReply, ReplyTooLarge) as error:
            raise PageUnreadable("failed", str(error)) from error

    async def news_sitemap(self, url: str, context: CallContext, *, timeout_s: float) -> str | None:
        """The news sitemap of the server of `url`, if its robots.txt names one there. None where
        there is none to be had."""
        try:
            async with asyncio.timeout(timeout_s):
                rules = await self._robots.rules(url, context, ROBOTS_TIMEOUT_S)
                named = (each for each in rules.sitemaps if is_news_sitemap(each) and _host(each) == _host(url))
                place = next(named, None)
                if place is None:
                    return None
                async with (
                    self._turn(self._lane(url), url, max(MIN_PAUSE_S, rules.crawl_delay_s)),
                    self._browser.get(place, context, timeout_s=timeout_s, max_bytes=MAX_PAGE_BYTES) as reply,
                ):
                    return (await reply.body(SITEMAP)).decode("utf-8", "replace") if reply.status == 200 else None
        except (TimeoutError, TimedOut, Refused, Unreachable, BrokenReply, ReplyTooLarge, PageUnreadable) as error:
            log.info("no sitemap of %s: %s", _host(url), error)
            return None

    async def _got(self, url: str, context: CallContext, within: float, known: Validators) -> FetchedPage | None:
        pause = await self._allowed(url, context, within)
        lane = self._lane(url)
        async with self._turn(lane, url, max(MIN_PAUSE_S, pause)):
            headers = {"Accept": "text/html,application/xhtml+xml,application/pdf;q=0.9,*/*;q=0.5", **known.headers}
            async with self._browser.get(
                url, context, headers=headers, timeout_s=within, max_bytes=MAX_FILE_BYTES
            ) as reply:
                if urlsplit(reply.url).netloc != urlsplit(url).netloc or urlsplit(reply.url).path != urlsplit(url).path:
                    await self._allowed(reply.url, context, within)
                if reply.status == 304 and known.headers:
                    return None
                self._judge(reply, lane)
                return await _taken(reply)

    async def _allowed(self, url: str, context: CallContext, within: float) -> float:
        """Whether the server lets us: then the seconds that it wants between calls. Raises Unread."""
        if urlsplit(url).scheme not in ("http", "https"):
            return 0.0  # which the browser refuses, and says so of this address
        rules = await self._robots.rules(url, context, min(within, ROBOTS_TIMEOUT_S))
        if (refusal := rules.refusal(url)) is not None:
            raise PageUnreadable("refused", refusal)
        return rules.crawl_delay_s

    def _lane(self, url: str) -> _Lane:
        name = urlsplit(url).netloc.lower()
        lane = self._lanes.get(name)
        if lane is None:
            lane = _Lane()
            self._lanes.put(name, lane)
        return lane

    @asynccontextmanager
    async def _turn(self, lane: _Lane, url: str, pause: float) -> AsyncGenerator[None]:
        """Wait until the server may be called. Raises Unread where it asked to be left alone."""
        async with lane.places:
            async with lane.turn:
                left = lane.rests - self._clock()
                if left > 0:
                    raise PageUnreadable(
                        "refused", f"{_host(url)} asks to be left alone for {left:.0f} s more; try later."
                    )
                await asyncio.sleep(max(0.0, lane.free - self._clock()))
                lane.free = self._clock() + pause
            yield

    def _judge(self, reply: Reply, lane: _Lane) -> None:
        """Raises Unread for what is no page."""
        host = _host(reply.url)
        match reply.status:
            case 200 | 203:
                return
            case 404 | 410:
                raise PageUnreadable("failed", f"There is no such page at {host} ({reply.status}); check its address.")
            case 401 | 402 | 403 | 451:
                raise PageUnreadable("refused", f"{host} does not show this page to programs ({reply.status}).")
            case 429 | 503:
                after = parse_retry_after(reply.headers.get("Retry-After"))
                if after is not None:
                    lane.rests = self._clock() + min(after, MAX_BACKOFF_S)
                raise PageUnreadable("failed", f"{host} is busy ({reply.status}); try later.")
            case _:
                raise PageUnreadable("failed", f"{host} answers {reply.status} in place of the page; try later.")


async def _taken(reply: Reply) -> FetchedPage:
    """Raises Unread for what is of no kind that is read, before it comes."""
    said = reply.headers.get("Content-Type", "")
    media = said.partition(";")[0].strip().lower()
    ending = PurePosixPath(urlsplit(reply.url).path).suffix.lower()
    if media in GENERIC_TYPES:
        if ending and not _ENDINGS.fullmatch(ending) and media:
            raise _no_page(reply.url, media)
        media = ""
    elif media not in (*HTML_TYPES, *TEXT_TYPES) and (media not in DOCUMENT_TYPES or media.startswith("image/")):
        raise _no_page(reply.url, media)
    limit = MAX_PAGE_BYTES if media in (*HTML_TYPES, *TEXT_TYPES) else MAX_FILE_BYTES
    parts: list[bytes] = []
    size = 0
    while chunk := await reply.read():
        size += len(chunk)
        if size > limit:
            raise ReplyTooLarge(f"The page of {_host(reply.url)} is longer than the {limit >> 20} MB that are read.")
        parts.append(chunk)
    charset = _CHARSET.search(said)
    return FetchedPage(
        reply.url,
        media,
        charset[1] if charset is not None else None,
        reply.headers.get("Content-Language"),
        b"".join(parts),
        Validators(reply.headers.get("ETag"), reply.headers.get("Last-Modified")),
        "no-store" not in reply.headers.get("Cache-Control", "").lower(),
    )


def _no_page(url: str, media: str) -> PageUnreadable:
    return PageUnreadable("failed", f"What {_host(url)} has there ({media}) is no text that can be read here.")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or url[:80]
    except ValueError:
        return url[:80]
