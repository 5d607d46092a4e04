"""Builds passages from stored chunks: of a search, or of a file."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from eclair.citations.source_facts import OPENING_CHARS
from eclair.documents.document_search import FoundChunk
from eclair.errors import NotFound, StoreError
from eclair.schema.documents import Chunk
from eclair.schema.messages import Passage
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.documents import StoredPage, cut_breaks
from eclair.storage.files import FileState, StoredFile

MAX_CHUNKS = 10_000
"""Chunks read for one answer: about two thousand pages."""

log = logging.getLogger(__name__)


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


async def read_openings(storage: Storage, principal: Principal, passages: Sequence[Passage]) -> dict[str, str]:
    """Return the beginnings of the passages' files by the files' ids, as far as they can be read.

    There are none of pages of the web, nor of what an archive contains: it begins with another file.
    """
    openings: dict[str, str] = {}
    alone = (passage for passage in passages if passage.url is None and passage.member is None)
    for id in dict.fromkeys(passage.file for passage in alone):
        try:
            file = await storage.files.get_file(principal, id)
            openings[id] = await storage.documents.read_text(file.document.sha256, 0, OPENING_CHARS)
        except NotFound:
            continue
        except StoreError as error:
            log.warning("the names at the beginning of a file are not known: %s", error.message)
    return openings


def file_passages(file: StoredFile, chunks: Sequence[Chunk], pages: Sequence[StoredPage]) -> list[Passage]:
    """Return the passages of a file, unnumbered; `pages` are all pages that the chunks are on."""
    first = {stored.page.number: stored.page for stored in pages}
    breaks = [each for stored in pages for each in stored.breaks]
    return [
        Passage(
            number=0,
            file=file.id,
            name=file.name,
            page=chunk.page,
            label=label,
            heading=chunk.heading,
            start=chunk.start,
            end=chunk.end,
            text=chunk.text,
            member=first[chunk.page].member,
            breaks=later,
        )
        for chunk in chunks
        for label, later in [cut_breaks(breaks, chunk.start, chunk.end)]
    ]
