"""Chunks in SQL: their index of words, their vectors, and the search in both.

Vectors are loaded into memory when they are first searched; each search brings them up to date from the database.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Any

import orjson

from eclair.schema.documents import Chunk
from eclair.schema.messages import PageBreak
from eclair.schema.principal import Principal
from eclair.storage.chunks import ChunkHit, LocatedChunk, SearchScope
from eclair.storage.sql.connection import Connection, Database
from eclair.storage.sql.document_rows import (
    MAX_NUMBER,
    NUMBER_BITS,
    find_number,
    find_state,
    id_range,
    require_number,
)
from eclair.storage.sql.sharing import LIBRARIES, OWNED, describe
from eclair.storage.sql.store import SQLStore, first_row, read, write
from eclair.storage.sql.stored_rows import decode_list, row_decoder
from eclair.text.search_terms import SearchTerm, index_forms, parse_query

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

    from eclair.storage.sql.vectors import VectorIndex

MAX_INDEX_HITS = 5000
"""Index entries that a search looks at, from its rarest word on, since each takes 1.5 µs. A word that is all over a
large library tells little."""

MAX_DOCUMENTS_PER_LOAD = 50
"""Documents whose vectors are loaded in one read."""

_CHUNK_COLUMNS = "sha256, piece.id & 0xffffff, page, start, stop, heading, text"
_OWNER = "coalesce((SELECT owner FROM file WHERE file.document = number ORDER BY file.id LIMIT 1), '')"
_INSIDE = (
    "WITH inside (file, name, document) AS ("
    " SELECT id, name, document FROM file WHERE id IN (SELECT value FROM json_each(?2))"
    f" AND ({OWNED} OR library IN {LIBRARIES.shared})"
    " UNION SELECT id, name, document FROM file WHERE library IN (SELECT value FROM json_each(?3))"
    f" AND ({OWNED} OR library IN {LIBRARIES.shared}))"
)


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """A chunk with the folded forms of its words, by which it is found as well."""

    chunk: Chunk
    forms: str


class SQLChunkStore(SQLStore):
    """Implements `ChunkStore`."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self._vectors: VectorIndex | None = None
        self._embedder = ""
        self._searching = asyncio.Lock()

    @read
    def list_chunks(self, db: Connection, sha256: str, first: int = 0, last: int | None = None) -> list[Chunk]:
        return _list_chunks(db, id_range(require_number(db, sha256), first, last))

    @read
    def list_unembedded(
        self,
        db: Connection,
        embedder: str,
        limit: int,
        asked: SearchScope | None = None,
        without: Collection[str] = (),
    ) -> list[Chunk]:
        scope = asked or SearchScope(Principal(""))
        row = first_row(
            db,  # someone may be waiting for files attached to messages
            f"{_INSIDE} SELECT number, iif(embedder IS ?4, embedded, 0) AS done FROM document"
            f" WHERE sha256 IS NOT NULL AND done < chunks"
            f" AND (json_array_length(?5) = 0 OR {_OWNER} NOT IN (SELECT value FROM json_each(?5)))"
            " ORDER BY number IN (SELECT document FROM inside) DESC, EXISTS (SELECT 1 FROM file"
            " WHERE file.document = document.number AND file.library IS NULL) DESC, number DESC LIMIT 1",
            (*_scope_values(scope), embedder, orjson.dumps(list(without)).decode()),
        )
        if row is None:
            return []
        number, done = row
        return _list_chunks(db, id_range(number, done, done + limit - 1))

    @read
    def find_owner(self, db: Connection, sha256: str) -> str:
        row = first_row(db, f"SELECT {_OWNER} FROM document WHERE sha256 = ?", (sha256,))
        return "" if row is None else row[0]

    async def add_vectors(self, embedder: str, chunks: Sequence[Chunk], vectors: NDArray[float32]) -> bool:
        from eclair.storage.sql.vectors import packed  # numpy takes 0.1 s to import, and many never need it

        return await self._add_vectors(embedder, chunks, packed(vectors))

    @write
    def _add_vectors(self, db: Connection, embedder: str, chunks: Sequence[Chunk], data: bytes) -> bool:
        number = find_number(db, chunks[0].document)
        if number is None:
            return False
        now = find_state(db, chunks[0].document)
        done = now.embedded if now.embedder == embedder else 0
        kept = _list_chunks(db, id_range(number, done, done + len(chunks) - 1))
        if kept != list(chunks):  # others were faster, or the document was read again meanwhile
            return False
        if now.embedder != embedder:
            db.execute("DELETE FROM vector WHERE id BETWEEN ? AND ?", id_range(number))
        db.execute(
            "INSERT INTO vector (id, count, data) VALUES (?, ?, ?)",
            ((number << NUMBER_BITS) + done, len(chunks), data),
        )
        db.execute(
            "UPDATE document SET embedder = ?, embedded = ? WHERE number = ?", (embedder, done + len(chunks), number)
        )
        return True

    @read
    def search_words(self, db: Connection, scope: SearchScope, query: str, limit: int) -> list[ChunkHit]:
        (chunks,) = first_row(db, "SELECT coalesce(sum(chunks), 0) FROM document", ())
        counts = sorted((min(_count_chunks(db, word), chunks), word.query) for word in parse_query(query))
        weight = sum(_weight(chunks, count) for count, _ in counts)
        hits = accumulate(count for count, _ in counts)
        rare = [query for (_, query), most in zip(counts, hits, strict=True) if most <= MAX_INDEX_HITS]
        rare = rare or [query for _, query in counts[:1]]
        if not rare or not weight:
            return []
        rows = db.execute(
            f"{_INSIDE} SELECT rowid >> {NUMBER_BITS}, rowid & {MAX_NUMBER}, min(1, -rank / ?6) FROM piece_text"
            f" WHERE piece_text MATCH ?4 AND rowid >> {NUMBER_BITS} IN (SELECT document FROM inside)"
            " ORDER BY rank LIMIT ?5",
            (*_scope_values(scope), " OR ".join(rare), limit, weight),
        )
        return [ChunkHit(*row) for row in rows]

    async def search_vectors(
        self, scope: SearchScope, embedder: str, vector: NDArray[float32], limit: int
    ) -> list[ChunkHit]:
        documents = await self._list_embedded(scope, embedder)
        async with self._searching:
            vectors = await self._load(embedder, len(vector), documents)
            best = await asyncio.to_thread(vectors.best, [key for key, _ in documents], vector, limit)
        return [ChunkHit(*each) for each in best]

    @read
    def locate_chunks(
        self, db: Connection, scope: SearchScope, hits: Sequence[ChunkHit]
    ) -> dict[tuple[int, int], LocatedChunk]:
        ids = orjson.dumps([(hit.key << NUMBER_BITS) + hit.number for hit in hits]).decode()
        rows = db.execute(
            f"{_INSIDE} SELECT document.sha256, piece.id & {MAX_NUMBER}, piece.page, piece.start, piece.stop,"
            " piece.heading, piece.text, number, file, name, page.label, page.member"
            f" FROM json_each(?4) AS wanted JOIN piece ON piece.id = wanted.value"
            f" JOIN document ON document.number = piece.id >> {NUMBER_BITS}"
            f" JOIN (SELECT document, min(file) AS file, name FROM inside GROUP BY document) AS inside"
            " ON inside.document = document.number"
            f" LEFT JOIN page ON page.id = (document.number << {NUMBER_BITS}) + piece.page",
            (*_scope_values(scope), ids),
        )
        return {
            (row[7], row[1]): LocatedChunk(chunk, *row[8:], breaks=_page_breaks(db, row[7], chunk))
            for row in rows
            for chunk in [_chunk(row[:7])]
        }

    async def forget_documents(self, numbers: Sequence[int]) -> None:
        """Drop the vectors of erased documents from memory."""
        async with self._searching:
            for number in numbers:
                if self._vectors is not None:
                    self._vectors.drop(number)

    @read
    def _list_embedded(self, db: Connection, scope: SearchScope, embedder: str) -> list[tuple[int, int]]:
        """Number and count of vectors of the scope's documents that have vectors of the embedder."""
        return list(
            db.execute(
                f"{_INSIDE} SELECT DISTINCT number, embedded FROM document JOIN inside ON inside.document = number"
                " WHERE embedder = ?4 AND embedded > 0 AND sha256 IS NOT NULL ORDER BY number",
                (*_scope_values(scope), embedder),
            )
        )

    async def _load(self, embedder: str, dimensions: int, documents: Sequence[tuple[int, int]]) -> VectorIndex:
        """The vectors in memory, with all that these documents have."""
        from eclair.storage.sql.vectors import MAX_ROWS, VectorIndex

        vectors = self._vectors
        if vectors is None or (self._embedder, vectors.dimensions) != (embedder, dimensions):
            vectors = self._vectors = VectorIndex(dimensions)
            self._embedder = embedder
        missing = [(key, count) for key, count in documents if vectors.held(key) != count]
        room = max(MAX_ROWS, 2 * sum(count for _, count in documents))
        if missing and vectors.rows + sum(count for _, count in missing) > room:
            vectors.clear()
            missing = list(documents)
        for start in range(0, len(missing), MAX_DOCUMENTS_PER_LOAD):
            await self._load_documents(vectors, missing[start : start + MAX_DOCUMENTS_PER_LOAD])
        return vectors

    @read
    def _load_documents(self, db: Connection, vectors: VectorIndex, documents: Sequence[tuple[int, int]]) -> None:
        for key, embedded in documents:
            if vectors.held(key) > embedded:  # embedded again meanwhile
                vectors.drop(key)
            rows = db.execute(
                "SELECT count, data FROM vector WHERE id BETWEEN ? AND ? ORDER BY id",
                id_range(key, vectors.held(key)),
            )
            for count, data in list(rows):
                if len(data) == count * vectors.dimensions * 2:  # else the model was replaced under its name
                    vectors.add(key, data)


def indexed_chunk(chunk: Chunk) -> IndexedChunk:
    return IndexedChunk(chunk, index_forms(" ".join((*chunk.heading, chunk.text))))


def add_chunk(db: Connection, document: int, indexed: IndexedChunk) -> None:
    chunk = indexed.chunk
    db.execute(
        "INSERT INTO piece (id, page, start, stop, heading, text, forms) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (document << NUMBER_BITS) + chunk.number,
            chunk.page,
            chunk.start,
            chunk.end,
            orjson.dumps(chunk.heading).decode(),
            chunk.text,
            indexed.forms,
        ),
    )


def _list_chunks(db: Connection, ids: tuple[int, int]) -> list[Chunk]:
    rows = db.execute(
        f"SELECT {_CHUNK_COLUMNS} FROM piece JOIN document ON document.number = piece.id >> {NUMBER_BITS}"
        " WHERE piece.id BETWEEN ? AND ? ORDER BY piece.id",
        ids,
    )
    return [_chunk(row) for row in rows]


@row_decoder
def _chunk(row: Sequence[Any]) -> Chunk:
    sha256, number, page, start, stop, heading, text = row
    return Chunk(sha256, number, page, start, stop, decode_list(heading), text)


def _page_breaks(db: Connection, document: int, chunk: Chunk) -> tuple[PageBreak, ...]:
    later = db.execute(
        f"SELECT id & {MAX_NUMBER}, label, start FROM page WHERE id BETWEEN ? AND ? ORDER BY id",
        id_range(document, chunk.page + 1),
    )
    return tuple(PageBreak(*row) for row in takewhile(lambda row: row[2] < chunk.end, later))


def _scope_values(scope: SearchScope) -> tuple[str, str, str]:
    return describe(scope.principal), orjson.dumps(scope.files).decode(), orjson.dumps(scope.libraries).decode()


def _count_chunks(db: Connection, word: SearchTerm) -> int:
    """Count the chunks that have the term; 0 for one that is indexed only as several words in a row."""
    if word.is_prefix:
        sql, values = (
            "SELECT sum(doc) FROM piece_word WHERE term >= ? AND term < ?",
            (word.word, word.word + "\U0010ffff"),
        )
    else:
        sql, values = "SELECT sum(doc) FROM piece_word WHERE term = ?", (word.word,)
    return first_row(db, sql, values)[0] or 0


def _weight(chunks: int, count: int) -> float:
    """The score that FTS5 gives a word in a chunk of average length that has it once."""
    return max(math.log((chunks - count + 0.5) / (count + 0.5)), 1e-6)
