"""One call for one feed: conditional, bounded, and what its answer means. When to call is the newsroom's affair."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Literal

from eclair.network.client import (
    BrokenReply,
    CallContext,
    Refused,
    Reply,
    ReplyTooLarge,
    TimedOut,
    Unreachable,
    WebClient,
)
from eclair.network.retry_after import parse_retry_after
from eclair.schema.feeds import Feed
from eclair.schema.ids import Clock
from eclair.web.feeds.parser import MAX_FEED_BYTES, UnreadableFeed, feed_links, read_feed

FETCH_TIMEOUT_S = 20.0
"""Seconds for a whole call."""

ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, text/html;q=0.5, */*;q=0.1"
)

PERMANENT_REDIRECTS = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT)
MAX_RETRY_AFTER_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class FeedVersion:
    """What is known of a feed from the last call."""

    url: str
    etag: str | None = None
    modified: str | None = None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class FetchedFeed:
    """The feed as it is now. `feed` is None where nothing has changed; `known` is for the next call, its address the
    one to ask from now on."""

    version: FeedVersion
    feed: Feed | None


FeedErrorKind = Literal["refused", "gone", "unreadable", "failed"]


class FeedError(Exception):
    """The call brought no feed; the text is one sentence. `wait` are the seconds for which the server wants to be left
    alone; `why` tells a refusal of our own, what is gone for good, and what is there but is no feed from the rest."""

    def __init__(self, message: str, *, retry_after_s: float = 0, kind: FeedErrorKind = "failed") -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.kind: FeedErrorKind = kind


@dataclass(frozen=True, slots=True)
class _FeedReply:
    status: int
    url: str
    moved: str | None
    headers: dict[str, str]
    body: bytes = field(repr=False)


async def fetch_feed(
    browser: WebClient, context: CallContext, version: FeedVersion, clock: Clock = time.time
) -> FetchedFeed:
    """Ask for the feed as it is now. Raises Failed."""
    conditions = {"If-None-Match": version.etag, "If-Modified-Since": version.modified}
    answer = await _ask(
        browser, context, version.url, {name: value for name, value in conditions.items() if value}, clock
    )
    url = answer.moved or version.url
    if answer.status == HTTPStatus.NOT_MODIFIED:
        return FetchedFeed(FeedVersion(url, version.etag, version.modified, version.digest), None)
    digest = hashlib.sha256(answer.body).digest()
    now = FeedVersion(url, _short(answer.headers.get("etag")), _short(answer.headers.get("last-modified")), digest)
    if digest == version.digest:
        return FetchedFeed(now, None)
    return FetchedFeed(now, await _read(answer, clock))


async def discover_feed(browser: WebClient, context: CallContext, url: str, clock: Clock = time.time) -> FetchedFeed:
    """The feed at an address, or the first that the page there names. Raises Failed."""
    answer = await _ask(browser, context, url, {}, clock)
    try:
        return _got(answer, url, await _read(answer, clock))
    except FeedError as fault:
        if fault.kind != "unreadable":
            raise
        try:
            links = await feed_links(answer.body, answer.url)
        except UnreadableFeed:
            links = []
        if not links:
            raise FeedError(
                f"{url} is no feed and names none; give the address of its feed.", kind="unreadable"
            ) from fault
    answer = await _ask(browser, context, links[0], {}, clock)
    return _got(answer, links[0], await _read(answer, clock))


def _got(answer: _FeedReply, url: str, feed: Feed) -> FetchedFeed:
    etag, modified = answer.headers.get("etag"), answer.headers.get("last-modified")
    digest = hashlib.sha256(answer.body).digest()
    return FetchedFeed(FeedVersion(answer.moved or url, _short(etag), _short(modified), digest), feed)


def _short(value: str | None) -> str | None:
    return value if value is not None and len(value) <= 500 else None


async def _read(answer: _FeedReply, clock: Clock) -> Feed:
    try:
        return await read_feed(answer.body, answer.url, answer.headers.get("content-type", ""), clock)
    except UnreadableFeed as error:
        raise FeedError(f"What {answer.url} sends {error}.", kind="unreadable") from error


async def _ask(browser: WebClient, context: CallContext, url: str, headers: dict[str, str], clock: Clock) -> _FeedReply:
    """A good answer, or one that says that nothing has changed. Raises Failed."""
    try:
        async with browser.get(
            url, context, headers={"Accept": ACCEPT, **headers}, timeout_s=FETCH_TIMEOUT_S, max_bytes=MAX_FEED_BYTES
        ) as reply:
            answer = await _taken(reply)
    except Refused as error:
        raise FeedError(error.message, kind="refused") from error
    except ReplyTooLarge as error:
        raise FeedError(f"{url} sends more than {MAX_FEED_BYTES >> 20} MB, which is no feed.") from error
    except (Unreachable, TimedOut, BrokenReply) as error:
        raise FeedError(str(error)) from error
    if answer.status == HTTPStatus.NOT_MODIFIED or HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return answer
    wait = min(parse_retry_after(answer.headers.get("retry-after"), clock) or 0.0, MAX_RETRY_AFTER_S)
    if answer.status == HTTPStatus.GONE:
        raise FeedError(f"{url} is gone for good (410).", kind="gone")
    raise FeedError(f"{url} answers {answer.status}{_phrase(answer.status)}.", retry_after_s=wait)


async def _taken(reply: Reply) -> _FeedReply:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return _FeedReply(reply.status, reply.url, _moved(reply), headers, await reply.body(MAX_FEED_BYTES + 1))


def _moved(reply: Reply) -> str | None:
    """Where the first redirects lead, as far as they are for good."""
    moved = None
    for status, to in reply.hops:
        if status not in PERMANENT_REDIRECTS:
            break
        moved = to
    return moved


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""
