"""Feeds in SQL: feeds, their entries, and the search in those."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import astuple, fields, replace
from itertools import accumulate
from typing import Any

import orjson

from eclair.errors import NotFound
from eclair.schema.feeds import FeedEntry
from eclair.schema.principal import Principal
from eclair.storage.feeds import EntryHit, FeedSummary, ListedEntry, StoredFeed
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import MAX_INTEGER, SQLStore, first_row, overwrite, read, read_planned, write
from eclair.storage.sql.stored_rows import DECODING_ERRORS, decode_rows, row_decoder, skip_unreadable
from eclair.storage.sql.text_index import TextIndex
from eclair.text.search_terms import SearchTerm, extract_terms, index_forms, parse_query

MAX_ROWS_PER_ERASURE = 200
"""Entries that are erased in one transaction, so that no other write waits for long."""

MAX_ENTRIES_PER_WRITE = 50

MAX_INDEX_HITS = 4000
"""Index entries that a search looks at, from its rarest word on; a word that is all over tells little."""

OVERSAMPLING = 10
"""Candidates for each hit that is wanted, since some are another owner's, switched off, or too old."""


_NAMES = [field.name for field in fields(StoredFeed)]
_COLUMNS = ", ".join(_NAMES)
_ENTRY_COLUMNS = (
    "entry.key, entry.url, entry.title, entry.summary, entry.text, published, author, entry.language, feed.title, at"
)
_OPEN = "active AND NOT gone"


class SQLFeedStore(SQLStore):
    """Implements `FeedStore`."""

    @write
    def add_feeds(self, db: Connection, principal: Principal, feeds: Sequence[StoredFeed]) -> list[StoredFeed]:
        marks = ", ".join("?" * len(_NAMES))
        added: list[StoredFeed] = []
        for feed in feeds:
            db.execute(
                f"INSERT INTO feed ({_COLUMNS}) VALUES ({marks}) ON CONFLICT DO NOTHING",
                astuple(replace(feed, owner=principal.id)),
            )
            if db.changes():
                added.append(feed)
        return added

    @read
    def get_feed(self, db: Connection, principal: Principal, id: str) -> StoredFeed:
        return _find(db, principal, id)

    @read
    def list_feeds(self, db: Connection, principal: Principal) -> list[FeedSummary]:
        rows = db.execute(
            f"SELECT {_COLUMNS}, (SELECT count(*) FROM entry WHERE entry.feed = feed.id) FROM feed WHERE owner = ?"
            " ORDER BY lower(title), id",
            (principal.id,),
        )
        return decode_rows(
            rows, lambda row: FeedSummary(_feed(row[:-1]), row[-1]), self.database.damage.noting("feeds")
        )

    @write
    def set_active(self, db: Connection, principal: Principal, id: str, now: int, *, active: bool) -> StoredFeed:
        _find(db, principal, id)
        db.execute("UPDATE feed SET active = ?, due = ? WHERE id = ?", (active, now, id))
        return _find(db, principal, id)

    async def delete_feed(self, principal: Principal, id: str) -> None:
        while not await self._delete_some(principal, id, MAX_ROWS_PER_ERASURE):
            pass
        await self.empty_log()

    @write
    def _delete_some(self, db: Connection, principal: Principal, id: str, limit: int) -> bool:
        """Erase some of a feed's entries, or the feed itself once it has none; return whether it is gone."""
        _find(db, principal, id)
        db.execute("UPDATE feed SET active = false WHERE id = ?", (id,))
        db.execute("DELETE FROM entry WHERE number IN (SELECT number FROM entry WHERE feed = ? LIMIT ?)", (id, limit))
        if db.changes():
            return False
        db.execute("DELETE FROM feed WHERE id = ?", (id,))
        return True

    @write
    def mark_due(self, db: Connection, principal: Principal, now: int, id: str | None = None) -> list[str]:
        if id is not None:
            _find(db, principal, id)
            db.execute("UPDATE feed SET due = ?, gone = false WHERE id = ?", (now, id))
        else:
            db.execute(f"UPDATE feed SET due = ? WHERE owner = ? AND {_OPEN}", (now, principal.id))
        rows = db.execute(
            f"SELECT id FROM feed WHERE owner = ?1 AND {_OPEN} AND ?2 IN (id, '')", (principal.id, id or "")
        )
        return [found for (found,) in rows]

    @write
    def claim_due(self, db: Connection, now: int, until: int, busy: Collection[str] = ()) -> StoredFeed | None:
        claim = (
            f"UPDATE feed SET taken = ?2 WHERE id = (SELECT id FROM feed WHERE {_OPEN} AND due <= ?1 AND taken <= ?1"
            " AND host NOT IN (SELECT value FROM json_each(?3)) ORDER BY due LIMIT 1)"
            f" RETURNING {_COLUMNS}"
        )
        while True:
            try:
                row = first_row(db, claim, (now, until, orjson.dumps(list(busy)).decode()))
                return None if row is None else _feed(row)
            except DECODING_ERRORS:  # claimed as well, so that the next one is found
                self.database.damage.note_row("feeds")

    @read
    def get_next_due(self, db: Connection) -> int | None:
        due: int | None = first_row(db, f"SELECT min(max(due, taken)) FROM feed WHERE {_OPEN}", ())[0]
        return due

    async def save_fetch(self, feed: StoredFeed, entries: Sequence[FeedEntry], now: int, max_entries: int) -> int:
        with_forms = await asyncio.to_thread(_with_forms, entries)
        new = 0
        for start in range(0, len(with_forms), MAX_ENTRIES_PER_WRITE):
            new += await self._put_entries(feed.id, with_forms[start : start + MAX_ENTRIES_PER_WRITE], now)
        await self._put_feed(feed, max_entries)
        return new

    @write
    def _put_feed(self, db: Connection, feed: StoredFeed, max_entries: int) -> None:
        """Update the feed and erase all but its newest `max_entries` entries."""
        taken = first_row(
            db, "SELECT 1 FROM feed WHERE owner = ? AND url = ? AND id <> ?", (feed.owner, feed.url, feed.id)
        )
        fixed = ("id", "owner", "active", "created", *(("url",) if taken else ()))
        names = [name for name in _NAMES if name not in fixed]
        values = [getattr(feed, name) for name in names]
        db.execute(f"UPDATE feed SET {', '.join(f'{name} = ?' for name in names)} WHERE id = ?", (*values, feed.id))
        db.execute(
            "DELETE FROM entry WHERE number IN"
            f" (SELECT number FROM entry WHERE feed = ? ORDER BY at DESC, number DESC LIMIT {MAX_INTEGER} OFFSET ?)",
            (feed.id, max_entries),
        )

    @write
    def _put_entries(self, db: Connection, feed: str, entries: Sequence[tuple[FeedEntry, str]], now: int) -> int:
        """Add or update entries, each with the folded forms of its words; return how many were new."""
        if first_row(db, "SELECT 1 FROM feed WHERE id = ?", (feed,)) is None:
            return 0
        before = _count_entries(db, feed)
        for entry, folded in entries:
            _put_entry(db, self.database.text_index, feed, entry, folded, now)
        return _count_entries(db, feed) - before

    async def erase_entries(self, before: int) -> int:
        erased = 0
        while some := await self._erase_some(before, MAX_ROWS_PER_ERASURE):
            erased += some
        return erased

    @overwrite
    def _erase_some(self, db: Connection, before: int, limit: int) -> int:
        db.execute(
            "DELETE FROM entry WHERE number IN"
            " (SELECT number FROM feed CROSS JOIN entry WHERE entry.feed = feed.id AND at < ? LIMIT ?)",
            (before, limit),
        )
        return db.changes()

    @read_planned
    def search_entries(
        self,
        db: Connection,
        principal: Principal,
        query: str,
        limit: int,
        *,
        min_share: float = 0.0,
        since: int | None = None,
    ) -> list[EntryHit]:
        weights, shares = _score_entries(db, self.database.text_index, principal, query)
        best = sorted(
            (number for number in shares if shares[number] >= min_share), key=lambda number: (-shares[number], -number)
        )
        rows = db.execute(
            f"SELECT number, {_ENTRY_COLUMNS} FROM json_each(?1) AS best CROSS JOIN entry"
            " JOIN feed ON feed.id = entry.feed WHERE number = CAST(best.value AS bigint) AND owner = ?2 AND active"
            " AND at >= ?3 ORDER BY best.key LIMIT ?4",
            (orjson.dumps(best[: OVERSAMPLING * limit]).decode(), principal.id, since or 0, limit),
        )
        return decode_rows(
            rows,
            lambda row: _hit(row[1:], shares[row[0]], _share_in_title(str(row[3]), weights)),
            self.database.damage.noting("feeds"),
        )

    @read
    def list_newest_entries(
        self, db: Connection, principal: Principal, limit: int, language: str | None, since: int
    ) -> list[EntryHit]:
        rows = db.execute(
            f"SELECT {_ENTRY_COLUMNS} FROM entry JOIN feed ON feed.id = entry.feed"
            " WHERE owner = ?1 AND active AND at >= ?2"
            " AND ?3 IN ('', coalesce(entry.language, feed.language, '')) ORDER BY at DESC LIMIT ?4",
            (principal.id, since, language or "", limit),
        )
        return decode_rows(rows, _hit, self.database.damage.noting("feeds"))

    @read
    def list_entries(
        self,
        db: Connection,
        principal: Principal,
        limit: int,
        before: tuple[int, int] | None = None,
        feed: str | None = None,
    ) -> list[ListedEntry]:
        at, number = before or (MAX_INTEGER, MAX_INTEGER)
        rows = db.execute(
            "WITH chosen AS (SELECT number FROM feed CROSS JOIN entry"
            " WHERE entry.feed = feed.id AND owner = ?1 AND ?2 IN (feed.id, '') AND (at, number) < (?3, ?4)"
            " ORDER BY at DESC, number DESC LIMIT ?5)"
            f" SELECT number, feed.id, {_ENTRY_COLUMNS} FROM chosen JOIN entry USING (number)"
            " JOIN feed ON feed.id = entry.feed ORDER BY at DESC, number DESC",
            (principal.id, feed or "", at, number, limit),
        )
        return decode_rows(rows, _listed_entry, self.database.damage.noting("feeds"))

    @read
    def find_entry(self, db: Connection, principal: Principal, url: str) -> EntryHit | None:
        row = first_row(
            db,
            f"SELECT {_ENTRY_COLUMNS} FROM entry JOIN feed ON feed.id = entry.feed WHERE entry.url = ? AND owner = ?"
            " ORDER BY at DESC LIMIT 1",
            (url, principal.id),
        )
        return None if row is None else _hit(row)


def list_active_urls(db: Connection, note: Callable[[], None]) -> list[str]:
    """List the URLs of all active feeds; call `note` for each damaged row, which is left out."""
    rows = db.execute("SELECT url FROM feed WHERE active AND NOT gone ORDER BY host")
    return [url for (url,) in skip_unreadable(rows, note) if isinstance(url, str)]


def _find(db: Connection, principal: Principal, id: str) -> StoredFeed:
    row = first_row(db, f"SELECT {_COLUMNS} FROM feed WHERE owner = ? AND id = ?", (principal.id, id))
    if row is None:
        raise NotFound(f"There is no feed {id!r}; `eclair feeds` lists yours.")
    return _feed(row)


def _with_forms(entries: Sequence[FeedEntry]) -> list[tuple[FeedEntry, str]]:
    return [(entry, index_forms(f"{entry.title}\n{entry.summary}\n{entry.text}")) for entry in entries]


def _put_entry(db: Connection, index: TextIndex, feed: str, entry: FeedEntry, folded: str, now: int) -> None:
    """Add an entry, or update it where its words changed; the moment it was first seen stays."""
    db.execute(
        "INSERT INTO entry (feed, key, url, title, summary, text, forms, author, language, published, at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, coalesce(CAST(?10 AS bigint), ?11))"
        " ON CONFLICT (feed, key) DO UPDATE SET url = ?3, title = ?4, summary = ?5, text = ?6, forms = ?7, author = ?8,"
        " language = ?9, published = ?10, at = coalesce(?10, entry.at)"
        " WHERE entry.url <> ?3 OR entry.title <> ?4 OR entry.summary <> ?5 OR entry.text <> ?6",
        (
            feed,
            entry.key,
            entry.url,
            entry.title,
            entry.summary,
            entry.text,
            folded,
            entry.author,
            entry.language,
            entry.published,
            now,
        ),
    )
    if db.changes():
        index.put_entry(db, feed, entry.key, (entry.title, entry.summary, entry.text, folded))


def _score_entries(
    db: Connection, index: TextIndex, principal: Principal, query: str
) -> tuple[dict[SearchTerm, float], dict[int, float]]:
    """Return the weight of each query word, and for each entry, by number, its share of the query."""
    words = parse_query(query)
    total, found = index.count_entries(db, principal, words)
    counts = sorted(zip(found, words, strict=True), key=lambda counted: counted[0])
    hits = accumulate(count for count, _ in counts)
    rare = [
        (count, word) for (count, word), total_hits in zip(counts, hits, strict=True) if total_hits <= MAX_INDEX_HITS
    ]
    rare = [*rare, *counts[len(rare) : len(rare) + (not any(count for count, _ in rare))]]
    weights = {word: _weight(total, count) for count, word in rare}
    shares: dict[int, float] = {}
    for count, word in rare:
        part = weights[word] / sum(weights.values())
        for number in index.list_entries(db, principal, word, MAX_INDEX_HITS) if count else ():
            shares[number] = shares.get(number, 0.0) + part
    return weights, shares


def _weight(entries: int, count: int) -> float:
    return max(math.log((entries - count + 0.5) / (count + 0.5)), 0.1)


def _share_in_title(title: str, weights: dict[SearchTerm, float]) -> float:
    """Return the part of the words' weight that stands in the title."""
    has = extract_terms(title)
    there = (
        weight
        for word, weight in weights.items()
        if (any(each.startswith(word.word) for each in has) if word.is_prefix else word.word in has)
    )
    return sum(there) / sum(weights.values())


def _count_entries(db: Connection, feed: str) -> int:
    count: int = first_row(db, "SELECT count(*) FROM entry WHERE feed = ?", (feed,))[0]
    return count


@row_decoder
def _feed(row: Sequence[Any]) -> StoredFeed:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    values |= {name: bool(values[name]) for name in ("active", "gone")}
    return StoredFeed(**values)


@row_decoder
def _listed_entry(row: Sequence[Any]) -> ListedEntry:
    number, feed, *entry, source, at = row
    return ListedEntry(_entry(entry), feed, source, at, number)


def _hit(row: Sequence[Any], share: float = 1.0, titled: float = 0.0) -> EntryHit:
    *entry, feed, at = row
    return _entry_hit((_entry(entry), feed, at, share, titled))


@row_decoder
def _entry_hit(row: Sequence[Any]) -> EntryHit:
    return EntryHit(*row)


@row_decoder
def _entry(row: Sequence[Any]) -> FeedEntry:
    key, url, title, summary, text, published, author, language = row
    return FeedEntry(
        key=key,
        url=url,
        title=title,
        summary=summary,
        text=text,
        published=published,
        author=author,
        language=language,
    )
