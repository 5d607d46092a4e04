"""Documents in SQL: how far each was read, and its pages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import orjson

from eclair.errors import Conflict
from eclair.schema.documents import Chunk, Page
from eclair.schema.jobs import Job
from eclair.schema.messages import Fault
from eclair.storage.documents import DocumentState, StoredPage
from eclair.storage.sql.chunks import IndexedChunk, add_chunk, indexed_chunk
from eclair.storage.sql.connection import Connection, Database
from eclair.storage.sql.document_rows import (
    DOCUMENT_COLUMNS,
    NUMBER_BITS,
    PAGE_COLUMNS,
    document_state,
    find_state,
    id_range,
    queue_document,
    require_number,
    stored_page,
)
from eclair.storage.sql.encoding import (
    packed_blocks,
    packed_text,
    packed_words,
    unpacked_text,
)
from eclair.storage.sql.job_rows import end_reading, forget_jobs, note_progress, require_claim
from eclair.storage.sql.store import SQLStore, read, write, write_brief, write_concurrent
from eclair.storage.sql.stored_rows import decode_rows

MAX_ROWS_PER_ERASURE = 200
"""Rows that are erased in one transaction, so that no other write waits for long."""


class SQLDocumentStore(SQLStore):
    """Implements `DocumentStore` for one process."""

    def __init__(self, database: Database, process: str) -> None:
        super().__init__(database)
        self._process = process

    @read
    def get_state(self, db: Connection, sha256: str) -> DocumentState:
        return find_state(db, sha256)

    @read
    def list_unfinished(self, db: Connection) -> list[DocumentState]:
        rows = db.execute(
            f"SELECT {DOCUMENT_COLUMNS} FROM document"
            " WHERE state IN ('queued', 'reading') AND sha256 IS NOT NULL ORDER BY number"
        )
        return decode_rows(rows, document_state, self.database.damage.noting("files"))

    @read
    def list_outdated(self, db: Connection, reader: int) -> list[str]:
        rows = db.execute(
            "SELECT sha256 FROM document WHERE state IN ('ready', 'failed') AND reader < ? AND sha256 IS NOT NULL"
            " ORDER BY number",
            (reader,),
        )
        return [sha256 for (sha256,) in rows]

    @read
    def list_failed(self, db: Connection, code: str) -> list[str]:
        rows = db.execute(
            "SELECT sha256 FROM document WHERE state = 'failed' AND fault LIKE ? AND sha256 IS NOT NULL"
            " ORDER BY number",
            (f'["{code}",%',),
        )
        return [sha256 for (sha256,) in rows]

    @read
    def list_remarked(self, db: Connection, words: str) -> list[str]:
        rows = db.execute(
            "SELECT sha256 FROM document WHERE state = 'ready' AND remarks LIKE ? AND sha256 IS NOT NULL"
            " ORDER BY number",
            (f"%{orjson.dumps(words).decode()[1:-1]}%",),
        )
        return [sha256 for (sha256,) in rows]

    async def requeue(self, sha256: str, reader: int, *, is_outdated: bool = False) -> DocumentState:
        state = await self._replace(sha256, reader, is_outdated=is_outdated)
        await self.erase_orphans()
        return state

    @write
    def _replace(self, db: Connection, sha256: str, reader: int, *, is_outdated: bool) -> DocumentState:
        """Begin another document in its place; the old one loses its hash, so that it is erased."""
        state = find_state(db, sha256)
        if is_outdated and state.reader >= reader:  # another process was faster
            return state
        old = require_number(db, sha256)
        forget_jobs(db, sha256)
        db.execute("UPDATE document SET sha256 = NULL WHERE number = ?", (old,))
        new = queue_document(db, sha256, reader, priority=0 if is_outdated else 1)
        db.execute("UPDATE file SET document = ? WHERE document = ?", (new, old))
        return find_state(db, sha256)

    @write_brief
    def mark_reading(self, db: Connection, sha256: str, pages: int | None) -> None:
        db.execute(
            "UPDATE document SET state = 'reading', pages = coalesce(?, pages), fault = NULL WHERE number = ?",
            (pages, require_number(db, sha256)),
        )

    @write
    def mark_failed(self, db: Connection, sha256: str, fault: Fault, job: Job | None = None) -> None:
        if job is not None:
            require_claim(db, self._process, job)
        end_reading(db, sha256)
        body = orjson.dumps([fault.code, fault.message]).decode()
        db.execute(
            "UPDATE document SET state = 'failed', fault = ? WHERE number = ?", (body, require_number(db, sha256))
        )

    @write
    def add_remark(self, db: Connection, sha256: str, remark: str) -> None:
        remarks = find_state(db, sha256).remarks
        if remark not in remarks:
            body = orjson.dumps([*remarks, remark]).decode()
            db.execute("UPDATE document SET remarks = ? WHERE sha256 = ?", (body, sha256))

    async def add_pages(
        self,
        sha256: str,
        pages: Sequence[Page],
        chunks: Sequence[Chunk],
        *,
        finished: bool = False,
        job: Job | None = None,
    ) -> DocumentState:
        indexed = await asyncio.to_thread(lambda: [indexed_chunk(chunk) for chunk in chunks])
        return await self._add_pages(sha256, pages, indexed, finished, job)

    @write_concurrent
    def _add_pages(
        self,
        db: Connection,
        sha256: str,
        pages: Sequence[Page],
        chunks: Sequence[IndexedChunk],
        finished: bool,
        job: Job | None,
    ) -> DocumentState:
        number = require_number(db, sha256, self.database.row_lock)
        before = find_state(db, sha256)
        if job is not None:
            require_claim(db, self._process, job, self.database.row_lock)
            if pages:
                note_progress(db, job)
        if finished:
            end_reading(db, sha256)
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
            add_chunk(db, self.database.text_index, number, indexed)
        pages_read = before.pages_read + len(pages)
        db.execute(
            "UPDATE document SET pages_read = ?1, characters = ?2, chunks = ?3, state = iif(?4, 'ready', state),"
            " pages = iif(?4, ?1, pages) WHERE number = ?5",
            (pages_read, start, before.chunks + len(new), finished, number),
        )
        return find_state(db, sha256)

    @read
    def list_pages(self, db: Connection, sha256: str, first: int = 1, last: int | None = None) -> list[StoredPage]:
        rows = db.execute(
            f"SELECT {PAGE_COLUMNS} FROM page WHERE id BETWEEN ? AND ? ORDER BY id",
            id_range(require_number(db, sha256), first, last),
        )
        return [stored_page(row) for row in rows]

    @read
    def list_pages_at(self, db: Connection, sha256: str, start: int, end: int) -> list[StoredPage]:
        rows = db.execute(
            f"SELECT {PAGE_COLUMNS} FROM page"
            " WHERE id BETWEEN ? AND ? AND start < ? AND start + length >= ? ORDER BY id",
            (*id_range(require_number(db, sha256)), max(end, start + 1), start),
        )
        return [stored_page(row) for row in rows]

    @read
    def read_text(self, db: Connection, sha256: str, start: int, end: int) -> str:
        rows = list(
            db.execute(
                "SELECT start, text FROM page WHERE id BETWEEN ? AND ? AND start < ? AND start + length >= ?"
                " ORDER BY id",
                (*id_range(require_number(db, sha256)), end, start),
            )
        )
        text = "".join(unpacked_text(data) + "\n" for _, data in rows)
        return text[start - rows[0][0] : end - rows[0][0]] if rows else ""

    async def erase_orphans(self) -> None:
        orphans = await self._list_orphans()
        for number in orphans:
            while not await self._erase_some(number, MAX_ROWS_PER_ERASURE):
                pass
        if orphans:
            await self.database.chunk_vectors.forget(orphans)
            await self.empty_log()

    @read
    def _list_orphans(self, db: Connection) -> list[int]:
        return [number for (number,) in db.execute("SELECT number FROM document WHERE sha256 IS NULL")]

    @write
    def _erase_some(self, db: Connection, number: int, limit: int) -> bool:
        """Erase up to `limit` rows of a document, and at last the document itself; return whether it is gone."""
        for table in ("piece", "vector", "page"):
            db.execute(
                f"DELETE FROM {table} WHERE id IN (SELECT id FROM {table} WHERE id BETWEEN ? AND ? LIMIT ?)",
                (*id_range(number), limit),
            )
            limit -= db.changes()
            if limit <= 0:
                return False
        db.execute("DELETE FROM document WHERE number = ? AND sha256 IS NULL", (number,))
        return True


def _add_page(db: Connection, number: int, start: int, page: Page) -> None:
    db.execute(
        "INSERT INTO page (id, start, length, label, member, read, width, height, text, blocks, words)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (number << NUMBER_BITS) + page.number,
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
