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

WITHIN = 20.0
"""Seconds for a whole call."""

ACCEPT = (
    "application/rss+xml, application/atom+xml, application/feed+json, application/rdf+xml;q=0.9, "
    "application/xml;q=0.8, text/xml;q=0.8, text/html;q=0.5, */*;q=0.1"
)

PERMANENT = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.PERMANENT_REDIRECT)
LONGEST_WAIT = 7 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a feed from the last call."""

    url: str
    etag: str | None = None
    modified: str | None = None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Got:
    """The feed as it is now. `feed` is None where nothing has changed; `known` is for the next call, its address the
    one to ask from now on."""

    known: Known
    feed: Feed | None


Why = Literal["refused", "gone", "unreadable", "failed"]


class Failed(Exception):
    """The call brought no feed; the text is one sentence. `wait` are the seconds for which the server wants to be left
    alone; `why` tells a refusal of our own, what is gone for good, and what is there but is no feed from the rest."""

    def __init__(self, message: str, *, wait: float = 0, why: Why = "failed") -> None:
        super().__init__(message)
        self.wait = wait
        self.why: Why = why


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    url: str
    moved: str | None
    headers: dict[str, str]
    body: bytes = field(repr=False)


async def call(browser: WebClient, context: CallContext, known: Known, clock: Clock = time.time) -> Got:
    """Ask for the feed as it is now. Raises Failed."""
    conditions = {"If-None-Match": known.etag, "If-Modified-Since": known.modified}
    answer = await _ask(
        browser, context, known.url, {name: value for name, value in conditions.items() if value}, clock
    )
    url = answer.moved or known.url
    if answer.status == HTTPStatus.NOT_MODIFIED:
        return Got(Known(url, known.etag, known.modified, known.digest), None)
    digest = hashlib.sha256(answer.body).digest()
    now = Known(url, _short(answer.headers.get("etag")), _short(answer.headers.get("last-modified")), digest)
    if digest == known.digest:
        return Got(now, None)
    return Got(now, await _read(answer, clock))


async def discover(browser: WebClient, context: CallContext, url: str, clock: Clock = time.time) -> Got:
    """The feed at an address, or the first that the page there names. Raises Failed."""
    answer = await _ask(browser, context, url, {}, clock)
    try:
        return _got(answer, url, await _read(answer, clock))
    except Failed as fault:
        if fault.why != "unreadable":
            raise
        try:
            links = await feed_links(answer.body, answer.url)
        except UnreadableFeed:
            links = []
        if not links:
            raise Failed(f"{url} is no feed and names none; give the address of its feed.", why="unreadable") from fault
    answer = await _ask(browser, context, links[0], {}, clock)
    return _got(answer, links[0], await _read(answer, clock))


def _got(answer: _Answer, url: str, feed: Feed) -> Got:
    etag, modified = answer.headers.get("etag"), answer.headers.get("last-modified")
    digest = hashlib.sha256(answer.body).digest()
    return Got(Known(answer.moved or url, _short(etag), _short(modified), digest), feed)


def _short(value: str | None) -> str | None:
    return value if value is not None and len(value) <= 500 else None


async def _read(answer: _Answer, clock: Clock) -> Feed:
    try:
        return await read_feed(answer.body, answer.url, answer.headers.get("content-type", ""), clock)
    except UnreadableFeed as error:
        raise Failed(f"What {answer.url} sends {error}.", why="unreadable") from error


async def _ask(browser: WebClient, context: CallContext, url: str, headers: dict[str, str], clock: Clock) -> _Answer:
    """A good answer, or one that says that nothing has changed. Raises Failed."""
    try:
        async with browser.get(
            url, context, headers={"Accept": ACCEPT, **headers}, timeout_s=WITHIN, max_bytes=MAX_FEED_BYTES
        ) as reply:
            answer = await _taken(reply)
    except Refused as error:
        raise Failed(error.message, why="refused") from error
    except ReplyTooLarge as error:
        raise Failed(f"{url} sends more than {MAX_FEED_BYTES >> 20} MB, which is no feed.") from error
    except (Unreachable, TimedOut, BrokenReply) as error:
        raise Failed(str(error)) from error
    if answer.status == HTTPStatus.NOT_MODIFIED or HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
        return answer
    wait = min(parse_retry_after(answer.headers.get("retry-after"), clock) or 0.0, LONGEST_WAIT)
    if answer.status == HTTPStatus.GONE:
        raise Failed(f"{url} is gone for good (410).", why="gone")
    raise Failed(f"{url} answers {answer.status}{_phrase(answer.status)}.", wait=wait)


async def _taken(reply: Reply) -> _Answer:
    headers = {name.lower(): value for name, value in reply.headers.items()}
    return _Answer(reply.status, reply.url, _moved(reply), headers, await reply.body(MAX_FEED_BYTES + 1))


def _moved(reply: Reply) -> str | None:
    """Where the first redirects lead, as far as they are for good."""
    moved = None
    for status, to in reply.hops:
        if status not in PERMANENT:
            break
        moved = to
    return moved


def _phrase(status: int) -> str:
    try:
        return f" ({HTTPStatus(status).phrase})"
    except ValueError:
        return ""
