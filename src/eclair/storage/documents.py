"""The store port of documents: files, libraries, what was read of them, and the index in which it is found.

What is read, cut and embedded belongs to a file's SHA-256 and is kept once, however many files have it. It is there
only as long as a file has it. Bytes of files are kept elsewhere (`storage/blobs.py`). All methods raise StoreError when
the database cannot serve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from eclair.schema.documents import Chunk, Page
from eclair.schema.messages import Fault, PageBreak

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

State = Literal["queued", "reading", "ready", "failed"]


@dataclass(frozen=True, slots=True)
class Library:
    """A named collection of files. `name` is one of its kind for its owner; `created` is in milliseconds."""

    id: str
    owner: str
    name: str
    created: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file that was taken in. Without a `library` it only goes along with messages. `size` is in bytes, `created` in
    milliseconds; `path` and `mtime_ns` are those of a file in a folder that is watched."""

    id: str
    owner: str
    name: str
    size: int
    sha256: str
    media: str
    created: int
    library: str | None = None
    path: str | None = None
    mtime_ns: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentState:
    """How far a document is. `reader` is the version of the reader that reads it, `pages` how many it has where that
    is known; `embedded` of its `chunks` have vectors of `embedder`. `remarks` are sentences about what of it could not
    be read."""

    sha256: str
    state: State
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
class FileState:
    """A file and how far what it holds is."""

    file: StoredFile
    document: DocumentState


@dataclass(frozen=True, slots=True)
class ListedFiles:
    """A page of a list. `next` is where the next one begins, if there is one."""

    files: list[FileState]
    next: str | None


@dataclass(frozen=True, slots=True)
class ListedLibrary:
    """A library and what is in it: files and their bytes, how many of the files are in each state, and how many of
    their chunks are embedded."""

    library: Library
    files: int
    bytes: int
    states: dict[State, int]
    chunks: int
    embedded: int

    @property
    def waiting(self) -> int:
        """Files that are not read yet."""
        return self.states.get("queued", 0) + self.states.get("reading", 0)


@dataclass(frozen=True, slots=True)
class StoredPage:
    """A page and the place of its first character in the whole text."""

    start: int
    page: Page


@dataclass(frozen=True, slots=True)
class Scope:
    """What a search looks in: these files and the files of these libraries, as far as they are the owner's."""

    owner: str
    files: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Near:
    """Chunk `number` of a document, by the key that the store gives the document, and how well it fits: a cosine, or
    the share of the query's words that it has, the rarer ones counting more."""

    key: int
    number: int
    score: float


@dataclass(frozen=True, slots=True)
class Located:
    """A chunk with the file of the scope that holds it. `label` and `member` are those of the page on which it
    begins, `breaks` where further pages begin in it."""

    chunk: Chunk
    file: str
    name: str
    label: str | None
    member: str | None
    breaks: tuple[PageBreak, ...]


class DocumentStore(Protocol):
    async def add_library(self, library: Library) -> None:
        """Raises Conflict where the owner has one of that name, or the id is taken."""
        ...

    async def library(self, owner: str, id: str) -> Library:
        """Raises NotFound."""
        ...

    async def library_named(self, owner: str, name: str) -> Library:
        """Raises NotFound."""
        ...

    async def libraries(self, owner: str) -> list[ListedLibrary]:
        """By name."""
        ...

    async def rename_library(self, owner: str, id: str, name: str) -> Library:
        """Raises NotFound, and Conflict where the name is taken."""
        ...

    async def delete_library(self, owner: str, id: str) -> list[str]:
        """With its files, as `delete_file` does; the blobs to be deleted come back. Raises NotFound."""
        ...

    async def add_file(self, file: StoredFile, reader: int) -> DocumentState:
        """Keep a file. What it holds is queued for the reader of this version unless it is known already. Raises
        NotFound for a library that is not the owner's, Conflict where the id, or the path in the library, is taken."""
        ...

    async def replace_file(self, id: str, file: StoredFile, reader: int) -> tuple[DocumentState, str | None]:
        """As `add_file`, and as `delete_file` for the one of that id, in one step."""
        ...

    async def file(self, owner: str, id: str) -> FileState:
        """Raises NotFound."""
        ...

    async def files(
        self, owner: str, limit: int, *, library: str | None = None, before: str | None = None
    ) -> ListedFiles:
        """Those of a library, or all, newest first. `before` is the `next` of the page before."""
        ...

    async def watched(self, owner: str, library: str) -> list[StoredFile]:
        """The files of a library that have a path."""
        ...

    async def change_file(
        self, owner: str, id: str, *, name: str | None = None, library: str | None = None, mtime_ns: int | None = None
    ) -> FileState:
        """What is None stays. Raises NotFound for the file or the library, Conflict where the path is taken there."""
        ...

    async def delete_file(self, owner: str, id: str) -> str | None:
        """Gone for good: with its last file go a document's text, index and vectors. The name of the blob that is to be
        deleted comes back where no file has it any more. Raises NotFound."""
        ...

    async def attach(self, owner: str, message: str, ids: Sequence[str]) -> None:
        """Let files go along with a message; once it is erased, nothing holds those that are in no library. What is
        attached already stays. Raises NotFound for a file or message that is not the owner's."""
        ...

    async def attached(self, owner: str, conversation: str) -> dict[str, list[StoredFile]]:
        """The files of each message of a conversation that has some, in the order in which they were attached."""
        ...

    async def loose(self, before: int) -> list[StoredFile]:
        """Files that are in no library, go along with no message and were added before that millisecond."""
        ...

    async def erase_rest(self) -> None:
        """Erase what a deletion left that was cut short."""
        ...

    async def state(self, sha256: str) -> DocumentState:
        """Raises NotFound."""
        ...

    async def name_of(self, sha256: str) -> str:
        """The name of the first file that has these bytes. Raises NotFound."""
        ...

    async def unfinished(self) -> list[DocumentState]:
        """Documents that are queued or being read, in the order in which they came."""
        ...

    async def outdated(self, reader: int) -> list[str]:
        """The SHA-256 of documents that an older reader has read, or has failed to read."""
        ...

    async def read_anew(self, sha256: str, reader: int) -> DocumentState:
        """Forget what was read and queue it. Raises NotFound."""
        ...

    async def opened(self, sha256: str, pages: int | None) -> None:
        """It is being read. Raises NotFound, as do those that follow, once its last file is gone."""
        ...

    async def remarked(self, sha256: str, remark: str) -> None:
        """Add a sentence, unless it is there."""
        ...

    async def add_pages(
        self, sha256: str, pages: Sequence[Page], chunks: Sequence[Chunk], *, finished: bool = False
    ) -> DocumentState:
        """Add the next pages and the next chunks together, and with `finished` make it ready. Chunks that are there
        already are passed over, since those of a document that is read on are cut anew. Raises Conflict where a page is
        not the next."""
        ...

    async def failed(self, sha256: str, fault: Fault) -> None:
        """It cannot be read (any further); the pages that were read stay."""
        ...

    async def pages(self, sha256: str, first: int = 1, last: int | None = None) -> list[StoredPage]:
        """From page `first` to `last`; without `last` to the end."""
        ...

    async def pages_at(self, sha256: str, start: int, end: int) -> list[StoredPage]:
        """The pages on which characters `start` to `end` of the whole text stand."""
        ...

    async def text(self, sha256: str, start: int, end: int) -> str:
        """Characters `start` to `end` of the whole text, as far as it was read."""
        ...

    async def chunks(self, sha256: str, first: int = 0, last: int | None = None) -> list[Chunk]:
        """From chunk `first` to `last`; without `last` to the end."""
        ...

    async def to_embed(self, embedder: str, limit: int) -> list[Chunk]:
        """The next chunks of one document that lack vectors of this embedder; empty where none do."""
        ...

    async def add_vectors(self, embedder: str, chunks: Sequence[Chunk], vectors: NDArray[float32]) -> bool:
        """Keep vectors of unit length, one a row, of chunks that `to_embed` gave; those of another embedder go. False
        where the document is gone, or others were faster."""
        ...

    async def keyword(self, scope: Scope, query: str, limit: int) -> list[Near]:
        """Chunks that hold words of the query, or words that begin alike, best first. Small words and very common ones
        are not looked for."""
        ...

    async def nearest(self, scope: Scope, embedder: str, vector: NDArray[float32], limit: int) -> list[Near]:
        """Chunks by their cosine to a vector of unit length, best first; exact."""
        ...

    async def located(self, scope: Scope, hits: Sequence[Near]) -> dict[tuple[int, int], Located]:
        """Chunks by their document's key and their number; what is gone meanwhile is left out."""
        ...
