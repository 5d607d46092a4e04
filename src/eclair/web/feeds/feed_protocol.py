"""Requests to the sandbox that reads feeds, and its results."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.sandbox.protocol import SandboxProtocol
from eclair.schema.feeds import Feed, FeedOutline
from eclair.util.frames import Codec

CPU_LIMIT_S = 20
MEMORY_LIMIT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class ReadFeed:
    """Read RSS, Atom or JSON Feed that came from `url` as `media`; `now` is in milliseconds since 1970."""

    data: bytes
    url: str
    media: str
    now: int


@dataclass(frozen=True, slots=True)
class FindFeedLinks:
    """Find the feeds that the HTML page at `url` links to."""

    data: bytes
    url: str


@dataclass(frozen=True, slots=True)
class ReadOpml:
    data: bytes


@dataclass(frozen=True, slots=True)
class FeedLinks:
    urls: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpmlList:
    feeds: tuple[FeedOutline, ...]


FeedRequest = ReadFeed | FindFeedLinks | ReadOpml
FeedResult = Feed | FeedLinks | OpmlList

PROTOCOL = SandboxProtocol[FeedRequest, FeedResult](
    "eclair.web.feeds.worker", Codec(ReadFeed, FindFeedLinks, ReadOpml), (Feed, FeedLinks, OpmlList)
)
