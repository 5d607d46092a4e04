"""Port of news feeds, their entries, and the search in those.

Whoever fetches a feed claims it first, so that no two processes do.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from eclair.schema.feeds import FeedEntry
from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFeed:
    """A feed of an owner. Times are in milliseconds.

    It is fetched at `due`, was last fetched at `checked` and last had something new at `brought`; while `taken` lies
    ahead somebody is fetching it. `failures` counts failed fetches in a row, `fault` is the reason of the last one; a
    feed that is `gone` is not fetched any more. `etag`, `modified` and `digest` belong to the latest content.
    """

    id: str
    owner: str
    url: str
    host: str
    title: str
    site: str | None = None
    language: str | None = None
    active: bool = True
    gone: bool = False
    created: int
    due: int
    taken: int = 0
    checked: int | None = None
    brought: int | None = None
    failures: int = 0
    fault: str | None = None
    etag: str | None = None
    modified: str | None = None
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class FeedSummary:
    """A feed and the number of its entries."""

    feed: StoredFeed
    entries: int


@dataclass(frozen=True, slots=True)
class EntryHit:
    """An entry that a search found. `feed` is the title of its feed.

    `at` is when it was published, or else first seen, in milliseconds. `share` is the part of the query's weight that
    it has, rarer words weighing more, and `titled` the part that stands in its title.
    """

    entry: FeedEntry
    feed: str
    at: int
    share: float
    titled: float


@dataclass(frozen=True, slots=True)
class ListedEntry:
    """An entry in the order of reading. `feed` is the id of its feed, `source` the feed's title, `at` as in `EntryHit`.

    `number` is its place among entries of the same moment.
    """

    entry: FeedEntry
    feed: str
    source: str
    at: int
    number: int


class FeedStore(Protocol):
    async def add_feeds(self, principal: Principal, feeds: Sequence[StoredFeed]) -> list[StoredFeed]:
        """Add feeds whose address the principal does not have yet; return those."""
        ...

    async def get_feed(self, principal: Principal, id: str) -> StoredFeed:
        """Return a feed. Raises NotFound."""
        ...

    async def list_feeds(self, principal: Principal) -> list[FeedSummary]:
        """List feeds by title, ignoring case."""
        ...

    async def set_active(self, principal: Principal, id: str, now: int, *, active: bool) -> StoredFeed:
        """Start or stop fetching and searching a feed; it is due `now`. Raises NotFound."""
        ...

    async def delete_feed(self, principal: Principal, id: str) -> None:
        """Erase a feed with its entries. Raises NotFound."""
        ...

    async def mark_due(self, principal: Principal, now: int, id: str | None = None) -> list[str]:
        """Make all active feeds due, or only the one of that id, even if it was gone; return their ids.

        Raises NotFound.
        """
        ...

    async def claim_due(self, now: int, until: int, busy: Collection[str] = ()) -> StoredFeed | None:
        """Claim until `until` the feed that has been due longest, whoever owns it, except on hosts that are `busy`.

        Returns None where none is due or all are claimed.
        """
        ...

    async def get_next_due(self) -> int | None:
        """Return the millisecond at which the next feed can be claimed, None without active feeds."""
        ...

    async def save_fetch(self, feed: StoredFeed, entries: Sequence[FeedEntry], now: int, max_entries: int) -> int:
        """Save a claimed feed and its fetched entries; keep its newest `max_entries`, and return how many were new.

        Nothing is stored for a feed that was deleted meanwhile. If its address changed to one that the owner has
        already, it keeps the old one. Whether it is active stays as its owner set it.
        """
        ...

    async def erase_entries(self, before: int) -> int:
        """Erase everyone's entries older than millisecond `before`; return the number."""
        ...

    async def search_entries(
        self, principal: Principal, query: str, limit: int, *, min_share: float = 0.0, since: int | None = None
    ) -> list[EntryHit]:
        """Find entries of active feeds, from `since` on, that have at least `min_share` of the query's weight.

        Best share first, and the newest first among equals.
        """
        ...

    async def list_newest_entries(
        self, principal: Principal, limit: int, language: str | None, since: int
    ) -> list[EntryHit]:
        """List the newest entries of active feeds from `since` on, in one language if given; their share is 1."""
        ...

    async def list_entries(
        self, principal: Principal, limit: int, before: tuple[int, int] | None = None, feed: str | None = None
    ) -> list[ListedEntry]:
        """List entries of all feeds, or of one, newest first, from after the `at` and `number` of `before` on."""
        ...

    async def find_entry(self, principal: Principal, url: str) -> EntryHit | None:
        """Return the latest entry with that page address, or None."""
        ...
