"""Feeds and what they bring: plain values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One entry of a feed. `key` tells it from the feed's others for good; `url` is the page that it stands for.

    `summary` and `text` are plain text, paragraphs with an empty line between them; `text` is the whole of it where the
    feed has that. `published` is the moment in milliseconds since 1970 (UTC), where the feed says a sound one.
    """

    key: str
    url: str
    title: str
    summary: str = ""
    text: str = ""
    published: int | None = None
    author: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """A feed as it was read: title, address of its site, language (ISO 639-1), and the newest entries in its order.

    It asks not to be fetched again for `ttl_minutes`.
    """

    title: str = ""
    site: str | None = None
    language: str | None = None
    ttl_minutes: int | None = None
    entries: tuple[FeedEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class FeedOutline:
    """A feed as a list of feeds names it: OPML, or the starter list."""

    url: str
    title: str = ""
    site: str | None = None
    language: str | None = None
