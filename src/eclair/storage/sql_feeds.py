"""The port of the newsroom on SQLite: which of its methods reads and which writes. What they do stands in
`statements/feeds.py`."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence

from eclair.schema.feeds import Entry
from eclair.storage.database import Database
from eclair.storage.feeds import FoundEntry, ListedFeed, StoredFeed
from eclair.storage.statements import deletion
from eclair.storage.statements import feeds as rows
from eclair.text.search_terms import forms

ERASED = 200
"""Entries that are erased at once, so that no other write waits for long."""


PUT = 50
"""Entries that are written at once."""


class SQLFeeds:
    """Implements `FeedStore`; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, feeds: Sequence[StoredFeed]) -> list[StoredFeed]:
        return await self._database.write(lambda db: rows.add(db, feeds))

    async def feed(self, owner: str, id: str) -> StoredFeed:
        return await self._database.read(lambda db: rows.owned(db, owner, id))

    async def feeds(self, owner: str) -> list[ListedFeed]:
        return await self._database.read(lambda db: rows.listed(db, owner))

    async def activate(self, owner: str, id: str, now: int, *, active: bool) -> StoredFeed:
        return await self._database.write(lambda db: rows.activate(db, owner, id, now, active=active))

    async def delete(self, owner: str, id: str) -> None:
        while not await self._database.write(lambda db: rows.delete_some(db, owner, id, ERASED)):
            pass
        await self._database.read(deletion.empty_log)

    async def make_due(self, owner: str, now: int, id: str | None = None) -> list[str]:
        return await self._database.write(lambda db: rows.make_due(db, owner, now, id))

    async def take(self, now: int, until: int, busy: Collection[str] = ()) -> StoredFeed | None:
        return await self._database.write(lambda db: rows.take(db, now, until, busy))

    async def next_due(self) -> int | None:
        return await self._database.read(rows.next_due)

    async def put(self, feed: StoredFeed, entries: Sequence[Entry], now: int, most: int) -> int:
        worded = await asyncio.to_thread(_worded, entries)
        new = 0
        for at in range(0, len(worded), PUT):
            some = worded[at : at + PUT]
            new += await self._database.write(lambda db, some=some: rows.put_entries(db, feed.id, some, now))
        await self._database.write(lambda db: rows.put(db, feed, most))
        return new

    async def sweep(self, before: int) -> int:
        swept = 0
        while some := await self._database.write(lambda db: rows.sweep(db, before, ERASED)):
            swept += some
        return swept

    async def find(
        self, owner: str, query: str, limit: int, *, least: float = 0.0, since: int | None = None
    ) -> list[FoundEntry]:
        return await self._database.read(lambda db: rows.find(db, owner, query, limit, least, since))

    async def newest(self, owner: str, limit: int, language: str | None, since: int) -> list[FoundEntry]:
        return await self._database.read(lambda db: rows.newest(db, owner, limit, language, since))

    async def entry(self, owner: str, url: str) -> FoundEntry | None:
        return await self._database.read(lambda db: rows.entry(db, owner, url))


def _worded(entries: Sequence[Entry]) -> list[tuple[Entry, str]]:
    return [(entry, forms(f"{entry.title}\n{entry.summary}\n{entry.text}")) for entry in entries]
