"""Feeds, their entries, and what is found in those."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import astuple, fields
from itertools import accumulate, islice
from typing import Any

import apsw
import orjson

from eclair.errors import NotFound
from eclair.schema.feeds import Entry
from eclair.storage.feeds import FoundEntry, ListedFeed, StoredFeed
from eclair.storage.statements.rows import first
from eclair.text.search_terms import Wanted, wanted, words_of

MOST_HITS = 4000
"""Places in the index that are looked at, from the rarest words of a query on; a word that is all over tells little."""

DEPTH = 10
"""Times as many as are wanted are looked at, since some are another's, switched off, or too old."""

_NAMES = [field.name for field in fields(StoredFeed)]
_COLUMNS = ", ".join(_NAMES)
_ENTRY = (
    "entry.key, entry.url, entry.title, entry.summary, entry.text, published, author, entry.language, feed.title, at"
)
_OPEN = "active AND NOT gone"


def add(db: apsw.Connection, feeds: Sequence[StoredFeed]) -> list[StoredFeed]:
    marks = ", ".join("?" * len(_NAMES))
    added: list[StoredFeed] = []
    for feed in feeds:
        db.execute(f"INSERT OR IGNORE INTO feed ({_COLUMNS}) VALUES ({marks})", astuple(feed))
        if db.changes():
            added.append(feed)
    return added


def owned(db: apsw.Connection, owner: str, id: str) -> StoredFeed:
    row = first(db, f"SELECT {_COLUMNS} FROM feed WHERE owner = ? AND id = ?", (owner, id))
    if row is None:
        raise NotFound(f"There is no feed {id!r}; `eclair feeds` lists those that there are.")
    return _feed(row)


def listed(db: apsw.Connection, owner: str) -> list[ListedFeed]:
    rows = db.execute(
        f"SELECT {_COLUMNS}, (SELECT count(*) FROM entry WHERE entry.feed = feed.id) FROM feed WHERE owner = ?"
        " ORDER BY title COLLATE NOCASE, id",
        (owner,),
    )
    return [ListedFeed(_feed(row[:-1]), row[-1]) for row in rows]


def activate(db: apsw.Connection, owner: str, id: str, now: int, *, active: bool) -> StoredFeed:
    owned(db, owner, id)
    db.execute("UPDATE feed SET active = ?, due = ? WHERE id = ?", (active, now, id))
    return owned(db, owner, id)


def delete_some(db: apsw.Connection, owner: str, id: str, limit: int) -> bool:
    """Erase some of its entries, or the feed itself where it has no more; whether that was done."""
    owned(db, owner, id)
    db.execute("UPDATE feed SET active = 0 WHERE id = ?", (id,))
    db.execute("DELETE FROM entry WHERE number IN (SELECT number FROM entry WHERE feed = ? LIMIT ?)", (id, limit))
    if db.changes():
        return False
    db.execute("DELETE FROM feed WHERE id = ?", (id,))
    return True


def make_due(db: apsw.Connection, owner: str, now: int, id: str | None) -> list[str]:
    if id is not None:
        owned(db, owner, id)
        db.execute("UPDATE feed SET due = ?, gone = 0 WHERE id = ?", (now, id))
    else:
        db.execute(f"UPDATE feed SET due = ? WHERE owner = ? AND {_OPEN}", (now, owner))
    rows = db.execute(f"SELECT id FROM feed WHERE owner = ?1 AND {_OPEN} AND ?2 IN (id, '')", (owner, id or ""))
    return [found for (found,) in rows]


def take(db: apsw.Connection, now: int, until: int, busy: Collection[str]) -> StoredFeed | None:
    row = first(
        db,
        f"UPDATE feed SET taken = ?2 WHERE id = (SELECT id FROM feed WHERE {_OPEN} AND due <= ?1 AND taken <= ?1"
        " AND host NOT IN (SELECT value FROM json_each(?3)) ORDER BY due LIMIT 1)"
        f" RETURNING {_COLUMNS}",
        (now, until, orjson.dumps(list(busy)).decode()),
    )
    return None if row is None else _feed(row)


def next_due(db: apsw.Connection) -> int | None:
    due: int | None = first(db, f"SELECT min(max(due, taken)) FROM feed WHERE {_OPEN}", ())[0]
    return due


def put(db: apsw.Connection, feed: StoredFeed, most: int) -> None:
    """Keep how it stands with the feed, and so many of its entries."""
    taken = first(db, "SELECT 1 FROM feed WHERE owner = ? AND url = ? AND id <> ?", (feed.owner, feed.url, feed.id))
    kept = [name for name in _NAMES if name not in ("id", "owner", "active", "created", *(("url",) if taken else ()))]
    values = [getattr(feed, name) for name in kept]
    db.execute(f"UPDATE feed SET {', '.join(f'{name} = ?' for name in kept)} WHERE id = ?", (*values, feed.id))
    db.execute(
        "DELETE FROM entry WHERE number IN"
        " (SELECT number FROM entry WHERE feed = ? ORDER BY at DESC, number DESC LIMIT -1 OFFSET ?)",
        (feed.id, most),
    )


def put_entries(db: apsw.Connection, feed: str, entries: Sequence[tuple[Entry, str]], now: int) -> int:
    """Add them, or bring them up to date, each with its further forms of words; how many were new."""
    if first(db, "SELECT 1 FROM feed WHERE id = ?", (feed,)) is None:
        return 0
    before = _count(db, feed)
    for entry, forms in entries:
        _put_entry(db, feed, entry, forms, now)
    return _count(db, feed) - before


def _put_entry(db: apsw.Connection, feed: str, entry: Entry, forms: str, now: int) -> None:
    """Add it, or bring it up to date where its words changed; when it was first seen stays."""
    db.execute(
        "INSERT INTO entry (feed, key, url, title, summary, text, forms, author, language, published, at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, coalesce(?10, ?11))"
        " ON CONFLICT (feed, key) DO UPDATE SET url = ?3, title = ?4, summary = ?5, text = ?6, forms = ?7, author = ?8,"
        " language = ?9, published = ?10, at = coalesce(?10, at)"
        " WHERE url <> ?3 OR title <> ?4 OR summary <> ?5 OR text <> ?6",
        (
            feed,
            entry.key,
            entry.url,
            entry.title,
            entry.summary,
            entry.text,
            forms,
            entry.author,
            entry.language,
            entry.published,
            now,
        ),
    )


def sweep(db: apsw.Connection, before: int, limit: int) -> int:
    db.execute(
        "DELETE FROM entry WHERE number IN"
        " (SELECT number FROM feed CROSS JOIN entry ON entry.feed = feed.id WHERE at < ? LIMIT ?)",
        (before, limit),
    )
    return db.changes()


def find(db: apsw.Connection, owner: str, query: str, limit: int, least: float, since: int | None) -> list[FoundEntry]:
    words = wanted(query)
    everything: int = first(db, "SELECT count(*) FROM entry", ())[0]
    counts = sorted(((min(_in(db, word), everything), word) for word in words), key=lambda counted: counted[0])
    hits = accumulate(count for count, _ in counts)
    rare = [(count, word) for (count, word), most in zip(counts, hits, strict=True) if most <= MOST_HITS]
    rare = [*rare, *counts[len(rare) : len(rare) + (not any(count for count, _ in rare))]]
    weights = {word: _weight(everything, count) for count, word in rare}
    shares: dict[int, float] = {}
    for count, word in rare:
        part = weights[word] / sum(weights.values())
        rows = db.execute("SELECT rowid FROM entry_text WHERE entry_text MATCH ? ORDER BY rowid DESC", (word.query,))
        for (number,) in islice(rows if count else (), MOST_HITS):
            shares[number] = shares.get(number, 0.0) + part
    best = sorted(
        (number for number in shares if shares[number] >= least), key=lambda number: (-shares[number], -number)
    )
    rows = db.execute(
        f"SELECT number, {_ENTRY} FROM json_each(?1) AS best CROSS JOIN entry ON number = best.value"
        " JOIN feed ON feed.id = entry.feed WHERE owner = ?2 AND active AND at >= ?3 ORDER BY best.key LIMIT ?4",
        (orjson.dumps(best[: DEPTH * limit]).decode(), owner, since or 0, limit),
    )
    return [_found(row, shares[number], _titled(row[2], weights)) for number, *row in rows]


def newest(db: apsw.Connection, owner: str, limit: int, language: str | None, since: int) -> list[FoundEntry]:
    rows = db.execute(
        f"SELECT {_ENTRY} FROM entry JOIN feed ON feed.id = entry.feed WHERE owner = ?1 AND active AND at >= ?2"
        " AND ?3 IN ('', coalesce(entry.language, feed.language, '')) ORDER BY at DESC LIMIT ?4",
        (owner, since, language or "", limit),
    )
    return [_found(row) for row in rows]


def entry(db: apsw.Connection, owner: str, url: str) -> FoundEntry | None:
    row = first(
        db,
        f"SELECT {_ENTRY} FROM entry JOIN feed ON feed.id = entry.feed WHERE entry.url = ? AND owner = ?"
        " ORDER BY at DESC LIMIT 1",
        (url, owner),
    )
    return None if row is None else _found(row)


def _in(db: apsw.Connection, word: Wanted) -> int:
    """In how many entries it is, or words that begin so."""
    if word.ending:
        sql, values = (
            "SELECT sum(doc) FROM entry_word WHERE term >= ? AND term < ?",
            (word.word, word.word + "\U0010ffff"),
        )
    else:
        sql, values = "SELECT sum(doc) FROM entry_word WHERE term = ?", (word.word,)
    return first(db, sql, values)[0] or 0


def _weight(entries: int, count: int) -> float:
    return max(math.log((entries - count + 0.5) / (count + 0.5)), 0.1)


def _titled(title: str, weights: dict[Wanted, float]) -> float:
    """How much of the words' weight stands in the title."""
    has = words_of(title)
    there = (
        weight
        for word, weight in weights.items()
        if (any(each.startswith(word.word) for each in has) if word.ending else word.word in has)
    )
    return sum(there) / sum(weights.values())


def _count(db: apsw.Connection, feed: str) -> int:
    count: int = first(db, "SELECT count(*) FROM entry WHERE feed = ?", (feed,))[0]
    return count


def _feed(row: Sequence[Any]) -> StoredFeed:
    values: dict[str, Any] = dict(zip(_NAMES, row, strict=True))
    values |= {name: bool(values[name]) for name in ("active", "gone")}
    return StoredFeed(**values)


def _found(row: Sequence[Any], share: float = 1.0, titled: float = 0.0) -> FoundEntry:
    key, url, title, summary, text, published, author, language, feed, at = row
    found = Entry(
        key=key,
        url=url,
        title=title,
        summary=summary,
        text=text,
        published=published,
        author=author,
        language=language,
    )
    return FoundEntry(found, feed, at, share, titled)
