"""Port of documents: what was read of files, once for each SHA-256.

However many files have the same bytes, they are read once.

A document is there as long as a file has it. Chunks and vectors are in `storage/chunks.py`.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from eclair.schema.documents import Chunk, Page
from eclair.schema.jobs import Job
from eclair.schema.messages import Fault, PageBreak
from eclair.util.humanize import format_moment

FILE_NAME_MARK = "\ufffc"
"""Stands for the file's name in faults and remarks: the files that share a document may have different names."""

DocumentStage = Literal["queued", "reading", "ready", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentState:
    """The progress of reading a document.

    `reader` is the version of its reader, `pages` the number of its pages where known; `embedded` of its `chunks`
    have vectors of `embedder`. `remarks` are sentences about parts that could not be read.
    """

    sha256: str
    state: DocumentStage
    reader: int
    pages: int | None = None
    pages_read: int = 0
    characters: int = 0
    chunks: int = 0
    embedder: str | None = None
    embedded: int = 0
    fault: Fault | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page and the offset of its first character in the full text."""

    start: int
    page: Page

    @property
    def breaks(self) -> list[PageBreak]:
        """The places that citations name: the page, or each moment of a recording at which a sentence begins."""
        moments = [
            PageBreak(self.page.number, format_moment(block.seconds[0]), self.start + block.start)
            for block in self.page.blocks
            if block.seconds is not None
        ]
        return moments or [PageBreak(self.page.number, self.page.label, self.start)]


def cut_breaks(breaks: Sequence[PageBreak], start: int, end: int) -> tuple[str | None, tuple[PageBreak, ...]]:
    """Return the label at character `start` of a document, and the breaks behind it up to `end`.

    `breaks` are in order; the first one is at `start` or before.
    """
    starts = [each.start for each in breaks]
    begun = max(1, bisect_right(starts, start))
    return breaks[begun - 1].label, tuple(breaks[begun : bisect_left(starts, end)])


class DocumentStore(Protocol):
    """Documents by the SHA-256 of their bytes. They have no owner: the files of several people can share one.

    A caller has the hash from a file or a search of the principal, or from background work.
    """

    async def get_state(self, sha256: str) -> DocumentState:
        """Return the state of a document. Raises NotFound."""
        ...

    async def list_unfinished(self) -> list[DocumentState]:
        """List documents that are queued or being read, oldest first."""
        ...

    async def list_outdated(self, reader: int) -> list[str]:
        """List the SHA-256 of documents that an older version of the reader read or failed to read."""
        ...

    async def list_failed(self, code: str) -> list[str]:
        """List the SHA-256 of documents whose fault has this code, oldest first."""
        ...

    async def list_remarked(self, words: str) -> list[str]:
        """List the SHA-256 of documents that were read, and have these words in a remark, oldest first."""
        ...

    async def requeue(self, sha256: str, reader: int, *, is_outdated: bool = False) -> DocumentState:
        """Discard what was read of a document and queue it again before others. Raises NotFound.

        With `is_outdated` only if an older version of the reader read it, and after others.
        """
        ...

    async def mark_reading(self, sha256: str, pages: int | None) -> None:
        """Record that reading has begun. Raises NotFound once its last file is gone, as do the methods below."""
        ...

    async def mark_failed(self, sha256: str, fault: Fault, job: Job | None = None) -> None:
        """Record that the document cannot be read further; the pages already read stay.

        Raises Conflict where another process has taken over the `job`.
        """
        ...

    async def add_remark(self, sha256: str, remark: str) -> None:
        """Add a remark unless the document has it already."""
        ...

    async def add_pages(
        self,
        sha256: str,
        pages: Sequence[Page],
        chunks: Sequence[Chunk],
        *,
        finished: bool = False,
        job: Job | None = None,
    ) -> DocumentState:
        """Add the next pages and chunks together; `finished` makes the document ready and ends the claim on it.

        Known chunks are passed over, since a document whose reading is resumed is cut again. Raises Conflict where a
        page is not the next one, or another process has taken over the `job`.
        """
        ...

    async def list_pages(self, sha256: str, first: int = 1, last: int | None = None) -> list[StoredPage]:
        """List pages `first` to `last`, or to the end."""
        ...

    async def list_pages_at(self, sha256: str, start: int, end: int) -> list[StoredPage]:
        """List the pages that hold characters `start` to `end` of the full text."""
        ...

    async def read_text(self, sha256: str, start: int, end: int) -> str:
        """Return characters `start` to `end` of the full text, as far as it was read."""
        ...

    async def erase_orphans(self) -> None:
        """Erase documents without a file, which an interrupted deletion leaves behind."""
        ...
