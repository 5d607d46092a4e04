"""Index of words on PostgreSQL: `tsvector`s beside the tables, of words that are split and folded as on SQLite.

PostgreSQL's own parsers and dictionaries are not asked: they know 16 of the 24 languages, and split words otherwise.
Scores are those of BM25, which PostgreSQL lacks: `ts_rank` of one word tells how often a row has it. The words of
messages and entries have their owner among them, so that the index finds somebody's own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import Any

import orjson

from eclair.schema.messages import Hit
from eclair.schema.principal import Principal
from eclair.storage.chunks import ChunkHit, SearchScope
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.document_rows import MAX_NUMBER, NUMBER_BITS
from eclair.storage.sql.search_scope import INSIDE, scope_values
from eclair.storage.sql.store import first_row
from eclair.storage.sql.stored_rows import decode_object, decode_rows
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
from eclair.text.index_words import SECTION_SIGN, split_words
from eclair.text.name_match import NameQuery
from eclair.text.search_terms import SearchTerm

MAX_WORD_CHARS = 500
"""A lexeme has up to 2046 bytes; of a longer word the beginning is indexed."""
MAX_LEXEME_BYTES = 800_000
"""A `tsvector` has up to a mebibyte; of a text with more, the first words are indexed."""
LAST_POSITION = 16383
MAX_POSITIONS = 255
MAX_COUNTED = MAX_INDEX_HITS
"""Rows of a term that are counted. Those of terms that PostgreSQL expects to be frequent aren't: its statistics know
the thousand most frequent words, and counting reads a page of the table for nearly each row."""
SAMPLE_ROWS = 1000
"""The newest rows, from which the average length is taken."""

MAX_FREQUENCY_RATIO = 10
"""The index is asked for terms that are so many times as frequent as the rarest; rows are asked for the others."""
_UNKNOWN_WORD = "'@@'"
"""A word that no row has: as many rows are expected to have it as any that isn't among the frequent ones."""
_OWNER_MARK = "@"
"""Begins what stands for an owner among the words, none of which has it."""
_NOT_ASCII = "[^ -~]"
_RANK = "CAST(ts_rank('{1,1,1,1}', words, query) AS float8)"
_FREQUENCY = (
    "CASE WHEN NOT words @@ query THEN 0 WHEN numnode(query) > 1 THEN 1"
    f" WHEN {_RANK} < 1 THEN 1 / (1.6449340668 * (1 - {_RANK})) - 0.5 ELSE {_RANK} / 0.6079271 END"
)
"""Times that a row has a term, from the rank that PostgreSQL gives it: the sum of 1/k² for its k places, over π²/6.

That of several words with one beginning is the sum of theirs, and a phrase counts once. As a function of the database,
which can't be built into a statement, it took 60 µs for a row and a term."""
_QUERY = "CAST(CAST(?{} AS TEXT) AS tsquery)"
_QUERIES = "CAST(CAST(?{} AS TEXT[]) AS tsquery[])"


class PostgresTextIndex:
    """Implements `TextIndex`."""

    def put_message(self, db: Connection, id: str, text: str) -> None:
        words = split_words(text)
        db.execute(
            "INSERT INTO message_text (number, words, length)"
            f" SELECT number, CAST(CAST(?2 AS TEXT) AS tsvector) || {_owned('owner')}, ?3 FROM message"
            " JOIN conversation ON conversation.id = message.conversation WHERE message.id = ?1"
            " ON CONFLICT (number) DO UPDATE SET words = excluded.words, length = excluded.length"
            " WHERE message_text.words <> excluded.words",
            (id, vector_literal([words]), len(words)),
        )

    def put_chunk(self, db: Connection, id: int, texts: Sequence[str]) -> None:
        words = [split_words(text, has_sections=True) for text in texts]
        db.execute(
            "INSERT INTO piece_text (id, words, length) VALUES (?, CAST(CAST(? AS TEXT) AS tsvector), ?)",
            (id, vector_literal(words), sum(map(len, words))),
        )

    def put_entry(self, db: Connection, feed: str, key: str, texts: Sequence[str]) -> None:
        words = [split_words(text, has_sections=True) for text in texts]
        db.execute(
            f"INSERT INTO entry_text (number, words) SELECT number, CAST(CAST(?3 AS TEXT) AS tsvector)"
            f" || {_owned('owner')} FROM entry JOIN feed ON feed.id = entry.feed WHERE feed = ?1 AND key = ?2"
            " ON CONFLICT (number) DO UPDATE SET words = excluded.words",
            (feed, key, vector_literal(words)),
        )

    def put_image(self, db: Connection, id: str, prompt: str) -> None:
        db.execute(
            "INSERT INTO picture_text (number, words) SELECT number, CAST(CAST(?2 AS TEXT) AS tsvector) FROM picture"
            " WHERE id = ?1",
            (id, vector_literal([split_words(prompt)])),
        )

    def find_messages(
        self,
        db: Connection,
        principal: Principal,
        terms: Sequence[SearchTerm],
        limit: int,
        note: Callable[[], None],
        project: str | None = None,
    ) -> list[Hit]:
        queries = [query for term in terms if (query := term_query(term))]
        if not queries:
            return []
        rare, frequent = _split_queries(db, "message_text", [_owner_query(principal.id), *queries])
        values = (rare, queries, limit, principal.id, project, *frequent)
        rows: list[Any] = []
        if project is None:  # nearly all are visible, so it is enough to look up the best
            rows = list(db.execute(_best_messages(is_visible_first=False, has_frequent=bool(frequent)), values))
        if not rows or (len(rows) < limit and rows[0][-1] == MAX_RANKED_MATCHES):
            rows = list(db.execute(_best_messages(is_visible_first=True, has_frequent=bool(frequent)), values))
        return [hit for _, hit in decode_rows(rows, lambda row: _hit(row, terms), note)]

    def image_condition(self, terms: Sequence[SearchTerm]) -> tuple[str, Any]:
        return (
            "picture.number IN (SELECT number FROM picture_text WHERE words @@ CAST(CAST(? AS TEXT) AS tsquery))",
            " & ".join(query for term in terms if (query := term_query(term))),
        )

    def find_chunks(
        self, db: Connection, scope: SearchScope, terms: Sequence[SearchTerm], limit: int
    ) -> list[ChunkHit]:
        (chunks,) = first_row(db, "SELECT coalesce(sum(chunks), 0) FROM document", ())
        in_scope = "SELECT coalesce(sum(chunks), 0) FROM document WHERE number IN (SELECT document FROM inside)"
        (most,) = first_row(db, f"{INSIDE} {in_scope}", scope_values(scope))
        queries = {term: query for term in terms if (query := term_query(term))}
        found = dict(zip(queries, self._count(db, "piece_text", list(queries.values()), chunks), strict=True))
        rare = [term for _, term in choose_rare([(min(count, most), term) for term, count in found.items()])]
        weights = {term: weigh_term(chunks, count) for term, count in found.items()}
        if not rare or not most:
            return []
        resistance = f"{SATURATION} * ({1 - LENGTH_WEIGHT} + {LENGTH_WEIGHT} * length / average)"
        rows = db.execute(
            f"{INSIDE}, {_average('piece_text', 'id')}, found AS MATERIALIZED ("
            f" SELECT id, words, length FROM piece_text WHERE words @@ {_QUERY.format(4)}"
            " AND document IN (SELECT document FROM inside))"
            f" SELECT id >> {NUMBER_BITS}, id & {MAX_NUMBER}, (SELECT"
            f" sum(weight * {SATURATION + 1} * count / (count + resistance))"
            f" FROM unnest({_QUERIES.format(5)}, CAST(?6 AS float8[])) AS term (query, weight),"
            f" LATERAL (SELECT {_FREQUENCY} AS count) AS counted) AS score"
            f" FROM found, average, LATERAL (SELECT {resistance} AS resistance) AS lengths"
            " ORDER BY score DESC, id LIMIT ?7",
            (
                *scope_values(scope),
                " | ".join(queries[term] for term in rare),
                [queries[term] for term in rare],
                [weights[term] for term in rare],
                limit,
            ),
        )
        whole = sum(weights.values())
        return [ChunkHit(key, number, min(1.0, score / whole)) for key, number, score in rows]

    def count_entries(self, db: Connection, principal: Principal, terms: Sequence[SearchTerm]) -> tuple[int, list[int]]:
        sql = "SELECT count(*) FROM entry JOIN feed ON feed.id = entry.feed WHERE owner = ?"
        total: int = first_row(db, sql, (principal.id,))[0]
        owned = _owner_query(principal.id)
        queries = ["" if term_words(term)[1:] else term_query(term) for term in terms]  # as on SQLite
        found = iter(self._count(db, "entry_text", [f"{owned} & {query}" for query in queries if query], total))
        return total, [next(found) if query else 0 for query in queries]

    def list_entries(self, db: Connection, principal: Principal, term: SearchTerm, limit: int) -> Iterator[int]:
        query = f"{_owner_query(principal.id)} & {term_query(term)}"
        rows = db.execute(
            f"SELECT number FROM entry_text WHERE words @@ {_QUERY.format(1)} ORDER BY number DESC LIMIT ?2",
            (query, limit),
        )
        return (number for (number,) in rows)

    def select_names(self, db: Connection, source: NameSource, searcher: str, query: NameQuery) -> Iterator[Any]:
        joined = " || ' ' || ".join(source.columns)
        has_words = " AND ".join(f"{joined} ILIKE ?" for _ in query.words)
        rows = db.execute(
            f"{source.select} AND ({joined} ~ '{_NOT_ASCII}' OR {has_words}) ORDER BY moment DESC",
            (searcher, *(f"%{word}%" for word in query.words)),
        )
        count = 0
        for row in rows:
            if query.score(" ".join(row[name] for name in source.columns)):
                yield row
                count += 1
            if count == MAX_RANKED_NAMES:
                return

    @contextlib.contextmanager
    def erasing_many(self, db: Connection) -> Generator[None]:
        yield

    def get_merge_due(self, db: Connection) -> int | None:
        return None

    def begin_merge(self, db: Connection) -> None:
        pass

    def go_on_merging(self, db: Connection, due: int) -> bool:
        return False

    def _count(self, db: Connection, table: str, queries: Sequence[str], total: int) -> list[int]:
        """Count the rows that match each query, of `total`; of the frequent ones, about."""
        if total <= MAX_COUNTED:
            return [_count_rows(db, table, query, total) for query in queries]
        *counts, unknown = (min(_expect_rows(db, table, query), total) for query in (*queries, _UNKNOWN_WORD))
        for place, expected in enumerate(counts):
            if expected <= max(MAX_COUNTED, unknown):
                count = _count_rows(db, table, queries[place], MAX_COUNTED + 1)
                counts[place] = count if count <= MAX_COUNTED else max(count, expected)
        return counts


def vector_literal(columns: Sequence[Sequence[str]]) -> str:
    """Write the words of a row as a `tsvector`; no phrase reaches from one column into the next."""
    places: dict[str, list[int]] = {}
    position, size = 0, 0
    for words in columns:
        for word in words:
            position += 1
            lexeme = word[:MAX_WORD_CHARS]
            found = places.get(lexeme)
            if found is None:
                size += len(lexeme.encode()) + 2
                if size > MAX_LEXEME_BYTES:
                    continue
                found = places[lexeme] = []
            if len(found) < MAX_POSITIONS:
                found.append(min(position, LAST_POSITION))
                size += 2
        position += 1
    return " ".join(f"'{word}':{','.join(map(str, found))}" for word, found in places.items())


def _best_messages(*, is_visible_first: bool, has_frequent: bool) -> str:
    """Return the statement that ranks the newest messages with all terms; of all, or of the visible ones.

    Each row says how many were ranked. Its parameters are the queries of the rare terms, all queries, the limit, the
    owner, the project, and the queries of the frequent terms, if there are any: each row that is found is asked for
    these, and the index isn't.
    """
    conversations = "JOIN message USING (number) JOIN conversation ON conversation.id = message.conversation"
    visible = "owner = ?4 AND deleted IS NULL AND (CAST(?5 AS TEXT) IS NULL OR project_id = CAST(?5 AS TEXT))"
    resistance = f"{SATURATION} * ({1 - LENGTH_WEIGHT} + {LENGTH_WEIGHT} * length / average)"
    return (
        f"WITH {_average('message_text', 'number')}, newest AS MATERIALIZED ("
        f" SELECT message_text.number, words, length FROM message_text {conversations if is_visible_first else ''}"
        f" WHERE words @@ {_QUERY.format(1)}"
        f"{f' AND (words @@ {_QUERY.format(6)}) IS TRUE' if has_frequent else ''}"
        f"{f' AND {visible}' if is_visible_first else ''}"
        f" ORDER BY message_text.number DESC LIMIT {MAX_RANKED_MATCHES}),"
        " best AS (SELECT number, (SELECT sum(count / (count + resistance))"
        f" FROM unnest({_QUERIES.format(2)}) AS term (query),"
        f" LATERAL (SELECT {_FREQUENCY} AS count) AS counted) AS score"
        f" FROM newest, average, LATERAL (SELECT {resistance} AS resistance) AS lengths"
        " ORDER BY score DESC, number DESC)"
        " SELECT number, conversation.id, title, message.id, body, message.text, (SELECT count(*) FROM newest)"
        f" FROM best {conversations} WHERE {visible} ORDER BY score DESC, number DESC LIMIT ?3"
    )


def _split_queries(db: Connection, table: str, queries: Sequence[str]) -> tuple[str, list[str]]:
    """Split queries that rows have to match into those for the index, as one, and the frequent ones, as one or none.

    The index collects all rows with a frequent term before it finds out that few of them have a rare one, too.
    """
    expected = [_expect_rows(db, table, query) for query in queries]
    most = MAX_FREQUENCY_RATIO * min(expected)
    rare = [query for query, rows in zip(queries, expected, strict=True) if rows <= most]
    frequent = [query for query, rows in zip(queries, expected, strict=True) if rows > most]
    return " & ".join(rare), [" & ".join(frequent)] if frequent else []


def _count_rows(db: Connection, table: str, query: str, limit: int) -> int:
    sql = f"SELECT count(*) FROM (SELECT FROM {table} WHERE words @@ {_QUERY.format(1)} LIMIT ?2) AS found"
    (count,) = first_row(db, sql, (query, limit))
    return count


def _expect_rows(db: Connection, table: str, query: str) -> int:
    """Return how many rows match a query by the statistics of PostgreSQL, which know the thousand frequent words."""
    sql = f"EXPLAIN (FORMAT JSON) SELECT FROM {table} WHERE words @@ {_QUERY.format(1)}"
    return int(orjson.loads(first_row(db, sql, (query,))[0])[0]["Plan"]["Plan Rows"])


def term_words(term: SearchTerm) -> list[str]:
    """Return the words that a term has in the index."""
    return split_words(term.word, has_sections=SECTION_SIGN in term.word)


def term_query(term: SearchTerm) -> str:
    """Write a term as a `tsquery`; empty where it has no word."""
    words = [f"'{word[:MAX_WORD_CHARS]}'" for word in term_words(term)]
    return f"({' <-> '.join(words)}{':*' if term.is_prefix else ''})" if words else ""


def _owner_query(owner: str) -> str:
    return "'" + (_OWNER_MARK + owner).replace("\\", "\\\\").replace("'", "''") + "'"


def _owned(column: str) -> str:
    return f"array_to_tsvector(ARRAY['{_OWNER_MARK}' || {column}])"


def _average(table: str, key: str) -> str:
    """Return a table `average` with the average number of words of a row."""
    newest = f"SELECT length FROM {table} ORDER BY {key} DESC LIMIT {SAMPLE_ROWS}"
    return f"average (average) AS (SELECT greatest(1, avg(length)::float8) FROM ({newest}) AS newest)"


def _hit(row: Any, terms: Sequence[SearchTerm]) -> tuple[int, Hit]:
    number, conversation, title, message, body, text, _ = row
    found = decode_object(body)
    excerpt = cut_excerpt(text, terms)
    return build_numbered_hit((number, conversation, title, message, found["role"], found["created"], excerpt))
