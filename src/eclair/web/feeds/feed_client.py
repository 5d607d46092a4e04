"""Fetches one feed with a conditional, bounded request."""

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
from eclair.web.feeds.feed_parser import MAX_FEED_BYTES, UnreadableFeed, feed_links, read_feed

FETCH_TIMEOUT_S = 20.0

ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, text/html;q=0.5, */*;q=0.1"
)

PERMANENT_REDIRECTS = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT)
MAX_RETRY_AFTER_S = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class FeedVersion:
    """A feed as of the last fetch: its current URL, HTTP validators, and SHA-256."""

    url: str
    etag: str | None = None
    modified: str | None = None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class FetchedFeed:
    """A fetched feed; `feed` is None if it hasn't changed. `version` is for the next fetch, at its URL."""

    version: FeedVersion
    feed: Feed | None


FeedErrorKind = Literal["refused", "gone", "unreadable", "failed"]


class FeedError(Exception):
    """The fetch brought no feed; the message is a sentence. `retry_after_s` is what the server asks for.

    `kind` is `refused` by our own policy, `gone` for good, `unreadable` as a feed, or else `failed`.
    """

    def __init__(self, message: str, *, retry_after_s: float = 0, kind: FeedErrorKind = "failed") -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
        self.kind: FeedErrorKind = kind


@dataclass(frozen=True, slots=True)
class _FeedReply:
    status: int
    url: str
    permanent_url: str | None
    headers: dict[str, str]
    body: bytes = field(repr=False)


async def fetch_feed(
    client: WebClient, context: CallContext, version: FeedVersion, clock: Clock = time.time
) -> FetchedFeed:
    """Fetch a feed if it has changed since `version`. Raises FeedError."""
    conditions = {"If-None-Match": version.etag, "If-Modified-Since": version.modified}
    reply = await _request(
        client, context, version.url, {name: value for name, value in conditions.items() if value}, clock
    )
    url = reply.permanent_url or version.url
    if reply.status == HTTPStatus.NOT_MODIFIED:
        return FetchedFeed(FeedVersion(url, version.etag, version.modified, version.digest), None)
    digest = hashlib.sha256(reply.body).digest()
    now = FeedVersion(
        url, _bounded_header(reply.headers.get("etag")), _bounded_header(reply.headers.get("last-modified")), digest
    )
    if digest == version.digest:
        return FetchedFeed(now, None)
    return FetchedFeed(now, await _read(reply, clock))


async def discover_feed(client: WebClient, context: CallContext, url: str, clock: Clock = time.time) -> FetchedFeed:
    """Fetch the feed at a URL, or the first one that the page there links to. Raises FeedError."""
    reply = await _request(client, context, url, {}, clock)
    try:
        return _as_fetched(reply, url, await _read(reply, clock))
    except FeedError as fault:
        if fault.kind != "unreadable":
            raise
        try:
            links = await feed_links(reply.body, reply.url)
        except UnreadableFeed:
            links = []
        if not links:
            raise FeedError(
                f"{url} is not a feed and links to none; give the address of its feed.", kind="unreadable"
            ) from fault
    reply = await _request(client, context, links[0], {}, clock)
    return _as_fetched(reply, links[0], await _read(reply, clock))


def _as_fetched(reply: _FeedReply, url: str, feed: Feed) -> FetchedFeed:
    etag, modified = reply.headers.get("etag"), reply.headers.get("last-modified")
    digest = hashlib.sha256(reply.body).digest()
    return FetchedFeed(
        FeedVersion(reply.permanent_url or url, _bounded_header(etag), _bounded_header(modified), digest), feed
    )


def _bounded_header(value: str | None) -> str | None:
    return value if value is not None and len(value) <= 500 else None


async def _read(reply: _FeedReply, clock: Clock) -> Feed:
    try:
        return await read_feed(reply.body, reply.url, reply.headers.get("content-type", ""), clock)
    except UnreadableFeed as error:
        raise FeedError(f"The reply of {reply.url} {error}.", kind="unreadable") from error


async def _request(
    client: WebClient, context: CallContext, url: str, headers: dict[str, str], clock: Clock
) -> _FeedReply:
    """Return a reply that is successful or 304 Not Modified. Raises FeedError."""
    try:
        async with client.get(
            url, context, headers={"Accept": ACCEPT, **headers}, timeout_s=FETCH_TIMEOUT_S, max_bytes=MAX_FEED_BYTES
        ) as response:
            reply = await _read_reply(response)
    except Refused as error:
        raise FeedError(error.message, kind="refused") from error
    except ReplyTooLarge as error:
        raise FeedError(f"{url} sends more than {MAX_FEED_BYTES >> 20} MB, too much for a feed.") from error
    except (Unreachable, TimedOut, BrokenReply) as error:
        raise FeedError(str(error)) from error
    if reply.status == HTTPStatus.NOT_MODIFIED or HTTPStatus.OK <= reply.status < HTTPStatus.MULTIPLE_CHOICES:
        return reply
    wait = min(parse_retry_after(reply.headers.get("retry-after"), clock) or 0.0, MAX_RETRY_AFTER_S)
    if reply.status == HTTPStatus.GONE:
        raise FeedError(f"{url} is gone for good (410).", kind="gone")
    raise FeedError(f"{url} answers {reply.status}{_reason_phrase(reply.status)}.", retry_after_s=wait)


async def _read_reply(reply: Reply) -> _FeedReply:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return _FeedReply(reply.status, reply.url, _permanent_url(reply), headers, await reply.body(MAX_FEED_BYTES + 1))


def _permanent_url(reply: Reply) -> str | None:
    """Return the target of the leading permanent redirects, if there are any."""
    moved = None
    for status, to in reply.hops:
        if status not in PERMANENT_REDIRECTS:
            break
        moved = to
    return moved


def _reason_phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""
