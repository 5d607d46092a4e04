"""Finds the feed that somebody names at the command line."""

from __future__ import annotations

from collections.abc import Iterable

from eclair.errors import NotFound
from eclair.storage.feeds import FeedSummary


def find_feed(listed: Iterable[FeedSummary], which: str) -> FeedSummary:
    """Find a feed by id or address. Raises NotFound."""
    for each in listed:
        if which in (each.feed.id, each.feed.url):
            return each
    raise NotFound(f"There is no feed {which!r}; `eclair feeds` lists them.")
