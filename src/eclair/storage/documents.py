"""Port of documents: what was read of files, kept once for each SHA-256 however many files have it.

A document is there as long as a file has it. Chunks and vectors are in `storage/chunks.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from eclair.schema.documents import Chunk, Page
from eclair.schema.messages import Fault

DocumentStage = Literal["queued", "reading", "ready", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentState:
    """How far reading a document is.

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
    """A page and the offset of its first character in the whole text."""

    start: int
    page: Page


class DocumentStore(Protocol):
    async def get_state(self, sha256: str) -> DocumentState:
        """Raises NotFound."""
        ...

    async def list_unfinished(self) -> list[DocumentState]:
        """Documents that are queued or being read, in the order they came."""
        ...

    async def list_outdated(self, reader: int) -> list[str]:
        """The SHA-256 of documents that an older reader read or failed to read."""
        ...

    async def requeue(self, sha256: str, reader: int) -> DocumentState:
        """Forget what was read and queue it again. Raises NotFound."""
        ...

    async def mark_reading(self, sha256: str, pages: int | None) -> None:
        """Note that reading has begun. Raises NotFound once its last file is gone, as do the methods below."""
        ...

    async def mark_failed(self, sha256: str, fault: Fault) -> None:
        """Note that it cannot be read further; the pages already read stay."""
        ...

    async def add_remark(self, sha256: str, remark: str) -> None:
        """Add a sentence unless it is there."""
        ...

    async def add_pages(
        self, sha256: str, pages: Sequence[Page], chunks: Sequence[Chunk], *, finished: bool = False
    ) -> DocumentState:
        """Add the next pages and chunks together; `finished` makes the document ready.

        Known chunks are passed over, since a document whose reading is resumed is cut again. Raises Conflict where a
        page is not the next one.
        """
        ...

    async def list_pages(self, sha256: str, first: int = 1, last: int | None = None) -> list[StoredPage]:
        """Pages `first` to `last`, or to the end."""
        ...

    async def list_pages_at(self, sha256: str, start: int, end: int) -> list[StoredPage]:
        """The pages that hold characters `start` to `end` of the whole text."""
        ...

    async def read_text(self, sha256: str, start: int, end: int) -> str:
        """Characters `start` to `end` of the whole text, as far as it was read."""
        ...

    async def erase_orphans(self) -> None:
        """Erase documents without a file, which an interrupted deletion left."""
        ...
