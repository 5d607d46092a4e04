"""Builds passages from stored chunks: of a search, or of a file."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence

from eclair.documents.document_search import FoundChunk
from eclair.schema.documents import Chunk
from eclair.schema.messages import PageBreak, Passage
from eclair.storage.base import Storage
from eclair.storage.documents import StoredPage
from eclair.storage.files import FileState, StoredFile

MAX_CHUNKS = 10_000
"""Chunks read for one answer: about two thousand pages."""


def found_passage(found: FoundChunk) -> Passage:
    """Return the passage of a found chunk, unnumbered."""
    chunk = found.chunk
    return Passage(
        number=0,
        file=found.file,
        name=found.name,
        page=chunk.page,
        label=found.label,
        heading=chunk.heading,
        start=chunk.start,
        end=chunk.end,
        text=chunk.text,
        member=found.member,
        breaks=found.breaks,
    )


async def load_passages(storage: Storage, file: FileState, limit: int = MAX_CHUNKS) -> list[Passage]:
    """Return a file's first `limit` passages in order, unnumbered."""
    sha256 = file.document.sha256
    chunks = await storage.chunks.list_chunks(sha256, 0, limit - 1)
    pages = await storage.documents.list_pages(sha256, chunks[0].page) if chunks else []
    return file_passages(file.file, chunks, pages)


def file_passages(file: StoredFile, chunks: Sequence[Chunk], pages: Sequence[StoredPage]) -> list[Passage]:
    """Return the passages of a file, unnumbered; `pages` are all pages that the chunks are on."""
    first = {stored.page.number: stored.page for stored in pages}
    breaks = [PageBreak(stored.page.number, stored.page.label, stored.start) for stored in pages]
    starts = [each.start for each in breaks]
    return [
        Passage(
            number=0,
            file=file.id,
            name=file.name,
            page=chunk.page,
            label=first[chunk.page].label,
            heading=chunk.heading,
            start=chunk.start,
            end=chunk.end,
            text=chunk.text,
            member=first[chunk.page].member,
            breaks=tuple(breaks[bisect_right(starts, chunk.start) : bisect_left(starts, chunk.end)]),
        )
        for chunk in chunks
    ]
