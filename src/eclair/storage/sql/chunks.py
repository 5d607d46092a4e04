"""Chunks in SQL."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import orjson

from eclair.schema.documents import Chunk
from eclair.schema.messages import PageBreak
from eclair.storage.chunks import ChunkHit, ListedName, ListedNames, LocatedChunk, SearchScope
from eclair.storage.documents import cut_breaks
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.document_rows import (
    MAX_NUMBER,
    NUMBER_BITS,
    PAGE_COLUMNS,
    find_number,
    find_state,
    id_range,
    require_number,
    stored_page,
)
from eclair.storage.sql.search_scope import INSIDE, scope_values
from eclair.storage.sql.store import SQLStore, first_row, read, read_planned, write_concurrent
from eclair.storage.sql.stored_rows import decode_list, row_decoder
from eclair.storage.sql.text_index import TextIndex
from eclair.text.search_terms import index_forms, parse_query

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


_CHUNK_COLUMNS = "sha256, piece.id & 0xffffff, page, start, stop, heading, text"
_DONE = "iif(embedder IS NOT DISTINCT FROM ?{0}, embedded, 0)"
"""Chunks of a document that have vectors of the embedder that is a parameter."""
_OWNER = "coalesce((SELECT owner FROM file WHERE file.document = number ORDER BY file.id LIMIT 1), '')"
_UNEMBEDDED = (
    f"sha256 IS NOT NULL AND {_DONE} < chunks"
    f" AND (json_array_length(?{{1}}) = 0 OR {_OWNER} NOT IN (SELECT value FROM json_each(?{{1}})))"
)
"""The condition that a document lacks vectors of an embedder, and isn't of one of the owners."""
_NEXT_FIRST = " ORDER BY priority DESC, number DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class IndexedChunk:
    """A chunk with the folded forms of its words, by which it is found as well."""

    chunk: Chunk
    forms: str


@dataclass(frozen=True, slots=True)
class UnembeddedDocument:
    """A document of which only the first `done` chunks have vectors."""

    number: int
    sha256: str
    done: int


class SQLChunkStore(SQLStore):
    """Implements `ChunkStore`."""

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
        document: str | None = None,
    ) -> list[Chunk]:
        if document is None:
            found = find_unembedded(db, embedder, asked, without)
        else:
            done = _DONE.format(1)
            query = f"SELECT number, sha256, {done} FROM document WHERE sha256 = ?2 AND {done} < chunks"
            row = first_row(db, query, (embedder, document))
            found = None if row is None else UnembeddedDocument(*row)
        return [] if found is None else _list_chunks(db, id_range(found.number, found.done, found.done + limit - 1))

    @read
    def find_owner(self, db: Connection, sha256: str) -> str:
        row = first_row(db, f"SELECT {_OWNER} FROM document WHERE sha256 = ?", (sha256,))
        return "" if row is None else row[0]

    @write_concurrent
    def add_vectors(self, db: Connection, embedder: str, chunks: Sequence[Chunk], vectors: NDArray[float32]) -> bool:
        number = find_number(db, chunks[0].document, self.database.row_lock)
        if number is None:
            return False
        now = find_state(db, chunks[0].document)
        done = now.embedded if now.embedder == embedder else 0
        kept = _list_chunks(db, id_range(number, done, done + len(chunks) - 1))
        if kept != list(chunks):  # others were faster, or the document was read again meanwhile
            return False
        if now.embedder != embedder:
            db.execute("DELETE FROM vector WHERE id BETWEEN ? AND ?", id_range(number))
        self.database.chunk_vectors.put(db, (number << NUMBER_BITS) + done, vectors)
        db.execute(
            "UPDATE document SET embedder = ?, embedded = ? WHERE number = ?", (embedder, done + len(chunks), number)
        )
        return True

    @read_planned
    def search_words(self, db: Connection, scope: SearchScope, query: str, limit: int) -> list[ChunkHit]:
        terms = parse_query(query)
        return self.database.text_index.find_chunks(db, scope, terms, limit) if terms else []

    async def search_vectors(
        self, scope: SearchScope, embedder: str, vector: NDArray[float32], limit: int
    ) -> list[ChunkHit]:
        return await self.database.chunk_vectors.search(scope, embedder, vector, limit)

    @read
    def list_names(self, db: Connection, scope: SearchScope, words: Sequence[str], limit: int) -> ListedNames:
        patterns: list[str] = []
        conditions: list[str] = []
        for word in words:
            either = [f"lower(name) LIKE ?{len(patterns) + 5}"]
            patterns.append(f"%{word}%")
            for form in {word.capitalize(), word.upper()} if not word.isascii() else ():  # which SQLite doesn't fold
                either.append(f"name LIKE ?{len(patterns) + 5}")
                patterns.append(f"%{form}%")
            conditions.append(f"({' OR '.join(either)})")
        count = " + ".join(f"CASE WHEN {condition} THEN 1 ELSE 0 END" for condition in conditions)
        rows = list(
            db.execute(
                f"{INSIDE} SELECT document, file, name, (SELECT count(*) FROM inside) FROM inside"
                f" WHERE octet_length(name) > length(name) OR {' OR '.join(conditions)}"
                f" ORDER BY {count} DESC, file DESC LIMIT ?4",
                (*scope_values(scope), limit, *patterns),
            )
        )
        return ListedNames(rows[0][-1] if rows else 0, [ListedName(*row[:-1]) for row in rows])

    @read
    def locate_chunks(
        self, db: Connection, scope: SearchScope, hits: Sequence[ChunkHit]
    ) -> dict[tuple[int, int], LocatedChunk]:
        ids = orjson.dumps([(hit.key << NUMBER_BITS) + hit.number for hit in hits]).decode()
        rows = db.execute(
            f"{INSIDE} SELECT document.sha256, piece.id & {MAX_NUMBER}, piece.page, piece.start, piece.stop,"
            " piece.heading, piece.text, number, file, name, page.label, page.member, page.read"
            f" FROM json_each(?4) AS wanted JOIN piece ON piece.id = CAST(wanted.value AS bigint)"
            f" JOIN document ON document.number = piece.id >> {NUMBER_BITS}"
            " JOIN (SELECT *, row_number() OVER (PARTITION BY document ORDER BY file) AS place FROM inside) AS inside"
            " ON inside.document = document.number AND place = 1"
            f" LEFT JOIN page ON page.id = (document.number << {NUMBER_BITS}) + piece.page",
            (*scope_values(scope), ids),
        )
        return {(row[7], row[1]): _located(db, row) for row in rows}


def indexed_chunk(chunk: Chunk) -> IndexedChunk:
    return IndexedChunk(chunk, index_forms(" ".join((*chunk.heading, chunk.text))))


def add_chunk(db: Connection, index: TextIndex, document: int, indexed: IndexedChunk) -> None:
    chunk, heading = indexed.chunk, orjson.dumps(indexed.chunk.heading).decode()
    id = (document << NUMBER_BITS) + chunk.number
    db.execute(
        "INSERT INTO piece (id, page, start, stop, heading, text, forms) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            id,
            chunk.page,
            chunk.start,
            chunk.end,
            heading,
            chunk.text,
            indexed.forms,
        ),
    )
    index.put_chunk(db, id, (heading, chunk.text, indexed.forms))


def find_unembedded(
    db: Connection, embedder: str, asked: SearchScope | None, without: Collection[str], condition: str = ""
) -> UnembeddedDocument | None:
    """Find the document to be embedded next; a further condition begins with `AND`.

    Each way in which one can lack vectors is asked by an index of its own, so that those that have some aren't read.
    """
    owners = orjson.dumps(list(without)).decode()
    if asked is not None:  # someone may be waiting for files attached to messages
        row = first_row(
            db,
            f"{INSIDE} SELECT number, sha256, {_DONE.format(4)} FROM document"
            f" WHERE number IN (SELECT document FROM inside) AND {_UNEMBEDDED.format(4, 5)}{condition}{_NEXT_FIRST}",
            (*scope_values(asked), embedder, owners),
        )
        if row is not None:
            return UnembeddedDocument(*row)
    found = [
        first_row(
            db,
            f"SELECT number, sha256, {_DONE.format(1)}, priority FROM document"
            f" WHERE {which} AND {_UNEMBEDDED.format(1, 2)}{condition}{_NEXT_FIRST}",
            (embedder, owners, *values),
        )
        for which, *values in (
            ("embedded < chunks",),
            *(("embedder = ?3", other) for other in _list_embedders(db) if other != embedder),
        )
    ]
    row = max((row for row in found if row is not None), key=lambda row: (row[3], row[0]), default=None)
    return None if row is None else UnembeddedDocument(*row[:3])


def _list_embedders(db: Connection) -> list[str]:
    """List the embedders that documents have vectors of, by one look into their index for each."""
    found: list[str] = []
    while True:
        (next,) = first_row(db, "SELECT min(embedder) FROM document WHERE embedder > ?", (found[-1] if found else "",))
        if next is None:
            return found
        found.append(next)


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


def _located(db: Connection, row: Sequence[Any]) -> LocatedChunk:
    chunk = _chunk(row[:7])
    document, file, name, label, member, read = row[7:]
    if read == "speech":
        label, breaks = cut_breaks(_moments(db, document, chunk), chunk.start, chunk.end)
    else:
        breaks = _page_breaks(db, document, chunk)
    return LocatedChunk(chunk, file, name, label, member, breaks)


def _moments(db: Connection, document: int, chunk: Chunk) -> list[PageBreak]:
    """Return where the sentences of the minutes begin that a chunk of a recording is from."""
    rows = db.execute(
        f"SELECT {PAGE_COLUMNS} FROM page WHERE id BETWEEN ? AND ? ORDER BY id", id_range(document, chunk.page)
    )
    pages = takewhile(lambda stored: stored.start < chunk.end, map(stored_page, rows))
    return [each for stored in pages for each in stored.breaks]


def _page_breaks(db: Connection, document: int, chunk: Chunk) -> tuple[PageBreak, ...]:
    later = db.execute(
        f"SELECT id & {MAX_NUMBER}, label, start FROM page WHERE id BETWEEN ? AND ? ORDER BY id",
        id_range(document, chunk.page + 1),
    )
    return tuple(PageBreak(*row) for row in takewhile(lambda row: row[2] < chunk.end, later))
