"""Index of words on SQLite: FTS5, whose tables triggers keep up to date.

One by one, FTS5 finds and overwrites each word of each erased message in its index, which takes about 15 ms a
conversation. In bulk it writes markers instead, and a merge of the whole index drops the words together with their
markers. A merge that is due is a row of the database, committed with the erasure, so that one which was cut short goes
on after a restart.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from itertools import islice
from typing import Any, cast

import apsw
import orjson

from eclair.schema.messages import Hit
from eclair.schema.principal import Principal
from eclair.storage.chunks import ChunkHit, SearchScope
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.document_rows import MAX_NUMBER, NUMBER_BITS
from eclair.storage.sql.search_scope import INSIDE, scope_values
from eclair.storage.sql.store import first_row, snapshot
from eclair.storage.sql.stored_rows import decode_rows
from eclair.storage.sql.text_index import (
    LENGTH_WEIGHT,
    MAX_INDEX_HITS,
    MAX_RANKED_MATCHES,
    MAX_RANKED_NAMES,
    SATURATION,
    NameSource,
    build_numbered_hit,
    choose_rare,
    weigh_term,
)
from eclair.text.excerpts import cut_excerpt
from eclair.text.name_match import NameQuery
from eclair.text.search_terms import SearchTerm

MERGED_PAGES_PER_STEP = 32
"""Pages that one step of a merge writes."""

MAX_KEPT_COUNTS = 10_000
KEPT_COUNT_DRIFT = 0.1
"""Of the rows of a table, the share by which they may have changed before a frequent word is counted again."""

_VISIBLE = (
    " FROM message_text CROSS JOIN message ON message.number = message_text.rowid"
    " CROSS JOIN conversation ON conversation.id = message.conversation"
    " WHERE message_text MATCH ?1 AND owner = ?2 AND deleted IS NULL AND (?3 IS NULL OR project_id = ?3)"
)


class SQLiteTextIndex:
    """Implements `TextIndex`."""

    def __init__(self) -> None:
        self._frequent: dict[tuple[str, SearchTerm], tuple[int, int]] = {}
        """For each table, its rows and those with a word, when that was counted. FTS5 reads all places of a word to
        count, which takes 50 ms for one in half of a million rows."""

    def put_message(self, db: Connection, id: str, text: str) -> None:
        pass

    def put_chunk(self, db: Connection, id: int, texts: Sequence[str]) -> None:
        pass

    def put_entry(self, db: Connection, feed: str, key: str, texts: Sequence[str]) -> None:
        pass

    def put_image(self, db: Connection, id: str, prompt: str) -> None:
        pass

    def find_messages(
        self,
        db: Connection,
        principal: Principal,
        terms: Sequence[SearchTerm],
        limit: int,
        note: Callable[[], None],
        project: str | None = None,
    ) -> list[Hit]:
        query = " ".join(term.query for term in terms)
        cast(apsw.Connection, db).register_fts5_function("match_score", _score)
        with snapshot(db):
            newest = db.execute(
                f"SELECT message_text.rowid, match_score(message_text){_VISIBLE}"
                " ORDER BY message_text.rowid DESC LIMIT ?4",
                (query, principal.id, project, MAX_RANKED_MATCHES),
            )
            best = [number for number, _ in sorted(newest, key=lambda row: row[1], reverse=True)[:limit]]
            rows = db.execute(
                "SELECT number, conversation.id, title, message.id, iif(json_valid(body), body ->> 'role', 'user'),"
                " iif(json_valid(body), body ->> 'created', 0), text FROM json_each(?) CROSS JOIN message"
                " ON number = value CROSS JOIN conversation ON conversation.id = conversation WHERE owner = ?",
                (orjson.dumps(best).decode(), principal.id),
            )
            hits = dict(decode_rows(rows, lambda row: _numbered_hit(row, terms), note))
        return [hits[number] for number in best if number in hits]

    def image_condition(self, terms: Sequence[SearchTerm]) -> tuple[str, Any]:
        return (
            "picture.number IN (SELECT rowid FROM picture_text WHERE picture_text MATCH ?)",
            " ".join(term.query for term in terms),
        )

    def find_chunks(
        self, db: Connection, scope: SearchScope, terms: Sequence[SearchTerm], limit: int
    ) -> list[ChunkHit]:
        (chunks,) = first_row(db, "SELECT coalesce(sum(chunks), 0) FROM document", ())
        counts = [(self._count_rows(db, "piece_word", term, chunks), term) for term in terms]
        weight = sum(weigh_term(chunks, count) for count, _ in counts)
        rare = choose_rare(counts)
        if not rare or not weight:
            return []
        rows = db.execute(
            f"{INSIDE} SELECT rowid >> {NUMBER_BITS}, rowid & {MAX_NUMBER}, min(1, -rank / ?6) FROM piece_text"
            f" WHERE piece_text MATCH ?4 AND rowid >> {NUMBER_BITS} IN (SELECT document FROM inside)"
            " ORDER BY rank LIMIT ?5",
            (*scope_values(scope), " OR ".join(term.query for _, term in rare), limit, weight),
        )
        return [ChunkHit(*row) for row in rows]

    def count_entries(self, db: Connection, principal: Principal, terms: Sequence[SearchTerm]) -> tuple[int, list[int]]:
        total: int = first_row(db, "SELECT count(*) FROM entry", ())[0]
        return total, [self._count_rows(db, "entry_word", term, total) for term in terms]

    def _count_rows(self, db: Connection, table: str, term: SearchTerm, total: int) -> int:
        """Return how many of the rows, `total` in all, have a term; about as many for one that is in very many."""
        if (kept := self._frequent.get((table, term))) is not None:
            rows, count = kept
            if abs(total - rows) <= KEPT_COUNT_DRIFT * rows:
                return count * total // rows
        count = min(_count_rows(db, table, term), total)
        if count > MAX_INDEX_HITS:
            if len(self._frequent) >= MAX_KEPT_COUNTS:
                self._frequent.clear()
            self._frequent[table, term] = total, count
        return count

    def list_entries(self, db: Connection, principal: Principal, term: SearchTerm, limit: int) -> Iterator[int]:
        rows = db.execute("SELECT rowid FROM entry_text WHERE entry_text MATCH ? ORDER BY rowid DESC", (term.query,))
        return (number for (number,) in islice(rows, limit))

    def select_names(self, db: Connection, source: NameSource, searcher: str, query: NameQuery) -> Iterator[Any]:
        """Names in ASCII that lack a word are dropped by SQLite itself, which takes no lock of Python's."""

        def score(*names: Any) -> int:
            return query.score(" ".join(name for name in names if isinstance(name, str)))

        cast(apsw.Connection, db).create_scalar_function("name_score", score, -1, deterministic=True)
        joined = " || ' ' || ".join(source.columns)
        has_words = " AND ".join(f"{joined} LIKE ?" for _ in query.words)
        return db.execute(
            f"SELECT * FROM ({source.select} AND iif({joined} GLOB '*[^ -~]*', 1, {has_words}))"
            f" WHERE name_score({', '.join(source.columns)}) > 0 ORDER BY moment DESC LIMIT {MAX_RANKED_NAMES}",
            (searcher, *(f"%{word}%" for word in query.words)),
        )

    @contextlib.contextmanager
    def erasing_many(self, db: Connection) -> Generator[None]:
        db.execute("INSERT INTO index_merge_due VALUES (1, 1) ON CONFLICT DO UPDATE SET erasures = erasures + 1")
        _set_secure_delete(db, on=False)
        yield
        _set_secure_delete(db, on=True)

    def get_merge_due(self, db: Connection) -> int | None:
        row = first_row(db, "SELECT erasures FROM index_merge_due", ())
        return None if row is None else row[0]

    def begin_merge(self, db: Connection) -> None:
        # else 4 segments are a minimum
        db.execute("INSERT INTO message_text (message_text, rank) VALUES ('usermerge', 2)")
        _merge(db, -MERGED_PAGES_PER_STEP)

    def go_on_merging(self, db: Connection, due: int) -> bool:
        """With the last step the merge is no longer due, unless something was erased since `due` was read."""
        before = db.total_changes()
        _merge(db, MERGED_PAGES_PER_STEP)
        if db.total_changes() - before > 1:  # the command itself is one
            return True
        db.execute("DELETE FROM index_merge_due WHERE erasures = ?", (due,))
        return False


def _numbered_hit(row: Any, terms: Sequence[SearchTerm]) -> tuple[int, Hit]:
    *values, text = row
    return build_numbered_hit((*values, cut_excerpt(text, terms)))


def _score(matches: apsw.FTS5ExtensionApi, *_: Any) -> float:
    """Score a message: BM25 with all words weighing the same, since every message here has all of them."""
    length = matches.column_size(0) * matches.row_count / max(1, matches.column_total_size(0))
    resistance = SATURATION * (1 - LENGTH_WEIGHT + LENGTH_WEIGHT * length)
    counts = (len(matches.phrase_locations(phrase)[0]) for phrase in range(matches.phrase_count))
    return sum(count / (count + resistance) for count in counts)


def _count_rows(db: Connection, table: str, term: SearchTerm) -> int:
    """Count the rows that have the term; 0 for one that is indexed only as several words in a row."""
    if term.is_prefix:
        sql, values = (
            f"SELECT sum(doc) FROM {table} WHERE term >= ? AND term < ?",
            (term.word, term.word + "\U0010ffff"),
        )
    else:
        sql, values = f"SELECT sum(doc) FROM {table} WHERE term = ?", (term.word,)
    return first_row(db, sql, values)[0] or 0


def _set_secure_delete(db: Connection, *, on: bool) -> None:
    """Say how words leave the index of messages from here on; what was deleted before is written first."""
    db.execute("INSERT INTO message_text (message_text, rank) VALUES ('secure-delete', ?)", (int(on),))


def _merge(db: Connection, pages: int) -> None:
    db.execute("INSERT INTO message_text (message_text, rank) VALUES ('merge', ?)", (pages,))
