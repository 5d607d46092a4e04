"""What a search finds: the documents of its scope, chunks by their words, chunks with their files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, takewhile

import apsw
import orjson

from eclair.schema.documents import Chunk
from eclair.schema.messages import PageBreak
from eclair.storage.documents import Located, Near, Scope
from eclair.storage.statements.pieces import BITS, LAST, chunk
from eclair.storage.statements.rows import first
from eclair.text.search_terms import Wanted, wanted

MOST_HITS = 5000
"""Places in the index that are looked at: the rarest words of a query that have no more together, since each takes
1.5 µs. A word that is all over a large library tells little."""

_SCOPE = (
    "WITH inside (file, name, document) AS ("
    " SELECT id, name, document FROM file WHERE owner = ?1 AND id IN (SELECT value FROM json_each(?2))"
    " UNION SELECT id, name, document FROM file WHERE owner = ?1 AND library IN (SELECT value FROM json_each(?3)))"
)


def _scope(scope: Scope) -> tuple[str, str, str]:
    return scope.owner, orjson.dumps(scope.files).decode(), orjson.dumps(scope.libraries).decode()


def embedded(db: apsw.Connection, scope: Scope, embedder: str) -> list[tuple[int, int]]:
    """The documents of the scope that have vectors of the embedder, and how many."""
    return list(
        db.execute(
            f"{_SCOPE} SELECT DISTINCT number, embedded FROM document JOIN inside ON inside.document = number"
            " WHERE embedder = ?4 AND embedded > 0 AND sha256 IS NOT NULL ORDER BY number",
            (*_scope(scope), embedder),
        )
    )


def vectors(db: apsw.Connection, number: int, done: int) -> list[tuple[int, bytes]]:
    """Blocks of vectors of a document from the `done`th on: how many, and their bytes."""
    base = number << BITS
    rows = db.execute("SELECT count, data FROM vector WHERE id BETWEEN ? AND ? ORDER BY id", (base + done, base + LAST))
    return list(rows)


def keyword(db: apsw.Connection, scope: Scope, query: str, limit: int) -> list[Near]:
    (chunks,) = first(db, "SELECT coalesce(sum(chunks), 0) FROM document", ())
    counts = sorted((min(_count(db, word), chunks), word.query) for word in wanted(query))
    weight = sum(_weight(chunks, count) for count, _ in counts)
    hits = accumulate(count for count, _ in counts)
    rare = [query for (_, query), most in zip(counts, hits, strict=True) if most <= MOST_HITS]
    rare = rare or [query for _, query in counts[:1]]
    if not rare or not weight:
        return []
    rows = db.execute(
        f"{_SCOPE} SELECT rowid >> {BITS}, rowid & {LAST}, min(1, -rank / ?6) FROM piece_text WHERE piece_text MATCH ?4"
        f" AND rowid >> {BITS} IN (SELECT document FROM inside) ORDER BY rank LIMIT ?5",
        (*_scope(scope), " OR ".join(rare), limit, weight),
    )
    return [Near(*row) for row in rows]


def located(db: apsw.Connection, scope: Scope, found: Sequence[Near]) -> dict[tuple[int, int], Located]:
    ids = orjson.dumps([(near.key << BITS) + near.number for near in found]).decode()
    rows = db.execute(
        f"{_SCOPE} SELECT document.sha256, piece.id & {LAST}, piece.page, piece.start, piece.stop, piece.heading,"
        " piece.text, number, file, name, page.label, page.member"
        f" FROM json_each(?4) AS wanted JOIN piece ON piece.id = wanted.value"
        f" JOIN document ON document.number = piece.id >> {BITS}"
        f" JOIN (SELECT document, min(file) AS file, name FROM inside GROUP BY document) AS inside"
        " ON inside.document = document.number"
        f" LEFT JOIN page ON page.id = (document.number << {BITS}) + piece.page",
        (*_scope(scope), ids),
    )
    return {
        (row[7], row[1]): Located(piece, *row[8:], breaks=_breaks(db, row[7], piece))
        for row in rows
        for piece in [chunk(row[:7])]
    }


def _breaks(db: apsw.Connection, number: int, piece: Chunk) -> tuple[PageBreak, ...]:
    base = number << BITS
    later = db.execute(
        f"SELECT id & {LAST}, label, start FROM page WHERE id BETWEEN ? AND ? ORDER BY id",
        (base + piece.page + 1, base + LAST),
    )
    return tuple(PageBreak(*row) for row in takewhile(lambda row: row[2] < piece.end, later))


def _count(db: apsw.Connection, word: Wanted) -> int:
    """In how many chunks it is, or words that begin so; 0 for one that the index knows only as several in a row."""
    if word.ending:
        sql, values = (
            "SELECT sum(doc) FROM piece_word WHERE term >= ? AND term < ?",
            (word.word, word.word + "\U0010ffff"),
        )
    else:
        sql, values = "SELECT sum(doc) FROM piece_word WHERE term = ?", (word.word,)
    return first(db, sql, values)[0] or 0


def _weight(chunks: int, count: int) -> float:
    """What a word comes to in a chunk of middling length that has it once, as FTS5 reckons."""
    return max(math.log((chunks - count + 0.5) / (count + 0.5)), 1e-6)
