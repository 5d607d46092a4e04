"""Reads feeds, links to feeds and OPML lists in sandboxes, and writes OPML.

`client` fetches them.
"""

from __future__ import annotations

import time
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from functools import cache
from importlib import import_module, resources
from typing import Any, TypeVar

from eclair.sandbox.pool import SandboxPool
from eclair.sandbox.protocol import Rejected, SandboxError
from eclair.schema.feeds import Feed, FeedOutline
from eclair.schema.ids import Clock
from eclair.web.feeds.feed_protocol import (
    CPU_LIMIT_S,
    PROTOCOL,
    FeedLinks,
    FeedRequest,
    FindFeedLinks,
    OpmlList,
    ReadFeed,
    ReadOpml,
)

T = TypeVar("T")

MAX_FEED_BYTES = 5 << 20
"""Also the limit for a page or an OPML list."""

TIMEOUT_S = CPU_LIMIT_S + 10

_SANDBOXES = SandboxPool(PROTOCOL)


class UnreadableFeed(Exception):
    """The bytes are not a feed, page or list. The message is a sentence without subject and full stop."""


@dataclass(frozen=True, slots=True)
class StarterFeed:
    """A suggested feed. `country` is the publisher's (ISO 3166-1), `terms` the URL of its terms of use, if known."""

    name: str
    url: str
    language: str
    country: str
    publisher: str
    terms: str | None = None


async def read_feed(data: bytes, url: str, media: str = "", clock: Clock = time.time) -> Feed:
    """Parse RSS, Atom or JSON Feed that came from `url` as `media`. Raises UnreadableFeed."""
    return await _read(ReadFeed(data, url, media, int(clock() * 1000)), Feed)


async def feed_links(data: bytes, url: str) -> list[str]:
    """Return the URLs of the feeds that an HTML page links to, likeliest first. Raises UnreadableFeed."""
    return list((await _read(FindFeedLinks(data, url), FeedLinks)).urls)


async def read_opml(data: bytes) -> list[FeedOutline]:
    """Parse an OPML list of feeds. Raises UnreadableFeed."""
    return list((await _read(ReadOpml(data), OpmlList)).feeds)


def write_opml(feeds: Iterable[FeedOutline], now: float) -> bytes:
    """Write the feeds as an OPML 2.0 list."""
    etree: Any = import_module("lxml.etree")
    root = etree.Element("opml", version="2.0")
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "title").text = "Éclair"
    etree.SubElement(head, "dateCreated").text = formatdate(now, usegmt=True)
    body = etree.SubElement(root, "body")
    for feed in feeds:
        names = {"type": "rss", "text": feed.title or feed.url, "title": feed.title or feed.url, "xmlUrl": feed.url}
        more = {"htmlUrl": feed.site, "language": feed.language}
        etree.SubElement(body, "outline", names | {name: value for name, value in more.items() if value})
    written: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True, pretty_print=True)
    return written


@cache
def starter_feeds() -> tuple[StarterFeed, ...]:
    """Load the list of suggested feeds, which is sorted by language."""
    text = (resources.files("eclair.web.feeds") / "starters.toml").read_text("utf-8")
    return tuple(StarterFeed(**fields) for fields in tomllib.loads(text)["feed"])


async def _read(request: FeedRequest, kind: type[T]) -> T:
    """Return what the sandbox read. Raises UnreadableFeed."""
    if len(request.data) > MAX_FEED_BYTES:
        raise UnreadableFeed(f"is larger than {MAX_FEED_BYTES >> 20} MB")
    try:
        result = await _SANDBOXES.run_once(request, timeout_s=TIMEOUT_S)
    except Rejected as rejected:
        raise UnreadableFeed(rejected.message) from None
    except SandboxError as error:
        raise UnreadableFeed(
            "takes too long to read" if error.fault == "timeout" else "is damaged, or takes too much to read"
        ) from error
    if not isinstance(result, kind):
        raise UnreadableFeed("is damaged, or takes too much to read")
    return result
