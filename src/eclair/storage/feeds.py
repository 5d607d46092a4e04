"""The store port of the newsroom: feeds that an owner lists, the entries they brought, and the index in which those are
found. Fetching and reading is not its affair.

Whoever fetches a feed takes it first, so that no two processes do. All methods raise StoreError when the database
cannot serve.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from eclair.schema.feeds import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFeed:
    """A feed of an owner. Times are in milliseconds: it is fetched at `due`, was last asked at `checked` and last
    brought something new at `brought`; while `taken` lies ahead somebody fetches it.

    `failures` counts the fetches in a row that failed, `fault` says why the last one did; a feed that is `gone` is
    asked no more. `etag`, `modified` and `digest` are those of what came last.
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
class ListedFeed:
    """A feed and how many of its entries are kept."""

    feed: StoredFeed
    entries: int


@dataclass(frozen=True, slots=True)
class FoundEntry:
    """An entry that has words of a query. `share` is how much of the query's weight they are, rarer ones counting more,
    and `titled` how much of it stands in the title; `at` is when it was published, or else first seen, in milliseconds,
    `feed` the title of its feed."""

    entry: Entry
    feed: str
    at: int
    share: float
    titled: float


class FeedStore(Protocol):
    async def add(self, feeds: Sequence[StoredFeed]) -> list[StoredFeed]:
        """Keep those whose address the owner has not listed yet; these come back."""
        ...

    async def feed(self, owner: str, id: str) -> StoredFeed:
        """Raises NotFound."""
        ...

    async def feeds(self, owner: str) -> list[ListedFeed]:
        """By their titles."""
        ...

    async def activate(self, owner: str, id: str, now: int, *, active: bool) -> StoredFeed:
        """Have it fetched from now on, or no more. Raises NotFound."""
        ...

    async def delete(self, owner: str, id: str) -> None:
        """Erase it with its entries. Raises NotFound."""
        ...

    async def make_due(self, owner: str, now: int, id: str | None = None) -> list[str]:
        """Have all active feeds fetched at once, or that one even if it was gone; their ids. Raises NotFound."""
        ...

    async def take(self, now: int, until: int, busy: Collection[str] = ()) -> StoredFeed | None:
        """Take the feed that is due the longest, whoever owns it, but none of a host that is `busy`."""
        ...

    async def next_due(self) -> int | None:
        """When the next feed that nobody has taken is due."""
        ...

    async def put(self, feed: StoredFeed, entries: Sequence[Entry], now: int, most: int) -> int:
        """Give back a feed that was taken, as it is now, with what it brought; at most so many of its entries stay, the
        newest. How many were new comes back; nothing is kept of a feed that was deleted meanwhile. Where its address
        changed to one that the owner lists already, it keeps the old one."""
        ...

    async def sweep(self, before: int) -> int:
        """Erase entries from before that millisecond; how many there were."""
        ...

    async def find(
        self, owner: str, query: str, limit: int, *, least: float = 0.0, since: int | None = None
    ) -> list[FoundEntry]:
        """Entries of active feeds from `since` on that have at least the share `least` of the query, by that share and
        then the newest first."""
        ...

    async def newest(self, owner: str, limit: int, language: str | None, since: int) -> list[FoundEntry]:
        """The newest entries from `since` on, of one language if it is given; their share is 1."""
        ...

    async def entry(self, owner: str, url: str) -> FoundEntry | None:
        """The latest entry that stands for that page."""
        ...
