"""What was read of documents: how far each is, its pages, its chunks and their vectors; put in, given out, erased.

A page, a piece (as a chunk is called here) and a block of vectors have the document's number and their own in one id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import apsw
import orjson

from eclair.errors import Conflict, NotFound
from eclair.schema.documents import Chunk, Page
from eclair.schema.messages import Fault
from eclair.storage.documents import DocumentState, StoredPage
from eclair.storage.encoding import (
    packed_blocks,
    packed_text,
    packed_words,
    unpacked_blocks,
    unpacked_text,
    unpacked_words,
)
from eclair.storage.statements.rows import first

DOCUMENT = (
    "document.sha256, document.state, document.reader, document.pages, document.pages_read, document.characters,"
    " document.chunks, document.embedder, document.embedded, document.fault, document.remarks"
)

BITS = 24
LAST = (1 << BITS) - 1

_PAGE = "id & 0xffffff, start, text, blocks, words, width, height, label, member, read"
_PIECE = "sha256, piece.id & 0xffffff, page, start, stop, heading, text"


@dataclass(frozen=True, slots=True)
class Indexed:
    """A chunk with further forms of its words."""

    chunk: Chunk
    forms: str


def document(row: Sequence[Any]) -> DocumentState:
    sha256, state, reader, pages, pages_read, characters, chunks, embedder, embedded, fault, remarks = row
    return DocumentState(
        sha256=sha256,
        state=state,
        reader=reader,
        pages=pages,
        pages_read=pages_read,
        characters=characters,
        chunks=chunks,
        embedder=embedder,
        embedded=embedded,
        fault=None if fault is None else Fault(*orjson.loads(fault)),
        remarks=tuple(orjson.loads(remarks)),
    )


def state(db: apsw.Connection, sha256: str) -> DocumentState:
    row = first(db, f"SELECT {DOCUMENT} FROM document WHERE sha256 = ?", (sha256,))
    if row is None:
        raise _missing(sha256)
    return document(row)


def known(db: apsw.Connection, sha256: str) -> int | None:
    row = first(db, "SELECT number FROM document WHERE sha256 = ?", (sha256,))
    return None if row is None else row[0]


def queue(db: apsw.Connection, sha256: str, reader: int) -> int:
    db.execute("INSERT INTO document (sha256, state, reader) VALUES (?, 'queued', ?)", (sha256, reader))
    return db.last_insert_rowid()


def unfinished(db: apsw.Connection) -> list[DocumentState]:
    rows = db.execute(
        f"SELECT {DOCUMENT} FROM document WHERE state IN ('queued', 'reading') AND sha256 IS NOT NULL ORDER BY number"
    )
    return [document(row) for row in rows]


def outdated(db: apsw.Connection, reader: int) -> list[str]:
    rows = db.execute(
        "SELECT sha256 FROM document WHERE state IN ('ready', 'failed') AND reader < ? AND sha256 IS NOT NULL"
        " ORDER BY number",
        (reader,),
    )
    return [sha256 for (sha256,) in rows]


def read_anew(db: apsw.Connection, sha256: str, reader: int) -> DocumentState:
    """Begin another document in its place; the old one is left without a hash, to be erased."""
    old = _number(db, sha256)
    db.execute("UPDATE document SET sha256 = NULL WHERE number = ?", (old,))
    db.execute("UPDATE file SET document = ? WHERE document = ?", (queue(db, sha256, reader), old))
    return state(db, sha256)


def opened(db: apsw.Connection, sha256: str, pages: int | None) -> None:
    db.execute(
        "UPDATE document SET state = 'reading', pages = coalesce(?, pages), fault = NULL WHERE number = ?",
        (pages, _number(db, sha256)),
    )


def remarked(db: apsw.Connection, sha256: str, remark: str) -> None:
    remarks = state(db, sha256).remarks
    if remark not in remarks:
        body = orjson.dumps([*remarks, remark]).decode()
        db.execute("UPDATE document SET remarks = ? WHERE sha256 = ?", (body, sha256))


def failed(db: apsw.Connection, sha256: str, fault: Fault) -> None:
    body = orjson.dumps([fault.code, fault.message]).decode()
    db.execute("UPDATE document SET state = 'failed', fault = ? WHERE number = ?", (body, _number(db, sha256)))


def add(
    db: apsw.Connection, sha256: str, pages: Sequence[Page], chunks: Sequence[Indexed], *, finished: bool
) -> DocumentState:
    before = state(db, sha256)
    number = _number(db, sha256)
    start = before.characters
    for count, page in enumerate(pages, before.pages_read + 1):
        if page.number != count:
            raise Conflict(f"Page {page.number} is not the next one of the document; it is being read elsewhere.")
        _add_page(db, number, start, page)
        start += len(page.text) + 1
    new = [indexed for indexed in chunks if indexed.chunk.number >= before.chunks]
    for count, indexed in enumerate(new, before.chunks):
        if indexed.chunk.number != count:
            raise Conflict(f"Chunk {indexed.chunk.number} is not the next one of the document.")
        _add_piece(db, number, indexed)
    read = before.pages_read + len(pages)
    db.execute(
        "UPDATE document SET pages_read = ?1, characters = ?2, chunks = ?3, state = iif(?4, 'ready', state),"
        " pages = iif(?4, ?1, pages) WHERE number = ?5",
        (read, start, before.chunks + len(new), finished, number),
    )
    return state(db, sha256)


def pages(db: apsw.Connection, sha256: str, first_page: int, last_page: int | None) -> list[StoredPage]:
    low, high = _range(_number(db, sha256), first_page, last_page)
    return [
        _page(row) for row in db.execute(f"SELECT {_PAGE} FROM page WHERE id BETWEEN ? AND ? ORDER BY id", (low, high))
    ]


def pages_at(db: apsw.Connection, sha256: str, start: int, end: int) -> list[StoredPage]:
    low, high = _range(_number(db, sha256), 0, None)
    rows = db.execute(
        f"SELECT {_PAGE} FROM page WHERE id BETWEEN ? AND ? AND start < ? AND start + length >= ? ORDER BY id",
        (low, high, max(end, start + 1), start),
    )
    return [_page(row) for row in rows]


def text(db: apsw.Connection, sha256: str, start: int, end: int) -> str:
    low, high = _range(_number(db, sha256), 0, None)
    rows = list(
        db.execute(
            "SELECT start, text FROM page WHERE id BETWEEN ? AND ? AND start < ? AND start + length >= ? ORDER BY id",
            (low, high, end, start),
        )
    )
    whole = "".join(unpacked_text(data) + "\n" for _, data in rows)
    return whole[start - rows[0][0] : end - rows[0][0]] if rows else ""


def chunks(db: apsw.Connection, sha256: str, first_chunk: int, last_chunk: int | None) -> list[Chunk]:
    low, high = _range(_number(db, sha256), first_chunk, last_chunk)
    return _chunks(db, low, high)


def to_embed(db: apsw.Connection, embedder: str, limit: int) -> list[Chunk]:
    """Files that go along with messages before those of libraries: someone is waiting for them."""
    row = first(
        db,
        "SELECT number, iif(embedder IS ?1, embedded, 0) AS done FROM document"
        " WHERE sha256 IS NOT NULL AND done < chunks ORDER BY EXISTS (SELECT 1 FROM file"
        " WHERE file.document = document.number AND file.library IS NULL) DESC, number LIMIT 1",
        (embedder,),
    )
    if row is None:
        return []
    number, done = row
    return _chunks(db, *_range(number, done, done + limit - 1))


def add_vectors(db: apsw.Connection, embedder: str, chunks: Sequence[Chunk], data: bytes) -> bool:
    number = known(db, chunks[0].document)
    if number is None:
        return False
    now = state(db, chunks[0].document)
    done = now.embedded if now.embedder == embedder else 0
    kept = _chunks(db, *_range(number, done, done + len(chunks) - 1))
    if kept != list(chunks):  # others were faster, or the document was read anew meanwhile
        return False
    if now.embedder != embedder:
        db.execute("DELETE FROM vector WHERE id BETWEEN ? AND ?", _range(number, 0, None))
    db.execute("INSERT INTO vector (id, count, data) VALUES (?, ?, ?)", ((number << BITS) + done, len(chunks), data))
    db.execute(
        "UPDATE document SET embedder = ?, embedded = ? WHERE number = ?", (embedder, done + len(chunks), number)
    )
    return True


def nameless(db: apsw.Connection) -> list[int]:
    """Documents that are to be erased."""
    return [number for (number,) in db.execute("SELECT number FROM document WHERE sha256 IS NULL")]


def erase(db: apsw.Connection, number: int, most: int) -> bool:
    """Erase up to `most` rows of a document, at last itself; whether it is gone."""
    for table in ("piece", "vector", "page"):
        db.execute(
            f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE id BETWEEN ? AND ? LIMIT ?)",
            (*_range(number, 0, None), most),
        )
        most -= db.changes()
        if most <= 0:
            return False
    db.execute("DELETE FROM document WHERE number = ? AND sha256 IS NULL", (number,))
    return True


def _add_page(db: apsw.Connection, number: int, start: int, page: Page) -> None:
    db.execute(
        "INSERT INTO page (id, start, length, label, member, read, width, height, text, blocks, words)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (number << BITS) + page.number,
            start,
            len(page.text),
            page.label,
            page.member,
            page.read,
            page.width,
            page.height,
            packed_text(page.text),
            packed_blocks(page.blocks),
            packed_words(page.words),
        ),
    )


def _add_piece(db: apsw.Connection, number: int, indexed: Indexed) -> None:
    chunk = indexed.chunk
    db.execute(
        "INSERT INTO piece (id, page, start, stop, heading, text, forms) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            (number << BITS) + chunk.number,
            chunk.page,
            chunk.start,
            chunk.end,
            orjson.dumps(chunk.heading).decode(),
            chunk.text,
            indexed.forms,
        ),
    )


def _chunks(db: apsw.Connection, low: int, high: int) -> list[Chunk]:
    rows = db.execute(
        f"SELECT {_PIECE} FROM piece JOIN document ON document.number = piece.id >> {BITS}"
        " WHERE piece.id BETWEEN ? AND ? ORDER BY piece.id",
        (low, high),
    )
    return [chunk(row) for row in rows]


def chunk(row: Sequence[Any]) -> Chunk:
    sha256, number, page, start, stop, heading, text = row
    return Chunk(sha256, number, page, start, stop, tuple(orjson.loads(heading)), text)


def _page(row: tuple[Any, ...]) -> StoredPage:
    number, start, text, blocks, words, width, height, label, member, read = row
    page = Page(
        number=number,
        text=unpacked_text(text),
        blocks=unpacked_blocks(blocks),
        words=unpacked_words(words),
        width=width,
        height=height,
        label=label,
        member=member,
        read=read,
    )
    return StoredPage(start, page)


def _range(number: int, low: int, high: int | None) -> tuple[int, int]:
    base = number << BITS
    return base + low, base + (LAST if high is None else high)


def _number(db: apsw.Connection, sha256: str) -> int:
    number = known(db, sha256)
    if number is None:
        raise _missing(sha256)
    return number


def _missing(sha256: str) -> NotFound:
    return NotFound(f"There is no document {sha256}.")
