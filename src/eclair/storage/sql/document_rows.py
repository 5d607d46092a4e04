"""Rows of documents, shared by the stores of files, documents and chunks.

A page, a chunk and a block of vectors carry the document's number and their own in one id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eclair.errors import NotFound
from eclair.schema.documents import Page
from eclair.schema.messages import Fault
from eclair.storage.documents import DocumentState, StoredPage
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.encoding import unpacked_blocks, unpacked_text, unpacked_words
from eclair.storage.sql.job_rows import NOW, forget_jobs
from eclair.storage.sql.store import first_row
from eclair.storage.sql.stored_rows import decode_list, row_decoder

DOCUMENT_COLUMNS = (
    "document.sha256, document.state, document.reader, document.pages, document.pages_read, document.characters,"
    " document.chunks, document.embedder, document.embedded, document.fault, document.remarks"
)

PAGE_COLUMNS = "id & 0xffffff, start, text, blocks, words, width, height, label, member, read"

_fault = row_decoder(lambda row: Fault(*row))

NUMBER_BITS = 24
MAX_NUMBER = (1 << NUMBER_BITS) - 1


@row_decoder
def document_state(row: Sequence[Any]) -> DocumentState:
    """Return the state in a row of DOCUMENT_COLUMNS."""
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
        fault=None if fault is None else _fault(decode_list(fault)),
        remarks=decode_list(remarks),
    )


@row_decoder
def stored_page(row: tuple[Any, ...]) -> StoredPage:
    """Return the page in a row of PAGE_COLUMNS."""
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


def find_state(db: Connection, sha256: str) -> DocumentState:
    """Return the state of a document. Raises NotFound."""
    row = first_row(db, f"SELECT {DOCUMENT_COLUMNS} FROM document WHERE sha256 = ?", (sha256,))
    if row is None:
        raise _missing(sha256)
    return document_state(row)


def find_number(db: Connection, sha256: str, lock: str = "") -> int | None:
    """Return the number of a document's row, and lock that if `lock` is the lock of the database."""
    row = first_row(db, f"SELECT number FROM document WHERE sha256 = ?{lock}", (sha256,))
    return None if row is None else row[0]


def require_number(db: Connection, sha256: str, lock: str = "") -> int:
    """Return the number of a document's row, locked as `find_number` does. Raises NotFound."""
    number = find_number(db, sha256, lock)
    if number is None:
        raise _missing(sha256)
    return number


def queue_document(db: Connection, sha256: str, reader: int, priority: int) -> int:
    """Add a document to be read; return its number."""
    (number,) = first_row(
        db,
        "INSERT INTO document (sha256, state, reader, priority, queued)"
        f" VALUES (?, 'queued', ?, ?, {NOW}) RETURNING number",
        (sha256, reader, priority),
    )
    return number


def release_document(db: Connection, sha256: str) -> str | None:
    """Mark a document that no file has any more for erasure, by clearing its hash; return that hash, or None."""
    db.execute(
        "UPDATE document SET sha256 = NULL WHERE sha256 = ?"
        " AND NOT EXISTS (SELECT 1 FROM file WHERE file.document = document.number)",
        (sha256,),
    )
    if not db.changes():
        return None
    forget_jobs(db, sha256)
    return sha256


def id_range(number: int, low: int = 0, high: int | None = None) -> tuple[int, int]:
    """Return the first and last id of a document's rows numbered from `low` to `high`, or to the end."""
    base = number << NUMBER_BITS
    return base + low, base + (MAX_NUMBER if high is None else high)


def _missing(sha256: str) -> NotFound:
    return NotFound(f"There is no document {sha256}.")
