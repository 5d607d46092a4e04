"""Port of chunks: passages of documents, their vectors, and the search in both."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from eclair.schema.documents import Chunk
from eclair.schema.messages import PageBreak
from eclair.schema.principal import Principal

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class SearchScope:
    """The files, and the files of libraries, to search; only those count that the principal may read."""

    principal: Principal
    files: tuple[str, ...] = ()
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChunkHit:
    """Chunk `number` of the document with the storage's own `key`, and how well it fits.

    The score is a cosine, or the share of the query's words it has, rarer words weighing more.
    """

    key: int
    number: int
    score: float


@dataclass(frozen=True, slots=True)
class LocatedChunk:
    """A chunk with the file of the scope that holds it.

    `label` and `member` are those of the page on which it begins, `breaks` where further pages begin in it.
    """

    chunk: Chunk
    file: str
    name: str
    label: str | None
    member: str | None
    breaks: tuple[PageBreak, ...]


@dataclass(frozen=True, slots=True)
class ListedName:
    """The name of a file; `key` is the storage's own for its document."""

    key: int
    file: str
    name: str


@dataclass(frozen=True, slots=True)
class ListedNames:
    """Some files of a scope that has `total`; 0 where none are listed."""

    total: int
    files: list[ListedName]


class ChunkStore(Protocol):
    """Chunks by the SHA-256 of their document, which has no owner (see `DocumentStore`), and searches in a scope."""

    async def list_chunks(self, sha256: str, first: int = 0, last: int | None = None) -> list[Chunk]:
        """List chunks `first` to `last` of a document, or to the end. Raises NotFound."""
        ...

    async def list_unembedded(
        self,
        embedder: str,
        limit: int,
        asked: SearchScope | None = None,
        without: Collection[str] = (),
        document: str | None = None,
    ) -> list[Chunk]:
        """List the next chunks of one document that lack vectors of this embedder; empty where none do.

        Documents of the scope `asked` come first, then by their priority, the newest first. Those of the owners in
        `without` are left out; with a `document`, all others.
        """
        ...

    async def find_owner(self, sha256: str) -> str:
        """Return the owner of a document: of its oldest file, empty where it has none any more."""
        ...

    async def add_vectors(self, embedder: str, chunks: Sequence[Chunk], vectors: NDArray[float32]) -> bool:
        """Add vectors of unit length, one a row, for chunks from `list_unembedded`; drop other embedders' vectors.

        Returns False where the document is gone, or another process was faster.
        """
        ...

    async def search_words(self, scope: SearchScope, query: str, limit: int) -> list[ChunkHit]:
        """Find chunks with words of the query, or words beginning with them, best first.

        Function words and very common words are not searched for.
        """
        ...

    async def search_vectors(
        self, scope: SearchScope, embedder: str, vector: NDArray[float32], limit: int
    ) -> list[ChunkHit]:
        """Find the chunks nearest to a vector of unit length by exact cosine, best first."""
        ...

    async def list_names(self, scope: SearchScope, words: Sequence[str], limit: int) -> ListedNames:
        """List the files of a scope whose names have some of the lowercase words, or aren't in ASCII.

        Those that have most of the words come first, then the newest. A word that isn't in ASCII is one of a name only
        as it is spelled, in lowercase, in capitals or with a capital.
        """
        ...

    async def locate_chunks(self, scope: SearchScope, hits: Sequence[ChunkHit]) -> dict[tuple[int, int], LocatedChunk]:
        """Return the chunks of hits by (key, number); those erased meanwhile are left out."""
        ...
