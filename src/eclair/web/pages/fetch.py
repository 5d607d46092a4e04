"""Fetches web pages politely: robots.txt, and pauses per host.

Cached pages are revalidated (ETag, Last-Modified). No cookies are kept, no scripts run, and nothing on a page leads to
a further call.
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
from eclair.schema.messages import StepOutcome
from eclair.util.lru import LruCache
from eclair.web.pages import HTML_TYPES
from eclair.web.pages.robots import RobotsCache
from eclair.web.pages.sitemaps import MAX_SITEMAP_BYTES, is_news_sitemap

log = logging.getLogger(__name__)

MAX_CONCURRENT_PER_HOST = 2

MIN_PAUSE_S = 0.1
"""Between two requests to one host."""

MAX_PAGE_BYTES = 8 << 20
"""Of HTML or plain text."""

MAX_FILE_BYTES = 32 << 20
"""Of a document, such as a PDF."""

ROBOTS_TIMEOUT_S = 3.0

MAX_BACKOFF_S = 600.0
"""The longest Retry-After that is respected."""

MAX_HOSTS = 500
"""Hosts whose pauses are remembered."""

TEXT_TYPES = ("text/plain", "text/markdown")
GENERIC_TYPES = ("", "application/octet-stream", "binary/octet-stream", "application/x-download")
"""Types that say nothing, so that the URL's extension decides."""

DOCUMENT_TYPES = frozenset(READERS) - {
    "application/json",
    "application/xml",
    "application/zip",
    "message/rfc822",
    "text/x-code",
}
"""Types of files that are read, unless they are images."""

_EXTENSIONS = re.compile(r"\.(?:pdf|docx?|odt|odp|ods|pptx?|xlsx?|epub|rtf|txt|md|csv)")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]{1,40})", re.IGNORECASE)


class PageUnreadable(Exception):
    """A page could not be read. `outcome` is that of its step, the message a sentence for people."""

    def __init__(self, outcome: StepOutcome, message: str) -> None:
        super().__init__(message)
        self.outcome: StepOutcome = outcome
        self.message = message


@dataclass(frozen=True, slots=True)
class Validators:
    """HTTP validators, by which a server tells whether a page has changed."""

    etag: str | None = None
    modified: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        values = {"If-None-Match": self.etag, "If-Modified-Since": self.modified}
        return {name: value for name, value in values.items() if value is not None}


@dataclass(frozen=True, slots=True)
class FetchedPage:
    """A page as it was served. `url` is the final one, `media` the declared type, empty if that says nothing."""

    url: str
    media: str
    charset: str | None
    language: str | None
    body: bytes
    validators: Validators
    is_cacheable: bool


@dataclass(slots=True)
class _HostSlot:
    """Limits on requests to one host: none before `free_at` or, where the host asked for a rest, `rests_until`."""

    requests: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_CONCURRENT_PER_HOST))
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    free_at: float = 0.0
    rests_until: float = 0.0


class PageFetcher:
    """Fetches pages. `clock` gives seconds."""

    def __init__(self, client: WebClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._robots = RobotsCache(client, clock)
        self._host_slots = LruCache[str, _HostSlot](MAX_HOSTS)

    async def fetch(
        self,
        url: str,
        context: CallContext,
        *,
        timeout_s: float,
        known: Validators = Validators(),
    ) -> FetchedPage | None:
        """Fetch a page; None if it hasn't changed since `known`. Raises PageUnreadable."""
        url = urldefrag(url.strip()).url
        try:
            async with asyncio.timeout(timeout_s):
                return await self._get(url, context, timeout_s, known)
        except (TimeoutError, TimedOut):
            raise PageUnreadable(
                "late", f"{_host(url)} was not done within {timeout_s:g} seconds; try again."
            ) from None
        except Refused as error:
            raise PageUnreadable("refused", error.message) from error
        except (Unreachable, BrokenReply, ReplyTooLarge) as error:
            raise PageUnreadable("failed", str(error)) from error

    async def news_sitemap(self, url: str, context: CallContext, *, timeout_s: float) -> str | None:
        """Fetch the news sitemap that the robots.txt of the URL's host names; None if there is none, or on failure."""
        try:
            async with asyncio.timeout(timeout_s):
                rules = await self._robots.rules(url, context, ROBOTS_TIMEOUT_S)
                named = (each for each in rules.sitemaps if is_news_sitemap(each) and _host(each) == _host(url))
                place = next(named, None)
                if place is None:
                    return None
                async with (
                    self._wait_for_host(self._host_slot(url), url, max(MIN_PAUSE_S, rules.crawl_delay_s)),
                    self._client.get(place, context, timeout_s=timeout_s, max_bytes=MAX_PAGE_BYTES) as reply,
                ):
                    return (
                        (await reply.body(MAX_SITEMAP_BYTES)).decode("utf-8", "replace")
                        if reply.status == 200
                        else None
                    )
        except (TimeoutError, TimedOut, Refused, Unreachable, BrokenReply, ReplyTooLarge, PageUnreadable) as error:
            log.info("no sitemap of %s: %s", _host(url), error)
            return None

    async def _get(self, url: str, context: CallContext, timeout_s: float, known: Validators) -> FetchedPage | None:
        pause = await self._check_robots(url, context, timeout_s)
        slot = self._host_slot(url)
        async with self._wait_for_host(slot, url, max(MIN_PAUSE_S, pause)):
            headers = {"Accept": "text/html,application/xhtml+xml,application/pdf;q=0.9,*/*;q=0.5", **known.headers}
            async with self._client.get(
                url, context, headers=headers, timeout_s=timeout_s, max_bytes=MAX_FILE_BYTES
            ) as reply:
                if urlsplit(reply.url).netloc != urlsplit(url).netloc or urlsplit(reply.url).path != urlsplit(url).path:
                    await self._check_robots(reply.url, context, timeout_s)
                if reply.status == 304 and known.headers:
                    return None
                self._check_status(reply, slot)
                return await _read_page(reply)

    async def _check_robots(self, url: str, context: CallContext, timeout_s: float) -> float:
        """Check robots.txt, and return its crawl delay in seconds. Raises PageUnreadable if it forbids the URL."""
        if urlsplit(url).scheme not in ("http", "https"):
            return 0.0  # the client refuses it, with a message about this URL
        rules = await self._robots.rules(url, context, min(timeout_s, ROBOTS_TIMEOUT_S))
        if (refusal := rules.refusal(url)) is not None:
            raise PageUnreadable("refused", refusal)
        return rules.crawl_delay_s

    def _host_slot(self, url: str) -> _HostSlot:
        name = urlsplit(url).netloc.lower()
        slot = self._host_slots.get(name)
        if slot is None:
            slot = _HostSlot()
            self._host_slots.put(name, slot)
        return slot

    @asynccontextmanager
    async def _wait_for_host(self, slot: _HostSlot, url: str, pause: float) -> AsyncGenerator[None]:
        """Wait until the host may be called. Raises PageUnreadable while it rests after a Retry-After."""
        async with slot.requests:
            async with slot.turn:
                left = slot.rests_until - self._clock()
                if left > 0:
                    raise PageUnreadable(
                        "refused", f"{_host(url)} asks to be left alone for {left:.0f} s more; try later."
                    )
                await asyncio.sleep(max(0.0, slot.free_at - self._clock()))
                slot.free_at = self._clock() + pause
            yield

    def _check_status(self, reply: Reply, slot: _HostSlot) -> None:
        """Raise PageUnreadable unless the reply is a page."""
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
                    slot.rests_until = self._clock() + min(after, MAX_BACKOFF_S)
                raise PageUnreadable("failed", f"{host} is busy ({reply.status}); try later.")
            case _:
                raise PageUnreadable("failed", f"{host} answers {reply.status} in place of the page; try later.")


async def _read_page(reply: Reply) -> FetchedPage:
    """Read the body. Raises PageUnreadable for an unsupported type, before anything is read."""
    content_type = reply.headers.get("Content-Type", "")
    media = content_type.partition(";")[0].strip().lower()
    extension = PurePosixPath(urlsplit(reply.url).path).suffix.lower()
    if media in GENERIC_TYPES:
        if extension and not _EXTENSIONS.fullmatch(extension) and media:
            raise _not_a_page(reply.url, media)
        media = ""
    elif media not in (*HTML_TYPES, *TEXT_TYPES) and (media not in DOCUMENT_TYPES or media.startswith("image/")):
        raise _not_a_page(reply.url, media)
    limit = MAX_PAGE_BYTES if media in (*HTML_TYPES, *TEXT_TYPES) else MAX_FILE_BYTES
    parts: list[bytes] = []
    size = 0
    while chunk := await reply.read():
        size += len(chunk)
        if size > limit:
            raise ReplyTooLarge(f"The page of {_host(reply.url)} is longer than the {limit >> 20} MB that are read.")
        parts.append(chunk)
    charset = _CHARSET.search(content_type)
    return FetchedPage(
        reply.url,
        media,
        charset[1] if charset is not None else None,
        reply.headers.get("Content-Language"),
        b"".join(parts),
        Validators(reply.headers.get("ETag"), reply.headers.get("Last-Modified")),
        "no-store" not in reply.headers.get("Cache-Control", "").lower(),
    )


def _not_a_page(url: str, media: str) -> PageUnreadable:
    return PageUnreadable("failed", f"The page of {_host(url)} is of a type that cannot be read here ({media}).")


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or url[:80]
    except ValueError:
        return url[:80]
